/* slot.c: the thread of a slot: waits for a job, has the runner do it, reports, is free again. */
#include "agent_parts.h"
#include "memory.h"
#include "vars.h"

#include <assert.h>
#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    IDLE_LOOK_S = 10, /* how long an idle slot may know nothing of heat that has ended */
    HELD_LOOK_S = 1,
};

static const char *tier_text(Rota__Tier tier)
{
    static const char *const text[] = {"P0", "P1", "P2", "P3"};
    return tier < ARRAY_LEN(text) ? text[tier] : "P3";
}

static void build_fill(const struct slot *s, struct build *b)
{
    const struct agent_config *c = s->agent->config;
    const Rota__LeasedJob *j = s->job;
    *b = (struct build){.host = s->host,
                        .settings = c->settings,
                        .job = j->lease->job,
                        .account = j->account,
                        .app = j->app,
                        .platform = j->platform,
                        .class = j->class_,
                        .source = j->source,
                        .commit = j->commit,
                        .tier = tier_text(j->tier),
                        .attempt = j->attempt,
                        .attempts_max = j->attempts_max,
                        .spec = j->spec.data,
                        .spec_bytes = j->spec.len,
                        .timeout_ms = j->timeout_ms,
                        .deadline_ms = s->deadline_ms,
                        .slot = s->index,
                        .lease = j->lease,
                        .client = c->client,
                        .stop_fd = build_host_stop_fd(s->host)};
}

static const char *outcome_text(enum build_outcome outcome)
{
    static const char *const text[] = {[BUILD_STOPPED] = "stopped",
                                       [BUILD_SUCCEEDED] = "succeeded",
                                       [BUILD_FAILED] = "failed",
                                       [BUILD_FAULT] = "fault"};
    return text[outcome];
}

/* A job whose time has run out, or that was cancelled, before it started is not started. */
static void slot_build(struct slot *s, struct build_result *ret)
{
    struct build b;
    build_fill(s, &b);
    if (build_stopped(&b) != BUILD_GOES_ON)
        return;
    struct vars vars;
    char trace[256];
    int r = vars_fetch(&b, &vars, ret);
    b.var = vars.var;
    b.vars = vars.n;
    b.is_token_withheld = vars.is_token_withheld;
    if (r == 0)
        r = s->agent->config->runner->run(&b, ret);
    vars_deinit(&vars);
    if (r < 0) {
        log_error("job.fault", "job=%s fault=\"%s\" releasing", b.job,
                  err_trace(trace, sizeof trace));
        build_fail(ret, E_SANDBOX_FAILED, NULL);
    }
}

/* Built: from here on the job's own time stands still, and a drain may count its own. Why it ended
 * is what counts, not what a slow report may meet later. */
static enum build_stop slot_built(struct slot *s)
{
    pthread_mutex_lock(&s->agent->lock);
    s->state = SLOT_ENDING;
    enum build_stop why = build_stop_read(s->host);
    pthread_mutex_unlock(&s->agent->lock);
    agent_wake(s->agent);
    return why;
}

/* Before the report, which may bring the next job along. */
static void slot_hold(struct slot *s)
{
    const struct agent *a = s->agent;
    if (!a->config->remains || !a->config->remains())
        return;
    pthread_mutex_lock(&s->agent->lock);
    s->is_held = true;
    pthread_mutex_unlock(&s->agent->lock);
}

static void slot_work(struct slot *s)
{
    const Rota__LeasedJob *j = s->job;
    struct build_result r = {0};
    uint64_t began_ms = clock_boot_ms();
    log_info("job.started", "job=%s account=%s class=%s tier=%s attempt=%u slot=%u", j->lease->job,
             j->account, j->class_, tier_text(j->tier), j->attempt, s->index);
    slot_build(s, &r);
    slot_hold(s);
    enum build_stop why = slot_built(s);
    log_info("job.ended", "job=%s outcome=%s error=%s ms=%llu", j->lease->job,
             outcome_text(r.outcome), r.error != E_OK ? error_row(r.error)->name : "none",
             (unsigned long long)(clock_boot_ms() - began_ms));
    build_log_finish(s->host);
    report_result(s, why, &r);
    memory_return();
}

/* Lets go of the lock meanwhile. What was had ready and is given up leaves nothing either. */
static void slot_idle(struct slot *s, bool is_warm)
{
    const struct agent_config *c = s->agent->config;
    if (!c->runner->idle)
        return;
    pthread_mutex_unlock(&s->agent->lock);
    c->runner->idle(c->settings, s->index, is_warm);
    bool is_held = c->remains && c->remains();
    pthread_mutex_lock(&s->agent->lock);
    if (s->is_held && !is_held)
        agent_wake(s->agent);
    s->is_held = is_held;
}

static bool is_warm(const struct agent *a)
{
    return !a->is_draining && clock_wall_ms() < a->heat_until_ms;
}

static struct timespec after_s(time_t s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += s;
    return until;
}

static void slot_sleep(struct agent *a)
{
    const struct timespec until = after_s(IDLE_LOOK_S);
    pthread_cond_timedwait(&a->changed, &a->lock, &until);
}

static bool slot_wait(struct slot *s)
{
    struct agent *a = s->agent;
    pthread_mutex_lock(&a->lock);
    while (s->state != SLOT_HANDED && !a->is_closing) {
        slot_idle(s, is_warm(a));
        if (s->state != SLOT_HANDED && !a->is_closing)
            slot_sleep(a);
    }
    bool has_job = s->state == SLOT_HANDED;
    if (has_job)
        s->state = SLOT_BUSY;
    else
        slot_idle(s, false);
    pthread_mutex_unlock(&a->lock);
    return has_job;
}

/* What happens elsewhere is no reason to look again. */
static void slot_pause(struct agent *a)
{
    const struct timespec until = after_s(HELD_LOOK_S);
    while (!a->is_closing && pthread_cond_timedwait(&a->changed, &a->lock, &until) == 0)
        continue;
}

/* Until nothing is left of its last job, or the worker leaves. */
static void slot_clear(struct slot *s)
{
    struct agent *a = s->agent;
    pthread_mutex_lock(&a->lock);
    bool was_held = s->is_held;
    while (s->is_held && !a->is_closing) {
        slot_pause(a);
        pthread_mutex_unlock(&a->lock);
        bool is_held = a->config->remains();
        pthread_mutex_lock(&a->lock);
        s->is_held = is_held;
    }
    pthread_mutex_unlock(&a->lock);
    if (was_held)
        agent_wake(a);
}

static void *slot_main(void *arg)
{
    struct slot *s = arg;
    while (slot_wait(s)) {
        slot_work(s);
        slot_clear(s);
    }
    return NULL;
}

int slot_start(struct agent *a, uint32_t index)
{
    struct slot *s = &a->slot[index];
    s->agent = a;
    s->index = index;
    int r = pthread_create(&s->thread, NULL, slot_main, s);
    s->has_thread = r == 0;
    return r == 0 ? 0 : err_raise(-r);
}

void slot_join(struct slot *s)
{
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    assert(s->state == SLOT_FREE);
}
