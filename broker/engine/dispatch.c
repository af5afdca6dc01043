/* dispatch.c: lease calls, and handing out jobs.
 *
 * Every lease call is parked first; then, pool by pool, the longest parked is served as long as
 * somebody may run, so that a call that has just come never overtakes one that waits. Choosing,
 * moving the job, the account's turn, its running count, the rotation and the event are one
 * transaction.               */
#include "engine/classes.h"
#include "engine/rates.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    LEASE_JOBS_MAX = 64,
    LEASE_WAIT_MS_MAX = 600000,
    LEASE_BYTES_MAX = 200 << 10, /* of one answer: then one more job still fits a message of TCP */
};

/* ---- the call ---- */

int lease_check(struct turn *t, const Rota__Lease *q, struct pool **ret_pool)
{
    if (!q->worker[0])
        return turn_refuse(t, E_FIELD_MISSING, "lease.worker is empty");
    if (q->nonce.len != sizeof(struct job_id))
        return turn_refuse(t, E_FIELD_INVALID, "lease.nonce: %zu bytes, must be 16", q->nonce.len);
    bool is_near = t->in->peer.is_loopback || t->engine->config.store_is_remote;
    for (size_t i = 0; i < q->n_class_ && !is_near; i++)
        if (strcmp(q->class_[i], "task") != 0)
            return turn_refuse(t, E_WORKER_HOST,
                               "worker \"%s\" on another host (%s) offers class \"%s\"", q->worker,
                               t->in->peer.address, q->class_[i]);
    return pool_for_worker(t, q->pool, q->class_, q->n_class_, ret_pool);
}

Rota__FinishAndLeaseResult *finish_and_lease_result(struct turn *t, Rota__State state,
                                                    enum error_code finish_error)
{
    Rota__FinishAndLeaseResult *both = arena_alloc(t->fx->arena, sizeof *both);
    Rota__FinishResult *finish = arena_alloc(t->fx->arena, sizeof *finish);
    if (!both || !finish)
        return NULL;
    rota__finish_and_lease_result__init(both);
    rota__finish_result__init(finish);
    finish->state = state;
    both->finish_error = error_new(t, finish_error, NULL);
    both->finish = finish_error == E_OK ? finish : NULL;
    return both;
}

void poll_drop(struct turn *t, struct poll *p)
{
    if (ring_has(&p->node)) /* not when a newer call took its place */
        ring_leave(&p->worker->pool->polls, &p->node, t->undo);
    alarm_clear(&t->cache->alarms, &p->alarm, t->undo);
    SET(t->undo, p->worker->poll, NULL);
    undo_dies(t->undo, p, free);
}

void poll_answer(struct turn *t, struct poll *p, Rota__LeaseResult *result)
{
    Rota__LeaseResult *empty = result ? result : arena_alloc(t->fx->arena, sizeof *empty);
    Rota__Reply *reply = reply_new(t, p->has_finish ? ROTA__REPLY__RESULT_FINISH_AND_LEASE
                                                    : ROTA__REPLY__RESULT_LEASE);
    if (reply && empty) {
        if (!result)
            rota__lease_result__init(empty);
        if (p->has_finish) {
            reply->finish_and_lease = finish_and_lease_result(t, p->finish_state, p->finish_error);
            if (reply->finish_and_lease)
                reply->finish_and_lease->lease = empty;
        } else {
            reply->lease = empty;
        }
        effect_reply(t, &p->to, reply);
    }
    worker_touch(t, p->worker);
    poll_drop(t, p);
}

void poll_alarm(struct turn *t, struct poll *p)
{
    poll_answer(t, p, NULL);
}

int lease_park(struct turn *t, const Rota__Lease *q, struct pool *pool, struct poll **ret_poll)
{
    struct worker *w;
    int r = worker_seen(t, pool, q->worker, q->class_, q->n_class_, &w);
    if (r != 0)
        return r;
    struct poll *p = calloc(1, sizeof *p);
    if (!p)
        return err_raise(-ENOMEM);
    undo_born(t->undo, p, free);
    uint32_t wait_ms = q->wait_ms < LEASE_WAIT_MS_MAX ? q->wait_ms : LEASE_WAIT_MS_MAX;
    p->worker = w;
    p->to = t->in->to;
    p->jobs_max = !q->jobs_max ? 1 : q->jobs_max < LEASE_JOBS_MAX ? q->jobs_max : LEASE_JOBS_MAX;
    p->answers_now = q->wait_ms == 0;
    p->key_serial = t->who.key_serial;
    memcpy(p->nonce.b, q->nonce.data, sizeof p->nonce.b);
    p->alarm.kind = ALARM_POLL;
    if (w->poll) {
        ring_replace(&pool->polls, &w->poll->node, &p->node, t->undo);
        poll_answer(t, w->poll, NULL);
    } else {
        SET(t->undo, t->cache->polls_parked, t->cache->polls_parked + 1);
        ring_enter(&pool->polls, &p->node, t->cache->polls_parked, t->undo);
    }
    SET(t->undo, w->poll, p);
    if (!p->answers_now)
        alarm_set(&t->cache->alarms, &p->alarm, t->bt_ms + wait_ms, t->undo);
    *ret_poll = p;
    return 0;
}

/* ---- what a lease says ---- */

/* All zeroes when there is none. */
static int state_get(struct turn *t, struct job_id job, struct state_row *ret_state)
{
    struct key_buf k;
    *ret_state = (struct state_row){0};
    int r = row_get(t->txn, &state_row_type, key_id(&k, job), ret_state);
    return r == STORE_MISSING ? 0 : turn_store(r);
}

static Rota__LeasedJob *leased_job(struct turn *t, const struct lease *l, const struct job_row *row,
                                   struct span commit)
{
    Rota__LeasedJob *job = arena_alloc(t->fx->arena, sizeof *job);
    Rota__LeaseRef *ref = arena_alloc(t->fx->arena, sizeof *ref);
    if (!job || !ref)
        return NULL;
    rota__leased_job__init(job);
    rota__lease_ref__init(ref);
    ref->job = turn_job(t, l->job);
    ref->epoch = l->epoch;
    ref->token = l->token;
    job->lease = ref;
    job->account = turn_str(t, row->account_id);
    job->app = turn_str(t, row->app_name);
    job->platform = (char *)platform_name(row->platform);
    job->class_ = turn_str(t, row->class);
    job->tier = (Rota__Tier)l->tier;
    job->attempt = l->attempt;
    job->attempts_max = row->attempts_max;
    job->source = turn_str(t, row->source);
    job->spec.data = (uint8_t *)turn_str(t, row->spec);
    job->spec.len = row->spec.n;
    job->timeout_ms = l->timeout_ms;
    job->lease_ms = t->engine->config.lease_ms;
    job->published_ms = row->published_ms;
    job->commit = turn_str(t, commit);
    return job;
}

static Rota__LeaseResult *lease_result(struct turn *t, size_t jobs_max)
{
    Rota__LeaseResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return NULL;
    rota__lease_result__init(result);
    result->job = arena_alloc(t->fx->arena, (jobs_max + 1) * sizeof(Rota__LeasedJob *));
    return result->job ? result : NULL;
}

/* The same nonce again: the jobs it got, if the worker still holds them. */
static int lease_replay(struct turn *t, const struct poll *p, Rota__LeaseResult **ret_result)
{
    Rota__LeaseResult *result = NULL;
    for (struct lease *l = p->worker->leases; l; l = l->worker_next) {
        if (job_id_cmp(l->nonce, p->nonce) != 0)
            continue;
        struct job_row row;
        struct state_row state;
        struct key_buf k;
        int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, l->job), &row));
        if (r == 0)
            r = state_get(t, l->job, &state);
        if (r != 0)
            return r;
        if (!result)
            result = lease_result(t, p->worker->leases_n);
        Rota__LeasedJob *job = result ? leased_job(t, l, &row, state.commit) : NULL;
        if (!job)
            return err_raise(-ENOMEM);
        result->job[result->n_job++] = job;
    }
    *ret_result = result;
    return 0;
}

int poll_settle(struct turn *t, struct poll *p)
{
    Rota__LeaseResult *again;
    int r = lease_replay(t, p, &again);
    if (r == 0 && again)
        poll_answer(t, p, again);
    return r;
}

int turn_lease(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    struct pool *pool;
    struct poll *poll;
    int r = lease_check(t, request->lease, &pool);
    if (r == 0)
        r = lease_park(t, request->lease, pool, &poll);
    if (r == 0)
        r = poll_settle(t, poll);
    return r == 0 ? TURN_PARKED : r;
}

/* ---- the decision ---- */

/* The account's first job in the pool: own priority, then age. */
static int head_job(struct turn *t, const struct pool *p, const struct account *a,
                    struct span *ret_key)
{
    static const struct job_id zero;
    struct key_buf k;
    struct span value;
    int r = t->ready ? 0 : turn_store(cursor_open(t->txn, TABLE_READY, &t->ready));
    if (r != 0)
        return r;
    r = turn_store(
        cursor_seek(t->ready, key_ready(&k, p->number, a->number, 0, zero), ret_key, &value));
    if (r != 0)
        return r;
    if (memcmp(ret_key->p, k.b, sizeof p->number + sizeof a->number) != 0)
        return err_raise(-EBADMSG); /* the ring says it has one */
    return 0;
}

static int dispatch_event(struct turn *t, const struct pool *p, const struct lease *l,
                          uint8_t eligible)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_DISPATCHED);
    if (event) {
        event->job = turn_job(t, l->job);
        event->account_number = l->account->number;
        event->pool = (char *)p->name;
        event->worker = l->worker->facts.name;
        event->tier = (Rota__Tier)l->tier;
        event->number = l->token;
        event->eligible = eligible;
        event->c = p->rotation.c;
        event->n = p->rotation.n;
        event->attempt = l->attempt;
        event->from = ROTA__STATE__READY;
        event->state = ROTA__STATE__LEASED;
    }
    effect_job(t, l->job, l->account->number, false);
    return event_append(t, event);
}

/* A new lease on `job`, in RAM and in the store. */
static int lease_grant(struct turn *t, struct tally *tally, struct poll *poll, struct job_id job,
                       Rota__LeasedJob **ret_job, struct lease **ret_lease)
{
    struct job_row row;
    struct state_row state;
    struct key_buf k;
    int r = state_get(t, job, &state);
    if (r == 0)
        r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, job), &row));
    if (r != 0)
        return r;
    struct lease *l = lease_new(t->cache, job, tally, poll->worker);
    if (!l)
        return err_raise(-ENOMEM);
    l->nonce = poll->nonce;
    l->epoch = t->cache->hot.epoch;
    l->token = tally->pool->rotation.number;
    l->tier = tally->account->tier;
    l->attempt = (uint8_t)(state.attempt + 1);
    l->granted_ms = t->now.wall_ms;
    l->granted_bt_ms = t->bt_ms;
    l->timeout_ms = row.timeout_ms;
    l->class = class_of(t->cache, row.class);
    l->silent_bt_ms = t->bt_ms + t->engine->config.lease_ms;
    *ret_job = leased_job(t, l, &row, state.commit);
    if (!*ret_job)
        return err_raise(-ENOMEM);
    alarm_set(&t->cache->alarms, &l->alarm, lease_due_ms(l), t->undo);
    *ret_lease = l;
    return lease_save(t, l, span_of("", 0));
}

/* What the rule chooses: an account's head job, and the rotation after it. */
struct choice {
    uint8_t eligible, tier;
    struct rotation rotation;
    struct tally *tally; /* NULL: nobody can be served in this turn */
    struct key_buf head; /* copied: the key lies in a page that the delete may move */
    size_t head_n;
};

static int choose_once(struct turn *t, struct pool *p, struct choice *ret)
{
    *ret = (struct choice){.eligible = pool_eligible(t->cache, p), .rotation = p->rotation};
    if (!ret->eligible)
        return 0;
    ret->tier = rotation_next(&ret->rotation, ret->eligible);
    ret->tally = CONTAINER(p->ring[ret->tier].first, tally, node);
    struct account *a = ret->tally->account;
    assert(a->tier == ret->tier && ret->tally->now.ready > 0);
    struct span key;
    int r = head_job(t, p, a, &key);
    if (r != 0)
        return r;
    memcpy(ret->head.b, key.p, key.n);
    ret->head_n = key.n;
    return 0;
}

static int head_may(struct turn *t, const struct choice *c, enum head_fate *ret_fate)
{
    struct account *a = c->tally->account;
    bool is_open;
    *ret_fate = HEAD_STAYS;
    int r = rate_gate(t, a, &is_open);
    if (r == 0 && !is_open)
        *ret_fate = ++t->gated < TURN_JOBS_MAX ? HEAD_CHANGED : HEAD_LATER;
    else if (r == 0 && t->cache->classes_odd)
        r = head_look(t, a, span_of(c->head.b, c->head_n), ret_fate);
    return r;
}

/* Chooses until the choice may run: an account without a dispatch token gets its bar, a head job
 * whose class is closed is set aside first, and the decision made anew without it. */
static int choose(struct turn *t, struct pool *p, struct choice *ret)
{
    enum head_fate fate;
    int r;
    do {
        r = choose_once(t, p, ret);
        if (r != 0 || !ret->tally)
            return r;
        r = head_may(t, ret, &fate);
    } while (r == 0 && fate == HEAD_CHANGED);
    if (fate == HEAD_LATER)
        ret->tally = NULL;
    return r;
}

/* One decision and all that follows from it; *ret_job stays NULL when nobody can be served. */
static int dispatch_one(struct turn *t, struct pool *p, struct poll *poll,
                        Rota__LeasedJob **ret_job)
{
    struct choice choice;
    int r = choose(t, p, &choice);
    if (r != 0 || !choice.tally)
        return r;
    struct tally *tally = choice.tally;
    struct span head = span_of(choice.head.b, choice.head_n);
    r = job_leave_ready(t, tally, head);
    if (r != 0)
        return r;
    SET(t->undo, p->rotation, choice.rotation);
    p->is_dirty = true;
    struct lease *l = NULL;
    r = lease_grant(t, tally, poll, key_tail_id(head), ret_job, &l);
    if (r == 0)
        r = dispatch_event(t, p, l, choice.eligible);
    if (r != 0)
        return r;
    ring_leave(&p->ring[choice.tier], &tally->node, t->undo);
    r = rates_take(t, tally->account);
    if (r != 0)
        return r;
    account_settle(t->cache, tally->account); /* to the tail, if it may go on */
    t->granted++;
    return class_run_started(t, l);
}

/* May the pool hand out another job in this turn? */
static bool pool_goes_on(const struct turn *t, const struct pool *p)
{
    return pool_eligible(t->cache, p) && t->granted < TURN_JOBS_MAX;
}

/* *ret_stuck: somebody is eligible, but this turn has moved enough jobs out of the way. */
static int poll_serve(struct turn *t, struct pool *p, struct poll *poll, bool *ret_stuck)
{
    Rota__LeaseResult *result = lease_result(t, poll->jobs_max);
    if (!result)
        return err_raise(-ENOMEM);
    size_t bytes = 0;
    while (result->n_job < poll->jobs_max && bytes < LEASE_BYTES_MAX && pool_goes_on(t, p)) {
        Rota__LeasedJob *job = NULL;
        int r = dispatch_one(t, p, poll, &job);
        if (r != 0)
            return r;
        *ret_stuck = !job && pool_eligible(t->cache, p);
        if (!job)
            break;
        bytes += rota__leased_job__get_packed_size(job);
        result->job[result->n_job++] = job;
    }
    if (result->n_job)
        poll_answer(t, poll, result);
    return 0;
}

/* Nothing for those that would not wait. */
static void polls_answer_now(struct turn *t, struct pool *p)
{
    for (struct ring_node *n = p->polls.first, *next; n; n = next) {
        next = n->next;
        struct poll *poll = CONTAINER(n, poll, node);
        if (poll->answers_now)
            poll_answer(t, poll, NULL);
    }
}

int dispatch_all(struct turn *t)
{
    for (size_t i = 1; i <= POOLS_MAX; i++) {
        struct pool *p = t->cache->pools[i];
        if (!p)
            continue;
        bool stuck = false;
        while (p->polls.first && pool_goes_on(t, p) && !stuck) {
            int r = poll_serve(t, p, CONTAINER(p->polls.first, poll, node), &stuck);
            if (r != 0)
                return r;
        }
        if (p->polls.first && pool_eligible(t->cache, p))
            t->engine->has_more = true;
        else
            polls_answer_now(t, p);
    }
    return 0;
}
