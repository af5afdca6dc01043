/* job.c: job_load() and job_move(). A move leaves one place and enters another; both halves are a
 * switch over the few places there are, the rest is common. */
#include "engine/classes.h"
#include "engine/life.h"
#include "engine/usage.h"
#include "sched/month.h"
#include "source_ref.h"
#include "store/keys.h"

#include <assert.h>
#include <errno.h>

#define TO(s)   (1u << ROTA__STATE__##s)
#define WAITING (TO(READY) | TO(DELAYED) | TO(HELD))

/* From -> to. READY -> READY and its like: another pool or priority. */
static const uint32_t moves[] = {
    [ROTA__STATE__STATE_NONE] = WAITING,
    [ROTA__STATE__READY] = WAITING | TO(LEASED) | TO(CANCELLED),
    [ROTA__STATE__DELAYED] = WAITING | TO(CANCELLED),
    [ROTA__STATE__HELD] = WAITING | TO(CANCELLED),
    [ROTA__STATE__LEASED] = TO(READY) | TO(DELAYED) | TO(SUCCEEDED) | TO(FAILED) | TO(TIMED_OUT) |
                            TO(CANCELLED) | TO(DEAD),
    [ROTA__STATE__SUCCEEDED] = 0,
    [ROTA__STATE__FAILED] = TO(READY) | TO(DELAYED),
    [ROTA__STATE__TIMED_OUT] = TO(READY) | TO(DELAYED),
    [ROTA__STATE__CANCELLED] = TO(READY) | TO(DELAYED),
    [ROTA__STATE__DEAD] = TO(READY) | TO(DELAYED),
};

bool job_may(Rota__State from, Rota__State to)
{
    return (size_t)from < ARRAY_LEN(moves) && (moves[from] & 1u << to);
}

bool job_has_ended(Rota__State s)
{
    return s >= ROTA__STATE__SUCCEEDED;
}

struct step step_of(Rota__State to, Rota__EventKind why, enum error_code code)
{
    struct step s = {.to = to, .why = why};
    if (code != E_OK) {
        const struct error_row *row = error_row(code);
        s.error_name = span_str(row->name);
        s.error_text = span_str(row->text);
        s.error_hint = span_str(row->hint);
    }
    return s;
}

struct step step_stay(const struct job *j, Rota__EventKind why)
{
    return (struct step){.to = j->state,
                         .why = why,
                         .reason = j->reason,
                         .by = j->by,
                         .due_ms = j->due_ms,
                         .due_clock = j->due_clock,
                         .waits = j->waits};
}

/* ---- places ---- */

/* Delayed jobs that still wait for others have no due row. */
static bool is_due_row(Rota__State state, uint16_t waits, uint64_t due_ms)
{
    return state == ROTA__STATE__DELAYED && !waits && due_ms;
}

static struct span ready_key(struct key_buf *k, const struct job *j)
{
    return key_ready(k, j->pool->number, j->account->number, j->priority, j->id);
}

/* The count of an account that jobs in this state are part of; NULL: none. */
static uint32_t *tally_count(struct tally *y, Rota__State state)
{
    switch (state) {
    case ROTA__STATE__READY:
        return &y->now.ready;
    case ROTA__STATE__DELAYED:
        return &y->now.delayed;
    case ROTA__STATE__HELD:
        return &y->now.held;
    case ROTA__STATE__LEASED:
        return &y->now.running;
    default:
        return NULL;
    }
}

static void count_by(struct turn *t, struct tally *y, Rota__State state, int by)
{
    uint32_t *count = tally_count(y, state);
    if (!count)
        return;
    assert(by > 0 || *count > 0);
    SET(t->undo, *count, *count + (uint32_t)by);
}

static int leave_lease(struct turn *t, struct job *j)
{
    struct key_buf k;
    struct lease *l = j->lease;
    int r = turn_store(txn_del(t->txn, TABLE_LEASE, key_id(&k, j->id)));
    if (r != 0)
        return r;
    SET(t->undo, j->account->running, j->account->running - 1);
    worker_touch(t, l->worker);
    lease_drop(t->cache, l);
    return 0;
}

static int leave_done(struct turn *t, struct job *j)
{
    struct key_buf k;
    int r = artifacts_release(t, j); /* a job that is tried again has left nothing */
    if (r == 0)
        r = turn_store(txn_del(t->txn, TABLE_DONE, key_id(&k, j->id)));
    if (r == 0)
        r = turn_store(txn_del(t->txn, TABLE_JOB_OF, key_of_finished(&k, j->finished_ms, j->id)));
    if (r == 0 && j->state == ROTA__STATE__DEAD)
        r = source_unkeep(t, j);
    return r;
}

/* A row that must be there. */
static int leave_row(struct turn *t, enum table table, struct span key)
{
    int r = txn_del(t->txn, table, key);
    return r == STORE_MISSING ? err_raise(-EBADMSG) : turn_store(r);
}

static int leave_ready(struct turn *t, const struct job *j)
{
    struct key_buf k;
    head_leave(t->cache, j->tally, j->priority, j->id);
    return leave_row(t, TABLE_READY, ready_key(&k, j));
}

static int leave(struct turn *t, struct job *j)
{
    struct key_buf k;
    if (j->state == ROTA__STATE__READY)
        return leave_ready(t, j);
    if (j->state == ROTA__STATE__HELD)
        return leave_row(t, TABLE_HELD, key_id(&k, j->id));
    if (is_due_row(j->state, j->waits, j->due_ms))
        return leave_row(t, TABLE_DELAYED, key_due(&k, j->due_clock, j->due_ms, j->id));
    if (j->state == ROTA__STATE__LEASED)
        return leave_lease(t, j);
    return job_has_ended(j->state) ? leave_done(t, j) : 0;
}

/* Of what the job's row names; SOURCE_NONE: it has none of its own. */
static int source_of(struct turn *t, const struct job *j, struct source_ref *ret_source)
{
    struct job_row row;
    struct key_buf k;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, j->id), &row));
    if (r != 0)
        return r;
    return source_ref_parse(row.source, ret_source) == 0 ? 0 : err_raise(-EBADMSG);
}

int source_release(struct turn *t, const struct job *j)
{
    struct source_ref source;
    int r = source_of(t, j, &source);
    if (r != 0 || source.kind != SOURCE_UPLOAD)
        return r;
    r = effect_source(t, j->id, NULL);
    return r == 0 ? object_release(t, ROTA__OBJECT_KIND__SOURCE, j->account, source.sha256) : r;
}

/* The job's own source goes with its last job, but a dead one may be tried again. */
static int source_settle(struct turn *t, const struct job *j, Rota__State to)
{
    struct source_ref source;
    int r = source_of(t, j, &source);
    if (r != 0 || source.kind != SOURCE_UPLOAD)
        return r;
    return to == ROTA__STATE__DEAD ? source_keep(t, j->id) : source_release(t, j);
}

bool job_is_refund(const struct job *j, const struct step *s)
{
    return j->is_charged && (s->to == ROTA__STATE__DEAD ||
                             (s->to == ROTA__STATE__CANCELLED && (!j->attempt || s->refunds)));
}

static int enter_done(struct turn *t, const struct job *j, const struct step *s)
{
    struct done_row done = {.state = (uint8_t)s->to,
                            .attempt = j->attempt,
                            .finished_ms = t->now.wall_ms,
                            .reason = s->reason,
                            .error_name = s->error_name,
                            .error_text = s->error_text,
                            .error_hint = s->error_hint,
                            .facts = s->facts,
                            .artifact_bytes = s->artifact_bytes,
                            .pool = j->pool == j->home ? 0 : j->pool->number,
                            .is_refunded = job_is_refund(j, s),
                            .charge_month = j->charge_month,
                            .commit = j->commit};
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    if (j->lease) {
        done.epoch = j->lease->epoch;
        done.token = j->lease->token;
        done.started_ms = j->lease->granted_ms;
        done.worker = span_str(j->lease->worker->facts.name);
    }
    int r = turn_store(row_put(t->txn, &done_row_type, key_id(&k, j->id), &done));
    if (r == 0)
        r = turn_store(
            row_put(t->txn, &job_of_row_type, key_of_finished(&k, t->now.wall_ms, j->id), &mark));
    if (r == 0)
        r = source_settle(t, j, s->to);
    if (r == 0 && j->supersedes)
        r = supersede_forget(t, j);
    if (r == 0)
        r = follow_ended(t, j->id);
    return r;
}

static int enter(struct turn *t, const struct job *j, const struct step *s)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    if (s->to == ROTA__STATE__READY) {
        head_enter(t->cache, j->tally, j->priority, j->id);
        return turn_store(row_put(t->txn, &ready_row_type, ready_key(&k, j), &mark));
    }
    if (s->to == ROTA__STATE__HELD)
        return turn_store(row_put(t->txn, &held_row_type, key_id(&k, j->id), &mark));
    if (job_has_ended(s->to))
        return enter_done(t, j, s);
    if (!is_due_row(s->to, s->waits, s->due_ms))
        return 0;
    delayed_note(t, s->due_clock, s->due_ms);
    return turn_store(
        row_put(t->txn, &delayed_row_type, key_due(&k, s->due_clock, s->due_ms, j->id), &mark));
}

/* What is not as in the job's own row, or no row at all. */
static int state_write(struct turn *t, const struct job *j, const struct step *s, bool was_born)
{
    struct key_buf k;
    struct state_row row = {.attempt = j->attempt,
                            .priority = j->priority == j->priority_home ? 0 : j->priority,
                            .pool = j->pool == j->home ? 0 : j->pool->number,
                            .due_ms = s->due_ms,
                            .due_clock = s->due_clock,
                            .waits = s->waits,
                            .state = s->to == ROTA__STATE__READY ? 0 : (uint8_t)s->to,
                            .since_ms = s->to == ROTA__STATE__READY ? 0 : t->now.wall_ms,
                            .reason = s->reason,
                            .by = s->by,
                            .error_name = s->error_name,
                            .error_text = s->error_text,
                            .charge_month = j->charge_month,
                            .commit = j->commit};
    bool is_plain = !row.attempt && !row.priority && !row.pool && !row.state && !row.error_name.n &&
                    !row.charge_month && !row.commit.n;
    if (!is_plain && !job_has_ended(s->to))
        return turn_store(row_put(t->txn, &state_row_type, key_id(&k, j->id), &row));
    if (was_born)
        return 0;
    int r = txn_del(t->txn, TABLE_STATE, key_id(&k, j->id));
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* ---- the move ---- */

static int move_event(struct turn *t, const struct job *j, Rota__State from, struct pool *from_pool,
                      const struct lease *l, const struct step *s)
{
    Rota__Event *event = event_new(t, s->why);
    if (event) {
        event->job = turn_job(t, j->id);
        event_account(event, j->account);
        event->from = from;
        event->state = s->to;
        event->pool = from_pool->name;
        event->to_pool = j->pool == from_pool ? (char *)"" : j->pool->name;
        event->reason = turn_str(t, s->reason);
        event->error = turn_str(t, s->error_name);
        if (l) {
            event->worker = l->worker->facts.name;
            event->number = l->token;
            event->attempt = l->attempt;
        }
    }
    effect_job(t, j->id, j->account->number, job_has_ended(s->to));
    return event_append(t, event);
}

/* Held jobs, and delayed ones of the same due row, have one and the same row before and after. */
static bool is_same_place(const struct job *before, const struct step *s)
{
    if (before->state != s->to || s->to == ROTA__STATE__READY)
        return false;
    return s->to == ROTA__STATE__HELD ||
           (is_due_row(s->to, before->waits, before->due_ms) ==
                is_due_row(s->to, s->waits, s->due_ms) &&
            before->due_ms == s->due_ms && before->due_clock == s->due_clock);
}

/* Tried again: all attempts anew, and what was given back is taken of this month. */
static void begin_anew(struct turn *t, struct job *j)
{
    uint16_t month = month_of(t->now.wall_ms);
    j->attempt = 0;
    if (j->is_refunded)
        j->charge_month = month == month_of(j->published_ms) ? 0 : month;
    j->is_refunded = false;
}

static void apply_step(struct turn *t, struct job *j, const struct step *s)
{
    if (s->forgives)
        j->attempt--;
    if (job_has_ended(j->state))
        begin_anew(t, j);
    if (s->priority)
        j->priority = s->priority;
    if (s->pool)
        j->pool = s->pool;
}

int job_move(struct turn *t, struct job *j, const struct step *s)
{
    assert(job_may(j->state, s->to) && s->to != ROTA__STATE__LEASED);
    if (t->is_trial)
        return 0;
    Rota__State from = j->state;
    struct pool *from_pool = j->pool;
    struct job before = *j;
    apply_step(t, j, s);
    if (s->pool) {
        j->tally = account_tally(t->cache, j->account, j->pool);
        if (!j->tally)
            return err_raise(-ENOMEM);
    }
    bool is_same = is_same_place(&before, s);
    /* The new place first: what it says of the lease is read while there is one. */
    int r = is_same ? 0 : enter(t, j, s);
    if (r == 0)
        r = state_write(t, j, s, from == ROTA__STATE__STATE_NONE);
    if (r == 0)
        r = aside_moved(t, &before, j, s);
    if (r == 0 && from != ROTA__STATE__STATE_NONE)
        r = move_event(t, j, from, from_pool, j->lease, s);
    if (r == 0 && j->lease && job_has_ended(s->to))
        durations_note(t, j->lease);
    if (r == 0 && j->lease)
        r = class_run_ended(t, j->lease, s);
    if (r == 0)
        r = usage_moved(t, &before, j, s);
    if (r == 0 && job_has_ended(s->to))
        r = retention_note(t, j->account);
    if (r == 0)
        r = key_use_moved(t, &before, j, s);
    if (r == 0 && before.waits && !s->waits && job_has_ended(s->to))
        r = follow_forget(t, &before);
    if (r == 0 && from != ROTA__STATE__STATE_NONE && !is_same)
        r = leave(t, &before);
    if (r != 0)
        return r;
    if (from != ROTA__STATE__STATE_NONE)
        count_by(t, before.tally, from, -1);
    count_by(t, j->tally, s->to, 1);
    j->state = s->to;
    j->lease = NULL;
    j->due_ms = s->due_ms;
    j->due_clock = s->due_clock;
    j->waits = s->waits;
    account_settle(t->cache, j->account);
    return 0;
}

int job_leave_ready(struct turn *t, struct tally *tally, struct span key)
{
    int r = turn_store(txn_del(t->txn, TABLE_READY, key));
    if (r != 0)
        return r;
    head_leave(t->cache, tally, ((const uint8_t *)key.p)[READY_PRIORITY_AT], key_tail_id(key));
    SET(t->undo, tally->now.ready, tally->now.ready - 1);
    SET(t->undo, tally->now.running, tally->now.running + 1);
    SET(t->undo, tally->account->running, tally->account->running + 1);
    return 0;
}
