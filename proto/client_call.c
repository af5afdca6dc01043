/* client_call.c: places, frames, and how calls end.
 *
 * A frame is what nng's REQ would have written: the length (after a byte 1 over ipc), four bytes of
 * request id with the high bit set, the message. The id holds the call's place in its link and a
 * generation, so a reply finds its call without a search, and a reply that comes too late finds
 * none. */
#include "client_link.h"

#include <assert.h>
#include <base/bytes.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

enum { BUFFER_BYTES = 16 * 1024, ID_BYTES = 4, PLACE_BITS = 5 };
#define ID_HIGH 0x80000000u
static_assert(1 << PLACE_BITS == LINK_CALLS, "an id holds a place");

/* ---- bytes ---- */

/* Not realloc(): it would leave a copy of the credential behind. */
bool bytes_reserve(struct bytes *b, size_t more)
{
    if (b->cap - b->n >= more)
        return true;
    size_t cap = b->cap ? b->cap : BUFFER_BYTES;
    while (cap - b->n < more)
        cap *= 2;
    uint8_t *p = malloc(cap);
    if (!p)
        return false;
    if (b->n)
        memcpy(p, b->p, b->n);
    if (b->p)
        sodium_memzero(b->p, b->cap);
    free(b->p);
    b->p = p;
    b->cap = cap;
    return true;
}

void bytes_wipe(struct bytes *b)
{
    if (b->p)
        sodium_memzero(b->p, b->cap);
    free(b->p);
    *b = (struct bytes){0};
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

/* ---- a call's beginning ---- */

static size_t head_write(const struct rota_client *client, uint8_t *to, size_t n)
{
    size_t used = 0;
    if (client->is_ipc)
        to[used++] = 1;
    put_be64(to + used, n);
    return used + 8;
}

static size_t packed_max(const struct rota_client *client)
{
    return (client->is_ipc ? MESSAGE_BYTES_MAX_IPC : MESSAGE_BYTES_MAX_TCP) - ID_BYTES;
}

/* The id of the first idle place. */
static uint32_t id_make(struct link *link)
{
    assert(link->idle);
    uint32_t place = (uint32_t)__builtin_ctz(link->idle);
    return ID_HIGH | (link->generation++ << PLACE_BITS & ~ID_HIGH) | place;
}

int call_queue(struct link *link, const Rota__Request *request, uint64_t now_ms,
               uint64_t deadline_ms, rota_done *done, void *arg)
{
    struct rota_client *client = link->client;
    Rota__Request r = *request;
    r.request_id = ++client->request_id;
    r.credential = client->credential;
    r.environment = client->environment;
    size_t packed = rota__request__get_packed_size(&r);
    if (packed > packed_max(client))
        return err_raise(-EMSGSIZE);
    if (!bytes_reserve(&link->next, packed + 16))
        return err_raise(-ENOMEM);
    uint32_t id = id_make(link);
    uint8_t *to = link->next.p + link->next.n;
    size_t head = head_write(client, to, ID_BYTES + packed);
    put_be32(to + head, id);
    rota__request__pack(&r, to + head + ID_BYTES);
    struct call *call = &link->calls[id % LINK_CALLS];
    *call = (struct call){.id = id,
                          .at = link->next.n,
                          .n = head + ID_BYTES + packed,
                          .start_ms = now_ms,
                          .deadline_ms = deadline_ms,
                          .done = done,
                          .arg = arg};
    link->next.n += call->n;
    link->idle &= ~(1u << id % LINK_CALLS);
    return 0;
}

void calls_mark_sent(struct link *link)
{
    for (uint32_t busy = ~link->idle; busy; busy &= busy - 1)
        link->calls[__builtin_ctz(busy)].is_sent = true;
}

/* ---- a call's end ---- */

static void place_free(struct link *link, struct call *call)
{
    assert(call->id);
    link->idle |= 1u << call->id % LINK_CALLS;
    call->id = 0;
}

bool call_take(struct link *link, uint32_t id, rota_done **ret_done, void **ret_arg)
{
    struct call *call = &link->calls[id % LINK_CALLS];
    if (call->id != id || !call->is_sent)
        return false;
    *ret_done = call->done;
    *ret_arg = call->arg;
    place_free(link, call);
    return true;
}

/* Nobody waits for it any more, so it is not to be sent later. */
static void frame_remove(struct link *link, const struct call *call)
{
    size_t after = call->at + call->n;
    memmove(link->next.p + call->at, link->next.p + after, link->next.n - after);
    link->next.n -= call->n;
    for (uint32_t busy = ~link->idle; busy; busy &= busy - 1) {
        struct call *other = &link->calls[__builtin_ctz(busy)];
        if (!other->is_sent && other->at > call->at)
            other->at -= call->n;
    }
}

static void call_fail(struct link *link, struct call *call, enum error_code code, struct ended *e)
{
    assert(e->n < LINK_CALLS);
    if (!call->is_sent)
        frame_remove(link, call);
    e->item[e->n].done = call->done;
    e->item[e->n].arg = call->arg;
    e->item[e->n++].code = code;
    place_free(link, call);
}

void calls_fail(struct link *link, bool all, struct ended *e)
{
    for (uint32_t busy = ~link->idle; busy; busy &= busy - 1) {
        struct call *call = &link->calls[__builtin_ctz(busy)];
        if (all || call->is_sent)
            call_fail(link, call, E_UNAVAILABLE, e);
    }
}

/* A request that nobody took found nobody; one that was taken found nobody who answers. */
bool calls_expire(struct link *link, uint64_t now_ms, uint64_t *ret_next_ms, struct ended *e)
{
    bool is_doubtful = false;
    for (uint32_t busy = ~link->idle; busy; busy &= busy - 1) {
        struct call *call = &link->calls[__builtin_ctz(busy)];
        if (call->deadline_ms > now_ms) {
            if (call->deadline_ms < *ret_next_ms)
                *ret_next_ms = call->deadline_ms;
            continue;
        }
        uint64_t since_ms = link->heard_ms > call->start_ms ? link->heard_ms : call->start_ms;
        is_doubtful |= call->is_sent && now_ms - since_ms >= link->client->silent_ms;
        call_fail(link, call, call->is_sent ? E_TIMEOUT : E_UNAVAILABLE, e);
    }
    return is_doubtful;
}

static Rota__Reply *reply_unavailable(struct rota_client *client)
{
    char why[sizeof client->last_error], text[400];
    pthread_mutex_lock(&client->lock);
    memcpy(why, client->last_error, sizeof why);
    pthread_mutex_unlock(&client->lock);
    snprintf(text, sizeof text, "the broker cannot be reached at %.250s%s%s", client->url,
             why[0] ? ": " : "", why);
    return reply_make(E_UNAVAILABLE, text);
}

void ended_tell(struct rota_client *client, struct ended *e)
{
    for (size_t i = 0; i < e->n; i++)
        e->item[i].done(e->item[i].arg, e->item[i].code == E_UNAVAILABLE
                                            ? reply_unavailable(client)
                                            : reply_make(e->item[i].code, NULL));
    e->n = 0;
}
