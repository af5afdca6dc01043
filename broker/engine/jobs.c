/* jobs.c: how the engine's own events move a job: a lease that is lost or runs out, a worker that
 * gives its job back, a cancel that takes effect. */
#include "engine/job.h"

#include "sched/retry.h"
#include "store/keys.h"

#include <assert.h>
#include <errno.h>

enum { BROKER_CUT_AFTER_MS = 10000 };

int job_parse(struct turn *t, const char *text, struct job_id *ret_id)
{
    if (job_id_parse(text, ret_id) != 0)
        return turn_refuse(t, E_JOB_ID_INVALID, "\"%.40s\" is no job id", text);
    return 0;
}

int lease_move(struct turn *t, struct lease *l, const struct step *s)
{
    struct job j;
    int r = job_load_known(t, l->job, &j);
    assert(r != 0 || j.lease == l);
    return r == 0 ? job_move(t, &j, s) : r;
}

static uint32_t random_word(struct turn *t)
{
    uint8_t b[4];
    t->engine->config.random(t->engine->config.random_arg, b, sizeof b);
    return get_be32(b);
}

int job_again(struct turn *t, struct lease *l, struct step *s)
{
    struct job j;
    int r = job_load_known(t, l->job, &j);
    if (r != 0)
        return r;
    if (j.attempt >= j.attempts_max) {
        s->to = ROTA__STATE__DEAD;
        s->why = ROTA__EVENT_KIND__EVENT_FINISHED;
        s->reason = span_str(error_row(E_ATTEMPTS_SPENT)->name);
        s->due_ms = 0;
    } else if (s->to == ROTA__STATE__DELAYED) {
        s->due_ms = t->bt_ms + retry_backoff_ms(j.attempt, random_word(t));
        s->due_clock = DUE_BROKER;
        s->reason = span_str("BACKOFF");
    }
    return job_move(t, &j, s);
}

/* Why a cancelled job was cancelled stands in its lease row. */
int lease_end_cancelled(struct turn *t, struct lease *l)
{
    struct lease_row row;
    struct key_buf k;
    int r = turn_store(row_get(t->txn, &lease_row_type, key_id(&k, l->job), &row));
    if (r != 0)
        return r;
    struct span superseded = span_str(SUPERSEDED_BY);
    bool is_superseded = row.cancel_reason.n > superseded.n &&
                         memcmp(row.cancel_reason.p, superseded.p, superseded.n) == 0;
    struct step s = step_of(ROTA__STATE__CANCELLED, ROTA__EVENT_KIND__EVENT_FINISHED,
                            is_superseded ? E_SUPERSEDED : E_CANCELLED);
    s.refunds = is_superseded;
    s.reason = row.cancel_reason;
    r = turn_keep(t, &s.reason);
    return r == 0 ? lease_move(t, l, &s) : r;
}

int lease_lost(struct turn *t, struct lease *l)
{
    if (l->cancel_ms)
        return lease_end_cancelled(t, l);
    struct step s = step_of(ROTA__STATE__READY, ROTA__EVENT_KIND__EVENT_EXPIRED, E_WORKER_LOST);
    return job_again(t, l, &s);
}

static uint64_t lease_cut_ms(const struct lease *l)
{
    return l->granted_bt_ms + l->timeout_ms + BROKER_CUT_AFTER_MS;
}

uint64_t lease_due_ms(const struct lease *l)
{
    uint64_t cut_bt_ms = lease_cut_ms(l);
    return l->silent_bt_ms < cut_bt_ms ? l->silent_bt_ms : cut_bt_ms;
}

int lease_alarm(struct turn *t, struct lease *l)
{
    if (t->bt_ms >= l->silent_bt_ms)
        return lease_lost(t, l);
    if (t->bt_ms < lease_cut_ms(l)) {
        alarm_set(&t->cache->alarms, &l->alarm, lease_due_ms(l), t->undo);
        return 0;
    }
    if (l->cancel_ms)
        return lease_end_cancelled(t, l);
    struct step s =
        step_of(ROTA__STATE__TIMED_OUT, ROTA__EVENT_KIND__EVENT_FINISHED, E_LEASE_TIMEOUT);
    return lease_move(t, l, &s);
}

int lease_save(struct turn *t, struct lease *l, struct span cancel_reason)
{
    struct lease_row row = {.epoch = l->epoch,
                            .token = l->token,
                            .nonce = l->nonce,
                            .account = l->account->number,
                            .pool = l->tally->pool->number,
                            .tier = l->tier,
                            .attempt = l->attempt,
                            .granted_ms = l->granted_ms,
                            .granted_bt_ms = l->granted_bt_ms,
                            .timeout_ms = l->timeout_ms,
                            .cancel_ms = l->cancel_ms,
                            .worker = span_str(l->worker->facts.name),
                            .cancel_reason = cancel_reason};
    struct key_buf k;
    return turn_store(row_put(t->txn, &lease_row_type, key_id(&k, l->job), &row));
}

/* Durable first, then told. */
int job_cancel_leased(struct turn *t, struct lease *l, const char *reason)
{
    if (l->cancel_ms || t->is_trial)
        return 0;
    SET(t->undo, l->cancel_ms, t->now.wall_ms);
    SET(t->undo, l->version, l->version + 1);
    int r = lease_save(t, l, span_str(reason));
    if (r != 0)
        return r;
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_CANCELLING);
    if (event) {
        event->job = turn_job(t, l->job);
        event->account_number = l->account->number;
        event->worker = l->worker->facts.name;
        event->pool = l->tally->pool->name;
        event->reason = (char *)reason;
        event->from = event->state = ROTA__STATE__LEASED;
    }
    r = event_append(t, event);
    effect_job(t, l->job, l->account->number, false);
    if (r == 0)
        worker_beat(t, l->worker);
    return r;
}
