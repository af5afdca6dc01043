/* net_throughput.c: how many requests a second go through the endpoint and its inbox and back, with
 * 64 in flight over IPC from two clients of 32 (a pipe may have no more). The client is nng's own
 * REQ, in a process of its own, as the broker's clients are. Prints the best of three; a figure
 * that depends on the machine decides nothing here, except that a tenth of what is needed would
 * show a fault (a lost wake-up, a queue of depth one). */
#undef NDEBUG
#include "net_rig.h"

#include <assert.h>
#include <base/clock.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKETS = 2, CALLS_PER_SOCKET = 32, WARM_MS = 300, RUN_MS = 1000, LEAST_PER_S = 9000 };

struct call {
    nng_ctx ctx;
    nng_aio *aio;
    bool is_receiving;
};

static _Atomic uint64_t done;
static uint8_t request_bytes[64];
static size_t request_n;

static void call_send(struct call *c)
{
    nng_msg *msg;
    assert(nng_msg_alloc(&msg, request_n) == 0);
    memcpy(nng_msg_body(msg), request_bytes, request_n);
    nng_aio_set_msg(c->aio, msg);
    c->is_receiving = false;
    nng_ctx_send(c->ctx, c->aio);
}

static void call_step(void *arg)
{
    struct call *c = arg;
    if (nng_aio_result(c->aio) != 0)
        return;
    if (!c->is_receiving) {
        c->is_receiving = true;
        nng_ctx_recv(c->ctx, c->aio);
        return;
    }
    nng_msg_free(nng_aio_get_msg(c->aio));
    atomic_fetch_add(&done, 1);
    call_send(c);
}

static void request_make(void)
{
    Rota__Ping ping = ROTA__PING__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.request_id = 7;
    request.op_case = ROTA__REQUEST__OP_PING;
    request.ping = &ping;
    request_n = rota__request__pack(&request, request_bytes);
}

static void socket_open(const char *url)
{
    nng_socket socket;
    assert(nng_req0_open(&socket) == 0);
    assert(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) == 0);
    assert(nng_dial(socket, url, NULL, 0) == 0);
    for (int i = 0; i < CALLS_PER_SOCKET; i++) {
        struct call *c = calloc(1, sizeof *c);
        assert(c && nng_ctx_open(&c->ctx, socket) == 0);
        assert(nng_aio_alloc(&c->aio, call_step, c) == 0);
        call_send(c);
    }
}

/* The client's process: waits for the URL's socket file, then measures three times. */
static void client_run(int urls)
{
    char url[128];
    ssize_t n = read(urls, url, sizeof url - 1);
    assert(n > 0);
    url[n] = '\0';
    request_make();
    for (int i = 0; i < SOCKETS; i++)
        socket_open(url);
    poll(NULL, 0, WARM_MS);
    uint64_t best = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t from = atomic_load(&done), from_ns = clock_boot_ns();
        poll(NULL, 0, RUN_MS);
        uint64_t per_s = (atomic_load(&done) - from) * 1000000000u / (clock_boot_ns() - from_ns);
        best = per_s > best ? per_s : best;
    }
    printf("%u in flight over IPC: %llu round trips a second, best of 3\n",
           SOCKETS * CALLS_PER_SOCKET, (unsigned long long)best);
    fflush(stdout);
    _exit(best >= LEAST_PER_S ? 0 : 1);
}

int main(void)
{
    int urls[2], status;
    assert(pipe(urls) == 0);
    pid_t client = fork(); /* before nng has threads in this process */
    assert(client >= 0);
    if (client == 0)
        client_run(urls[0]);
    static struct rig rig;
    rig_open(&rig, NULL, NULL);
    assert(write(urls[1], rig.url, strlen(rig.url)) > 0);
    assert(waitpid(client, &status, 0) == client);
    rig_close(&rig);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
