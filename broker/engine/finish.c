/* finish.c: what workers and people say about a job: finish, release, cancel.
 *
 * The fencing token decides: whoever does not hold the lease (any more) is refused LEASE_LOST, and
 * the same finish said twice gets the same answer, because `done` keeps the token. */
#include "engine/turn.h"

#include "store/keys.h"

#include <errno.h>

int lease_by_ref(struct turn *t, const Rota__LeaseRef *ref, struct lease **ret_lease,
                 Rota__State *ret_state)
{
    struct job_id job;
    if (!ref)
        return turn_refuse(t, E_FIELD_MISSING, "the request names no lease");
    int r = job_parse(t, ref->job, &job);
    if (r != 0)
        return r;
    struct lease *l = cache_lease(t->cache, job);
    *ret_lease = NULL;
    if (l && l->token == ref->token && l->epoch == ref->epoch) {
        *ret_lease = l;
        return 0;
    }
    struct done_row done;
    struct key_buf k;
    r = row_get(t->txn, &done_row_type, key_id(&k, job), &done);
    if (r < 0)
        return err_pass(r);
    if (r == 0 && done.token == ref->token && done.epoch == ref->epoch) {
        *ret_state = (Rota__State)done.state;
        return 0;
    }
    return turn_refuse(t, E_LEASE_LOST, "lease %llu of %s is no longer yours",
                       (unsigned long long)ref->token, ref->job);
}

static Rota__State state_of(Rota__Outcome outcome)
{
    switch (outcome) {
    case ROTA__OUTCOME__OUTCOME_SUCCEEDED:
        return ROTA__STATE__SUCCEEDED;
    case ROTA__OUTCOME__OUTCOME_FAILED:
        return ROTA__STATE__FAILED;
    case ROTA__OUTCOME__OUTCOME_TIMED_OUT:
        return ROTA__STATE__TIMED_OUT;
    default:
        return ROTA__STATE__STATE_NONE;
    }
}

static void ending_error(struct ending *e, const Rota__Error *error)
{
    if (!error)
        return;
    e->error_name = span_str(error->name);
    e->error_text = span_str(error->text);
    e->error_hint = span_str(error->hint);
}

/* What the worker states of its build, packed as it came, without lease and error. */
static int ending_facts(struct turn *t, struct ending *e, const Rota__Finish *q)
{
    if (!q->n_artifact && !q->n_phase_time && !q->attestation)
        return 0;
    Rota__Finish facts = *q;
    facts.lease = NULL;
    facts.error = NULL;
    size_t n = rota__finish__get_packed_size(&facts);
    uint8_t *packed = arena_alloc(t->fx->arena, n);
    if (!packed)
        return err_raise(-ENOMEM);
    e->facts = span_of(packed, rota__finish__pack(&facts, packed));
    return 0;
}

static int hold_artifacts(struct turn *t, const struct account *a, const Rota__Finish *q)
{
    for (size_t i = 0; i < q->n_artifact; i++) {
        const Rota__Artifact *artifact = q->artifact[i];
        int r = object_hold(t, (uint8_t)artifact->kind, a->number, artifact->sha256.data,
                            artifact->size);
        if (r != 0)
            return r;
    }
    return 0;
}

/* 0 and *ret_state, or a refusal. */
static int finish(struct turn *t, const Rota__Finish *q, Rota__State *ret_state)
{
    struct lease *l;
    struct ending e = {.state = state_of(q->outcome)};
    if (!e.state)
        return turn_refuse(t, E_FIELD_INVALID, "finish.outcome: none given");
    int r = lease_by_ref(t, q->lease, &l, ret_state);
    if (r != 0 || !l)
        return r; /* it has ended under this very token: the same answer again */
    if (l->cancel_ms)
        return turn_refuse(t, E_CANCELLED, "%s was cancelled", q->lease->job);
    if ((q->n_artifact || q->attestation) && !t->in->is_vetted)
        return TURN_VET;
    r = turn_vetted(t);
    if (r != 0)
        return r;
    ending_error(&e, q->error);
    r = ending_facts(t, &e, q);
    if (r == 0)
        r = hold_artifacts(t, l->account, q);
    if (r == 0)
        r = job_end_lease(t, l, &e);
    *ret_state = e.state;
    return r;
}

int turn_finish(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    reply->finish = arena_alloc(t->fx->arena, sizeof *reply->finish);
    if (!reply->finish)
        return err_raise(-ENOMEM);
    rota__finish_result__init(reply->finish);
    return finish(t, request->finish, &reply->finish->state);
}

/* The finish counts whatever becomes of the lease; its answer travels with the poll's. */
int turn_finish_and_lease(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__FinishAndLease *q = request->finish_and_lease;
    Rota__State state = ROTA__STATE__STATE_NONE;
    struct pool *pool;
    struct poll *poll;
    if (!q->finish || !q->lease)
        return turn_refuse(t, E_FIELD_MISSING, "finish_and_lease needs both a finish and a lease");
    int finished = finish(t, q->finish, &state);
    if (finished < 0 || finished >= ERROR_CODE_COUNT)
        return finished;
    t->text = NULL; /* the finish's; the lease has words of its own */
    int r = lease_check(t, q->lease, &pool);
    if (r == 0)
        r = lease_park(t, q->lease, pool, &poll);
    if (r == 0) {
        poll->has_finish = true;
        poll->finish_state = state;
        poll->finish_error = (enum error_code)finished;
        r = poll_settle(t, poll);
        return r == 0 ? TURN_PARKED : r;
    }
    if (r < 0 || r >= ERROR_CODE_COUNT)
        return r;
    reply->finish_and_lease = finish_and_lease_result(t, state, (enum error_code)finished);
    if (!reply->finish_and_lease)
        return err_raise(-ENOMEM);
    reply->finish_and_lease->lease_error = error_new(t, (enum error_code)r, t->text);
    return 0;
}

int turn_lease_release(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__LeaseRelease *q = request->lease_release;
    struct lease *l;
    Rota__State state = ROTA__STATE__READY;
    reply->lease_release = arena_alloc(t->fx->arena, sizeof *reply->lease_release);
    if (!reply->lease_release)
        return err_raise(-ENOMEM);
    rota__lease_release_result__init(reply->lease_release);
    int r = lease_by_ref(t, q->lease, &l, &state);
    if (r == 0 && l) {
        struct job_id job = l->job;
        struct ending e = {.state = ROTA__STATE__READY};
        ending_error(&e, q->error);
        if (l->cancel_ms)
            r = job_end_cancelled(t, l);
        else if (q->infrastructure_fault)
            r = job_again(t, l, ROTA__EVENT_KIND__EVENT_RELEASED, &e);
        else
            r = job_to_ready(t, l, ROTA__EVENT_KIND__EVENT_RELEASED, &e, false);
        if (r == 0)
            r = job_state(t, job, &state);
    }
    reply->lease_release->state = state;
    return r;
}

/* ---- cancel ---- */

int job_state(struct turn *t, struct job_id job, Rota__State *ret_state)
{
    struct done_row done;
    struct key_buf k;
    *ret_state = cache_lease(t->cache, job) ? ROTA__STATE__LEASED : ROTA__STATE__READY;
    int r = row_get(t->txn, &done_row_type, key_id(&k, job), &done);
    if (r == 0)
        *ret_state = (Rota__State)done.state;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* Durable first, then told. */
static int cancel_leased(struct turn *t, struct lease *l, const Rota__Cancel *q)
{
    if (l->cancel_ms)
        return 0;
    SET(t->undo, l->cancel_ms, t->now.wall_ms);
    SET(t->undo, l->version, l->version + 1);
    int r = lease_save(t, l, span_str(q->reason));
    if (r != 0)
        return r;
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_CANCELLING);
    if (event) {
        event->job = q->job;
        event->account_number = l->account->number;
        event->worker = l->worker->facts.name;
        event->pool = l->tally->pool->name;
        event->reason = q->reason;
        event->state = ROTA__STATE__LEASED;
    }
    r = event_append(t, event);
    effect_job(t, l->job, l->account->number, false);
    if (r == 0)
        worker_beat(t, l->worker);
    return r;
}

static int cancel_other(struct turn *t, struct job_id job, const struct job_row *row,
                        const Rota__Cancel *q, Rota__CancelResult *result)
{
    int r = job_state(t, job, &result->state);
    if (r != 0 || result->state == ROTA__STATE__CANCELLED)
        return r;
    if (result->state >= ROTA__STATE__SUCCEEDED)
        return turn_refuse(t, E_JOB_ENDED, "%s has ended", q->job);
    result->state = ROTA__STATE__CANCELLED;
    return job_cancel_ready(t, job, row, span_str(q->reason));
}

int turn_cancel(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__Cancel *q = request->cancel;
    struct job_id job;
    struct job_row row;
    struct key_buf k;
    Rota__CancelResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? job_parse(t, q->job, &job) : err_raise(-ENOMEM);
    if (r == 0)
        r = row_get(t->txn, &job_row_type, key_id(&k, job), &row);
    if (r == STORE_MISSING || (r == 0 && !auth_sees(&t->who, row.account)))
        return turn_refuse(t, E_JOB_UNKNOWN, "no job %s", q->job);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    rota__cancel_result__init(result);
    reply->cancel = result;
    struct lease *l = cache_lease(t->cache, job);
    if (!l)
        return cancel_other(t, job, &row, q, result);
    result->state = ROTA__STATE__LEASED;
    result->cancelling = true;
    return cancel_leased(t, l, q);
}
