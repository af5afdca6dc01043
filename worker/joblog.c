/* joblog.c: a ring of bytes and the thread that empties it.
 *
 * The thread takes a chunk out under the lock and sends it without: the broker may be away for
 * minutes, and the build must not feel it. The bytes that the ring had to drop are counted and
 * announced at the place where they are missing, in front of what follows.
 *
 * What counts towards the bound is what was sent, not what was written: a burst that the ring drops
 * costs nobody anything, and the log goes on behind it. */
#include "joblog.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { GATHER_MS = 200, GAP_MS = 40 };

struct joblog {
    joblog_send *send;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread, is_ended, is_unwanted;
    uint64_t dropped;    /* bytes lost in front of ring[head] */
    uint64_t bytes_left; /* that may still be sent */
    uint64_t left_out;   /* bytes behind the last that was sent */
    bool is_in_line;     /* what was sent last ended no line */
    size_t head, n;
    char ring[JOBLOG_BYTES];
};

static void wake_init(pthread_cond_t *wake)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(wake, &a);
    pthread_condattr_destroy(&a);
}

/* Waits up to `ms` for the log to end or to become unwanted, or (when `for_chunk`) for a full
 * chunk. */
static void wait_ms(struct joblog *l, long ms, bool for_chunk)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int r = 0;
    while (r == 0 && !l->is_ended && !l->is_unwanted && !(for_chunk && l->n >= JOBLOG_CHUNK_BYTES))
        r = pthread_cond_timedwait(&l->wake, &l->lock, &until);
}

static bool is_cut(const struct joblog *l)
{
    return l->bytes_left == 0;
}

/* The ring's first bytes, at most `most`. */
static size_t ring_take(struct joblog *l, char *to, size_t most)
{
    size_t at = 0;
    if (most > l->bytes_left)
        most = (size_t)l->bytes_left;
    while (at < most && l->n > 0) {
        size_t part = JOBLOG_BYTES - l->head;
        if (part > l->n)
            part = l->n;
        if (part > most - at)
            part = most - at;
        memcpy(to + at, l->ring + l->head, part);
        l->head = (l->head + part) % JOBLOG_BYTES;
        l->n -= part;
        at += part;
    }
    l->bytes_left -= at;
    if (at > 0)
        l->is_in_line = to[at - 1] != '\n';
    return at;
}

/* The bound was met: what waits is left out. */
static void rest_leave(struct joblog *l)
{
    l->left_out += l->n + l->dropped;
    l->n = 0;
    l->dropped = 0;
}

static size_t chunk_take(struct joblog *l, char chunk[JOBLOG_CHUNK_BYTES])
{
    int at = 0;
    if (l->dropped > 0) {
        at = snprintf(chunk, JOBLOG_CHUNK_BYTES, "[rota-worker: %llu bytes of log dropped]\n",
                      (unsigned long long)l->dropped);
        l->dropped = 0;
    }
    size_t n = (size_t)at + ring_take(l, chunk + at, JOBLOG_CHUNK_BYTES - (size_t)at);
    if (is_cut(l))
        rest_leave(l);
    if (n > 0 || l->left_out == 0)
        return n;
    at = snprintf(chunk, JOBLOG_CHUNK_BYTES,
                  "%s[rota-worker: the log was cut here: %llu bytes more were left out]\n",
                  l->is_in_line ? "\n" : "", (unsigned long long)l->left_out);
    l->left_out = 0;
    return (size_t)at;
}

/* The next chunk; 0 when the log is at its end. */
static size_t chunk_next(struct joblog *l, char chunk[JOBLOG_CHUNK_BYTES])
{
    pthread_mutex_lock(&l->lock);
    while (l->n == 0 && !l->is_ended && !l->is_unwanted)
        pthread_cond_wait(&l->wake, &l->lock);
    wait_ms(l, GATHER_MS, true);
    size_t n = l->is_unwanted ? 0 : chunk_take(l, chunk);
    pthread_mutex_unlock(&l->lock);
    return n;
}

static void *joblog_main(void *arg)
{
    struct joblog *l = arg;
    char chunk[JOBLOG_CHUNK_BYTES];
    size_t n;
    while ((n = chunk_next(l, chunk)) > 0) {
        if (l->send(l->arg, chunk, n) != 0)
            joblog_drop(l);
        pthread_mutex_lock(&l->lock);
        wait_ms(l, GAP_MS, false); /* a flood leaves at 800 KiB a second, no faster */
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

/* Signals are the main thread's. */
static int thread_start(struct joblog *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&l->thread, NULL, joblog_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    l->has_thread = r == 0;
    return r == 0 ? 0 : err_raise(-r);
}

int joblog_new(joblog_send *send, void *arg, uint64_t bytes_max, struct joblog **ret_log)
{
    AUTO(joblog) l = calloc(1, sizeof *l);
    if (!l)
        return err_raise(-ENOMEM);
    l->send = send;
    l->arg = arg;
    l->bytes_left = bytes_max;
    pthread_mutex_init(&l->lock, NULL);
    wake_init(&l->wake);
    int r = thread_start(l);
    if (r < 0)
        return err_pass(r);
    *ret_log = TAKE(l);
    return 0;
}

struct joblog *joblog_free(struct joblog *l)
{
    if (!l)
        return NULL;
    joblog_drop(l);
    joblog_finish(l);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
    return NULL;
}

/* Appends what fits and pushes out the oldest for it; of a piece larger than the ring the end
 * stays. True: there is something to send now. */
static bool append_locked(struct joblog *l, const char *bytes, size_t n)
{
    if (n > JOBLOG_BYTES) {
        l->dropped += n - JOBLOG_BYTES;
        bytes += n - JOBLOG_BYTES;
        n = JOBLOG_BYTES;
    }
    size_t over = l->n + n > JOBLOG_BYTES ? l->n + n - JOBLOG_BYTES : 0;
    l->head = (l->head + over) % JOBLOG_BYTES;
    l->n -= over;
    l->dropped += over;
    size_t tail = (l->head + l->n) % JOBLOG_BYTES;
    size_t part = n < JOBLOG_BYTES - tail ? n : JOBLOG_BYTES - tail;
    memcpy(l->ring + tail, bytes, part);
    memcpy(l->ring, bytes + part, n - part);
    bool wakes = n > 0 && (l->n == 0 || l->n + n >= JOBLOG_CHUNK_BYTES);
    l->n += n;
    assert(l->n <= JOBLOG_BYTES);
    return wakes;
}

void joblog_append(struct joblog *l, const void *p, size_t n)
{
    pthread_mutex_lock(&l->lock);
    if (l->is_ended || l->is_unwanted)
        n = 0;
    if (is_cut(l))
        l->left_out += n;
    else if (append_locked(l, p, n))
        pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

void joblog_finish(struct joblog *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_ended = true;
    bool joins = l->has_thread;
    l->has_thread = false;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (joins)
        pthread_join(l->thread, NULL);
}

void joblog_drop(struct joblog *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_unwanted = true;
    l->n = 0;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}
