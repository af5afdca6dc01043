/* engine_acts.h: publishes with all their settings, and what people do with a job afterwards. */
#pragma once

#include "engine_kit.h"

/* A task of app "app" by the operator; the caller sets what it wants. */
static inline Rota__Publish call_publish_of(void)
{
    Rota__Publish q = ROTA__PUBLISH__INIT;
    q.app = (char *)"app";
    q.class_ = (char *)"task";
    return q;
}

static inline Rota__Reply *call_publish(struct engine_kit *k, Rota__Publish *q)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = q;
    return kit_call(k, &request, NULL);
}

enum { CALL_JOB_BYTES = 40 };

/* Accepted; its id is copied out. */
static inline void call_published(struct engine_kit *k, Rota__Publish *q, char job[CALL_JOB_BYTES])
{
    Rota__Reply *reply = call_publish(k, q);
    assert_string_equal(kit_error(reply), "");
    snprintf(job, CALL_JOB_BYTES, "%s", reply->publish->job);
}

static inline Rota__Reply *call_hold(struct engine_kit *k, const char *job)
{
    Rota__Hold q = ROTA__HOLD__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.job = (char *)job;
    q.reason = (char *)"let me look";
    request.op_case = ROTA__REQUEST__OP_HOLD;
    request.hold = &q;
    return kit_call(k, &request, NULL);
}

static inline Rota__Reply *call_release(struct engine_kit *k, const char *job)
{
    Rota__JobRelease q = ROTA__JOB_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_JOB_RELEASE;
    request.job_release = &q;
    return kit_call(k, &request, NULL);
}

static inline Rota__Reply *call_retry(struct engine_kit *k, const char *job)
{
    Rota__Retry q = ROTA__RETRY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_RETRY;
    request.retry = &q;
    return kit_call(k, &request, NULL);
}

static inline Rota__Reply *call_move(struct engine_kit *k, const char *job, const char *pool,
                                     uint32_t priority)
{
    Rota__Move q = ROTA__MOVE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.job = (char *)job;
    q.pool = (char *)pool;
    q.priority = priority;
    request.op_case = ROTA__REQUEST__OP_MOVE;
    request.move = &q;
    return kit_call(k, &request, NULL);
}

/* The worker gives the job back. */
static inline Rota__Reply *call_give_back(struct engine_kit *k, struct kit_lease *l, bool fault)
{
    Rota__LeaseRelease q = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    l->ref.job = l->job;
    q.lease = &l->ref;
    q.infrastructure_fault = fault;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &q;
    return kit_call(k, &request, NULL);
}
