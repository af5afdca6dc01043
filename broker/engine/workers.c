/* workers.c: connected workers: heartbeats, commands to them, and their silence.
 *
 * A worker is a session: nothing of it is stored but its leases. One heartbeat speaks for all its
 * leases; it parks until there is something to say (cancel, lost lease, heat) or its time is up. */
#include "engine/turn.h"

#include <errno.h>
#include <stdio.h>

enum {
    BEAT_WAIT_MS_MAX = 600000,
    CANCEL_REPEAT_MS = 1000, /* a worker that did not let go is told again */
    WORKER_GONE_LEASES = 2,  /* silent for so many lease times: off the list */
};

void worker_touch(struct turn *t, const struct worker *w)
{
    struct touched *touched = arena_alloc(t->fx->arena, sizeof *touched);
    if (!touched)
        return;
    touched->next = t->engine->touched;
    touched->pool = w->pool->number;
    memcpy(touched->worker, w->facts.name, sizeof touched->worker);
    t->engine->touched = touched;
}

static void alarm_renew(struct turn *t, struct worker *w)
{
    uint64_t at_ms = w->facts.seen_bt_ms + WORKER_GONE_LEASES * t->engine->config.lease_ms;
    if (w->beat_parked && w->beat_until_bt_ms < at_ms)
        at_ms = w->beat_until_bt_ms;
    alarm_set(&t->cache->alarms, &w->alarm, at_ms, t->undo);
}

/* What was heard of a worker is no promise to anybody, so it is not journaled. */
int worker_seen(struct turn *t, struct pool *p, const char *name, char **classes, size_t n,
                struct worker **ret_worker)
{
    struct worker *w = cache_worker(t->cache, p, name);
    if (!w && t->cache->workers.count >= WORKERS_MAX)
        return turn_refuse(t, E_OVERLOADED, "there are already %d workers", WORKERS_MAX);
    if (!w)
        w = worker_new(t->cache, p, name);
    if (!w)
        return err_raise(-ENOMEM);
    w->facts.seen_bt_ms = t->bt_ms;
    w->facts.classes_n = (uint32_t)(n < CLASSES_MAX ? n : CLASSES_MAX);
    for (uint32_t i = 0; i < w->facts.classes_n; i++)
        snprintf(w->facts.classes[i], sizeof w->facts.classes[i], "%s", classes[i]);
    alarm_renew(t, w);
    worker_touch(t, w);
    *ret_worker = w;
    return 0;
}

/* ---- what a heartbeat's answer says ---- */

static bool heat_is_on(const struct turn *t, const struct pool *p)
{
    return p->heat_slots && p->heat_until_ms > t->now.wall_ms;
}

static Rota__HeartbeatResult *beat_result(struct turn *t, struct worker *w, size_t lost_max)
{
    Rota__HeartbeatResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return NULL;
    rota__heartbeat_result__init(result);
    result->lease_ms = t->engine->config.lease_ms;
    if (heat_is_on(t, w->pool)) {
        result->heat_slots = w->pool->heat_slots;
        result->heat_until_ms = w->pool->heat_until_ms;
    }
    result->cancel = arena_alloc(t->fx->arena, (w->leases_n + 1) * sizeof(char *));
    result->lost = arena_alloc(t->fx->arena, (lost_max + 1) * sizeof(char *));
    return result->cancel && result->lost ? result : NULL;
}

static void add_cancels(struct turn *t, struct worker *w, Rota__HeartbeatResult *result)
{
    for (struct lease *l = w->leases; l; l = l->worker_next) {
        if (!l->cancel_ms)
            continue;
        result->cancel[result->n_cancel++] = turn_job(t, l->job);
        SET(t->undo, l->told_bt_ms, t->bt_ms);
    }
}

static void heat_is_told(struct turn *t, struct worker *w, const Rota__HeartbeatResult *result)
{
    SET(t->undo, w->told_heat_slots, result->heat_slots);
    SET(t->undo, w->told_heat_until_ms, result->heat_until_ms);
}

static void beat_answer(struct turn *t, struct worker *w, const struct reply_to *to,
                        Rota__HeartbeatResult *result)
{
    Rota__Reply *reply = reply_new(t, ROTA__REPLY__RESULT_HEARTBEAT);
    if (!reply)
        return;
    add_cancels(t, w, result);
    heat_is_told(t, w, result);
    reply->heartbeat = result;
    effect_reply(t, to, reply);
}

void worker_beat(struct turn *t, struct worker *w)
{
    if (!w->beat_parked)
        return;
    Rota__HeartbeatResult *result = beat_result(t, w, 0);
    SET(t->undo, w->beat_parked, false);
    if (result)
        beat_answer(t, w, &w->beat_to, result);
}

/* ---- the call ---- */

/* Copies what fits, cut between two characters: what is told on must stay UTF-8. */
static void text_cut(char *to, size_t room, const char *text)
{
    size_t n = strlen(text);
    if (n >= room)
        for (n = room - 1; n && ((uint8_t)text[n] & 0xc0) == 0x80;)
            n--;
    memcpy(to, text, n);
    memset(to + n, 0, room - n);
}

/* Journaled, though it is news and no promise: a turn that is undone and applied again must find it
 * new again, or nobody would be told. */
static void progress_apply(struct turn *t, struct lease *l, const Rota__JobProgress *p)
{
    struct lease_progress now = {.percent = p->percent > 100 ? 100 : p->percent};
    text_cut(now.phase, sizeof now.phase, p->phase);
    text_cut(now.message, sizeof now.message, p->message);
    SET(t->undo, l->silent_bt_ms, t->bt_ms + t->engine->config.lease_ms);
    if (l->progress.percent == now.percent && strcmp(l->progress.phase, now.phase) == 0 &&
        strcmp(l->progress.message, now.message) == 0)
        return;
    SET(t->undo, l->version, l->version + 1);
    SET(t->undo, l->progress, now);
    effect_job(t, l->job, l->account->number, false);
}

/* Leases that the worker believes in and that are not (or no longer) its own are named lost. */
static int progress_all(struct turn *t, const struct worker *w, const Rota__Heartbeat *q,
                        Rota__HeartbeatResult *result)
{
    for (size_t i = 0; i < q->n_progress; i++) {
        const Rota__JobProgress *p = q->progress[i];
        struct job_id job;
        if (!p->lease)
            return turn_refuse(t, E_FIELD_MISSING, "heartbeat.progress names no lease");
        int r = job_parse(t, p->lease->job, &job);
        if (r != 0)
            return r;
        struct lease *l = cache_lease(t->cache, job);
        if (l && l->worker == w && l->token == p->lease->token && l->epoch == p->lease->epoch)
            progress_apply(t, l, p);
        else
            result->lost[result->n_lost++] = p->lease->job;
    }
    return 0;
}

/* Broker time at which the worker must hear of a cancel (again); UINT64_MAX: of none. */
static uint64_t cancel_due_ms(const struct worker *w)
{
    uint64_t due_ms = UINT64_MAX;
    for (const struct lease *l = w->leases; l; l = l->worker_next)
        if (l->cancel_ms && l->told_bt_ms + CANCEL_REPEAT_MS < due_ms)
            due_ms = l->told_bt_ms + CANCEL_REPEAT_MS;
    return due_ms;
}

static bool has_news(const struct turn *t, const struct worker *w,
                     const Rota__HeartbeatResult *result)
{
    return result->n_lost || result->heat_slots != w->told_heat_slots ||
           result->heat_until_ms != w->told_heat_until_ms || cancel_due_ms(w) <= t->bt_ms;
}

static uint64_t park_ms(const struct turn *t, const Rota__Heartbeat *q)
{
    uint64_t third = t->engine->config.lease_ms / 3;
    uint64_t wait = q->wait_ms < BEAT_WAIT_MS_MAX ? q->wait_ms : BEAT_WAIT_MS_MAX;
    return wait < third ? wait : third;
}

/* Not past the moment at which a cancel is told again: the answer that told it may be lost. */
static void beat_park(struct turn *t, struct worker *w, const Rota__Heartbeat *q)
{
    uint64_t until_ms = t->bt_ms + park_ms(t, q), cancel_ms = cancel_due_ms(w);
    SET(t->undo, w->beat_parked, true);
    SET(t->undo, w->beat_to, t->in->to);
    SET(t->undo, w->beat_until_bt_ms, until_ms < cancel_ms ? until_ms : cancel_ms);
    SET(t->undo, w->key_serial, t->who.key_serial);
    alarm_renew(t, w);
}

/* As many whole names as fit. */
static void names_join(char to[RESOURCE_NAMES_MAX + 1], char *const *names, size_t n)
{
    size_t at = 0;
    to[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t more = strlen(names[i]) + (at > 0);
        if (!*names[i] || more > RESOURCE_NAMES_MAX - at)
            continue;
        snprintf(to + at, RESOURCE_NAMES_MAX + 1 - at, "%s%s", at ? " " : "", names[i]);
        at += more;
    }
}

static void resources_take(struct board_resources *to, const Rota__Resources *said)
{
    *to = (struct board_resources){.are_said = said != NULL};
    if (!said)
        return;
    to->cpus = said->cpus;
    to->memory_bytes = said->memory_bytes;
    to->workspace_bytes = said->workspace_bytes;
    names_join(to->nodes, said->node, said->n_node);
    names_join(to->managers, said->manager, said->n_manager);
    text_cut(to->limits, sizeof to->limits, said->limits);
    text_cut(to->isolation, sizeof to->isolation, said->isolation);
}

int turn_heartbeat(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__Heartbeat *q = request->heartbeat;
    struct pool *p;
    struct worker *w;
    if (!q->worker[0])
        return turn_refuse(t, E_FIELD_MISSING, "heartbeat.worker is empty");
    int r = pool_for_worker(t, q->pool, q->class_, q->n_class_, &p);
    if (r == 0)
        r = worker_seen(t, p, q->worker, q->class_, q->n_class_, &w);
    if (r != 0)
        return r;
    worker_beat(t, w); /* the newer one replaces it */
    w->facts.slots = q->slots;
    w->facts.rss_bytes = q->rss_bytes;
    w->facts.draining = q->draining;
    snprintf(w->facts.version, sizeof w->facts.version, "%s", q->version);
    resources_take(&w->facts.resources, q->resources);
    Rota__HeartbeatResult *result = beat_result(t, w, q->n_progress);
    r = result ? progress_all(t, w, q, result) : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    if (!has_news(t, w, result) && park_ms(t, q)) {
        beat_park(t, w, q);
        return TURN_PARKED;
    }
    add_cancels(t, w, result);
    heat_is_told(t, w, result);
    reply->heartbeat = result;
    return 0;
}

/* ---- silence, lost pipes, revoked keys ---- */

void worker_alarm(struct turn *t, struct worker *w)
{
    if (w->beat_parked && w->beat_until_bt_ms <= t->bt_ms)
        worker_beat(t, w);
    uint64_t gone_bt_ms = w->facts.seen_bt_ms + WORKER_GONE_LEASES * t->engine->config.lease_ms;
    if (gone_bt_ms > t->bt_ms) {
        alarm_renew(t, w);
        return;
    }
    if (w->leases ||
        w->poll) { /* its leases run out by themselves; a parked poll is a living worker */
        alarm_set(&t->cache->alarms, &w->alarm, t->bt_ms + t->engine->config.lease_ms, t->undo);
        return;
    }
    worker_touch(t, w);
    worker_drop(t->cache, w);
}

/* It said that it would, and has nothing left to do here. */
static bool has_left(const struct worker *w)
{
    return w->facts.draining && !w->leases && !w->poll;
}

void workers_forget_pipe(struct turn *t, uint32_t pipe)
{
    size_t bucket;
    for (struct map_node *n = map_begin(&t->cache->workers, &bucket), *next; n; n = next) {
        struct worker *w = CONTAINER(n, worker, by_name);
        next = map_after(&t->cache->workers, n, &bucket);
        if (w->poll && w->poll->to.pipe == pipe)
            poll_drop(t, w->poll);
        if (!w->beat_parked || w->beat_to.pipe != pipe)
            continue;
        SET(t->undo, w->beat_parked, false);
        if (has_left(w)) {
            worker_touch(t, w);
            worker_drop(t->cache, w);
        }
    }
}

void workers_drop_key(struct turn *t, uint32_t key_serial)
{
    size_t bucket;
    for (struct map_node *n = map_begin(&t->cache->workers, &bucket); n;
         n = map_after(&t->cache->workers, n, &bucket)) {
        struct worker *w = CONTAINER(n, worker, by_name);
        if (w->poll && w->poll->key_serial == key_serial) {
            effect_error(t, &w->poll->to, E_KEY_REVOKED, NULL);
            poll_drop(t, w->poll);
        }
        if (w->beat_parked && w->key_serial == key_serial) {
            effect_error(t, &w->beat_to, E_KEY_REVOKED, NULL);
            SET(t->undo, w->beat_parked, false);
        }
    }
}
