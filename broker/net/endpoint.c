/* endpoint.c: the socket, its life, and what nng calls.
 *
 * One raw REP socket serves all addresses. Raw, because then a request waits as a saved header of
 * some dozen bytes, in any number and for any time; cooked REP has a fixed pool of contexts, and
 * one client that fills it with long polls, or never reads, stops all others. The two upper queues
 * get room: with nng's own depths of 1 and 0 each message waits for a thread switch, which costs
 * two thirds of the throughput.          */
#include "net/inside.h"

#include "net/calls.h"
#include "net/fault.h"
#include "net/socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <nng/protocol/reqrep0/rep.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    RECEIVE_QUEUE = 128,
    SEND_QUEUE = 8192,
    START_PROBE_MS = 5000,
    HANG_UP_S = 1,
    CLOSE_MS = 3000
};

void endpoint_note(struct endpoint *e, const char *event, const char *text, ...)
{
    if (!e->config.note)
        return;
    char line[256];
    va_list ap;
    va_start(ap, text);
    vsnprintf(line, sizeof line, text, ap);
    va_end(ap);
    e->config.note(e->config.arg, event, line);
}

static void peer_describe_in(const nng_sockaddr *from, struct peer *peer)
{
    struct sockaddr_storage to = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
    const void *bytes = NULL;
    if (from->s_family == NNG_AF_INET) {
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = from->s_in.sa_addr;
        bytes = &in->sin_addr;
    } else if (from->s_family == NNG_AF_INET6) {
        in6->sin6_family = AF_INET6;
        memcpy(&in6->sin6_addr, from->s_in6.sa_addr, sizeof in6->sin6_addr);
        bytes = &in6->sin6_addr;
    }
    if (!bytes)
        return;
    inet_ntop(to.ss_family, bytes, peer->address, sizeof peer->address);
    peer->is_loopback = address_is_loopback((struct sockaddr *)&to);
}

static struct peer peer_describe(nng_pipe pipe)
{
    struct peer peer = {.pipe = (uint32_t)pipe.id, .uid = UINT32_MAX};
    nng_sockaddr from = {0};
    uint64_t uid;
    if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &from) != 0)
        return peer; /* it hung up already; nothing is trusted about it */
    peer.is_ipc = peer.is_loopback = from.s_family == NNG_AF_IPC;
    if (peer.is_ipc && nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) == 0)
        peer.uid = (uint32_t)uid;
    if (!peer.is_ipc)
        peer_describe_in(&from, &peer);
    return peer;
}

/* The list of listeners is complete before the first pipe comes. */
static void listener_credit(struct endpoint *e, nng_pipe pipe)
{
    int number = nng_listener_id(nng_pipe_listener(pipe));
    for (struct listener *l = e->listeners; l; l = l->next)
        if (atomic_load(&l->number) == number)
            atomic_fetch_add(&l->came_n, 1);
}

/* Before nng reads a byte of the new pipe. */
static void pipe_came(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct endpoint *e = arg;
    struct peer peer = peer_describe(pipe);
    listener_credit(e, pipe);
    uint32_t evicted = 0;
    if (pipe_table_add(e->pipes, &peer, calls_fd(pipe), clock_boot_ms(), &evicted) != 0) {
        nng_pipe_close(pipe); /* not a byte of it is being read */
        return;
    }
    if (evicted != 0) {
        atomic_fetch_add(&e->closed_silent, 1);
        endpoint_pipe_close(e, evicted);
    }
}

static void pipe_went(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct endpoint *e = arg;
    pipe_table_remove(e->pipes, (uint32_t)pipe.id);
}

static void received(void *arg)
{
    struct endpoint *e = arg;
    int rv = nng_aio_result(e->receive_aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED || atomic_load(&e->is_closing)) {
        if (rv == 0)
            nng_msg_free(nng_aio_get_msg(e->receive_aio));
        return;
    }
    if (rv == 0)
        message_receive(e, nng_aio_get_msg(e->receive_aio));
    nng_recv_aio(e->socket, e->receive_aio);
}

static int socket_prepare(struct endpoint *e)
{
    int rv = nng_rep0_open_raw(&e->socket);
    if (rv == 0)
        rv = nng_socket_set_int(e->socket, NNG_OPT_RECVBUF, RECEIVE_QUEUE);
    if (rv == 0)
        rv = nng_socket_set_int(e->socket, NNG_OPT_SENDBUF, SEND_QUEUE);
    if (rv == 0)
        rv = nng_socket_set_size(e->socket, NNG_OPT_RECVMAXSZ, TCP_MESSAGE_BYTES_MAX);
    if (rv == 0)
        rv = nng_pipe_notify(e->socket, NNG_PIPE_EV_ADD_PRE, pipe_came, e);
    if (rv == 0)
        rv = nng_pipe_notify(e->socket, NNG_PIPE_EV_REM_POST, pipe_went, e);
    return rv == 0 ? 0 : err_raise(nng_fault(rv));
}

/* One receive at a time is as fast as eight (measured), and keeps a pipe's requests in their order:
 * of two polls of one worker the later replaces the earlier. */
static int receiver_prepare(struct endpoint *e)
{
    int rv = nng_aio_alloc(&e->receive_aio, received, e);
    return rv == 0 ? 0 : err_raise(nng_fault(rv));
}

int endpoint_new(const struct endpoint_config *config, struct endpoint **ret_endpoint)
{
    assert(config->inbox);
    AUTO(endpoint) e = calloc(1, sizeof *e);
    if (!e)
        return err_raise(-ENOMEM);
    e->config = *config;
    e->stop_fd = eventfd(0, EFD_CLOEXEC);
    e->closed_fd = eventfd(0, EFD_CLOEXEC);
    if (e->stop_fd < 0 || e->closed_fd < 0)
        return err_raise(-errno);
    int r = pipe_table_new(config->inbox, &e->pipes);
    if (r == 0)
        r = socket_prepare(e);
    if (r == 0)
        r = sender_new(e->socket, &e->sender);
    if (r == 0)
        r = receiver_prepare(e);
    if (r < 0)
        return err_pass(r);
    if (!calls_are_guarded())
        endpoint_note(e, "net.unguarded", "nng's system calls do not go through ours");
    *ret_endpoint = TAKE(e);
    return 0;
}

static void *close_run(void *arg)
{
    struct endpoint *e = arg;
    nng_close(e->socket);
    eventfd_write(e->closed_fd, 1);
    return NULL;
}

/* nng_close() never returns when its reaper is stuck (calls.c), and to end must always be possible.
 */
static bool socket_close(struct endpoint *e)
{
    struct pollfd closed = {.fd = e->closed_fd, .events = POLLIN};
    pthread_t thread;
    if (e->socket.id == 0)
        return true;
    if (pthread_create(&thread, NULL, close_run, e) != 0)
        return false;
    if (poll(&closed, 1, CLOSE_MS) > 0)
        return pthread_join(thread, NULL) == 0;
    pthread_detach(thread);
    endpoint_note(e, "net.close_stuck", "waited_ms=%d, left behind", CLOSE_MS);
    return false;
}

static void release(struct endpoint *e)
{
    if (e->receive_aio)
        nng_aio_free(e->receive_aio);
    sender_free(e->sender);
    pipe_table_free(e->pipes);
    while (e->listeners) {
        struct listener *next = e->listeners->next;
        listener_free(e->listeners);
        e->listeners = next;
    }
    if (e->stop_fd >= 0)
        close(e->stop_fd);
    if (e->closed_fd >= 0)
        close(e->closed_fd);
    free(e);
}

struct endpoint *endpoint_free(struct endpoint *e)
{
    if (!e)
        return NULL;
    if (e->is_started)
        warden_stop(e);
    if (e->pipes)
        pipe_table_close(e->pipes, HANG_UP_S); /* while requests are still taken from nng: a pipe
                                                   that waits for that reads nothing, not even its
                                                   end */
    atomic_store(&e->is_closing, true);
    if (e->receive_aio)
        nng_aio_stop(e->receive_aio);
    if (socket_close(e))
        release(e); /* else nng may still come back to all of it */
    return NULL;
}

int endpoint_listen(struct endpoint *e, const char *url)
{
    assert(!e->is_started);
    AUTO(listener) l = NULL;
    int r = listener_new(&e->config, url, &l);
    if (r == 0)
        r = listener_open(l, e->socket);
    if (r)
        return r < 0 ? err_pass(r) : r;
    struct listener **last = &e->listeners;
    while (*last)
        last = &(*last)->next;
    *last = TAKE(l);
    return 0;
}

int endpoint_start(struct endpoint *e)
{
    assert(!e->is_started);
    nng_recv_aio(e->socket, e->receive_aio);
    for (struct listener *l = e->listeners; l; l = l->next)
        if (listener_probe(e, l, START_PROBE_MS) != LISTENER_ALIVE)
            return err_raise(-ETIMEDOUT);
    int r = warden_start(e);
    if (r < 0)
        return err_pass(r);
    e->is_started = true;
    return 0;
}

void endpoint_pipe_is_known(struct endpoint *e, uint32_t pipe)
{
    pipe_table_known(e->pipes, pipe);
}

void endpoint_pipe_close(struct endpoint *e, uint32_t pipe)
{
    if (!pipe_table_hang_up(e->pipes, pipe))
        nng_pipe_close((nng_pipe){.id = pipe});
}

void endpoint_stats(struct endpoint *e, struct endpoint_stats *ret_stats)
{
    struct endpoint_stats s = {
        .relistens = atomic_load(&e->relistens),
        .requests = atomic_load(&e->requests),
        .refused_busy = atomic_load(&e->refused_busy),
        .refused_overloaded = atomic_load(&e->refused_overloaded),
        .malformed = atomic_load(&e->malformed),
        .closed_silent = atomic_load(&e->closed_silent),
    };
    pipe_table_count(e->pipes, &s.pipes, &s.silent_pipes);
    *ret_stats = s;
}
