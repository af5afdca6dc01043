/* turn.c: one turn from the inbox to the effects.
 *
 *   requests -> begin -> apply each -> due timers -> hand out jobs -> fold a slice -> commit ->
 * effects
 *
 * When the store or the memory is full, the whole turn is unwound and its requests are applied
 * again one by one, each in a transaction of its own, so that only those that do not fit are
 * refused: publishes, in practice, since store_has_room() keeps a reserve for finish and cancel. */
#include "engine/abuse.h"
#include "engine/bulk.h"
#include "engine/classes.h"
#include "engine/life.h"
#include "engine/rates.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    ALARMS_PER_TURN = 4096,
    FULL_PAUSE_MS = 100, /* until a store without room is asked again by the turn itself */
};

static const struct {
    uint32_t tag;
    turn_handler *handler;
} handlers[] = {
    {ROTA__REQUEST__OP_PUBLISH, turn_publish},
    {ROTA__REQUEST__OP_PUBLISH_MANY, turn_publish_many},
    {ROTA__REQUEST__OP_LEASE, turn_lease},
    {ROTA__REQUEST__OP_FINISH, turn_finish},
    {ROTA__REQUEST__OP_FINISH_AND_LEASE, turn_finish_and_lease},
    {ROTA__REQUEST__OP_LEASE_RELEASE, turn_lease_release},
    {ROTA__REQUEST__OP_HEARTBEAT, turn_heartbeat},
    {ROTA__REQUEST__OP_CANCEL, turn_cancel},
    {ROTA__REQUEST__OP_HEAT, turn_heat},
    {ROTA__REQUEST__OP_ACCOUNT_SET, turn_account_set},
    {ROTA__REQUEST__OP_APP_SET, turn_app_set},
    {ROTA__REQUEST__OP_KEY_CREATE, turn_key_create},
    {ROTA__REQUEST__OP_KEY_REVOKE, turn_key_revoke},
    {ROTA__REQUEST__OP_KEY_USAGE, turn_key_usage},
    {ROTA__REQUEST__OP_MEMBER_SET, turn_member_set},
    {ROTA__REQUEST__OP_MEMBER_REMOVE, turn_member_remove},
    {ROTA__REQUEST__OP_PRESET_SET, turn_preset_set},
    {ROTA__REQUEST__OP_SCHEDULE_SET, turn_schedule_set},
    {ROTA__REQUEST__OP_VAR_SET, turn_var_set},
    {ROTA__REQUEST__OP_ACCOUNT_ERASE, turn_account_erase},
    {ROTA__REQUEST__OP_HOLD, turn_hold},
    {ROTA__REQUEST__OP_JOB_RELEASE, turn_job_release},
    {ROTA__REQUEST__OP_RETRY, turn_retry},
    {ROTA__REQUEST__OP_MOVE, turn_move},
    {ROTA__REQUEST__OP_BULK_START, turn_bulk_start},
    {ROTA__REQUEST__OP_BULK_STOP, turn_bulk_stop},
    {ROTA__REQUEST__OP_REVIEW_GET, turn_review_get},
    {ROTA__REQUEST__OP_REVIEW_DECIDE, turn_review_decide},
    {ROTA__REQUEST__OP_ADDRESS_LIST, turn_address_list},
    {ROTA__REQUEST__OP_PAUSE_SET, turn_pause_set},
    {ROTA__REQUEST__OP_LIMITS_SET, turn_limits_set},
    {ROTA__REQUEST__OP_ADDON_SET, turn_addon_set},
    {ROTA__REQUEST__OP_ADDON_GRANT, turn_addon_grant},
    {ROTA__REQUEST__OP_FETCHED, turn_fetched},
    {ROTA__REQUEST__OP_SOURCE_PIN, turn_source_pin},
};

static turn_handler *handler_of(uint32_t tag)
{
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (handlers[i].tag == tag)
            return handlers[i].handler;
    return NULL;
}

static void pipe_is_known(struct turn *t)
{
    struct effect_pipe *e = arena_alloc(t->fx->arena, sizeof *e);
    if (!e)
        return;
    *e = (struct effect_pipe){t->fx->known, t->in->peer.pipe};
    t->fx->known = e;
}

int turn_vetted(struct turn *t)
{
    if (!t->in->is_vetted || t->in->vetted == E_OK)
        return 0;
    /* An empty text would hide the catalogue's words. */
    return t->in->vetted_text[0] ? turn_refuse(t, t->in->vetted, "%s", t->in->vetted_text)
                                 : (int)t->in->vetted;
}

/* Who asks, and may they? 0 and t->who, or the refusal. */
static int request_check(struct turn *t, const Rota__Request *request, const struct op_row *op)
{
    struct auth_call call = {
        .request = request, .op = op, .wall_ms = t->now.wall_ms, .is_counted = t->in->is_counted};
    enum error_code code = auth_check(t->engine->config.auth, t->txn, &call, &t->who);
    t->in->is_counted = call.is_counted;
    if (code == E_OK || !call.text[0])
        return (int)code;
    return turn_refuse(t, code, "%s", call.text);
}

static int request_run(struct turn *t, const Rota__Request *request)
{
    const struct op_row *op = op_row(t->in->op_tag);
    turn_handler *handler = handler_of(t->in->op_tag);
    if (!op)
        return E_OPERATION_UNKNOWN;
    int r = request_check(t, request, op);
    if (r == 0 && !handler)
        r = E_OPERATION_UNKNOWN;
    if (r != 0)
        return r;
    pipe_is_known(t);
    t->origin = request->origin;
    /* A finish says it itself: the lease that came with it is tried all the same. */
    if (t->in->vetted != E_OK && op->tag != ROTA__REQUEST__OP_FINISH_AND_LEASE)
        return turn_vetted(t);
    Rota__Reply *reply = reply_new(t, op->tag);
    if (!reply)
        return err_raise(-ENOMEM);
    r = handler(t, request, reply);
    if (r == 0)
        effect_reply(t, &t->in->to, reply);
    return r;
}

/* 0, TURN_FULL or a fault; a refusal is answered here. */
static int request_apply(struct turn *t, struct inbound *in)
{
    if (in->kind == INBOUND_PIPE_GONE) {
        workers_forget_pipe(t, in->peer.pipe);
        return 0;
    }
    if (in->kind == INBOUND_OBJECTS_SETTLED)
        return objects_settled(t, in->settled, in->settled_n);
    t->in = in;
    t->text = NULL;
    t->member = 0;
    Rota__Request *request = rota__request__unpack(arena_allocator(t->fx->arena), in->n, in->bytes);
    int r = request ? request_run(t, request) : err_raise(-ENOMEM);
    if (r == TURN_VET) {
        in->wants_vetting = true;
        return 0;
    }
    if (r == TURN_PARKED || r == 0)
        return 0;
    if (r < 0 || r == TURN_FULL)
        return r;
    effect_error(t, &in->to, (enum error_code)r, t->text);
    return 0;
}

static int alarm_fire(struct turn *t, struct alarm *a)
{
    switch (a->kind) {
    case ALARM_LEASE:
        return lease_alarm(t, CONTAINER(a, lease, alarm));
    case ALARM_POLL:
        poll_alarm(t, CONTAINER(a, poll, alarm));
        return 0;
    case ALARM_WORKER:
        worker_alarm(t, CONTAINER(a, worker, alarm));
        return 0;
    case ALARM_RATE:
        return rate_alarm(t, CONTAINER(a, rate, alarm));
    }
    return 0;
}

static int alarms_fire(struct turn *t)
{
    struct alarm *a;
    for (int i = 0; i < ALARMS_PER_TURN && (a = alarms_first(&t->cache->alarms)) != NULL &&
                    a->at_ms <= t->bt_ms;
         i++) {
        int r = alarm_fire(t, a);
        if (r != 0)
            return r;
    }
    return 0;
}

/* What a turn does of itself after its requests and timers, in this order: jobs that may go on now
 * are handed out in the same turn; the slices of housekeeping come last, and behind all of them the
 * checkpoint, which says what the turn leaves behind. */
static int (*const chores[])(struct turn *t) = {
    delayed_some,    follow_some,    bulk_some,  schedules_some, pauses_some,   classes_some,
    dispatch_all,    fold_some,      sweep_some, trail_some,     key_uses_some, abuse_purge_some,
    checkpoint_some, retention_some, erase_some, going_some,     outputs_some,
};

/* Everything of a turn that happens inside its transaction. */
static int turn_apply(struct turn *t, struct inbound *first, size_t n)
{
    int r = 0;
    struct inbound *in = first;
    for (size_t i = 0; i < n && r == 0; i++, in = in->next)
        r = request_apply(t, in);
    if (r == 0)
        r = alarms_fire(t);
    for (size_t i = 0; i < ARRAY_LEN(chores) && r == 0; i++)
        r = chores[i](t);
    return r == 0 ? turn_store(cache_flush(t->cache, t->txn)) : r;
}

/* The keys that came with this turn's sources, those in front of `until`. */
static int keys_keep(const struct engine *e, const struct effects *fx,
                     const struct effect_source *until)
{
    const struct source_keeper *k = &e->config.source_keeper;
    bool has_key = false;
    for (const struct effect_source *s = fx->sources; k->keep && s != until; s = s->next) {
        int r = s->key ? k->keep(k->arg, s->job, s->key) : 0;
        if (r < 0)
            return err_pass(r);
        has_key = has_key || s->key;
    }
    int r = has_key ? k->flush(k->arg) : 0;
    return r < 0 ? err_pass(r) : 0;
}

/* A job that was not committed has no key. */
static void keys_drop(const struct engine *e, const struct effects *fx,
                      const struct effect_source *until)
{
    const struct source_keeper *k = &e->config.source_keeper;
    for (const struct effect_source *s = fx->sources; k->keep && s != until; s = s->next)
        if (s->key && k->drop(k->arg, s->job) < 0)
            return; /* the next start finds it */
}

/* One transaction over `n` requests from `first` on. After an abort RAM and effects are as before.
 */
static int turn_once(struct engine *e, struct now now, struct inbound *first, size_t n,
                     struct effects *fx)
{
    struct effects before = *fx;
    AUTO(txn) txn = NULL;
    int r = cache_tend(&e->cache);
    if (r == 0)
        r = store_begin(e->config.store, &txn);
    if (r != 0)
        return turn_store(r);
    struct turn t = {.engine = e,
                     .cache = &e->cache,
                     .undo = e->cache.undo,
                     .txn = txn,
                     .fx = fx,
                     .now = now,
                     .bt_ms = now.boot_ms + e->broker_offset_ms};
    e->cache.hot.broker_ms = t.bt_ms;
    e->touched = NULL;
    e->key_uses_n = 0;
    e->has_more = false;
    r = turn_apply(&t, first, n);
    t.ready = cursor_free(t.ready);
    if (r == 0)
        r = keys_keep(e, fx, before.sources);
    if (r == 0)
        r = turn_store(store_commit(&txn));
    if (r != 0) {
        keys_drop(e, fx, before.sources);
        cache_aborted(&e->cache);
        *before.replies_end = NULL;
        *fx = before;
        return r;
    }
    cache_committed(&e->cache);
    key_uses_committed(e);
    e->turns++;
    turn_show(e, fx, t.bt_ms);
    return 0;
}

static bool needs_room(int r)
{
    return r == TURN_FULL || r == -ENOMEM;
}

static void refuse_full(struct engine *e, struct now now, struct inbound *in, int r,
                        struct effects *fx)
{
    struct turn t = {.engine = e, .fx = fx, .now = now};
    in->wants_vetting = false; /* it has its answer */
    if (in->kind == INBOUND_REQUEST)
        effect_error(&t, &in->to, r == TURN_FULL ? E_STORE_FULL : E_MEMORY, NULL);
}

int engine_turn(struct engine *e, struct now now, struct inbound *requests, struct effects *fx)
{
    size_t n = 0;
    for (struct inbound *in = requests; in; in = in->next)
        n++;
    int r = turn_once(e, now, requests, n, fx);
    e->full_ms = needs_room(r) ? now.boot_ms + e->broker_offset_ms : 0;
    if (!needs_room(r))
        return r < 0 ? err_pass(r) : 0;
    if (e->config.checks_aborts && engine_check(e) != 0)
        return err_raise(-EBADMSG);
    effects_reset(fx); /* what the undone turn took of the arena is needed again */
    for (struct inbound *in = requests; in; in = in->next) {
        in->wants_vetting = false;
        r = turn_once(e, now, in, 1, fx);
        if (needs_room(r))
            refuse_full(e, now, in, r, fx);
        else if (r < 0)
            return err_pass(r);
    }
    return 0;
}

/* Broker time of this Unix time, as the clocks stand now. */
static uint64_t wall_due_ms(uint64_t wall_ms, struct now now, uint64_t bt_ms)
{
    if (wall_ms == UINT64_MAX)
        return UINT64_MAX;
    return wall_ms > now.wall_ms ? bt_ms + (wall_ms - now.wall_ms) : bt_ms;
}

int engine_save(struct engine *e, struct now now, struct effects *fx)
{
    size_t before = 0, waiting;
    while ((waiting = auth_uses_waiting(e->config.auth)) && waiting != before) {
        before = waiting;
        e->key_uses_ms = 0;
        int r = engine_turn(e, now, NULL, fx);
        if (r < 0)
            return err_pass(r);
    }
    return 0;
}

uint32_t engine_idle_ms(const struct engine *e, struct now now, uint32_t most_ms)
{
    uint64_t bt_ms = now.boot_ms + e->broker_offset_ms;
    if (e->full_ms && bt_ms < e->full_ms + FULL_PAUSE_MS)
        return (uint32_t)(e->full_ms + FULL_PAUSE_MS - bt_ms);
    if (e->has_more || e->cache.has_follow || retention_is_due(&e->cache))
        return 0;
    uint64_t due_ms = bt_ms + most_ms;
    const struct alarm *a = alarms_first(&e->cache.alarms);
    if (a && a->at_ms < due_ms)
        due_ms = a->at_ms;
    const uint64_t others_ms[] = {
        fold_due_ms(e, bt_ms),
        delayed_due_ms(e, now),
        wall_due_ms(e->cache.schedule_ms, now, bt_ms),
        e->cache.has_erase ? e->erase_ms : UINT64_MAX,
        wall_due_ms(e->cache.source_due_ms, now, bt_ms),
        wall_due_ms(e->cache.object_due_ms, now, bt_ms),
        e->going.next_ms,
        wall_due_ms(e->cache.pauses_ms, now, bt_ms),
        e->cache.classes_ms,
        key_uses_due_ms(e),
        bulk_due_ms(e),
    };
    for (size_t i = 0; i < ARRAY_LEN(others_ms); i++)
        if (others_ms[i] < due_ms)
            due_ms = others_ms[i];
    /* Due already: at once, but never a spin when the store is full. */
    return due_ms > bt_ms ? (uint32_t)(due_ms - bt_ms) : 1;
}
