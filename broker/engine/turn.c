/* turn.c: one turn from the inbox to the effects.
 *
 *   requests -> begin -> apply each -> due timers -> hand out jobs -> fold a slice -> commit ->
 * effects
 *
 * When the store or the memory is full, the whole turn is unwound and its requests are applied
 * again one by one, each in a transaction of its own, so that only those that do not fit are
 * refused: publishes, in practice, since store_has_room() keeps a reserve for finish and cancel. */
#include "engine/job.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { ALARMS_PER_TURN = 4096 };

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
    {ROTA__REQUEST__OP_HOLD, turn_hold},
    {ROTA__REQUEST__OP_JOB_RELEASE, turn_job_release},
    {ROTA__REQUEST__OP_RETRY, turn_retry},
    {ROTA__REQUEST__OP_MOVE, turn_move},
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

/* Revoked by a request before it in this very turn: the rest of the engine hears of it after the
 * commit. */
static bool is_revoked_now(const struct turn *t)
{
    for (unsigned i = 0; i < t->engine->revoked_n; i++)
        if (t->engine->revoked[i] == t->who.key_serial)
            return true;
    return false;
}

static int request_run(struct turn *t, const Rota__Request *request)
{
    const struct op_row *op = op_row(t->in->op_tag);
    turn_handler *handler = handler_of(t->in->op_tag);
    if (!op || !handler)
        return E_OPERATION_UNKNOWN;
    enum error_code code = auth_check(t->engine->config.auth, t->txn, request, op, &t->who);
    if (code == E_OK && is_revoked_now(t))
        code = E_KEY_REVOKED;
    if (code != E_OK)
        return (int)code;
    pipe_is_known(t);
    t->origin = request->origin;
    /* A finish says it itself: the lease that came with it is tried all the same. */
    if (t->in->vetted != E_OK && op->tag != ROTA__REQUEST__OP_FINISH_AND_LEASE)
        return turn_vetted(t);
    Rota__Reply *reply = reply_new(t, op->tag);
    if (!reply)
        return err_raise(-ENOMEM);
    int r = handler(t, request, reply);
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
 * are handed out in the same turn; the slices of housekeeping come last. */
static int (*const chores[])(struct turn *t) = {
    delayed_some, follow_some, dispatch_all, fold_some, sweep_some,
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
    e->has_more = false;
    e->revoked_n = 0;
    r = turn_apply(&t, first, n);
    t.ready = cursor_free(t.ready);
    if (r == 0)
        r = turn_store(store_commit(&txn));
    if (r != 0) {
        cache_aborted(&e->cache);
        *before.replies_end = NULL;
        *fx = before;
        return r;
    }
    cache_committed(&e->cache);
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
    if (in->kind == INBOUND_REQUEST)
        effect_error(&t, &in->to, r == TURN_FULL ? E_STORE_FULL : E_MEMORY, NULL);
}

int engine_turn(struct engine *e, struct now now, struct inbound *requests, struct effects *fx)
{
    size_t n = 0;
    for (struct inbound *in = requests; in; in = in->next)
        n++;
    int r = turn_once(e, now, requests, n, fx);
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

uint32_t engine_idle_ms(const struct engine *e, struct now now, uint32_t most_ms)
{
    uint64_t bt_ms = now.boot_ms + e->broker_offset_ms;
    if (e->has_more || e->cache.has_follow)
        return 0;
    uint64_t due_ms = bt_ms + most_ms;
    const struct alarm *a = alarms_first(&e->cache.alarms);
    if (a && a->at_ms < due_ms)
        due_ms = a->at_ms;
    uint64_t fold_ms = fold_due_ms(e, bt_ms), delayed_ms = delayed_due_ms(e, now);
    if (fold_ms < due_ms)
        due_ms = fold_ms;
    if (delayed_ms < due_ms)
        due_ms = delayed_ms;
    /* Due already: at once, but never a spin when the store is full. */
    return due_ms > bt_ms ? (uint32_t)(due_ms - bt_ms) : 1;
}
