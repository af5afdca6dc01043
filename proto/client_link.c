/* client_link.c: what nng 1.5.2 does and how a call lives with it.
 *
 * A call is two steps on one aio: nng_ctx_send, which ends when a pipe took the request, then
 * nng_ctx_recv. The resend time is infinite, so nng never repeats a request by itself; when the
 * pipe closes, its req.c ends the receive with NNG_ECONNRESET (also when the receive comes later),
 * and a request that no pipe took yet waits for the next one. So every call ends: by its reply, by
 * the loss of its pipe, or by its deadline. What nng cannot see is a peer that vanished without a
 * word; a call that times out on a link that was silent for long therefore closes the pipe, and nng
 * dials anew.
 *
 * nng dials for ever, after a random part of a range that it doubles at each try. As it draws from
 * a signed number, half of its pauses are none at all, and the range grows far faster than time
 * passes: a broker that was away for 0.3 s was found again only after 9 s. So the range is bounded
 * from here: while a link is down, a sleeping aio raises the bound to about half of the time that
 * it is down, at most PAUSE_MS_MAX, which lies below the 30 s that a lease lasts after the broker's
 * restart: a worker is back in time even when it draws the longest pause.
 *
 * Two aios with the receive posted at once would save a step, but a deadline that falls between
 * them makes req.c clear the header of a message that is gone already. */
#include "client_link.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>

enum { REPLY_BYTES_MAX = 1024 * 1024, PAUSE_MS_MIN = 100, PAUSE_MS_MAX = 20000 };

/* The one place that knows nng's codes. */
static int errno_of(int nng_error)
{
    if (nng_error == NNG_ENOMEM)
        return -ENOMEM;
    if (nng_error == NNG_ENOFILES)
        return -EMFILE;
    return -EINVAL;
}

/* ---- replies made here ---- */

/* For the moment when there is no memory for a reply that says so. */
static Rota__Error memory_error = {
    .base = PROTOBUF_C_MESSAGE_INIT(&rota__error__descriptor),
    .name = (char *)"MEMORY",
    .text = (char *)"out of memory",
    .hint = (char *)"close other programs",
    .retryable = true,
};
static Rota__Reply memory_reply = {
    .base = PROTOBUF_C_MESSAGE_INIT(&rota__reply__descriptor),
    .error = &memory_error,
};

/* The way over bytes gives a reply that can be freed like one from the broker. */
Rota__Reply *reply_make(enum error_code code, const char *text)
{
    uint8_t bytes[1024];
    Rota__Error error;
    Rota__Reply reply = ROTA__REPLY__INIT;
    error_fill(code, text, &error);
    reply.error = &error;
    size_t n = rota__reply__get_packed_size(&reply);
    assert(n <= sizeof bytes);
    rota__reply__pack(&reply, bytes);
    Rota__Reply *made = rota__reply__unpack(NULL, n, bytes);
    return made ? made : &memory_reply;
}

Rota__Reply *rota_reply_free(Rota__Reply *reply)
{
    if (reply && reply != &memory_reply)
        rota__reply__free_unpacked(reply, NULL);
    return NULL;
}

static Rota__Reply *reply_unavailable(const struct rota_client *client)
{
    char text[256];
    snprintf(text, sizeof text, "the broker cannot be reached at %.200s", client->url);
    return reply_make(E_UNAVAILABLE, text);
}

/* A request that no pipe took in time found nobody; one that was taken found nobody who answers. */
static Rota__Reply *reply_of_failure(const struct call *call, int nng_error)
{
    if (nng_error == NNG_ETIMEDOUT && call->is_sent)
        return reply_make(E_TIMEOUT, NULL);
    if (nng_error == NNG_ENOMEM)
        return reply_make(E_MEMORY, NULL);
    return reply_unavailable(call->link->client);
}

static Rota__Reply *reply_unpack(nng_msg *message)
{
    Rota__Reply *reply =
        rota__reply__unpack(NULL, nng_msg_len(message), (const uint8_t *)nng_msg_body(message));
    nng_msg_free(message);
    return reply ? reply : reply_make(E_MALFORMED, "the reply is not one of rota's");
}

/* ---- one call ---- */

static void call_end(struct call *call, Rota__Reply *reply)
{
    rota_done *done = call->done;
    void *arg = call->arg;
    call_release(call); /* first: `done` may start the next call on this very context */
    done(arg, reply);
}

/* Others on the pipe get UNAVAILABLE, which they may repeat. */
static void pipe_doubt(struct call *call, uint64_t now_ms)
{
    struct link *link = call->link;
    uint64_t heard_ms = atomic_load(&link->heard_ms);
    uint64_t since_ms = heard_ms > call->sent_ms ? heard_ms : call->sent_ms;
    nng_pipe pipe = {atomic_load(&link->pipe)};
    if (pipe.id && now_ms - since_ms >= link->client->silent_ms)
        nng_pipe_close(pipe);
}

static void step_arm(struct call *call, uint64_t now_ms)
{
    uint64_t left_ms = call->deadline_ms > now_ms ? call->deadline_ms - now_ms : 1;
    nng_aio_set_timeout(call->aio, left_ms < INT32_MAX ? (nng_duration)left_ms : INT32_MAX);
}

static void call_sent(struct call *call, int error)
{
    if (error) {
        nng_msg *message = nng_aio_get_msg(call->aio);
        nng_aio_set_msg(call->aio, NULL);
        nng_msg_free(message);
        call_end(call, reply_of_failure(call, error));
        return;
    }
    call->is_sent = true;
    step_arm(call, clock_boot_ms());
    nng_ctx_recv(call->ctx, call->aio);
}

static void call_step(void *arg)
{
    struct call *call = arg;
    int error = nng_aio_result(call->aio);
    if (!call->is_sent) {
        call_sent(call, error);
        return;
    }
    uint64_t now_ms = clock_boot_ms();
    if (error == 0) {
        nng_msg *message = nng_aio_get_msg(call->aio);
        nng_aio_set_msg(call->aio, NULL);
        atomic_store(&call->link->heard_ms, now_ms);
        call_end(call, reply_unpack(message));
        return;
    }
    if (error == NNG_ETIMEDOUT)
        pipe_doubt(call, now_ms);
    call_end(call, reply_of_failure(call, error));
}

void call_send(struct call *call, nng_msg *message, uint64_t now_ms)
{
    call->is_sent = false;
    call->sent_ms = now_ms;
    step_arm(call, now_ms);
    nng_aio_set_msg(call->aio, message);
    nng_ctx_send(call->ctx, call->aio);
}

/* ---- links ---- */

static struct call *call_make(struct link *link)
{
    struct call *call = &link->calls[link->made];
    call->link = link;
    if (nng_ctx_open(&call->ctx, link->socket) != 0)
        return NULL;
    if (nng_aio_alloc(&call->aio, call_step, call) != 0) {
        nng_ctx_close(call->ctx);
        return NULL;
    }
    link->made++;
    return call;
}

struct call *link_take(struct link *link)
{
    struct call *call = link->idle;
    if (call)
        link->idle = call->next;
    else if (link->made < LINK_CALLS)
        call = call_make(link);
    if (call)
        link->busy++;
    return call;
}

/* ---- being down ---- */

static void pause_set(struct link *link, uint32_t ms)
{
    atomic_store(&link->pause_ms, ms);
    nng_dialer_set_ms(link->dialer, NNG_OPT_RECONNMAXT, (nng_duration)ms);
}

/* Begins to watch, unless the watch is on. */
static void watch_start(struct link *link)
{
    pause_set(link, PAUSE_MS_MIN);
    if (!atomic_exchange(&link->is_watched, true))
        nng_sleep_aio(2 * PAUSE_MS_MIN, link->watch);
}

/* The second look closes the gap in which the pipe goes while this watch ends. */
static void watch_step(void *arg)
{
    struct link *link = arg;
    if (nng_aio_result(link->watch) != 0)
        return; /* the link is being freed */
    if (atomic_load(&link->pipe)) {
        atomic_store(&link->is_watched, false);
        if (atomic_load(&link->pipe) || atomic_exchange(&link->is_watched, true))
            return;
    }
    uint32_t ms = atomic_load(&link->pause_ms) * 2;
    pause_set(link, ms < PAUSE_MS_MAX ? ms : PAUSE_MS_MAX);
    nng_sleep_aio((nng_duration)(2 * atomic_load(&link->pause_ms)), link->watch);
}

static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct link *link = arg;
    uint_least32_t id = (uint_least32_t)nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_ADD_POST) {
        atomic_store(&link->pipe, id);
        return;
    }
    atomic_compare_exchange_strong(&link->pipe, &id, 0);
    watch_start(link);
}

static int socket_set(struct link *link)
{
    nng_socket s = link->socket;
    int e = nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (!e)
        e = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, REPLY_BYTES_MAX);
    if (!e)
        e = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, PAUSE_MS_MIN);
    if (!e)
        e = nng_pipe_notify(s, NNG_PIPE_EV_ADD_POST, pipe_changed, link);
    if (!e)
        e = nng_pipe_notify(s, NNG_PIPE_EV_REM_POST, pipe_changed, link);
    return e;
}

static int link_dial(struct link *link)
{
    int e = nng_aio_alloc(&link->watch, watch_step, link);
    if (!e)
        e = nng_dialer_create(&link->dialer, link->socket, link->client->url);
    if (!e && link->client->tls)
        e = nng_dialer_set_ptr(link->dialer, NNG_OPT_TLS_CONFIG, link->client->tls);
    if (!e) {
        watch_start(link);
        e = nng_dialer_start(link->dialer, NNG_FLAG_NONBLOCK);
    }
    return e;
}

int link_new(struct rota_client *client, struct link **ret_link)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return err_raise(-ENOMEM);
    link->client = client;
    int e = nng_req0_open(&link->socket);
    if (e) {
        free(link);
        return err_raise(errno_of(e));
    }
    e = socket_set(link);
    if (!e)
        e = link_dial(link);
    if (e) {
        link_free(link);
        return err_raise(errno_of(e));
    }
    *ret_link = link;
    return 0;
}

void link_cancel(struct link *link)
{
    for (unsigned i = 0; i < link->made; i++)
        nng_aio_cancel(link->calls[i].aio);
}

/* nng_aio_free() waits for a callback that still runs, so no `done` outlives its link. */
struct link *link_free(struct link *link)
{
    if (!link)
        return NULL;
    for (unsigned i = 0; i < link->made; i++) {
        nng_aio_free(link->calls[i].aio);
        nng_ctx_close(link->calls[i].ctx);
    }
    nng_aio_stop(link->watch);
    nng_close(link->socket); /* the pipe's last word still finds the aio, stopped */
    nng_aio_free(link->watch);
    free(link);
    return NULL;
}
