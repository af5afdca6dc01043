/* finish.c: what workers say about a job: finish and release.
 *
 * The fencing token decides: whoever does not hold the lease (any more) is refused LEASE_LOST, and
 * the same finish said twice gets the same answer, because `done` keeps the token. */
#include "engine/abuse.h"
#include "engine/job.h"
#include "engine/life.h"

#include "store/keys.h"

#include <errno.h>
#include <stdio.h>

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

static void step_error(struct step *s, const Rota__Error *error)
{
    if (!error)
        return;
    s->error_name = span_str(error->name);
    s->error_text = span_str(error->text);
    s->error_hint = span_str(error->hint);
}

/* What the worker states of its build, packed as it came, without lease and error. */
static int step_facts(struct turn *t, struct step *s, const Rota__Finish *q)
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
    s->facts = span_of(packed, rota__finish__pack(&facts, packed));
    for (size_t i = 0; i < q->n_artifact; i++)
        s->artifact_bytes += q->artifact[i]->size;
    return 0;
}

static int hold_artifacts(struct turn *t, struct account *a, const Rota__Finish *q)
{
    for (size_t i = 0; i < q->n_artifact; i++) {
        const Rota__Artifact *artifact = q->artifact[i];
        int r = object_hold(t, (uint8_t)artifact->kind, a, artifact->sha256.data, artifact->size);
        if (r != 0)
            return r;
    }
    return 0;
}

/* ---- the size of a bundle ---- */

/* What a device downloads. */
static uint64_t bundle_bytes(const Rota__Finish *q)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < q->n_artifact; i++)
        if (q->artifact[i]->kind == ROTA__OBJECT_KIND__BUNDLE ||
            q->artifact[i]->kind == ROTA__OBJECT_KIND__ASSETS)
            bytes += q->artifact[i]->size;
    return bytes;
}

/* Only the log stays of a build that is too large; the rest is deleted. */
static int keep_log(struct turn *t, const struct account *a, Rota__Finish *q)
{
    Rota__Artifact **kept =
        arena_alloc(t->fx->arena, (q->n_artifact + 1) * sizeof(Rota__Artifact *));
    size_t n = 0;
    int r = kept ? 0 : err_raise(-ENOMEM);
    for (size_t i = 0; i < q->n_artifact && r == 0; i++) {
        Rota__Artifact *artifact = q->artifact[i];
        if (artifact->kind == ROTA__OBJECT_KIND__BUILD_LOG)
            kept[n++] = artifact;
        else
            r = object_unheld(t, (uint8_t)artifact->kind, a, artifact->sha256.data);
    }
    q->artifact = kept;
    q->n_artifact = n;
    q->attestation = NULL;
    return r;
}

/* A worker asks before it uploads, so the two rules here are for one that does not, and for a limit
 * that was lowered meanwhile: the finish counts, but as a failure of this name. */
__attribute__((format(printf, 6, 7))) static int fail(struct turn *t, struct account *a,
                                                      Rota__Finish *q, struct step *s,
                                                      enum error_code code, const char *format, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    *s = step_of(ROTA__STATE__FAILED, s->why, code);
    s->error_text = span_str(arena_str(t->fx->arena, text));
    return s->error_text.p ? keep_log(t, a, q) : err_raise(-ENOMEM);
}

static int check_bundle(struct turn *t, struct account *a, Rota__Finish *q, struct step *s)
{
    const struct limits *limits;
    uint64_t bytes = bundle_bytes(q);
    int r = account_limits(t, a, &limits);
    if (r != 0 || s->to != ROTA__STATE__SUCCEEDED || bytes <= limits->bundle_bytes_max)
        return r;
    return fail(t, a, q, s, E_BUNDLE_TOO_LARGE, "bundle and assets have %llu bytes, at most %llu",
                (unsigned long long)bytes, (unsigned long long)limits->bundle_bytes_max);
}

/* What the account's storage does not hold yet. */
static int new_bytes(struct turn *t, const struct account *a, const Rota__Finish *q,
                     uint64_t *ret_bytes)
{
    *ret_bytes = 0;
    for (size_t i = 0; i < q->n_artifact; i++) {
        const Rota__Artifact *artifact = q->artifact[i];
        struct object_row row;
        struct key_buf k;
        int r = row_get(t->txn, &object_row_type,
                        key_object(&k, (uint8_t)artifact->kind, a->number, artifact->sha256.data),
                        &row);
        if (r < 0)
            return err_pass(r);
        *ret_bytes += r == STORE_MISSING ? artifact->size : 0;
    }
    return 0;
}

static int check_storage(struct turn *t, struct account *a, Rota__Finish *q, struct step *s)
{
    const struct limits *limits;
    uint64_t bytes = 0;
    int r = account_limits(t, a, &limits);
    if (r == 0)
        r = new_bytes(t, a, q, &bytes);
    if (r != 0 || s->to != ROTA__STATE__SUCCEEDED ||
        a->storage_bytes + bytes <= limits->storage_bytes_max)
        return r;
    return fail(t, a, q, s, E_STORAGE_QUOTA,
                "its artifacts have %llu bytes; the account's take %llu of %llu already",
                (unsigned long long)bytes, (unsigned long long)a->storage_bytes,
                (unsigned long long)limits->storage_bytes_max);
}

/* 0 and *ret_state, or a refusal. */
static int finish(struct turn *t, const Rota__Finish *q, Rota__State *ret_state)
{
    struct lease *l;
    struct step s = {.to = state_of(q->outcome), .why = ROTA__EVENT_KIND__EVENT_FINISHED};
    if (!s.to)
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
    Rota__Finish kept = *q;
    struct account *a = l->account;
    struct job_id job = l->job;
    step_error(&s, q->error);
    if (q->n_artifact)
        r = check_bundle(t, l->account, &kept, &s);
    if (r == 0 && q->n_artifact)
        r = check_storage(t, l->account, &kept, &s);
    if (r == 0)
        r = step_facts(t, &s, &kept);
    if (r == 0)
        r = hold_artifacts(t, l->account, &kept);
    if (r == 0)
        r = outputs_keep(t, job, &kept);
    if (r == 0)
        r = lease_move(t, l, &s);
    if (r == 0)
        r = abuse_finish(t, a, job, &kept);
    *ret_state = s.to;
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

/* It let go of a cancelled job, met a fault, or gives the job back untouched. */
static int lease_give_back(struct turn *t, struct lease *l, const Rota__LeaseRelease *q,
                           Rota__State *ret_state)
{
    struct step s = {.to = ROTA__STATE__READY,
                     .why = ROTA__EVENT_KIND__EVENT_RELEASED,
                     .forgives = !q->infrastructure_fault};
    int r;
    step_error(&s, q->error);
    if (l->cancel_ms) {
        s.to = ROTA__STATE__CANCELLED;
        r = lease_end_cancelled(t, l);
    } else if (q->infrastructure_fault) {
        s.to = ROTA__STATE__DELAYED;
        r = job_again(t, l, &s);
    } else {
        r = lease_move(t, l, &s);
    }
    *ret_state = s.to;
    return r;
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
    if (r == 0 && l)
        r = lease_give_back(t, l, q, &state);
    reply->lease_release->state = state;
    return r;
}
