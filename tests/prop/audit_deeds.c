/* audit_deeds.c: what publishers and workers do. */
#include "audit_life.h"

static const struct kit_place places[] = {
    {"task", {"task"}, 1},
    {"mix", {"mix", "fine", "coarse"}, 3},
    {"lone", {"lone"}, 1},
};

void do_workers(struct life *l)
{
    struct kit_run none;
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        assert_false(kit_run(&l->k, &places[i], &none));
}

static const char *pick_class(struct life *l)
{
    const struct kit_place *p = &places[life_pick(l, ARRAY_LEN(places))];
    return p->classes[life_pick(l, (unsigned)p->classes_n)];
}

static void note_job(struct life *l, const char *job)
{
    size_t at = l->jobs_n < JOBS_MAX ? l->jobs_n++ : life_pick(l, JOBS_MAX);
    snprintf(l->jobs[at], sizeof l->jobs[at], "%s", job);
}

static void publish_fill(struct life *l, Rota__Publish *q, char **after)
{
    rota__publish__init(q);
    q->account = life_account(l);
    q->app = (char *)"app";
    q->class_ = (char *)pick_class(l);
    q->priority = life_chance(l, 3) ? 1 + life_pick(l, 9) : 0;
    q->delay_ms = life_chance(l, 8) ? 1 + life_pick(l, 3000) : 0;
    q->hold = life_chance(l, 12);
    if (life_chance(l, 8)) {
        q->ref = (char *)"main";
        q->supersede = true;
    }
    *after = life_job(l);
    if (*after && life_chance(l, 10)) {
        q->after = after;
        q->n_after = 1;
    }
}

/* Some in one turn, so that many accounts enter rings in it. */
void do_publish(struct life *l)
{
    struct inbound *list = NULL, **end = &list;
    unsigned n = 1 + life_pick(l, 6);
    uint64_t first = l->k.request_id + 1;
    for (unsigned i = 0; i < n; i++) {
        Rota__Publish publish;
        Rota__Request request = ROTA__REQUEST__INIT;
        char *after;
        publish_fill(l, &publish, &after);
        request.op_case = ROTA__REQUEST__OP_PUBLISH;
        request.publish = &publish;
        *end = kit_request(&l->k, &request, NULL);
        end = &(*end)->next;
    }
    kit_turn(&l->k, list);
    for (uint64_t id = first; id < first + n; id++) {
        const Rota__Reply *reply = kit_reply(&l->k, id);
        assert_non_null(reply);
        l->refused += reply->error != NULL;
        if (!reply->error)
            note_job(l, reply->publish->job);
    }
}

/* ---- workers ---- */

void do_lease(struct life *l)
{
    struct kit_run runs[8];
    size_t room = RUNS_MAX - l->runs_n, most = 1 + life_pick(l, ARRAY_LEN(runs));
    if (!room)
        return;
    size_t n =
        kit_runs(&l->k, &places[life_pick(l, ARRAY_LEN(places))], most < room ? most : room, runs);
    for (size_t i = 0; i < n; i++)
        l->runs[l->runs_n++] = runs[i];
}

static bool take_run(struct life *l, struct kit_run *ret_run)
{
    if (!l->runs_n)
        return false;
    size_t i = life_pick(l, (unsigned)l->runs_n);
    *ret_run = l->runs[i];
    l->runs[i] = l->runs[--l->runs_n];
    return true;
}

/* Leases may be lost or cancelled meanwhile: refused then. */
void do_finish(struct life *l)
{
    struct kit_run run;
    if (!take_run(l, &run))
        return;
    const Rota__Reply *reply = kit_finish(&l->k, &run.lease, (Rota__Outcome)(1 + life_pick(l, 3)));
    l->refused += reply->error != NULL;
}

void do_give_back(struct life *l)
{
    struct kit_run run;
    Rota__LeaseRelease release = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    if (!take_run(l, &run))
        return;
    run.lease.ref.job = run.lease.job;
    release.lease = &run.lease.ref;
    release.infrastructure_fault = life_chance(l, 2);
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &release;
    life_call(l, &request);
}

/* ---- on one job ---- */

#define JOB_DEED(name, CASE, member_, Type, TYPE)                                                  \
    void name(struct life *l)                                                                      \
    {                                                                                              \
        Rota__##Type op = ROTA__##TYPE##__INIT;                                                    \
        Rota__Request request = ROTA__REQUEST__INIT;                                               \
        op.job = life_job(l);                                                                      \
        request.op_case = ROTA__REQUEST__OP_##CASE;                                                \
        request.member_ = &op;                                                                     \
        if (op.job)                                                                                \
            life_call(l, &request);                                                                \
    }

JOB_DEED(do_cancel, CANCEL, cancel, Cancel, CANCEL)
JOB_DEED(do_hold, HOLD, hold, Hold, HOLD)
JOB_DEED(do_release, JOB_RELEASE, job_release, JobRelease, JOB_RELEASE)
JOB_DEED(do_retry, RETRY, retry, Retry, RETRY)

void do_move(struct life *l)
{
    Rota__Move move = ROTA__MOVE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    move.job = life_job(l);
    move.pool =
        life_chance(l, 2) ? (char *)places[life_pick(l, ARRAY_LEN(places))].pool : (char *)"";
    move.priority = life_pick(l, 10);
    request.op_case = ROTA__REQUEST__OP_MOVE;
    request.move = &move;
    if (move.job)
        life_call(l, &request);
}
