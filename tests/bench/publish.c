/* publish.c: W1, durable publishes: every slot sends one message and waits for its acknowledgement,
 * which the broker gives after its commit. With --bulk a message carries many jobs. */
#include "bench.h"

#include <assert.h>
#include <string.h>

struct publisher {
    size_t n; /* jobs in the message in flight */
    Rota__Publish jobs[BULK_MAX];
    Rota__Publish *list[BULK_MAX];
    struct job_text text[BULK_MAX];
};

static void acked_keep(struct acked *a, const char *id)
{
    if (a->n == a->room) {
        size_t room = a->room ? 2 * a->room : 1024;
        void *grown = realloc(a->ids, room * sizeof *a->ids);
        assert(grown); /* a load tool has nothing to say without its memory */
        a->ids = grown;
        a->room = room;
    }
    size_t n = strnlen(id, sizeof a->ids[0] - 1);
    memcpy(a->ids[a->n], id, n);
    a->ids[a->n++][n] = 0;
}

static void job_acked(struct slot *s, const Rota__PublishResult *result)
{
    struct publish_plan *plan = s->arg;
    s->jobs++;
    if (plan->acked)
        acked_keep(&plan->acked[s->index], result->job);
}

static void many_acked(struct slot *s, const Rota__PublishManyResult *result)
{
    for (size_t i = 0; i < result->n_outcome; i++) {
        if (result->outcome[i]->accepted)
            job_acked(s, result->outcome[i]->accepted);
        else
            slot_refused(s, result->outcome[i]->error);
    }
}

/* False: it was refused, and this slot stops. */
static bool reply_take(struct slot *s, const Rota__Reply *reply)
{
    if (reply->error) {
        slot_refused(s, reply->error);
        return false;
    }
    slot_timed(s, s->sent_ns);
    if (reply->result_case == ROTA__REPLY__RESULT_PUBLISH)
        job_acked(s, reply->publish);
    else
        many_acked(s, reply->publish_many);
    return true;
}

static bool message_send(struct slot *s, size_t n)
{
    struct publish_plan *plan = s->arg;
    struct publisher *p = s->own;
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    for (size_t i = 0; i < n; i++) {
        job_fill(plan->bench, &p->text[i], &p->jobs[i]);
        p->list[i] = &p->jobs[i];
    }
    if (plan->bulk == 1) {
        request.op_case = ROTA__REQUEST__OP_PUBLISH;
        request.publish = &p->jobs[0];
    } else {
        many.n_publish = n;
        many.publish = p->list;
        request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
        request.publish_many = &many;
    }
    return slot_call(s, &request, CALL_MS);
}

static bool publish_step(struct slot *s, const Rota__Reply *reply)
{
    struct publish_plan *plan = s->arg;
    if ((reply && !reply_take(s, reply)) || load_is_over(s->load))
        return false;
    size_t n = plan->bulk;
    if (plan->jobs) {
        uint64_t taken = atomic_fetch_add(&plan->taken, n);
        if (taken >= plan->jobs)
            return false;
        if (plan->jobs - taken < n)
            n = plan->jobs - taken;
    }
    return message_send(s, n);
}

int publish_start(struct publish_plan *plan, struct load **ret_load)
{
    assert(plan->bulk >= 1 && plan->bulk <= BULK_MAX);
    struct load_config config = {
        .client = plan->bench->client,
        .in_flight = plan->in_flight,
        .seconds = plan->seconds,
        .step = publish_step,
        .arg = plan,
        .own_bytes = sizeof(struct publisher),
    };
    int r = load_start(&config, ret_load);
    return r < 0 ? err_pass(r) : 0;
}

int publish_all(struct publish_plan *plan, struct load_result *ret_result)
{
    AUTO(load) load = NULL;
    int r = publish_start(plan, &load);
    if (r < 0)
        return err_pass(r);
    load_wait(load);
    load_result(load, ret_result);
    return 0;
}

int publish_run(struct bench *b)
{
    struct publish_plan plan = {
        .bench = b,
        .in_flight = (unsigned)b->settings->in_flight,
        .bulk = (unsigned)b->settings->bulk,
        .seconds = (double)b->settings->seconds,
    };
    struct counts before, after;
    struct load_result result = {0};
    int r = counts_read(b, &before);
    if (r == 0)
        r = publish_all(&plan, &result);
    if (r == 0)
        r = counts_read(b, &after);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    load_figure(b, &result);
    counts_figure(b, &before, &after, result.jobs);
    if (after.live - before.live < result.jobs)
        figures_fail(&b->figures, "acknowledged %llu jobs, stored %llu",
                     (unsigned long long)result.jobs,
                     (unsigned long long)(after.live - before.live));
    return 0;
}
