/* waiter.c: one REQ socket of nng, one request that waits in it for a pipe. */
#include "waiter.h"

#include <base/clock.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <semaphore.h>
#include <string.h>

enum { DIAL_MS = 1, REPLY_MS_MAX = 60000 };

struct waiter {
    nng_socket socket;
    nng_ctx ctx;
    nng_aio *aio;
    bool is_open, has_ctx, is_sent;
    int error; /* nng's, of the call */
    uint64_t came_ns;
    nng_msg *reply;
    sem_t ended;
};

/* First the request finds a pipe, then the reply comes. */
static void waiter_step(void *arg)
{
    struct waiter *w = arg;
    w->error = nng_aio_result(w->aio);
    if (w->error == 0 && !w->is_sent) {
        w->is_sent = true;
        nng_ctx_recv(w->ctx, w->aio);
        return;
    }
    w->came_ns = clock_boot_ns();
    nng_msg *message = nng_aio_get_msg(w->aio);
    if (w->error == 0)
        w->reply = message;
    else if (!w->is_sent)
        nng_msg_free(message);
    sem_post(&w->ended);
}

static int socket_open(struct waiter *w, const char *url)
{
    int e = nng_req0_open(&w->socket);
    if (e)
        return e;
    w->is_open = true;
    e = nng_socket_set_ms(w->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (!e)
        e = nng_socket_set_ms(w->socket, NNG_OPT_RECONNMINT, DIAL_MS);
    if (!e)
        e = nng_socket_set_ms(w->socket, NNG_OPT_RECONNMAXT, DIAL_MS);
    if (!e)
        e = nng_dial(w->socket, url, NULL, NNG_FLAG_NONBLOCK);
    if (!e)
        e = nng_ctx_open(&w->ctx, w->socket);
    w->has_ctx = !e;
    return e;
}

static int request_send(struct waiter *w, const void *request, size_t n)
{
    nng_msg *message;
    int e = nng_aio_alloc(&w->aio, waiter_step, w);
    if (!e)
        e = nng_msg_alloc(&message, n);
    if (e)
        return e;
    memcpy(nng_msg_body(message), request, n);
    nng_aio_set_msg(w->aio, message);
    nng_aio_set_timeout(w->aio, REPLY_MS_MAX);
    nng_ctx_send(w->ctx, w->aio);
    return 0;
}

int waiter_new(const char *url, const void *request, size_t n, struct waiter **ret_waiter)
{
    AUTO(waiter) w = calloc(1, sizeof *w);
    if (!w)
        return err_raise(-ENOMEM);
    sem_init(&w->ended, 0, 0);
    int e = socket_open(w, url);
    if (!e)
        e = request_send(w, request, n);
    if (e)
        return err_raise(e == NNG_ENOMEM ? -ENOMEM : -EINVAL);
    *ret_waiter = TAKE(w);
    return 0;
}

struct waiter *waiter_free(struct waiter *w)
{
    if (!w)
        return NULL;
    if (w->aio)
        nng_aio_free(w->aio);
    if (w->has_ctx)
        nng_ctx_close(w->ctx);
    if (w->is_open)
        nng_close(w->socket);
    if (w->reply)
        nng_msg_free(w->reply);
    sem_destroy(&w->ended);
    free(w);
    return NULL;
}

int waiter_wait(struct waiter *w, uint64_t *ret_came_ns, const void **ret_reply, size_t *ret_n)
{
    while (sem_wait(&w->ended) < 0 && errno == EINTR)
        continue;
    if (w->error)
        return err_raise(w->error == NNG_ETIMEDOUT ? -ETIMEDOUT : -ECONNRESET);
    *ret_came_ns = w->came_ns;
    *ret_reply = nng_msg_body(w->reply);
    *ret_n = nng_msg_len(w->reply);
    return 0;
}
