/* wake.c: one row for each pool: the command that runs for it, when the next may, and how long the
 * pause after that. A pause doubles while the need stays, and begins anew once it was met. */
#include "edge/wake.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LOOK_MS = 200, POOLS_SEEN_MAX = 256 };

struct row {
    pid_t pid;           /* of the command that runs; 0: none does */
    bool is_killed;      /* it ran for too long */
    uint64_t started_ms; /* clock_boot_ms() of the last start; 0: never */
    uint64_t pause_ms;   /* until the next, should the need stay; 0: none has been started for it */
};

struct waker {
    struct wake_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stops;
    struct row row[POOLS_SEEN_MAX]; /* by the pool's number; of the thread alone */
};

/* ---- what is lacking ---- */

/* Jobs of accounts that may be served; those that are held up by a bar wake nobody. */
static uint64_t backlog_of(const struct board_pool *pool, const struct board_totals *totals)
{
    uint64_t backlog = 0;
    for (unsigned t = 0; t < ARRAY_LEN(pool->ring) && !pool->bars; t++)
        if (pool->ring[t] && !totals->tier[t].bars)
            backlog += pool->ready[t];
    return backlog;
}

struct wake_need wake_need(const struct board_pool *pool, const struct board_crew *crew,
                           const struct board_totals *totals, uint64_t wall_ms)
{
    struct wake_need need = {.backlog = backlog_of(pool, totals), .slots = crew->slots};
    uint64_t wanted = pool->heat_until_ms > wall_ms ? pool->heat_slots : 0;
    if (crew->slots >= wanted && (crew->workers || !need.backlog))
        return need;
    if (need.backlog > wanted)
        wanted = need.backlog;
    need.slots_wanted = wanted < WAKE_SLOTS_MAX ? (uint32_t)wanted : WAKE_SLOTS_MAX;
    return need;
}

/* ---- the command ---- */

static void row_start(struct waker *w, struct row *row, const struct board_pool *pool,
                      const struct wake_need *need, uint64_t now_ms)
{
    uint64_t pause_ms_max = w->config.every_ms * WAKE_PAUSE_PARTS;
    row->started_ms = now_ms;
    row->is_killed = false;
    row->pause_ms = row->pause_ms ? row->pause_ms * 2 : w->config.every_ms;
    if (row->pause_ms > pause_ms_max)
        row->pause_ms = pause_ms_max;
    int r = wake_run(w->config.program, pool->name, need, &row->pid);
    if (r < 0) {
        row->pid = 0;
        log_error("wake.failed", "pool=%s program=%s why=\"%s\"", pool->name, w->config.program,
                  strerror(-r));
        return;
    }
    log_info("wake.started", "pool=%s backlog=%llu slots=%u slots_wanted=%u pid=%d", pool->name,
             (unsigned long long)need->backlog, need->slots, need->slots_wanted, (int)row->pid);
    board_wake(w->config.board, pool->pool, clock_wall_ms());
}

static void row_end(struct waker *w, struct row *row, const struct board_pool *pool, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    row->pid = 0;
    if (code == 0) {
        log_info("wake.ended", "pool=%s", pool->name);
        return;
    }
    log_error("wake.failed", "pool=%s program=%s why=\"it ended with %d\"", pool->name,
              w->config.program, code);
    board_wake(w->config.board, pool->pool, 0);
}

static void row_tend(struct waker *w, struct row *row, const struct board_pool *pool,
                     uint64_t now_ms)
{
    int status = 0;
    pid_t got = waitpid(row->pid, &status, WNOHANG);
    if (got == row->pid) {
        row_end(w, row, pool, status);
    } else if (now_ms - row->started_ms > WAKE_RUN_MS_MAX && !row->is_killed) {
        row->is_killed = true;
        log_warn("wake.slow", "pool=%s pid=%d", pool->name, (int)row->pid);
        kill(row->pid, SIGKILL);
    }
}

/* ---- the look ---- */

static void pool_look(struct waker *w, const struct board_pool *pool,
                      const struct board_totals *totals, uint64_t now_ms)
{
    struct board_crew crew;
    struct row *row = &w->row[pool->pool];
    board_crew(w->config.board, pool->pool, &crew);
    struct wake_need need = wake_need(pool, &crew, totals, clock_wall_ms());
    if (row->pid)
        row_tend(w, row, pool, now_ms);
    if (need.slots_wanted == 0) {
        row->pause_ms = 0;
        if (crew.woken_ms && !row->pid)
            board_wake(w->config.board, pool->pool, 0);
        return;
    }
    uint64_t pause_ms = row->pause_ms ? row->pause_ms : w->config.every_ms;
    bool is_due = !row->started_ms || now_ms >= row->started_ms + pause_ms;
    if (is_due && !row->pid)
        row_start(w, row, pool, &need, now_ms);
}

static void look(struct waker *w)
{
    AUTO_FREE struct board_pool *pools = NULL;
    struct board_totals totals;
    size_t n = 0;
    if (board_pools(w->config.board, &pools, &n) < 0)
        return; /* out of memory: at the next look */
    board_totals(w->config.board, &totals);
    for (size_t i = 0; i < n; i++)
        if (pools[i].pool < POOLS_SEEN_MAX)
            pool_look(w, &pools[i], &totals, clock_boot_ms());
}

static void *waker_main(void *arg)
{
    struct waker *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stops) {
        struct timespec until;
        pthread_mutex_unlock(&w->lock);
        look(w);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_mutex_lock(&w->lock);
        if (!w->stops)
            pthread_cond_timedwait(&w->stop, &w->lock, &until);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int waker_start(const struct wake_config *config, struct waker **ret_waker)
{
    pthread_condattr_t attr;
    struct waker *w = calloc(1, sizeof *w);
    if (!w)
        return err_raise(-ENOMEM);
    w->config = *config;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->stop, &attr);
    pthread_condattr_destroy(&attr);
    int e = pthread_create(&w->thread, NULL, waker_main, w);
    if (e != 0) {
        pthread_cond_destroy(&w->stop);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return err_raise(-e);
    }
    *ret_waker = w;
    return 0;
}

struct waker *waker_free(struct waker *w)
{
    if (!w)
        return NULL;
    pthread_mutex_lock(&w->lock);
    w->stops = true;
    pthread_cond_signal(&w->stop);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->stop);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}
