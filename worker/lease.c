/* lease.c: the one lease poll.
 *
 * A worker's new lease call replaces its parked one at the broker, so there is one for all free
 * slots. It is not replaced when another slot becomes free: it is answered with the first job
 * anyway, and the next poll, one trip later, asks for all slots that are free then.
 *
 * Leaving must not strand a job: a parked poll is withdrawn by the same call with the same nonce
 * and no wait, which brings back whatever it was granted meanwhile, and that is released at once.
 */
#include "agent_parts.h"

#include <assert.h>
#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { WITHDRAW_MS = 3000, EARLY_SAID = 3 };

void lease_fill(const struct agent *a, Rota__Lease *ret_lease)
{
    rota__lease__init(ret_lease);
    ret_lease->worker = (char *)a->config->worker;
    ret_lease->pool = (char *)a->config->pool;
    ret_lease->class_ = a->class;
    ret_lease->n_class_ = a->config->class_n;
    ret_lease->jobs_max = a->poll.jobs_max;
    ret_lease->nonce = (ProtobufCBinaryData){NONCE_BYTES, (uint8_t *)a->poll.nonce};
}

static void poll_send(struct agent *a, uint64_t now_ms, uint32_t wait_ms, uint32_t timeout_ms)
{
    struct lease_poll *p = &a->poll;
    Rota__Lease lease;
    lease_fill(a, &lease);
    lease.wait_ms = wait_ms;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    p->seq++;
    p->asked_ms = now_ms;
    p->is_taken = p->is_asked = agent_call(a, CALL_LEASE, p->seq, &request, timeout_ms);
    if (!p->is_asked)
        p->retry_ms = now_ms + backoff_ms(p->failures++);
}

static void poll_withdraw(struct agent *a, uint64_t now_ms)
{
    struct lease_poll *p = &a->poll;
    if (p->is_withdrawn || !p->has_nonce || (p->is_taken && !p->is_asked))
        return;
    p->is_withdrawn = true;
    poll_send(a, now_ms, 0, agent_try_ms(a, WITHDRAW_MS));
}

void lease_step(struct agent *a, uint64_t now_ms)
{
    struct lease_poll *p = &a->poll;
    if (a->is_draining) {
        poll_withdraw(a, now_ms);
        return;
    }
    if (p->is_taken)
        return;
    if (now_ms < p->retry_ms) {
        agent_due(a, p->retry_ms);
        return;
    }
    if (!p->has_nonce) {
        p->jobs_max = agent_open_slots(a);
        if (p->jobs_max == 0)
            return;
        randombytes_buf(p->nonce, sizeof p->nonce);
        p->has_nonce = true;
    }
    poll_send(a, now_ms, LEASE_WAIT_MS, LEASE_WAIT_MS + CALL_SLACK_MS);
    if (!p->is_taken)
        agent_due(a, p->retry_ms);
}

/* The job outlives the reply that brought it. */
static Rota__LeasedJob *job_copy(const Rota__LeasedJob *job)
{
    size_t n = rota__leased_job__get_packed_size(job);
    uint8_t *bytes AUTO_FREE = malloc(n);
    if (!bytes)
        return NULL;
    rota__leased_job__pack(job, bytes);
    return rota__leased_job__unpack(NULL, n, bytes);
}

static void host_changed(void *slot)
{
    struct agent *a = ((struct slot *)slot)->agent;
    a->heart.is_changed = true;
    agent_wake(a);
}

/* The timeout runs from the grant, which the reply followed by one trip. */
static int slot_hand(struct agent *a, struct slot *s, const Rota__LeasedJob *job, uint64_t now_ms)
{
    assert(s->state == SLOT_FREE && !s->job && !s->host);
    const struct build_host_config host = {.changed = host_changed, .send = report_log, .arg = s};
    Rota__LeasedJob *copy = job_copy(job);
    if (!copy)
        return err_raise(-ENOMEM);
    int r = build_host_new(&host, &s->host);
    if (r < 0) {
        rota__leased_job__free_unpacked(copy, NULL);
        return err_pass(r);
    }
    s->job = copy;
    s->state = SLOT_HANDED;
    s->deadline_ms = now_ms + job->timeout_ms;
    s->first_heartbeat = a->heart.seq + 1;
    a->lease_ms = job->lease_ms > 0 ? job->lease_ms : a->lease_ms;
    a->heart.is_changed = true;
    pthread_cond_broadcast(&a->changed);
    return 0;
}

static void job_give_back(struct agent *a, const Rota__LeasedJob *job)
{
    Rota__LeaseRelease release = ROTA__LEASE_RELEASE__INIT;
    release.lease = job->lease;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &release;
    log_info("job.given_back", "job=%s why=no-slot", job->lease->job);
    if (agent_call(a, CALL_RELEASE, 0, &request, agent_try_ms(a, REPORT_CALL_MS)))
        a->releasing++;
}

static struct slot *slot_free(struct agent *a)
{
    for (uint32_t i = 0; i < a->config->slots; i++)
        if (a->slot[i].state == SLOT_FREE && !a->slot[i].is_held)
            return &a->slot[i];
    return NULL;
}

/* The same nonce brings the same jobs again: what a slot already holds is no second job. */
static bool is_held(struct agent *a, const Rota__LeasedJob *job)
{
    const struct slot *s = agent_slot_of(a, job->lease->job);
    return s && s->job->lease->token == job->lease->token &&
           s->job->lease->epoch == job->lease->epoch;
}

void lease_hand_out(struct agent *a, const Rota__LeaseResult *result, uint64_t now_ms)
{
    for (size_t i = 0; i < result->n_job; i++) {
        const Rota__LeasedJob *job = result->job[i];
        if (!job->lease || is_held(a, job))
            continue;
        struct slot *s = a->is_draining ? NULL : slot_free(a);
        if (!s || slot_hand(a, s, job, now_ms) < 0)
            job_give_back(a, job);
    }
}

/* A poll that comes back empty long before its time was replaced: another worker bears our name, or
 * the broker is leaving. Asking again at once would only replace the other. */
static void poll_came_empty(struct agent *a, uint64_t now_ms)
{
    struct lease_poll *p = &a->poll;
    if (now_ms - p->asked_ms >= LEASE_WAIT_MS / 2) {
        p->early = 0;
        return;
    }
    p->retry_ms = now_ms + backoff_ms(p->early++);
    if (p->early == EARLY_SAID)
        log_warn("lease.replaced", "worker=%s another worker of this name in the pool? waiting",
                 a->config->worker);
}

static void poll_failed(struct agent *a, const Rota__Error *error, uint64_t now_ms)
{
    struct lease_poll *p = &a->poll;
    if (is_passing(error)) {
        p->retry_ms = now_ms + backoff_ms(p->failures++);
        return;
    }
    p->has_nonce = false;
    agent_refused(a, "lease", error);
}

void lease_answered(struct agent *a, const struct call *c, uint64_t now_ms)
{
    struct lease_poll *p = &a->poll;
    const Rota__LeaseResult *result =
        c->reply->result_case == ROTA__REPLY__RESULT_LEASE ? c->reply->lease : NULL;
    if (c->seq == p->seq) {
        p->is_taken = p->is_asked = false;
        if (c->reply->error) {
            poll_failed(a, c->reply->error, now_ms);
            return;
        }
        p->has_nonce = false;
        p->failures = 0;
        if (!result || result->n_job == 0)
            poll_came_empty(a, now_ms);
        else
            p->early = 0;
    }
    if (result)
        lease_hand_out(a, result, now_ms);
}
