/* inbox.c: two queues, each with its own lock, so that the readers never hold up the queue thread.
 *
 * What waits is bounded by bytes, and each request is charged more than its length: a flood of tiny
 * requests would otherwise cost ten times the memory that the bound promises. Charges are atomics:
 * one for the whole inbox and one for each pipe, in a fixed table indexed by the low bits of the
 * pipe's number. Pipes that share an index share their 4 MiB; with nng's consecutive numbers that
 * takes more than 65,536 pipes, and costs at worst a retryable refusal. A charge ends when the
 * request is taken.
 *
 * A taker is signalled only when one sleeps: while the queue thread commits, pushes cost no system
 * call, and what came meanwhile is handed over as one list. */
#include "net/inbox.h"

#include <assert.h>
#include <errno.h>
#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    PIPE_SLOTS = 1 << 16,
    REQUEST_OVERHEAD_BYTES = 256, /* an nng message around its body, and malloc's own */
};

struct lane {
    pthread_mutex_t mx;
    pthread_cond_t came;
    struct inbound *head, *tail;
    size_t n, bytes;
    unsigned sleepers;
    uint32_t wakes;       /* rises with each inbox_wake() */
    bool is_wake_pending; /* for a taker that was not asleep at the time */
};

struct inbox {
    struct lane lanes[OP_LANES];
    _Atomic size_t charged_bytes;
    _Atomic uint32_t pipe_charged_bytes[PIPE_SLOTS];
};

struct inbound *inbound_free(struct inbound *in)
{
    if (!in)
        return NULL;
    if (in->owner)
        nng_msg_free(in->owner);
    free(in->sources);
    free(in->sealed);
    free(in->settled);
    free(in);
    return NULL;
}

static int lane_init(struct lane *lane)
{
    pthread_condattr_t attr;
    int r = pthread_condattr_init(&attr);
    if (r)
        return err_raise(-r);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    r = pthread_cond_init(&lane->came, &attr);
    pthread_condattr_destroy(&attr);
    if (r)
        return err_raise(-r);
    r = pthread_mutex_init(&lane->mx, NULL);
    return r ? err_raise(-r) : 0;
}

int inbox_new(struct inbox **ret_inbox)
{
    AUTO(inbox) b = calloc(1, sizeof *b);
    if (!b)
        return err_raise(-ENOMEM);
    for (int i = 0; i < OP_LANES; i++) {
        int r = lane_init(&b->lanes[i]);
        if (r < 0)
            return err_pass(r);
    }
    *ret_inbox = TAKE(b);
    return 0;
}

struct inbox *inbox_free(struct inbox *b)
{
    if (!b)
        return NULL;
    for (int i = 0; i < OP_LANES; i++) {
        struct inbound *next;
        for (struct inbound *in = b->lanes[i].head; in; in = next) {
            next = in->next;
            inbound_free(in);
        }
        pthread_mutex_destroy(&b->lanes[i].mx);
        pthread_cond_destroy(&b->lanes[i].came);
    }
    free(b);
    return NULL;
}

static size_t charge_of(const struct inbound *in)
{
    return in->n + sizeof *in + REQUEST_OVERHEAD_BYTES;
}

static _Atomic uint32_t *slot_of(struct inbox *b, const struct inbound *in)
{
    return &b->pipe_charged_bytes[in->peer.pipe & (PIPE_SLOTS - 1)];
}

static void uncharge(struct inbox *b, const struct inbound *in)
{
    size_t charge = charge_of(in);
    size_t was = atomic_fetch_sub(&b->charged_bytes, charge);
    uint32_t slot_was = atomic_fetch_sub(slot_of(b, in), (uint32_t)charge);
    assert(was >= charge);
    assert(slot_was >= charge);
}

/* Adds first and takes back when it was too much, so that two pushes at once never pass the bound.
 */
static bool charge(struct inbox *b, const struct inbound *in)
{
    size_t charge = charge_of(in);
    if (charge > INBOX_PIPE_BYTES_MAX)
        return false;
    size_t all = atomic_fetch_add(&b->charged_bytes, charge) + charge;
    uint32_t slot = atomic_fetch_add(slot_of(b, in), (uint32_t)charge) + (uint32_t)charge;
    if (all <= INBOX_BYTES_MAX && slot <= INBOX_PIPE_BYTES_MAX)
        return true;
    uncharge(b, in);
    return false;
}

int inbox_push(struct inbox *b, enum op_lane lane, struct inbound *in)
{
    assert(lane < OP_LANES);
    if (in->kind == INBOUND_REQUEST && !charge(b, in))
        return INBOX_FULL;
    struct lane *l = &b->lanes[lane];
    in->next = NULL;
    pthread_mutex_lock(&l->mx);
    if (l->tail)
        l->tail->next = in;
    else
        l->head = in;
    l->tail = in;
    l->n++;
    l->bytes += in->n;
    bool has_sleeper = l->sleepers > 0;
    pthread_mutex_unlock(&l->mx);
    if (has_sleeper)
        pthread_cond_signal(&l->came);
    return 0;
}

static struct timespec deadline_in(uint32_t wait_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += wait_ms / 1000;
    t.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Holding the lock: sleeps until something came, somebody woke us, or the time is over. */
static void lane_await(struct lane *l, uint32_t wait_ms)
{
    uint32_t wakes = l->wakes;
    if (l->head || wait_ms == 0 || l->is_wake_pending) {
        l->is_wake_pending = false;
        return;
    }
    struct timespec until = deadline_in(wait_ms);
    l->sleepers++;
    while (!l->head && l->wakes == wakes)
        if (pthread_cond_timedwait(&l->came, &l->mx, &until) == ETIMEDOUT)
            break;
    l->sleepers--;
}

/* Holding the lock: cuts the longest head of the queue that fits, at least one. */
static struct inbound *lane_cut(struct lane *l, size_t requests_max, size_t bytes_max)
{
    struct inbound *first = l->head, *last = NULL;
    if (l->n <= requests_max && l->bytes <= bytes_max) {
        l->head = l->tail = NULL;
        l->n = l->bytes = 0;
        return first;
    }
    size_t n = 0, bytes = 0;
    for (struct inbound *in = first; in && n < requests_max; in = in->next) {
        if (last && bytes + in->n > bytes_max)
            break;
        n++;
        bytes += in->n;
        last = in;
    }
    if (!last)
        return NULL;
    l->head = last->next;
    if (!l->head)
        l->tail = NULL;
    last->next = NULL;
    l->n -= n;
    l->bytes -= bytes;
    return first;
}

struct inbound *inbox_take(struct inbox *b, enum op_lane lane, size_t requests_max,
                           size_t bytes_max, uint32_t wait_ms)
{
    assert(lane < OP_LANES);
    struct lane *l = &b->lanes[lane];
    pthread_mutex_lock(&l->mx);
    lane_await(l, wait_ms);
    struct inbound *list = lane_cut(l, requests_max, bytes_max);
    pthread_mutex_unlock(&l->mx);
    for (struct inbound *in = list; in; in = in->next)
        if (in->kind == INBOUND_REQUEST)
            uncharge(b, in);
    return list;
}

void inbox_wake(struct inbox *b, enum op_lane lane)
{
    assert(lane < OP_LANES);
    struct lane *l = &b->lanes[lane];
    pthread_mutex_lock(&l->mx);
    l->wakes++;
    l->is_wake_pending = true;
    pthread_mutex_unlock(&l->mx);
    pthread_cond_broadcast(&l->came);
}
