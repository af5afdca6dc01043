/* engine_calls.h: requests ready to be sent to an engine under test, and lists of many publishes.
 */
#pragma once

#include "engine_kit.h"

static char *const call_task[] = {(char *)"task"};

/* What the requests below are made of; used up by kit_request(). */
struct call {
    Rota__Request request;
    Rota__Lease lease;
    Rota__Finish finish;
    Rota__FinishAndLease both;
    Rota__Heartbeat beat;
    Rota__JobProgress progress, *progress_list[1];
    Rota__Artifact artifact, *artifact_list[1];
    Rota__Attestation attestation;
    uint8_t nonce[16];
};

static inline struct call *lease_fill(struct call *c, const char *worker, uint8_t nonce)
{
    memset(c, 0, sizeof *c);
    rota__request__init(&c->request);
    rota__lease__init(&c->lease);
    memset(c->nonce, nonce, sizeof c->nonce);
    c->lease.worker = (char *)worker;
    c->lease.class_ = (char **)(uintptr_t)call_task;
    c->lease.n_class_ = 1;
    c->lease.nonce = (ProtobufCBinaryData){sizeof c->nonce, c->nonce};
    c->request.op_case = ROTA__REQUEST__OP_LEASE;
    c->request.lease = &c->lease;
    return c;
}

static inline struct call *both_fill(struct call *c, struct kit_lease *l, uint8_t nonce)
{
    lease_fill(c, "w", nonce);
    rota__finish__init(&c->finish);
    rota__finish_and_lease__init(&c->both);
    l->ref.job = l->job;
    c->finish.lease = &l->ref;
    c->finish.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    c->both.finish = &c->finish;
    c->both.lease = &c->lease;
    c->request.op_case = ROTA__REQUEST__OP_FINISH_AND_LEASE;
    c->request.finish_and_lease = &c->both;
    return c;
}

static inline struct call *beat_fill(struct call *c, const char *worker, struct kit_lease *l,
                                     const char *message)
{
    lease_fill(c, worker, 0);
    rota__heartbeat__init(&c->beat);
    rota__job_progress__init(&c->progress);
    c->beat.worker = (char *)worker;
    c->beat.class_ = (char **)(uintptr_t)call_task;
    c->beat.n_class_ = 1;
    if (l) {
        l->ref.job = l->job;
        c->progress.lease = &l->ref;
        c->progress.percent = 42;
        c->progress.phase = (char *)"bundle";
        c->progress.message = (char *)message;
        c->progress_list[0] = &c->progress;
        c->beat.progress = c->progress_list;
        c->beat.n_progress = 1;
    }
    c->request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    c->request.heartbeat = &c->beat;
    return c;
}

static inline struct inbound *publishes(struct engine_kit *k, size_t n, size_t spec_bytes)
{
    struct inbound *list = NULL;
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    uint8_t *spec = calloc(1, spec_bytes + 2);
    assert_non_null(spec);
    memset(spec, ' ', spec_bytes);
    spec[0] = '{';
    spec[spec_bytes - 1] = '}';
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = call_task[0];
    publish.spec = (ProtobufCBinaryData){spec_bytes, spec};
    for (size_t i = 0; i < n; i++) {
        struct inbound *in = kit_request(k, &request, NULL);
        in->next = list;
        list = in;
    }
    free(spec);
    return list;
}

static inline struct inbound *publish_many(struct engine_kit *k, size_t messages, size_t jobs,
                                           bool is_bad)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Publish **list = calloc(jobs, sizeof(Rota__Publish *));
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct inbound *all = NULL;
    assert_non_null(list);
    publish.app = is_bad ? (char *)"" : call_task[0];
    publish.class_ = is_bad ? (char *)"" : call_task[0];
    for (size_t i = 0; i < jobs; i++)
        list[i] = &publish;
    many.publish = list;
    many.n_publish = jobs;
    request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    request.publish_many = &many;
    for (size_t i = 0; i < messages; i++) {
        struct inbound *in = kit_request(k, &request, NULL);
        in->next = all;
        all = in;
    }
    free(list);
    return all;
}
