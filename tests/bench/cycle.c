/* cycle.c: W2, the whole life of a job: publish, lease, finish, each durable before its answer.
 *
 * A slot publishes, then asks for a job; from then on it publishes again and ends the job it holds
 * while asking for the next one, so a finished job costs two trips. It asks only after a publish of
 * its own was acknowledged, so there is always a job for everybody who asks. */
#include "bench.h"

#include <base/clock.h>
#include <stdio.h>

enum phase { PUBLISHING, LEASING, ENDING };

struct cycler {
    enum phase phase;
    bool has_job;
    uint64_t began_ns; /* of this round: its publish left */
    char job[32];      /* the lease that it holds */
    uint32_t epoch;
    uint64_t token;
    struct job_text job_text;
    struct lease_text lease_text;
};

enum { LEASE_WAIT_MS = 10000 };

static bool publish_send(struct slot *s)
{
    struct cycler *c = s->own;
    Rota__Publish publish;
    Rota__Request request = ROTA__REQUEST__INIT;
    job_fill(s->arg, &c->job_text, &publish);
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    c->phase = PUBLISHING;
    c->began_ns = clock_boot_ns();
    return slot_call(s, &request, CALL_MS);
}

static bool finish_send(struct slot *s, bool leases)
{
    struct cycler *c = s->own;
    Rota__LeaseRef ref = ROTA__LEASE_REF__INIT;
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__Lease lease;
    Rota__FinishAndLease both = ROTA__FINISH_AND_LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    ref.job = c->job;
    ref.epoch = c->epoch;
    ref.token = c->token;
    finish.lease = &ref;
    finish.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    lease_fill(&c->lease_text, s->index, LEASE_WAIT_MS, &lease);
    both.finish = &finish;
    both.lease = &lease;
    if (leases) {
        request.op_case = ROTA__REQUEST__OP_FINISH_AND_LEASE;
        request.finish_and_lease = &both;
    } else {
        request.op_case = ROTA__REQUEST__OP_FINISH;
        request.finish = &finish;
    }
    c->phase = leases ? LEASING : ENDING;
    return slot_call(s, &request, CALL_MS);
}

static bool lease_send(struct slot *s)
{
    struct cycler *c = s->own;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Lease lease;
    if (c->has_job)
        return finish_send(s, true);
    lease_fill(&c->lease_text, s->index, LEASE_WAIT_MS, &lease);
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    c->phase = LEASING;
    return slot_call(s, &request, CALL_MS);
}

/* The job it held is done: a round is over. */
static void round_count(struct slot *s)
{
    struct cycler *c = s->own;
    c->has_job = false;
    s->jobs++;
}

static void lease_keep(struct cycler *c, const Rota__LeasedJob *job)
{
    snprintf(c->job, sizeof c->job, "%s", job->lease->job);
    c->epoch = job->lease->epoch;
    c->token = job->lease->token;
    c->has_job = true;
}

/* False: refused. */
static bool lease_take(struct slot *s, const Rota__Reply *reply)
{
    struct cycler *c = s->own;
    const Rota__LeaseResult *lease = reply->lease;
    if (reply->result_case == ROTA__REPLY__RESULT_FINISH_AND_LEASE) {
        const Rota__FinishAndLeaseResult *both = reply->finish_and_lease;
        const Rota__Error *error = both->finish_error ? both->finish_error : both->lease_error;
        if (error) {
            slot_refused(s, error);
            return false;
        }
        round_count(s);
        slot_timed(s, c->began_ns);
        lease = both->lease;
    }
    if (lease->n_job)
        lease_keep(c, lease->job[0]);
    return true;
}

/* At the end the job in hand is finished and no new one begun: the queue is left as it was. */
static bool round_begin(struct slot *s)
{
    return load_is_over(s->load) ? finish_send(s, false) : publish_send(s);
}

static bool cycle_step(struct slot *s, const Rota__Reply *reply)
{
    struct cycler *c = s->own;
    if (!reply)
        return publish_send(s);
    if (reply->error) {
        slot_refused(s, reply->error);
        return false;
    }
    if (c->phase == ENDING) {
        round_count(s);
        return false;
    }
    if (c->phase == PUBLISHING)
        return lease_send(s);
    if (!lease_take(s, reply))
        return false;
    return c->has_job ? round_begin(s) : lease_send(s);
}

int cycle_run(struct bench *b)
{
    struct counts before, after;
    struct load_result result = {0};
    AUTO(load) load = NULL;
    struct load_config config = {
        .client = b->client,
        .in_flight = (unsigned)b->settings->in_flight,
        .seconds = (double)b->settings->seconds,
        .step = cycle_step,
        .arg = b,
        .own_bytes = sizeof(struct cycler),
    };
    int r = counts_read(b, &before);
    if (r == 0)
        r = load_start(&config, &load);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    load_wait(load);
    r = counts_read(b, &after);
    if (r != 0)
        return r;
    load_result(load, &result);
    load_figure(b, &result);
    counts_figure(b, &before, &after, result.jobs);
    if (after.live != before.live)
        figures_fail(&b->figures, "%lld jobs were left behind",
                     (long long)(after.live - before.live));
    return 0;
}
