/* report.c: says how a job ended, until it was heard.
 *
 *   succeeded, failed          finish
 *   timed out                  finish (TIMED_OUT)
 *   cancelled, hurried leave   lease_release
 *   our or the machine's fault lease_release with infrastructure_fault
 *   lease lost                 nothing
 *
 * A report is repeated with the same lease token while the broker cannot be reached; the token
 * makes the repetition harmless and the answer the same. It is given up only by a worker that
 * leaves and whose time for it is over. When no poll is under way the finish takes the next
 * job along in the same trip. */
#include "agent_parts.h"
#include "report_message.h"

#include <assert.h>
#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* ---- calls that are repeated until they are answered ---- */

/* Sleeps, but not past the end of repetitions. True: nothing more is to be said. */
static bool pause_ms(struct slot *s, uint64_t ms)
{
    struct agent *a = s->agent;
    uint64_t until_ms = clock_boot_ms() + ms;
    bool gives_up = false;
    pthread_mutex_lock(&a->lock);
    for (;;) {
        uint64_t now_ms = clock_boot_ms();
        gives_up = (a->give_up_ms > 0 && now_ms >= a->give_up_ms) ||
                   build_stop_read(s->host) == BUILD_LOST;
        if (gives_up || now_ms >= until_ms)
            break;
        uint64_t end_ms = a->give_up_ms > 0 && a->give_up_ms < until_ms ? a->give_up_ms : until_ms;
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        uint64_t ns = (uint64_t)t.tv_nsec + (end_ms - now_ms) % 1000 * 1000000;
        t.tv_sec += (time_t)((end_ms - now_ms) / 1000 + ns / 1000000000);
        t.tv_nsec = (long)(ns % 1000000000);
        pthread_cond_timedwait(&a->changed, &a->lock, &t);
    }
    pthread_mutex_unlock(&a->lock);
    return gives_up;
}

struct waiter {
    sem_t ended;
    Rota__Reply *reply;
};

static void waiter_wake(void *arg, Rota__Reply *reply)
{
    struct waiter *w = arg;
    w->reply = reply;
    sem_post(&w->ended);
}

/* One try. NULL: no memory for it. */
static Rota__Reply *call_once(struct agent *a, Rota__Request *request)
{
    struct waiter w = {0};
    sem_init(&w.ended, 0, 0);
    pthread_mutex_lock(&a->lock);
    uint32_t try_ms = agent_try_ms(a, REPORT_CALL_MS);
    pthread_mutex_unlock(&a->lock);
    int r = rota_call_start(a->config->client, request, try_ms, waiter_wake, &w);
    while (r == 0 && sem_wait(&w.ended) < 0)
        assert(errno == EINTR);
    sem_destroy(&w.ended);
    if (!w.reply)
        return NULL;
    pthread_mutex_lock(&a->lock);
    agent_heard(a, w.reply);
    pthread_mutex_unlock(&a->lock);
    return w.reply;
}

static bool is_answer(const Rota__Reply *reply)
{
    return reply && !(reply->error && is_passing(reply->error));
}

/* NULL: given up, because the worker must leave. A request that comes after the end of
 * repetitions still gets one try. */
static Rota__Reply *call_until_answered(struct slot *s, Rota__Request *request)
{
    for (uint32_t failures = 0;; failures++) {
        Rota__Reply *reply = call_once(s->agent, request);
        if (is_answer(reply))
            return reply;
        rota_reply_free(reply);
        if (pause_ms(s, backoff_ms(failures)))
            return NULL;
    }
}

int report_log(void *slot, const void *p, size_t n)
{
    struct slot *s = slot;
    if (build_stop_read(s->host) == BUILD_LOST)
        return 1;
    Rota__Log log = ROTA__LOG__INIT;
    log.lease = s->job->lease;
    log.data = (ProtobufCBinaryData){n, (uint8_t *)p};
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LOG;
    request.log = &log;
    Rota__Reply *reply = call_until_answered(s, &request);
    bool is_wanted = reply && !reply->error;
    if (reply && reply->error)
        log_debug("job.log_refused", "job=%s error=%s", s->job->lease->job, reply->error->name);
    rota_reply_free(reply);
    return is_wanted ? 0 : 1;
}

/* Given up: the agent names the job when it leaves. */
static void unreported_note(struct slot *s)
{
    const char *job = s->job->lease->job;
    log_warn("job.unreported", "job=%s its lease runs out by itself", job);
    pthread_mutex_lock(&s->agent->lock);
    snprintf(s->unreported, sizeof s->unreported, "%s", job);
    pthread_mutex_unlock(&s->agent->lock);
}

/* ---- finish, with the next job when it can be had ---- */

/* True: this slot has the poll, for one finish_and_lease. */
static bool poll_take(const struct slot *s, Rota__Lease *ret_lease)
{
    struct agent *a = s->agent;
    struct lease_poll *p = &a->poll;
    pthread_mutex_lock(&a->lock);
    bool takes = !s->is_held && !a->is_draining && !p->is_taken && !p->has_nonce &&
                 clock_boot_ms() >= p->retry_ms;
    if (takes) {
        p->is_taken = p->has_nonce = true;
        p->jobs_max = 1;
        randombytes_buf(p->nonce, sizeof p->nonce);
        lease_fill(a, ret_lease);
    }
    pthread_mutex_unlock(&a->lock);
    return takes;
}

enum poll_end { POLL_NOT_OURS, POLL_ANSWERED, POLL_UNANSWERED };

/* The slot is free from here on, for the job that came along as well. */
static void slot_leave(struct slot *s, enum poll_end poll, const Rota__Reply *reply)
{
    struct agent *a = s->agent;
    const Rota__FinishAndLeaseResult *both =
        reply && reply->result_case == ROTA__REPLY__RESULT_FINISH_AND_LEASE
            ? reply->finish_and_lease
            : NULL;
    pthread_mutex_lock(&a->lock);
    rota__leased_job__free_unpacked(TAKE(s->job), NULL);
    struct build_host *host = TAKE(s->host);
    s->state = SLOT_FREE;
    a->busy_ms = clock_boot_ms();
    if (poll != POLL_NOT_OURS)
        a->poll.is_taken = false;
    if (poll == POLL_ANSWERED)
        a->poll.has_nonce = false;
    if (both && both->lease)
        lease_hand_out(a, both->lease, clock_boot_ms());
    if (both && both->lease_error && !is_passing(both->lease_error))
        agent_refused(a, "finish_and_lease", both->lease_error);
    pthread_mutex_unlock(&a->lock);
    build_host_free(host);
    agent_wake(a);
}

static const Rota__Error *finish_error(const Rota__Reply *reply)
{
    if (reply->error)
        return reply->error;
    if (reply->result_case == ROTA__REPLY__RESULT_FINISH_AND_LEASE)
        return reply->finish_and_lease->finish_error;
    return NULL;
}

static void release(struct slot *s, const struct build_result *r, bool is_fault)
{
    Rota__LeaseRelease m = ROTA__LEASE_RELEASE__INIT;
    Rota__Error error = ROTA__ERROR__INIT;
    m.lease = s->job->lease;
    m.infrastructure_fault = is_fault;
    if (is_fault) {
        result_error(r, &error);
        m.error = &error;
    }
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &m;
    Rota__Reply *reply = call_until_answered(s, &request);
    const char *job = s->job->lease->job;
    if (!reply)
        unreported_note(s);
    else if (reply->error)
        log_warn("job.release_refused", "job=%s error=%s", job, reply->error->name);
    else
        log_info("job.released", "job=%s fault=%s error=%s", job, is_fault ? "yes" : "no",
                 is_fault ? error.name : "none");
    rota_reply_free(reply);
}

/* What a refused finish leaves to do. */
static void finish_refused(struct slot *s, const Rota__Error *error)
{
    const char *job = s->job->lease->job;
    enum error_code code = error_by_name(error->name);
    log_warn("job.finish_refused", "job=%s error=%s text=\"%s\"", job, error->name, error->text);
    if (code == E_LEASE_LOST || code == E_JOB_ENDED || code == E_JOB_UNKNOWN)
        return;
    struct build_result fault = {0};
    build_fail(&fault, code != E_OK ? code : E_RUNNER_FAULT, "finish was refused: %s", error->text);
    release(s, &fault, code != E_CANCELLED);
}

/* One finish_and_lease, if the poll can be had. NULL: not tried, or not answered. */
static Rota__Reply *finish_and_lease(struct slot *s, Rota__Finish *m, enum poll_end *ret_poll)
{
    Rota__Lease lease;
    *ret_poll = POLL_NOT_OURS;
    if (!poll_take(s, &lease))
        return NULL;
    Rota__FinishAndLease both = ROTA__FINISH_AND_LEASE__INIT;
    both.finish = m;
    both.lease = &lease;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_FINISH_AND_LEASE;
    request.finish_and_lease = &both;
    Rota__Reply *reply = call_once(s->agent, &request);
    *ret_poll = is_answer(reply) ? POLL_ANSWERED : POLL_UNANSWERED;
    return *ret_poll == POLL_ANSWERED ? reply : rota_reply_free(reply);
}

static void finish(struct slot *s, const struct build_result *r, Rota__Outcome outcome)
{
    struct finish_message m = {0};
    enum poll_end poll;
    finish_fill(s->job->lease, r, outcome, &m);
    Rota__Reply *both = finish_and_lease(s, &m.finish, &poll), *alone = NULL;
    const Rota__Error *error = both ? finish_error(both) : NULL;
    /* A refusal that a repeat can mend (an artifact store that is away) costs the job no attempt.
     */
    if (!both || (error && is_passing(error))) {
        Rota__Request request = ROTA__REQUEST__INIT;
        request.op_case = ROTA__REQUEST__OP_FINISH;
        request.finish = &m.finish;
        alone = call_until_answered(s, &request);
        error = alone ? finish_error(alone) : NULL;
    }
    if (!both && !alone)
        unreported_note(s);
    else if (error)
        finish_refused(s, error);
    slot_leave(s, poll, both);
    rota_reply_free(alone);
    rota_reply_free(both);
}

/* ---- what to say ---- */

enum report { REPORT_NOTHING, REPORT_FINISH, REPORT_RELEASE, REPORT_FAULT };

static enum report stopped_report(enum build_stop why, struct build_result *r,
                                  Rota__Outcome *ret_outcome)
{
    if (why == BUILD_TIMED_OUT) {
        build_fail(r, E_TIMED_OUT, NULL);
        *ret_outcome = ROTA__OUTCOME__OUTCOME_TIMED_OUT;
        return REPORT_FINISH;
    }
    if (why != BUILD_GOES_ON)
        return REPORT_RELEASE;
    build_fail(r, E_RUNNER_FAULT, "the runner stopped without being asked to");
    return REPORT_FAULT;
}

static enum report report_choose(enum build_stop why, struct build_result *r,
                                 Rota__Outcome *ret_outcome)
{
    if (why == BUILD_LOST)
        return REPORT_NOTHING;
    if (why == BUILD_CANCELLED)
        return REPORT_RELEASE;
    bool is_late = why == BUILD_TIMED_OUT && r->outcome != BUILD_SUCCEEDED;
    if (r->outcome == BUILD_STOPPED || is_late)
        return stopped_report(why, r, ret_outcome);
    if (r->outcome == BUILD_FAULT)
        return REPORT_FAULT;
    *ret_outcome = r->outcome == BUILD_SUCCEEDED ? ROTA__OUTCOME__OUTCOME_SUCCEEDED
                                                 : ROTA__OUTCOME__OUTCOME_FAILED;
    return REPORT_FINISH;
}

void report_result(struct slot *s, enum build_stop why, const struct build_result *result)
{
    struct build_result r = *result;
    Rota__Outcome outcome = ROTA__OUTCOME__OUTCOME_NONE;
    if (build_stop_read(s->host) == BUILD_LOST)
        why = BUILD_LOST;
    enum report what = report_choose(why, &r, &outcome);
    if (what == REPORT_FINISH) {
        finish(s, &r, outcome);
        return;
    }
    if (what == REPORT_NOTHING)
        log_warn("job.dropped", "job=%s the lease is lost, so is the result", s->job->lease->job);
    else
        release(s, &r, what == REPORT_FAULT);
    slot_leave(s, POLL_NOT_OURS, NULL);
}
