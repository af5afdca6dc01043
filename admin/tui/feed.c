/* feed.c: one thread: a waiting deed first, else stats and next every REFRESH_MS. Calls are started
 * and waited for on a condition, so that leaving never waits for an answer: a call that is still
 * out then ends when the client is freed, and its reply is dropped in call_done(). */
#include "feed.h"

#include "text.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

enum { REFRESH_MS = 500, CALL_MS = 2500, NEXT_JOBS = 40 };

/* Takes over the reply. */
static void reply_set(Rota__Reply **slot, Rota__Reply *reply)
{
    rota_reply_free(*slot);
    *slot = reply;
}

struct feed {
    struct rota_client *client;
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    int fd;
    bool stopping, has_answer;
    Rota__Reply *answer; /* of the call in flight */
    char pool[POOL_NAME_LEN + 1];
    bool has_heat, wants_picture;
    Rota__Heat heat;
    char heat_pool[POOL_NAME_LEN + 1];
    Rota__Reply *stats, *next, *heat_reply; /* untaken; NULL: nothing new */
    Rota__Reply *shown_stats, *shown_next;  /* the model points into them; main thread only */
};

static void call_done(void *arg, Rota__Reply *reply)
{
    struct feed *f = arg;
    pthread_mutex_lock(&f->lock);
    reply_set(&f->answer, reply);
    f->has_answer = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* With the lock held. The reply, or NULL when the feed stops or memory is out. */
static Rota__Reply *call(struct feed *f, Rota__Request *request)
{
    f->has_answer = false;
    pthread_mutex_unlock(&f->lock);
    int r = rota_call_start(f->client, request, CALL_MS, call_done, f);
    pthread_mutex_lock(&f->lock);
    while (r == 0 && !f->has_answer && !f->stopping)
        pthread_cond_wait(&f->changed, &f->lock);
    return f->has_answer ? TAKE(f->answer) : NULL;
}

static void tell(struct feed *f)
{
    eventfd_write(f->fd, 1);
}

static void heat_send(struct feed *f)
{
    Rota__Heat op = f->heat;
    char pool[POOL_NAME_LEN + 1];
    snprintf(pool, sizeof pool, "%s", f->heat_pool);
    op.pool = pool;
    f->has_heat = false;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_HEAT;
    request.heat = &op;
    Rota__Reply *reply = call(f, &request);
    if (reply)
        reply_set(&f->heat_reply, reply);
}

static void next_ask(struct feed *f)
{
    char pool[POOL_NAME_LEN + 1];
    Rota__Next op = ROTA__NEXT__INIT;
    snprintf(pool, sizeof pool, "%s", f->pool);
    op.pool = pool;
    op.count = NEXT_JOBS;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_NEXT;
    request.next = &op;
    Rota__Reply *reply = call(f, &request);
    if (reply)
        reply_set(&f->next, reply);
}

static void picture_ask(struct feed *f)
{
    Rota__Stats op = ROTA__STATS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_STATS;
    request.stats = &op;
    Rota__Reply *reply = call(f, &request);
    if (!reply)
        return;
    bool ok = !reply->error;
    reply_set(&f->stats, reply);
    if (ok && *f->pool)
        next_ask(f);
}

static void rest(struct feed *f, uint32_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!f->stopping && !f->has_heat && !f->wants_picture)
        if (pthread_cond_timedwait(&f->changed, &f->lock, &until) == ETIMEDOUT)
            return;
}

static void *feed_run(void *arg)
{
    struct feed *f = arg;
    pthread_mutex_lock(&f->lock);
    while (!f->stopping) {
        f->wants_picture = false;
        if (f->has_heat)
            heat_send(f);
        picture_ask(f);
        tell(f);
        rest(f, REFRESH_MS);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

int feed_new(struct rota_client *client, struct feed **ret_feed)
{
    pthread_condattr_t attr;
    struct feed *f = x_alloc(sizeof *f);
    f->client = client;
    f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->fd < 0) {
        free(f);
        return err_raise(-errno);
    }
    rota__heat__init(&f->heat);
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &attr);
    pthread_condattr_destroy(&attr);
    int r = pthread_create(&f->thread, NULL, feed_run, f);
    if (r != 0) {
        close(f->fd);
        free(f);
        return err_raise(-r);
    }
    *ret_feed = f;
    return 0;
}

struct feed *feed_stop(struct feed *f)
{
    if (!f || f->stopping)
        return f;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    return f;
}

struct feed *feed_free(struct feed *f)
{
    if (!f)
        return NULL;
    assert(f->stopping);
    reply_set(&f->answer, NULL);
    reply_set(&f->stats, NULL);
    reply_set(&f->next, NULL);
    reply_set(&f->heat_reply, NULL);
    reply_set(&f->shown_stats, NULL);
    reply_set(&f->shown_next, NULL);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    close(f->fd);
    free(f);
    return NULL;
}

int feed_fd(const struct feed *f)
{
    return f->fd;
}

void feed_pool(struct feed *f, const char *pool)
{
    pthread_mutex_lock(&f->lock);
    if (strcmp(f->pool, pool) != 0) {
        snprintf(f->pool, sizeof f->pool, "%s", pool);
        f->wants_picture = true;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
}

void feed_heat(struct feed *f, const char *pool, uint32_t slots, uint64_t for_ms)
{
    pthread_mutex_lock(&f->lock);
    f->heat.slots = slots;
    f->heat.for_ms = for_ms;
    snprintf(f->heat_pool, sizeof f->heat_pool, "%s", pool);
    f->has_heat = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void refusal_show(const Rota__Error *error, struct model *m)
{
    bool is_away = error->retryable;
    m->link = is_away ? LINK_AWAY : LINK_REFUSED;
    snprintf(m->link_name, sizeof m->link_name, "%s", error->name);
    snprintf(m->link_text, sizeof m->link_text, "%s", error->text);
    if (!is_away)
        snprintf(m->note, sizeof m->note, "%s (%s)", error->text, error->name);
    m->note_is_bad = true;
}

static void heat_show(const Rota__Reply *reply, struct model *m)
{
    char until[TEXT_SHORT_LEN + 1];
    m->note_is_bad = reply->error;
    if (reply->error)
        snprintf(m->note, sizeof m->note, "%s (%s)", reply->error->text, reply->error->name);
    else if (reply->heat->slots)
        snprintf(m->note, sizeof m->note, "%s: %u slots stay warm until %s", reply->heat->pool,
                 reply->heat->slots, text_time(reply->heat->until_ms, until));
    else
        snprintf(m->note, sizeof m->note, "%s: heat is off", reply->heat->pool);
}

/* With the lock held: a good picture replaces the one that is shown, a refusal keeps it. */
static void stats_take(struct feed *f, struct model *m)
{
    Rota__Reply *reply = TAKE(f->stats);
    if (reply->error) {
        refusal_show(reply->error, m);
        rota_reply_free(reply);
        return;
    }
    reply_set(&f->shown_stats, reply);
    m->stats = reply->stats;
    if (!*m->pool)
        model_pool_choose_busiest(m);
    m->as_of_ms = reply->as_of_ms ? reply->as_of_ms : clock_wall_ms();
    m->link = LINK_LIVE;
}

static void next_take(struct feed *f, struct model *m)
{
    Rota__Reply *reply = TAKE(f->next);
    if (reply->error) {
        rota_reply_free(reply);
        return;
    }
    reply_set(&f->shown_next, reply);
    m->next = reply->next;
}

bool feed_take(struct feed *f, struct model *m)
{
    eventfd_t count;
    if (eventfd_read(f->fd, &count) < 0)
        return false;
    pthread_mutex_lock(&f->lock);
    if (f->stats)
        stats_take(f, m);
    if (f->next)
        next_take(f, m);
    if (f->heat_reply) {
        Rota__Reply *reply = TAKE(f->heat_reply);
        heat_show(reply, m);
        rota_reply_free(reply);
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}
