/* client_link.c: one connection, driven by nng's streams.
 *
 * The broker's end is an nng REP socket, and this end speaks the same protocol, but not through
 * nng's REQ socket: in nng 1.5.2 a pipe that closes between a message's length and its body can
 * leave an operation that never ends, and the one thread that reaps pipes waits for it. From then
 * on no pipe of the process is ever reaped, nothing reconnects, and closing the socket hangs. Eight
 * threads that call while the broker is killed met that in every other run. nng's streams carry the
 * bytes well enough, over ipc, tcp and tls alike, and the protocol on top is a greeting of 8 bytes
 * and a frame. Requests that wait leave in one write, and one read may bring many replies.
 *
 * Two rules of these streams, both kept by submitting and closing under the client's lock: an
 * operation on a stream that was closed never ends, so none is begun after link_drop(); and when
 * the peer goes, one of the operations that stand is told, so a receive stands all the time.
 * Callbacks come from nng's threads, never from within a call into nng, so the lock may be held
 * there.       */
#include "client_link.h"

#include <assert.h>
#include <base/bytes.h>
#include <base/clock.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

enum { READ_BYTES = 64 * 1024, HELLO_BYTES = 8, ID_BYTES = 4 };
enum { DIAL_MS_MAX = 10000, GREETING_MS_MAX = 5000, RANGE_MS_MIN = 100, RANGE_MS_MAX = 20000 };

/* "\0SP\0", the protocol's number (6 x 16 is REQ/REP; REQ is even, REP odd), reserved. */
static const uint8_t our_hello[HELLO_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const uint8_t their_hello[HELLO_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

/* ---- going down ---- */

/* Waits a random time from the upper half of a range that doubles with each failure. It stays below
 * the 30 s that a lease lasts after the broker's restart, so a worker is back in time. */
static void pause_plan(struct link *link, const char *why)
{
    struct rota_client *client = link->client;
    snprintf(client->last_error, sizeof client->last_error, "%s", why);
    uint32_t half = link->range_ms / 2;
    link->due_ms = clock_boot_ms() + half + randombytes_uniform(half + 1);
    link->range_ms = link->range_ms * 2 < RANGE_MS_MAX ? link->range_ms * 2 : RANGE_MS_MAX;
    keeper_wake(client, link->due_ms);
}

/* Calls that were sent end here; those that wait stay for the next connection. */
void link_drop(struct link *link, const char *why, struct ended *e)
{
    if (link->state != LINK_GREETING && link->state != LINK_UP)
        return;
    link->state = LINK_CLOSING;
    nng_stream_close(link->stream);
    calls_fail(link, false, e);
    pause_plan(link, why);
}

/* The last of the three operations came back: what they used may go. */
static void pending_end(struct link *link)
{
    assert(link->pending);
    if (--link->pending || link->state != LINK_CLOSING)
        return;
    nng_stream_free(link->stream);
    link->stream = NULL;
    link->is_sending = false;
    link->in.n = 0;
    link->state = LINK_DOWN;
    keeper_wake(link->client, link->due_ms);
}

/* ---- sending ---- */

static void send_submit(struct link *link)
{
    nng_iov iov = {link->out.p + link->out_done, link->out.n - link->out_done};
    nng_aio_set_iov(link->send, 1, &iov);
    link->is_sending = true;
    link->pending++;
    nng_stream_send(link->stream, link->send);
}

void link_flush(struct link *link)
{
    if (link->state != LINK_UP || link->is_sending || link->is_corked || !link->next.n)
        return;
    struct bytes sent = link->out;
    link->out = link->next;
    link->next = sent;
    link->next.n = link->out_done = 0;
    calls_mark_sent(link);
    send_submit(link);
}

static void send_done(void *arg)
{
    struct link *link = arg;
    struct ended e = {0};
    int error = nng_aio_result(link->send);
    pthread_mutex_lock(&link->client->lock);
    link->is_sending = false;
    link->out_done += error ? 0 : nng_aio_count(link->send);
    if (error)
        link_drop(link, nng_strerror(error), &e);
    else if (link->state != LINK_CLOSING && link->out_done < link->out.n)
        send_submit(link);
    else
        link_flush(link);
    pending_end(link);
    pthread_mutex_unlock(&link->client->lock);
    ended_tell(link->client, &e);
}

/* ---- receiving ---- */

static void recv_submit(struct link *link)
{
    nng_iov iov = {link->in.p + link->in.n, link->in.cap - link->in.n};
    nng_aio_set_iov(link->recv, 1, &iov);
    link->pending++;
    nng_stream_recv(link->stream, link->recv);
}

/* Answers that carry a key or a secret do not stay in the buffer, which is only overwritten when as
 * much comes again. */
static bool is_secret(const Rota__Reply *reply)
{
    return reply && (reply->result_case == ROTA__REPLY__RESULT_SIGN_DOWNLOAD ||
                     reply->result_case == ROTA__REPLY__RESULT_VAR_READ ||
                     reply->result_case == ROTA__REPLY__RESULT_KEY_CREATE);
}

static void reply_give(struct link *link, uint32_t id, uint8_t *p, size_t n)
{
    rota_done *done;
    void *arg;
    pthread_mutex_lock(&link->client->lock);
    bool is_known = call_take(link, id, &done, &arg);
    pthread_mutex_unlock(&link->client->lock);
    if (!is_known)
        return; /* its deadline came first */
    Rota__Reply *reply = rota__reply__unpack(NULL, n, p);
    if (is_secret(reply))
        sodium_memzero(p, n);
    done(arg, reply ? reply : reply_make(E_MALFORMED, "the reply is not one of rota's"));
}

enum frame_outcome { FRAME_DONE, FRAME_PART, FRAME_BAD };

/* Takes one frame at *at. PART: *ret_want bytes are needed in all. */
static enum frame_outcome frame_take(struct link *link, size_t *at, size_t *ret_want)
{
    size_t head = link->client->is_ipc ? 9 : 8, left = link->in.n - *at;
    uint8_t *p = link->in.p + *at;
    *ret_want = head;
    if (left < head)
        return FRAME_PART;
    uint64_t n = get_be64(p + head - 8);
    if ((head == 9 && p[0] != 1) || n < ID_BYTES || n > MESSAGE_BYTES_MAX_IPC)
        return FRAME_BAD;
    *ret_want = head + (size_t)n;
    if (left < *ret_want)
        return FRAME_PART;
    reply_give(link, get_be32(p + head), p + head + ID_BYTES, (size_t)n - ID_BYTES);
    *at += *ret_want;
    return FRAME_DONE;
}

/* Hands out what is whole and keeps the rest at the buffer's beginning. False: nonsense. */
static bool frames_take(struct link *link)
{
    size_t at = 0, want = 0;
    enum frame_outcome r;
    while ((r = frame_take(link, &at, &want)) == FRAME_DONE)
        continue;
    link->in.n -= at;
    memmove(link->in.p, link->in.p + at, link->in.n);
    size_t more = want > link->in.n ? want - link->in.n : 0;
    return r == FRAME_PART && bytes_reserve(&link->in, more < READ_BYTES ? READ_BYTES : more);
}

/* Under the lock. */
static bool greeting_take(struct link *link)
{
    if (link->in.n < HELLO_BYTES)
        return true;
    if (memcmp(link->in.p, their_hello, HELLO_BYTES) != 0)
        return false;
    link->in.n -= HELLO_BYTES;
    memmove(link->in.p, link->in.p + HELLO_BYTES, link->in.n);
    link->state = LINK_UP;
    link->range_ms = RANGE_MS_MIN;
    link->client->last_error[0] = 0;
    return true;
}

static void recv_done(void *arg)
{
    struct link *link = arg;
    struct ended e = {0};
    int error = nng_aio_result(link->recv);
    const char *why = error ? nng_strerror(error) : NULL;
    pthread_mutex_lock(&link->client->lock);
    if (!error) {
        link->in.n += nng_aio_count(link->recv);
        link->heard_ms = clock_boot_ms();
    }
    if (!why && link->state == LINK_GREETING && !greeting_take(link))
        why = "no nng REP socket answers there";
    if (!why && link->state == LINK_UP) {
        link->is_corked = true;
        pthread_mutex_unlock(&link->client->lock);
        if (!frames_take(link))
            why = "the peer's frames make no sense";
        pthread_mutex_lock(&link->client->lock);
        link->is_corked = false;
    }
    if (why)
        link_drop(link, why, &e);
    else if (link->state != LINK_CLOSING)
        recv_submit(link);
    link_flush(link);
    pending_end(link);
    pthread_mutex_unlock(&link->client->lock);
    ended_tell(link->client, &e);
}

/* ---- coming up ---- */

void link_dial(struct link *link, uint64_t now_ms)
{
    assert(link->state == LINK_DOWN && link->pending == 0);
    link->state = LINK_DIALING;
    link->due_ms = now_ms + DIAL_MS_MAX;
    link->pending++;
    nng_stream_dialer_dial(link->client->dialer, link->dial);
}

static void greet(struct link *link, uint64_t now_ms)
{
    link->state = LINK_GREETING;
    link->due_ms = now_ms + GREETING_MS_MAX;
    keeper_wake(link->client, link->due_ms);
    memcpy(link->out.p, our_hello, HELLO_BYTES);
    link->out.n = HELLO_BYTES;
    link->out_done = 0;
    send_submit(link);
    recv_submit(link);
}

static void dial_done(void *arg)
{
    struct link *link = arg;
    int error = nng_aio_result(link->dial);
    pthread_mutex_lock(&link->client->lock);
    link->pending--;
    if (error) {
        link->state = LINK_DOWN;
        pause_plan(link, nng_strerror(error));
    } else {
        link->stream = nng_aio_get_output(link->dial, 0);
        greet(link, clock_boot_ms());
    }
    pthread_mutex_unlock(&link->client->lock);
}

int link_new(struct rota_client *client, struct link **ret_link)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return err_raise(-ENOMEM);
    link->client = client;
    link->range_ms = RANGE_MS_MIN;
    link->idle = UINT32_MAX;
    if (nng_aio_alloc(&link->dial, dial_done, link) != 0 ||
        nng_aio_alloc(&link->send, send_done, link) != 0 ||
        nng_aio_alloc(&link->recv, recv_done, link) != 0 ||
        !bytes_reserve(&link->out, HELLO_BYTES) || !bytes_reserve(&link->in, READ_BYTES)) {
        link_free(link);
        return err_raise(-ENOMEM);
    }
    *ret_link = link;
    return 0;
}

/* nng_aio_free() waits for a callback that still runs, so no `done` outlives its link. */
struct link *link_free(struct link *link)
{
    if (!link)
        return NULL;
    assert(link->pending == 0);
    nng_aio_free(link->dial);
    nng_aio_free(link->send);
    nng_aio_free(link->recv);
    bytes_wipe(&link->next);
    bytes_wipe(&link->out);
    bytes_wipe(&link->in);
    free(link);
    return NULL;
}
