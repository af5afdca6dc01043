/* jobs.c: where a job goes next.
 *
 *   publish -> READY <-> LEASED -> SUCCEEDED | FAILED | TIMED_OUT
 *                ^         |  fault or lost worker, attempts left: back to READY, in its old place
 *                |         +-> DEAD        the last attempt was lost or met a fault
 *   cancel: READY -> CANCELLED;  LEASED -> CANCELLED once its worker let go, or its lease ran out
 *
 * A job leaves a state and enters the next in one transaction, through job_end() or job_to_ready()
 * and nothing else, so that it is always in exactly one of ready, lease and done. */
#include "engine/turn.h"

#include "store/keys.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

enum { BROKER_CUT_AFTER_MS = 10000, SOURCE_PREFIX_LEN = 7 /* "upload:" */ };

int job_parse(struct turn *t, const char *text, struct job_id *ret_id)
{
    if (job_id_parse(text, ret_id) != 0)
        return turn_refuse(t, E_JOB_ID_INVALID, "\"%.40s\" is no job id", text);
    return 0;
}

static int job_event(struct turn *t, Rota__EventKind kind, struct job_id job,
                     const struct account *a, const struct ending *e, const struct lease *l)
{
    Rota__Event *event = event_new(t, kind);
    if (event) {
        event->job = turn_job(t, job);
        event->account_number = a->number;
        event->state = e->state;
        event->reason = turn_str(t, e->reason);
        event->error = turn_str(t, e->error_name);
        if (l) {
            event->worker = l->worker->facts.name;
            event->pool = l->tally->pool->name;
            event->number = l->token;
            event->attempt = l->attempt;
        }
    }
    effect_job(t, job, a->number, e->state >= ROTA__STATE__SUCCEEDED);
    return event_append(t, event);
}

/* The job's own source is deleted with its last job. */
static int source_release(struct turn *t, const struct account *a, struct job_id job)
{
    struct job_row row;
    struct key_buf k;
    uint8_t sha256[32];
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, job), &row));
    if (r != 0 || row.source.n <= SOURCE_PREFIX_LEN)
        return r;
    if (sodium_hex2bin(sha256, sizeof sha256, (const char *)row.source.p + SOURCE_PREFIX_LEN,
                       row.source.n - SOURCE_PREFIX_LEN, NULL, NULL, NULL) != 0)
        return err_raise(-EBADMSG);
    return object_release(t, ROTA__OBJECT_KIND__SOURCE, a, sha256);
}

static int state_drop(struct turn *t, struct job_id job)
{
    struct key_buf k;
    int r = txn_del(t->txn, TABLE_STATE, key_id(&k, job));
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* Into `done`, whatever it came from. `l` is the lease it had, or NULL. */
static int job_end(struct turn *t, struct job_id job, const struct account *a, struct lease *l,
                   const struct ending *e)
{
    struct done_row done = {.state = (uint8_t)e->state,
                            .finished_ms = t->now.wall_ms,
                            .reason = e->reason,
                            .error_name = e->error_name,
                            .error_text = e->error_text,
                            .error_hint = e->error_hint,
                            .facts = e->facts};
    if (l) {
        done.attempt = l->attempt;
        done.epoch = l->epoch;
        done.token = l->token;
        done.started_ms = l->granted_ms;
        done.worker = span_str(l->worker->facts.name);
    }
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    int r = turn_store(row_put(t->txn, &done_row_type, key_id(&k, job), &done));
    if (r == 0)
        r = turn_store(
            row_put(t->txn, &job_of_row_type, key_of_finished(&k, t->now.wall_ms, job), &mark));
    if (r == 0)
        r = state_drop(t, job);
    if (r == 0)
        r = source_release(t, a, job);
    if (r == 0)
        r = job_event(t, ROTA__EVENT_KIND__EVENT_FINISHED, job, a, e, l);
    return r;
}

/* The lease ends: off the table, out of RAM, the account has room for another. */
static int lease_close(struct turn *t, struct lease *l)
{
    struct account *a = l->account;
    struct tally *tally = l->tally;
    struct key_buf k;
    int r = turn_store(txn_del(t->txn, TABLE_LEASE, key_id(&k, l->job)));
    if (r != 0)
        return r;
    SET(t->undo, tally->now.running, tally->now.running - 1);
    SET(t->undo, a->running, a->running - 1);
    worker_touch(t, l->worker);
    lease_drop(t->cache, l);
    account_settle(t->cache, a);
    return 0;
}

int job_end_lease(struct turn *t, struct lease *l, const struct ending *e)
{
    int r = job_end(t, l->job, l->account, l, e);
    return r == 0 ? lease_close(t, l) : r;
}

static int state_write(struct turn *t, const struct lease *l, const struct ending *e, bool counts)
{
    struct state_row row = {.attempt = (uint8_t)(l->attempt - !counts),
                            .reason = e->reason,
                            .error_name = e->error_name,
                            .error_text = e->error_text};
    struct key_buf k;
    if (!row.attempt && !row.error_name.n)
        return state_drop(t, l->job);
    return turn_store(row_put(t->txn, &state_row_type, key_id(&k, l->job), &row));
}

int job_to_ready(struct turn *t, struct lease *l, Rota__EventKind why, const struct ending *e,
                 bool counts)
{
    struct job_row row;
    struct mark_row mark = {{"", 0}};
    struct key_buf k;
    struct tally *tally = l->tally;
    struct ending ready = *e;
    ready.state = ROTA__STATE__READY;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, l->job), &row));
    uint8_t priority = r == 0 ? row.priority : 0;
    if (r == 0)
        r = turn_store(row_put(
            t->txn, &ready_row_type,
            key_ready(&k, tally->pool->number, l->account->number, priority, l->job), &mark));
    if (r == 0)
        r = state_write(t, l, e, counts);
    if (r == 0)
        r = job_event(t, why, l->job, l->account, &ready, l);
    if (r != 0)
        return r;
    SET(t->undo, tally->now.ready, tally->now.ready + 1);
    return lease_close(t, l);
}

struct ending ending_of(Rota__State state, enum error_code code)
{
    struct ending e = {.state = state};
    if (code != E_OK) {
        const struct error_row *row = error_row(code);
        e.error_name = span_str(row->name);
        e.error_text = span_str(row->text);
        e.error_hint = span_str(row->hint);
    }
    return e;
}

/* An infrastructure fault: again while attempts are left, else dead. */
int job_again(struct turn *t, struct lease *l, Rota__EventKind why, struct ending *e)
{
    struct job_row row;
    struct key_buf k;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, l->job), &row));
    if (r != 0)
        return r;
    if (l->attempt < row.attempts_max)
        return job_to_ready(t, l, why, e, true);
    e->state = ROTA__STATE__DEAD;
    e->reason = span_str(error_row(E_ATTEMPTS_SPENT)->name);
    return job_end_lease(t, l, e);
}

/* Why a cancelled job was cancelled stands in its lease row. */
int job_end_cancelled(struct turn *t, struct lease *l)
{
    struct lease_row row;
    struct key_buf k;
    int r = turn_store(row_get(t->txn, &lease_row_type, key_id(&k, l->job), &row));
    if (r != 0)
        return r;
    struct ending e = ending_of(ROTA__STATE__CANCELLED, E_CANCELLED);
    e.reason = span_str(turn_str(t, row.cancel_reason));
    return job_end_lease(t, l, &e);
}

int lease_lost(struct turn *t, struct lease *l)
{
    if (l->cancel_ms)
        return job_end_cancelled(t, l);
    struct ending e = ending_of(ROTA__STATE__READY, E_WORKER_LOST);
    return job_again(t, l, ROTA__EVENT_KIND__EVENT_EXPIRED, &e);
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
    if (t->bt_ms >= lease_cut_ms(l)) {
        struct ending e = ending_of(ROTA__STATE__TIMED_OUT, E_LEASE_TIMEOUT);
        return l->cancel_ms ? job_end_cancelled(t, l) : job_end_lease(t, l, &e);
    }
    alarm_set(&t->cache->alarms, &l->alarm, lease_due_ms(l), t->undo);
    return 0;
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

/* A job that nobody works on: out of `ready` and into `done`. */
int job_cancel_ready(struct turn *t, struct job_id job, const struct job_row *row,
                     struct span reason)
{
    struct account *a;
    struct key_buf k;
    struct pool *p = row->pool <= POOLS_MAX ? t->cache->pools[row->pool] : NULL;
    struct ending e = ending_of(ROTA__STATE__CANCELLED, E_CANCELLED);
    e.reason = reason;
    uint64_t account = row->account;
    struct span key = key_ready(&k, row->pool, account, row->priority, job);
    int r = turn_store(cache_account(t->cache, t->txn, account, &a));
    if (r == 0)
        r = turn_store(txn_del(t->txn, TABLE_READY, key));
    struct tally *tally = r == 0 && p ? account_tally(t->cache, a, p) : NULL;
    if (r == 0 && !tally)
        r = err_raise(-EBADMSG);
    if (r == 0)
        r = job_end(t, job, a, NULL, &e);
    if (r != 0)
        return r;
    SET(t->undo, tally->now.ready, tally->now.ready - 1);
    account_settle(t->cache, a);
    return 0;
}
