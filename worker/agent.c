/* agent.c: the loop of the agent's thread: answers, signals, timers, then the two steps that may
 * start a call.
 *
 * Nothing in a turn waits. Answers come from threads of nng into the inbox, and the loop sleeps in
 * one poll() on that, on the signals, and until the next thing falls due. */
#include "agent_parts.h"

#include <assert.h>
#include <base/clock.h>
#include <base/exit.h>
#include <base/log.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

enum { LOOP_MS_MAX = 60000 };

void agent_wake(struct agent *a)
{
    if (eventfd_write(a->wake_fd, 1) < 0)
        assert(errno == EAGAIN); /* a full counter wakes as well */
}

void agent_due(struct agent *a, uint64_t at_ms)
{
    if (at_ms < a->due_ms)
        a->due_ms = at_ms;
}

uint64_t backoff_ms(uint32_t failures)
{
    uint64_t ms = BACKOFF_MS_MIN;
    while (failures-- > 0 && ms < BACKOFF_MS_MAX)
        ms *= 2;
    if (ms > BACKOFF_MS_MAX)
        ms = BACKOFF_MS_MAX;
    return ms - randombytes_uniform((uint32_t)(ms / 2));
}

/* ENVIRONMENT_MISMATCH passes when an operator starts the broker with its own store again: what was
 * built meanwhile waits for that. */
bool is_passing(const Rota__Error *error)
{
    static const enum error_code passing[] = {
        E_UNAVAILABLE, E_TIMEOUT, E_BUSY,        E_OVERLOADED,        E_DRAINING,
        E_STORE_FULL,  E_MEMORY,  E_STORE_FAULT, E_STORE_UNAVAILABLE, E_ENVIRONMENT_MISMATCH};
    enum error_code code = error_by_name(error->name);
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (code == passing[i])
            return true;
    return false;
}

/* ---- calls ---- */

static void call_done(void *arg, Rota__Reply *reply)
{
    struct call *c = arg;
    struct agent *a = c->agent;
    c->reply = reply;
    pthread_mutex_lock(&a->inbox_lock);
    c->next = a->inbox;
    a->inbox = c;
    pthread_mutex_unlock(&a->inbox_lock);
    agent_wake(a);
}

bool agent_call(struct agent *a, enum call_kind kind, uint64_t seq, Rota__Request *request,
                uint32_t timeout_ms)
{
    struct call *c = calloc(1, sizeof *c);
    if (!c)
        return false;
    *c = (struct call){.agent = a, .kind = kind, .seq = seq};
    int r = rota_call_start(a->config->client, request, timeout_ms, call_done, c);
    if (r == 0)
        return true;
    free(c);
    return false;
}

static struct call *inbox_take(struct agent *a)
{
    pthread_mutex_lock(&a->inbox_lock);
    struct call *newest = TAKE(a->inbox), *oldest = NULL;
    pthread_mutex_unlock(&a->inbox_lock);
    while (newest) { /* pushed in front: turned round, so that answers count in their order */
        struct call *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void release_answered(struct agent *a, const struct call *c)
{
    a->releasing--;
    if (c->reply && c->reply->error)
        log_warn("job.release_refused", "error=%s", c->reply->error->name);
}

static void inbox_serve(struct agent *a, uint64_t now_ms)
{
    for (struct call *c = inbox_take(a), *next; c; c = next) {
        next = c->next;
        agent_heard(a, c->reply);
        if (c->kind == CALL_LEASE)
            lease_answered(a, c, now_ms);
        else if (c->kind == CALL_HEARTBEAT)
            heart_answered(a, c, now_ms);
        else
            release_answered(a, c);
        rota_reply_free(c->reply);
        free(c);
    }
}

void agent_heard(struct agent *a, const Rota__Reply *reply)
{
    enum error_code code = reply->error ? error_by_name(reply->error->name) : E_OK;
    if (code == E_UNAVAILABLE && !a->is_away) {
        a->is_away = true;
        log_warn("broker.away", "text=\"%s\" builds go on, trying again", reply->error->text);
    }
    if (code != E_UNAVAILABLE && code != E_TIMEOUT && a->is_away) {
        a->is_away = false;
        log_info("broker.back", "worker=%s", a->config->worker);
    }
}

/* ---- leaving ---- */

void agent_drain(struct agent *a, const char *why)
{
    if (a->is_draining)
        return;
    a->is_draining = true;
    a->heart.is_changed = true;
    log_info("worker.draining", "why=%s busy=%u", why, a->config->slots - agent_free_slots(a));
}

/* The last tries are a part of `ms`. A limit that ends before stays. */
static void leave_within(struct agent *a, uint64_t now_ms, uint64_t ms)
{
    assert(ms > LAST_TRIES_MS);
    uint64_t until_ms = now_ms + ms - LAST_TRIES_MS;
    if (a->give_up_ms == 0 || until_ms < a->give_up_ms)
        a->give_up_ms = until_ms;
    pthread_cond_broadcast(&a->changed); /* pauses between tries end with it */
}

/* Stops all builds. Their jobs go back to ready, and what is left to say gets ten seconds, or what
 * a drain has left of its time. */
static void agent_hurry(struct agent *a, const char *why)
{
    if (a->is_hurried)
        return;
    a->is_hurried = true;
    leave_within(a, clock_boot_ms(), HURRY_MS);
    log_warn("worker.stopping", "why=%s builds are killed, their jobs go back", why);
    for (uint32_t i = 0; i < a->config->slots; i++)
        if (a->slot[i].state != SLOT_FREE)
            build_stop_raise(a->slot[i].host, BUILD_SHUTDOWN);
}

void agent_refused(struct agent *a, const char *what, const Rota__Error *error)
{
    enum error_code code = error_by_name(error->name);
    bool is_auth = code != E_OK && error_row(code)->class == ERROR_AUTH;
    log_error("worker.refused", "call=%s error=%s text=\"%s\" hint=\"%s\"", what, error->name,
              error->text, error->hint);
    a->exit_code = is_auth ? EXIT_NOT_ALLOWED : EXIT_CONFIG;
    agent_drain(a, "refused");
    /* Without a key nothing can be reported: builds that go on are for nobody. */
    if (is_auth)
        agent_hurry(a, "refused");
}

static void signals_read(struct agent *a)
{
    struct signalfd_siginfo info;
    if (read(a->config->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    a->signals++;
    agent_drain(a, "signal");
    if (a->signals < 2)
        return;
    a->exit_code = EXIT_INTERRUPTED;
    agent_hurry(a, "second-signal");
}

static void idle_step(struct agent *a, uint64_t now_ms)
{
    uint64_t limit_ms = a->config->idle_exit_ms, wall_ms = clock_wall_ms();
    bool is_heated = wall_ms < a->heat_until_ms;
    if (agent_free_slots(a) < a->config->slots || is_heated || a->was_heated)
        a->busy_ms = now_ms;
    a->was_heated = is_heated;
    if (limit_ms == 0 || a->is_draining || agent_free_slots(a) < a->config->slots)
        return;
    if (is_heated)
        agent_due(a, now_ms + (a->heat_until_ms - wall_ms));
    else if (now_ms < a->busy_ms + limit_ms)
        agent_due(a, a->busy_ms + limit_ms);
    else
        agent_drain(a, "idle");
}

static void deadline_step(struct agent *a, uint64_t now_ms)
{
    for (uint32_t i = 0; i < a->config->slots; i++) {
        struct slot *s = &a->slot[i];
        bool builds = s->state == SLOT_HANDED || s->state == SLOT_BUSY;
        if (!builds || build_stop_read(s->host) != BUILD_GOES_ON)
            continue;
        if (now_ms < s->deadline_ms) {
            agent_due(a, s->deadline_ms);
            continue;
        }
        log_warn("job.timed_out", "job=%s timeout_ms=%llu killed", s->job->lease->job,
                 (unsigned long long)s->job->timeout_ms);
        build_stop_raise(s->host, BUILD_TIMED_OUT);
    }
}

/* A broker that stays away must not hold a leaving worker for ever. The time begins when the last
 * build has ended: until then the worker stays anyway, and no further build can start. */
static void drain_step(struct agent *a, uint64_t now_ms)
{
    if (!a->is_draining || a->give_up_ms > 0)
        return;
    for (uint32_t i = 0; i < a->config->slots; i++)
        if (a->slot[i].state == SLOT_HANDED || a->slot[i].state == SLOT_BUSY)
            return;
    leave_within(a, now_ms, a->config->drain_report_ms);
}

uint32_t agent_try_ms(const struct agent *a, uint32_t most_ms)
{
    if (a->give_up_ms == 0)
        return most_ms;
    uint64_t now_ms = clock_boot_ms();
    uint64_t left_ms = a->give_up_ms > now_ms ? a->give_up_ms - now_ms : 0;
    if (left_ms < LAST_TRY_MS)
        return LAST_TRY_MS;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}

/* Names the jobs of the slots from *slot on, as many as one line of the log takes whole. */
static uint32_t unreported_list(const struct agent *a, uint32_t *slot, char *names, size_t size)
{
    size_t at = 0;
    uint32_t jobs = 0;
    for (; *slot < a->config->slots && size - at > JOB_ID_TEXT_LEN + 1; ++*slot) {
        const char *job = a->slot[*slot].unreported;
        if (job[0])
            at += (size_t)snprintf(names + at, size - at, "%s%s", jobs++ > 0 ? "," : "", job);
    }
    return jobs;
}

static void unreported_say(struct agent *a)
{
    char names[1024];
    uint32_t jobs, slot = 0;
    while ((jobs = unreported_list(a, &slot, names, sizeof names)) > 0) {
        log_error("worker.unreported",
                  "jobs=%s n=%u text=\"the broker took no report of them; it gives them to another "
                  "worker when their leases have run out\"",
                  names, jobs);
        if (a->exit_code == EXIT_OK)
            a->exit_code = EXIT_TRY_AGAIN;
    }
}

/* ---- the loop ---- */

uint32_t agent_free_slots(const struct agent *a)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->config->slots; i++)
        n += a->slot[i].state == SLOT_FREE;
    return n;
}

uint32_t agent_open_slots(const struct agent *a)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->config->slots; i++)
        n += a->slot[i].state == SLOT_FREE && !a->slot[i].is_held;
    return n;
}

struct slot *agent_slot_of(struct agent *a, const char *job)
{
    for (uint32_t i = 0; i < a->config->slots; i++)
        if (a->slot[i].state != SLOT_FREE && strcmp(a->slot[i].job->lease->job, job) == 0)
            return &a->slot[i];
    return NULL;
}

static bool is_over(const struct agent *a)
{
    return a->is_draining && agent_free_slots(a) == a->config->slots && !a->poll.is_taken &&
           a->releasing == 0;
}

static bool agent_turn(struct agent *a)
{
    uint64_t now_ms = clock_boot_ms();
    pthread_mutex_lock(&a->lock);
    a->due_ms = now_ms + LOOP_MS_MAX;
    inbox_serve(a, now_ms);
    deadline_step(a, now_ms);
    idle_step(a, now_ms);
    drain_step(a, now_ms);
    lease_step(a, now_ms);
    heart_step(a, now_ms);
    bool goes_on = !is_over(a);
    pthread_mutex_unlock(&a->lock);
    return goes_on;
}

static void agent_sleep(struct agent *a)
{
    struct pollfd p[] = {{.fd = a->wake_fd, .events = POLLIN},
                         {.fd = a->config->signal_fd, .events = POLLIN}};
    uint64_t now_ms = clock_boot_ms();
    int ms = a->due_ms > now_ms ? (int)(a->due_ms - now_ms) : 0;
    if (poll(p, ARRAY_LEN(p), ms) <= 0)
        return;
    eventfd_t count;
    if (p[0].revents && eventfd_read(a->wake_fd, &count) < 0)
        assert(errno == EAGAIN);
    if (p[1].revents) {
        pthread_mutex_lock(&a->lock);
        signals_read(a);
        pthread_mutex_unlock(&a->lock);
    }
}

/* ---- start and end ---- */

static void lock_init(struct agent *a)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->inbox_lock, NULL);
}

/* One agent a process, and it lives until the process ends: answers of calls that are under way at
 * the end may still come to its inbox. */
static struct agent the_agent;

static int agent_open(struct agent *a, const struct agent_config *config)
{
    assert(config->slots > 0 && config->slots <= AGENT_SLOTS_MAX && config->class_n > 0);
    assert(!a->config);
    a->config = config;
    a->class = (char **)config->class; /* protobuf-c has no const; it only reads */
    a->lease_ms = LEASE_MS_ASSUMED;
    a->busy_ms = clock_boot_ms();
    lock_init(a);
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->wake_fd < 0)
        return err_raise(-errno);
    for (uint32_t i = 0; i < config->slots; i++) {
        int r = slot_start(a, i);
        if (r < 0)
            return err_pass(r);
    }
    return 0;
}

static void agent_close(struct agent *a)
{
    pthread_mutex_lock(&a->lock);
    a->is_closing = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    for (uint32_t i = 0; i < a->config->slots; i++)
        slot_join(&a->slot[i]);
}

int agent_run(const struct agent_config *config, int *ret_exit)
{
    struct agent *a = &the_agent;
    int r = agent_open(a, config);
    while (r == 0 && agent_turn(a))
        agent_sleep(a);
    agent_close(a);
    if (r < 0)
        return err_pass(r);
    unreported_say(a);
    *ret_exit = a->exit_code;
    return 0;
}
