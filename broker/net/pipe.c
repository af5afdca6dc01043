/* pipe.c: one table under one lock, and the silent pipes in a list by age. The table has a fixed
 * number of chains indexed by the low bits of the number that nng gives a pipe: those are
 * consecutive, so chains are short, and adding a pipe can never fail half-way.
 *
 * The lock is held for some hundred nanoseconds, twice a request. Under it an inbox lane's own lock
 * is taken (never the other way round): the push has to be inside, else a request could be queued
 * behind the news that its pipe is gone and its poll would be parked for ever.
 *
 * The oldest silent pipe makes room for a new one, rather than the new one being refused: who wants
 * to keep an honest client out then has to open 1,024 connections in the milliseconds between that
 * client's connect and its first answer, over and over.
 *
 * A pipe that never got a request through leaves no notice: nothing can be parked for it, and a
 * storm of connect-and-close must not fill the memory of the threads above. */
#include "net/pipe.h"

#include "net/endpoint.h"
#include "net/line.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#include <utlist.h>

enum { REFUSALS_MAX = 1024, CHAINS = 1 << 15 };

struct pipe {
    struct pipe *chain;
    struct pipe *prev, *next; /* in the silent list, or in the owed list once it is gone */
    struct peer peer;
    int fd; /* its line; -1: unknown */
    uint64_t since_ms;
    uint16_t in_flight, refusals;
    bool is_known, was_heard, is_hung_up, is_muted;
};

struct pipe_table {
    pthread_mutex_t mx;
    struct inbox *inbox;
    struct pipe *silent, *owed;
    bool is_closed;
    pthread_cond_t went; /* a pipe did, after the close */
    uint32_t n, lines_n, silent_n;
    struct pipe *chains[CHAINS];
};

int pipe_table_new(struct inbox *inbox, struct pipe_table **ret_table)
{
    AUTO_FREE struct pipe_table *t = calloc(1, sizeof *t);
    if (!t)
        return err_raise(-ENOMEM);
    int r = pthread_mutex_init(&t->mx, NULL);
    if (r == 0)
        r = pthread_cond_init(&t->went, NULL);
    if (r)
        return err_raise(-r);
    t->inbox = inbox;
    *ret_table = TAKE(t);
    return 0;
}

struct pipe_table *pipe_table_free(struct pipe_table *t)
{
    if (!t)
        return NULL;
    struct pipe *p, *next;
    for (size_t i = 0; i < CHAINS; i++)
        LL_FOREACH_SAFE2(t->chains[i], p, next, chain)
    free(p);
    DL_FOREACH_SAFE (t->owed, p, next)
        free(p);
    pthread_cond_destroy(&t->went);
    pthread_mutex_destroy(&t->mx);
    free(t);
    return NULL;
}

static struct pipe **chain_of(struct pipe_table *t, uint32_t pipe)
{
    return &t->chains[pipe & (CHAINS - 1)];
}

static struct pipe *find(struct pipe_table *t, uint32_t pipe)
{
    struct pipe *p = *chain_of(t, pipe);
    while (p && p->peer.pipe != pipe)
        p = p->chain;
    return p;
}

static void leave_silent(struct pipe_table *t, struct pipe *p)
{
    if (p->is_known || p->is_hung_up)
        return;
    assert(t->silent_n > 0);
    DL_DELETE(t->silent, p);
    t->silent_n--;
}

/* Holding the lock. A pipe that was hung up is out of the list, so that it is not chosen twice. */
static uint32_t evict_silent(struct pipe_table *t)
{
    if (t->silent_n < SILENT_PIPES_MAX)
        return 0;
    struct pipe *oldest = t->silent;
    leave_silent(t, oldest);
    oldest->is_hung_up = true;
    return oldest->peer.pipe;
}

/* Holding the lock. */
static void take_in(struct pipe_table *t, struct pipe *p)
{
    assert(!find(t, p->peer.pipe));
    LL_PREPEND2(*chain_of(t, p->peer.pipe), p, chain);
    t->n++;
    t->lines_n += p->fd >= 0;
    line_begin(p->fd);
    DL_APPEND(t->silent, p);
    t->silent_n++;
}

int pipe_table_add(struct pipe_table *t, const struct peer *peer, int fd, uint64_t now_ms,
                   uint32_t *ret_evicted)
{
    AUTO_FREE struct pipe *p = calloc(1, sizeof *p);
    if (!p)
        return err_raise(-ENOMEM);
    p->peer = *peer;
    p->fd = fd < LINES_MAX ? fd : -1;
    p->since_ms = now_ms;
    pthread_mutex_lock(&t->mx);
    bool is_closed = t->is_closed;
    if (!is_closed) {
        *ret_evicted = evict_silent(t);
        take_in(t, TAKE(p));
    }
    pthread_mutex_unlock(&t->mx);
    return is_closed ? PIPE_GONE : 0;
}

/* All notices or none, so that a lane is never told twice. */
static bool push_notices(struct pipe_table *t, const struct peer *peer)
{
    struct inbound *notice[OP_LANES] = {NULL};
    bool is_complete = true;
    for (int i = 0; i < OP_LANES; i++) {
        notice[i] = calloc(1, sizeof *notice[i]);
        is_complete = is_complete && notice[i];
    }
    for (int i = 0; i < OP_LANES; i++) {
        if (!is_complete) {
            inbound_free(notice[i]);
            continue;
        }
        notice[i]->kind = INBOUND_PIPE_GONE;
        notice[i]->peer = *peer;
        int r = inbox_push(t->inbox, (enum op_lane)i, notice[i]);
        assert(r == 0); /* notices are not charged, so they always fit */
        (void)r;
    }
    return is_complete;
}

/* Holding the lock. */
static void let_go(struct pipe_table *t, struct pipe *p)
{
    leave_silent(t, p);
    LL_DELETE2(*chain_of(t, p->peer.pipe), p, chain);
    line_end(p->fd);
    t->lines_n -= p->fd >= 0;
    t->n--;
    if (t->is_closed)
        pthread_cond_signal(&t->went);
}

void pipe_table_remove(struct pipe_table *t, uint32_t pipe)
{
    pthread_mutex_lock(&t->mx);
    AUTO_FREE struct pipe *p = find(t, pipe);
    if (p) {
        let_go(t, p);
        if (p->was_heard && !t->is_closed && !push_notices(t, &p->peer)) {
            DL_APPEND(t->owed, p);
            p = NULL;
        }
    }
    pthread_mutex_unlock(&t->mx);
}

void pipe_table_settle_owed(struct pipe_table *t)
{
    struct pipe *p, *next;
    pthread_mutex_lock(&t->mx);
    DL_FOREACH_SAFE (t->owed, p, next) {
        if (!push_notices(t, &p->peer))
            break;
        DL_DELETE(t->owed, p);
        free(p);
    }
    pthread_mutex_unlock(&t->mx);
}

/* Holding the lock. */
static int push_one(struct pipe_table *t, struct pipe *p, enum op_lane lane, struct inbound *in)
{
    if (!p || p->is_hung_up || p->is_muted)
        return PIPE_GONE;
    if (p->in_flight >= PIPE_REQUESTS_MAX)
        return PIPE_BUSY;
    in->peer = p->peer;
    if (inbox_push(t->inbox, lane, in) == INBOX_FULL)
        return PIPE_OVERLOADED;
    p->in_flight++;
    p->refusals = 0;
    p->was_heard = true;
    return 0;
}

int pipe_table_push(struct pipe_table *t, enum op_lane lane, struct inbound *in)
{
    pthread_mutex_lock(&t->mx);
    int r = push_one(t, find(t, in->to.pipe), lane, in);
    pthread_mutex_unlock(&t->mx);
    return r;
}

int pipe_table_answered(struct pipe_table *t, uint32_t pipe, bool *ret_is_ipc)
{
    int r = PIPE_GONE;
    pthread_mutex_lock(&t->mx);
    struct pipe *p = find(t, pipe);
    if (p) {
        assert(p->in_flight > 0);
        p->in_flight--;
        *ret_is_ipc = p->peer.is_ipc;
        r = line_hand(p->fd) ? 0 : PIPE_GONE;
    }
    pthread_mutex_unlock(&t->mx);
    return r;
}

int pipe_table_hand(struct pipe_table *t, uint32_t pipe)
{
    pthread_mutex_lock(&t->mx);
    struct pipe *p = find(t, pipe);
    int r = p && line_hand(p->fd) ? 0 : PIPE_GONE;
    pthread_mutex_unlock(&t->mx);
    return r;
}

/* Holding the lock: to the young end of the silent list, wherever it was. */
static void join_silent(struct pipe_table *t, struct pipe *p, uint64_t now_ms)
{
    leave_silent(t, p);
    p->is_known = false;
    p->since_ms = now_ms;
    DL_APPEND(t->silent, p);
    t->silent_n++;
}

int pipe_table_refused(struct pipe_table *t, uint32_t pipe, uint64_t now_ms)
{
    int r = 0;
    pthread_mutex_lock(&t->mx);
    struct pipe *p = find(t, pipe);
    if (!p || p->is_hung_up || p->is_muted)
        r = REFUSAL_IGNORED;
    else if (++p->refusals >= REFUSALS_MAX)
        r = REFUSAL_MUTED;
    if (p && !p->is_hung_up && r != 0) {
        p->is_muted = true;
        join_silent(t, p, now_ms);
    }
    if (r == 0 && !line_hand(p->fd))
        r = REFUSAL_IGNORED;
    pthread_mutex_unlock(&t->mx);
    return r;
}

void pipe_table_known(struct pipe_table *t, uint32_t pipe)
{
    pthread_mutex_lock(&t->mx);
    struct pipe *p = find(t, pipe);
    if (p && !p->is_known && !p->is_muted) {
        leave_silent(t, p);
        p->is_known = true;
    }
    pthread_mutex_unlock(&t->mx);
}

size_t pipe_table_silent(struct pipe_table *t, uint64_t since_ms, uint32_t *ret_pipes, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&t->mx);
    while (n < max && t->silent && t->silent->since_ms < since_ms) {
        struct pipe *p = t->silent;
        leave_silent(t, p);
        p->is_hung_up = true;
        ret_pipes[n++] = p->peer.pipe;
    }
    pthread_mutex_unlock(&t->mx);
    return n;
}

bool pipe_table_has(struct pipe_table *t, uint32_t pipe)
{
    pthread_mutex_lock(&t->mx);
    bool has = find(t, pipe);
    pthread_mutex_unlock(&t->mx);
    return has;
}

bool pipe_table_hang_up(struct pipe_table *t, uint32_t pipe)
{
    pthread_mutex_lock(&t->mx);
    struct pipe *p = find(t, pipe);
    bool is_done = !p || line_hang_up(p->fd);
    pthread_mutex_unlock(&t->mx);
    return is_done;
}

/* Holding the lock. */
static void hang_up_all(struct pipe_table *t)
{
    for (size_t i = 0; i < CHAINS; i++) {
        for (struct pipe *p = t->chains[i]; p; p = p->chain) {
            leave_silent(t, p);
            p->is_hung_up = true;
            line_hang_up(p->fd);
        }
    }
}

void pipe_table_close(struct pipe_table *t, uint32_t wait_s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_s;
    int r = 0;
    pthread_mutex_lock(&t->mx);
    t->is_closed = true;
    hang_up_all(t);
    while (t->lines_n > 0 && r == 0)
        r = pthread_cond_clockwait(&t->went, &t->mx, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&t->mx);
}

void pipe_table_count(struct pipe_table *t, uint32_t *ret_pipes, uint32_t *ret_silent)
{
    pthread_mutex_lock(&t->mx);
    *ret_pipes = t->n;
    *ret_silent = t->silent_n;
    pthread_mutex_unlock(&t->mx);
}
