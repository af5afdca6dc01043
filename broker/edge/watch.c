/* watch.c: parked watches stand in a hash of lists by job (the event log is the list of the zero
 * id).
 *
 * Watches of one job are few and of the event log perhaps hundreds, so a wake walks one short list.
 * Those that are woken stand in a queue, from which the readers take them; a watch is in one
 * reader's hands, parked, or in that queue. */
#include "edge/watch.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct watches {
    pthread_mutex_t lock;
    struct watch *bucket[BUCKETS];
    struct watch *woken, **woken_end;
    _Atomic size_t count;   /* also read without the lock, by a writer that would find nobody */
    uint64_t next_until_ms; /* no watch is due before; 0: unknown */
    void (*wake)(void *arg);
    void *wake_arg;
};

int watches_new(void (*wake)(void *arg), void *arg, struct watches **ret_watches)
{
    struct watches *ws = calloc(1, sizeof *ws);
    if (!ws)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&ws->lock, NULL);
    ws->woken_end = &ws->woken;
    ws->next_until_ms = UINT64_MAX;
    ws->wake = wake;
    ws->wake_arg = arg;
    *ret_watches = ws;
    return 0;
}

struct watches *watches_free(struct watches *ws)
{
    if (!ws)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct watch *next;
        for (struct watch *w = ws->bucket[i]; w; w = next) {
            next = w->next;
            inbound_free(w->in);
            free(w);
        }
    }
    pthread_mutex_destroy(&ws->lock);
    free(ws);
    return NULL;
}

/* The random end of an id spreads well. */
static struct watch **bucket_of(struct watches *ws, struct job_id job)
{
    unsigned at = (unsigned)job.b[15] | (unsigned)job.b[14] << 8;
    return &ws->bucket[at % BUCKETS];
}

static void watch_link(struct watches *ws, struct watch *w)
{
    struct watch **head = bucket_of(ws, w->job);
    w->next = *head;
    if (*head)
        (*head)->prev = w;
    *head = w;
    ws->count++;
}

static void watch_unlink(struct watches *ws, struct watch *w)
{
    if (w->prev)
        w->prev->next = w->next;
    else
        *bucket_of(ws, w->job) = w->next;
    if (w->next)
        w->next->prev = w->prev;
    ws->count--;
}

/* Holding the lock. True when a reader must be told. */
static bool watch_wake(struct watches *ws, struct watch *w)
{
    w->is_stale = true;
    if (!w->is_parked || w->is_woken)
        return false;
    w->is_woken = true;
    w->woken_next = NULL;
    *ws->woken_end = w;
    ws->woken_end = &w->woken_next;
    return true;
}

/* Holding the lock: the watch that was parked for longest makes room. Rare, so a walk will do. */
static bool watch_wake_oldest(struct watches *ws)
{
    struct watch *oldest = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct watch *w = ws->bucket[i]; w; w = w->next)
            if (w->is_parked && !w->is_woken && (!oldest || w->until_ms < oldest->until_ms))
                oldest = w;
    if (!oldest)
        return false;
    oldest->until_ms = 0;
    return watch_wake(ws, oldest);
}

int watch_begin(struct watches *ws, struct inbound *in, struct job_id job, uint64_t until_ms,
                struct watch **ret_watch)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return err_raise(-ENOMEM);
    *w = (struct watch){.in = in, .job = job, .until_ms = until_ms};
    pthread_mutex_lock(&ws->lock);
    bool must_wake = ws->count >= WATCHES_MAX && watch_wake_oldest(ws);
    watch_link(ws, w);
    pthread_mutex_unlock(&ws->lock);
    if (must_wake)
        ws->wake(ws->wake_arg);
    *ret_watch = w;
    return 0;
}

bool watch_settle(struct watches *ws, struct watch *w, uint64_t from)
{
    pthread_mutex_lock(&ws->lock);
    assert(!w->is_parked);
    bool is_parked = !w->is_stale;
    w->from = from;
    w->is_stale = false;
    w->is_parked = is_parked;
    if (is_parked && w->until_ms < ws->next_until_ms)
        ws->next_until_ms = w->until_ms;
    pthread_mutex_unlock(&ws->lock);
    return is_parked;
}

void watch_end(struct watches *ws, struct watch *w)
{
    pthread_mutex_lock(&ws->lock);
    assert(!w->is_parked);
    watch_unlink(ws, w);
    pthread_mutex_unlock(&ws->lock);
    inbound_free(w->in);
    free(w);
}

/* Holding the lock: wakes all whose time is up and finds the next time. */
static void watch_expire(struct watches *ws, uint64_t now_ms)
{
    if (now_ms < ws->next_until_ms)
        return;
    ws->next_until_ms = UINT64_MAX;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct watch *w = ws->bucket[i]; w; w = w->next) {
            if (!w->is_parked || w->is_woken)
                continue;
            if (w->until_ms <= now_ms)
                watch_wake(ws, w);
            else if (w->until_ms < ws->next_until_ms)
                ws->next_until_ms = w->until_ms;
        }
}

struct watch *watch_due(struct watches *ws, uint64_t now_ms)
{
    pthread_mutex_lock(&ws->lock);
    watch_expire(ws, now_ms);
    struct watch *w = ws->woken;
    if (w) {
        ws->woken = w->woken_next;
        if (!ws->woken)
            ws->woken_end = &ws->woken;
        w->is_parked = w->is_woken = w->is_stale = false;
    }
    pthread_mutex_unlock(&ws->lock);
    return w;
}

uint32_t watch_idle_ms(struct watches *ws, uint64_t now_ms, uint32_t most_ms)
{
    pthread_mutex_lock(&ws->lock);
    uint64_t until_ms = ws->woken ? 0 : ws->next_until_ms;
    pthread_mutex_unlock(&ws->lock);
    if (until_ms <= now_ms)
        return 0;
    return until_ms - now_ms < most_ms ? (uint32_t)(until_ms - now_ms) : most_ms;
}

/* A watch is counted before its snapshot is taken. So if a commit finds the count at 0, every watch
 * to come sees that commit. */
void watch_wake_job(struct watches *ws, struct job_id job)
{
    bool must_wake = false;
    if (ws->count == 0)
        return;
    pthread_mutex_lock(&ws->lock);
    for (struct watch *w = *bucket_of(ws, job); w; w = w->next)
        if (job_id_cmp(w->job, job) == 0)
            must_wake |= watch_wake(ws, w);
    pthread_mutex_unlock(&ws->lock);
    if (must_wake)
        ws->wake(ws->wake_arg);
}

void watch_wake_events(struct watches *ws, uint64_t last_seq)
{
    static const struct job_id log;
    bool must_wake = false;
    if (ws->count == 0)
        return;
    pthread_mutex_lock(&ws->lock);
    for (struct watch *w = *bucket_of(ws, log); w; w = w->next)
        if (job_id_is_zero(w->job) && w->from <= last_seq)
            must_wake |= watch_wake(ws, w);
    pthread_mutex_unlock(&ws->lock);
    if (must_wake)
        ws->wake(ws->wake_arg);
}

void watch_wake_all(struct watches *ws)
{
    bool must_wake = false;
    pthread_mutex_lock(&ws->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct watch *w = ws->bucket[i]; w; w = w->next)
            must_wake |= watch_wake(ws, w);
    pthread_mutex_unlock(&ws->lock);
    if (must_wake)
        ws->wake(ws->wake_arg);
}

void watch_forget_pipe(struct watches *ws, uint32_t pipe)
{
    struct watch *next;
    pthread_mutex_lock(&ws->lock);
    for (size_t i = 0; ws->count && i < BUCKETS; i++)
        for (struct watch *w = ws->bucket[i]; w; w = next) {
            next = w->next;
            if (w->in->peer.pipe != pipe || !w->is_parked || w->is_woken)
                continue; /* in a reader's hands: its answer goes nowhere, which is no fault */
            watch_unlink(ws, w);
            inbound_free(w->in);
            free(w);
        }
    pthread_mutex_unlock(&ws->lock);
}
