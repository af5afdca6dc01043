/* sim_worker.c: see sim_worker.h. Three calls may be open at once, as a real worker has them: one
 * that polls (or ends a job and polls), one that says how a job ended, one heartbeat. */
#include "sim/sim_worker.h"

#include "engine/map.h"
#include "sim/call.h"
#include "sim/runs.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    HELD_MAX = 24,
    SLOTS_MAX = 4,
    PAUSE_MS_MAX = 60,
    PATIENCE_MS = 250,
    AWAY_PART = 40, /* of the storm, at each waking */
    NONCE_BYTES = 16,
    IDLE_BEAT_MS = 5000, /* in the end, of one that has nothing to do */
};

struct held {
    char job[JOB_ID_TEXT_LEN + 1];
    uint64_t token, due_ms;
    uint32_t epoch;
    const struct run *run;
    bool is_cancelled; /* the broker said so: it is given back */
    bool is_said;      /* a call says how it ended */
    bool is_told;      /* the open heartbeat speaks of it */
};

struct sim_worker {
    struct actor actor;
    unsigned pool, slots;
    struct held held[HELD_MAX];
    size_t held_n;
    struct call poll, say, beat;
    uint64_t poll_token, say_token; /* of the jobs that these calls end; 0: none */
    uint64_t poll_ms, beat_ms;      /* not before */
    uint64_t away_until_ms;
};

/* ---- what it holds ---- */

static struct held *held_by_token(struct sim_worker *s, uint64_t token)
{
    for (size_t i = 0; i < s->held_n; i++)
        if (s->held[i].token == token)
            return &s->held[i];
    return NULL;
}

static struct held *held_by_job(struct sim_worker *s, const char *job)
{
    for (size_t i = 0; i < s->held_n; i++)
        if (strcmp(s->held[i].job, job) == 0)
            return &s->held[i];
    return NULL;
}

static void held_drop(struct sim_worker *s, struct held *h)
{
    *h = s->held[--s->held_n];
}

static void held_add(struct world *w, struct sim_worker *s, const Rota__LeasedJob *job)
{
    /* Each call has a nonce of its own and is heard once: nothing comes by two of them. */
    if (held_by_token(s, job->lease->token))
        world_violated(w, "%s gets %s under token %llu once more", s->actor.name, job->lease->job,
                       (unsigned long long)job->lease->token);
    if (s->held_n == HELD_MAX)
        return;
    struct held *h = &s->held[s->held_n++];
    *h = (struct held){
        .token = job->lease->token, .epoch = job->lease->epoch, .run = run_choose(w, job->class_)};
    h->due_ms = w->clock.now_ms + run_ms(w);
    snprintf(h->job, sizeof h->job, "%s", job->lease->job);
}

/* Is it time to say how it ended? */
static bool held_is_due(const struct world *w, const struct held *h)
{
    if (h->is_said)
        return false;
    return h->is_cancelled || w->is_ending || (h->due_ms <= w->clock.now_ms && !h->run->is_endless);
}

static struct held *held_due(struct world *w, struct sim_worker *s)
{
    for (size_t i = 0; i < s->held_n; i++)
        if (held_is_due(w, &s->held[i]))
            return &s->held[i];
    return NULL;
}

/* ---- what it says ---- */

static Rota__LeaseRef ref_of(struct held *h)
{
    Rota__LeaseRef ref = ROTA__LEASE_REF__INIT;
    ref.job = h->job;
    ref.epoch = h->epoch;
    ref.token = h->token;
    return ref;
}

static struct about about_of(const struct held *h)
{
    struct about about = {.token = h->token};
    if (job_id_parse(h->job, &about.job) != 0)
        abort();
    return about;
}

static uint32_t patience(struct world *w, uint32_t wait_ms)
{
    return wait_ms + PATIENCE_MS + world_below(w, PATIENCE_MS);
}

/* Every class of its pool. */
static size_t classes_fill(const struct sim_worker *s, char *classes[CLASSES])
{
    size_t n = 0;
    for (unsigned i = 0; i < CLASSES; i++)
        if (world_pool_of(i) == s->pool)
            classes[n++] = (char *)world_class(i);
    return n;
}

struct polling {
    Rota__Lease lease;
    uint8_t nonce[NONCE_BYTES];
    char *classes[CLASSES];
};

static void poll_fill(struct world *w, struct sim_worker *s, struct polling *p)
{
    static const uint32_t waits_ms[] = {0, 100, 1000, 5000};
    rota__lease__init(&p->lease);
    for (size_t i = 0; i < sizeof p->nonce; i++)
        p->nonce[i] = (uint8_t)random_next(&w->random);
    p->lease.worker = s->actor.name;
    p->lease.pool = (char *)world_pool(s->pool);
    p->lease.class_ = p->classes;
    p->lease.n_class_ = classes_fill(s, p->classes);
    p->lease.jobs_max = s->held_n < s->slots ? (uint32_t)(s->slots - s->held_n) : 1;
    p->lease.wait_ms = waits_ms[world_below(w, ARRAY_LEN(waits_ms))];
    p->lease.nonce = (ProtobufCBinaryData){sizeof p->nonce, p->nonce};
}

static void poll(struct world *w, struct sim_worker *s)
{
    static const struct about none;
    struct polling p;
    Rota__Request request = ROTA__REQUEST__INIT;
    poll_fill(w, s, &p);
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &p.lease;
    s->poll_token = 0;
    call_begin(w, &s->actor, &s->poll, &request, none, patience(w, p.lease.wait_ms));
}

static void finish_and_poll(struct world *w, struct sim_worker *s, struct held *h)
{
    struct polling p;
    struct leaving leaving;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__FinishAndLease both = ROTA__FINISH_AND_LEASE__INIT;
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__LeaseRef ref = ref_of(h);
    poll_fill(w, s, &p);
    finish.lease = &ref;
    finish.outcome = h->run->outcome;
    run_leave(w, h->run, &leaving, &finish);
    both.finish = &finish;
    both.lease = &p.lease;
    request.op_case = ROTA__REQUEST__OP_FINISH_AND_LEASE;
    request.finish_and_lease = &both;
    s->poll_token = h->token;
    h->is_said = true;
    call_begin(w, &s->actor, &s->poll, &request, about_of(h), patience(w, p.lease.wait_ms));
}

static void finish(struct world *w, struct sim_worker *s, struct held *h)
{
    struct leaving leaving;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__LeaseRelease release = ROTA__LEASE_RELEASE__INIT;
    Rota__LeaseRef ref = ref_of(h);
    finish.lease = release.lease = &ref;
    finish.outcome = h->run->outcome;
    run_leave(w, h->run, &leaving, &finish);
    release.infrastructure_fault = h->run->is_fault;
    if (h->is_cancelled || !h->run->outcome) {
        request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
        request.lease_release = &release;
    } else {
        request.op_case = ROTA__REQUEST__OP_FINISH;
        request.finish = &finish;
    }
    s->say_token = h->token;
    h->is_said = true;
    call_begin(w, &s->actor, &s->say, &request, about_of(h), patience(w, 0));
}

static void beat(struct world *w, struct sim_worker *s)
{
    static const struct about none;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Heartbeat q = ROTA__HEARTBEAT__INIT;
    Rota__JobProgress progress[HELD_MAX], *list[HELD_MAX];
    Rota__LeaseRef refs[HELD_MAX];
    char *classes[CLASSES];
    for (size_t i = 0; i < s->held_n; i++) {
        refs[i] = ref_of(&s->held[i]);
        rota__job_progress__init(&progress[i]);
        progress[i].lease = &refs[i];
        progress[i].percent = world_below(w, 101);
        list[i] = &progress[i];
        s->held[i].is_told = true;
    }
    q.worker = s->actor.name;
    q.pool = (char *)world_pool(s->pool);
    q.class_ = classes;
    q.n_class_ = classes_fill(s, classes);
    q.slots = s->slots;
    q.progress = list;
    q.n_progress = s->held_n;
    q.wait_ms = world_chance(w, 700) ? (uint32_t)w->host.lease_ms / 3 : 0;
    request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    request.heartbeat = &q;
    s->beat_ms =
        w->clock.now_ms + (s->held_n || !w->is_ending ? w->host.lease_ms / 4 : IDLE_BEAT_MS);
    call_begin(w, &s->actor, &s->beat, &request, none, (uint32_t)w->host.lease_ms / 2);
}

/* ---- what it hears ---- */

/* The broker has answered how a job ended. */
static void ended(struct world *w, struct sim_worker *s, uint64_t token, const char *refusal)
{
    struct held *h = held_by_token(s, token);
    w->stats[STAT_STALE] += strcmp(refusal, "LEASE_LOST") == 0;
    if (!h)
        return;
    if (strcmp(refusal, "CANCELLED") != 0) {
        held_drop(s, h);
        return;
    }
    h->is_cancelled = true;
    h->is_said = false;
}

static void hear_poll(struct world *w, struct sim_worker *s, const Rota__Reply *reply)
{
    static const char lost[] = "LEASE_LOST CANCELLED";
    const Rota__LeaseResult *got = reply->lease;
    call_end(&s->poll);
    call_refusal(w, &s->actor, reply->error, "");
    if (reply->result_case == ROTA__REPLY__RESULT_FINISH_AND_LEASE) {
        const Rota__FinishAndLeaseResult *both = reply->finish_and_lease;
        ended(w, s, s->poll_token, call_refusal(w, &s->actor, both->finish_error, lost));
        call_refusal(w, &s->actor, both->lease_error, "");
        got = both->lease;
    }
    for (size_t i = 0; got && i < got->n_job; i++)
        held_add(w, s, got->job[i]);
    s->poll_ms = w->clock.now_ms + (got && got->n_job ? 0 : world_below(w, PAUSE_MS_MAX));
}

static void hear_say(struct world *w, struct sim_worker *s, const Rota__Reply *reply)
{
    call_end(&s->say);
    ended(w, s, s->say_token, call_refusal(w, &s->actor, reply->error, "LEASE_LOST CANCELLED"));
}

static void hear_beat(struct world *w, struct sim_worker *s, const Rota__Reply *reply)
{
    const Rota__HeartbeatResult *said = reply->heartbeat;
    call_end(&s->beat);
    call_refusal(w, &s->actor, reply->error, "");
    for (size_t i = 0; i < said->n_cancel; i++) {
        struct held *h = held_by_job(s, said->cancel[i]);
        if (h)
            h->is_cancelled = true;
    }
    for (size_t i = 0; i < said->n_lost; i++) {
        struct held *h = held_by_job(s, said->lost[i]);
        if (h && h->is_told && !h->is_said)
            held_drop(s, h);
    }
    for (size_t i = 0; i < s->held_n; i++)
        s->held[i].is_told = false;
}

static void hear(struct world *w, struct actor *a, const Rota__Reply *reply)
{
    static const struct {
        size_t call;
        void (*hear)(struct world *w, struct sim_worker *s, const Rota__Reply *reply);
    } calls[] = {{offsetof(struct sim_worker, poll), hear_poll},
                 {offsetof(struct sim_worker, say), hear_say},
                 {offsetof(struct sim_worker, beat), hear_beat}};
    struct sim_worker *s = CONTAINER(a, sim_worker, actor);
    if (w->clock.now_ms < s->away_until_ms)
        return;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (call_answered(w, (struct call *)(void *)((char *)s + calls[i].call), reply)) {
            calls[i].hear(w, s, reply);
            break;
        }
    world_wake(w, a, w->clock.now_ms + 1);
}

/* ---- what it does ---- */

/* Dies: all is forgotten. Or vanishes: it comes back, later than its leases live, and goes on. */
static void go_away(struct world *w, struct sim_worker *s)
{
    bool is_death = world_chance(w, 500);
    w->stats[is_death ? STAT_WORKERS_DIED : STAT_WORKERS_VANISHED]++;
    world_trace(w, "%s %s", s->actor.name, is_death ? "dies" : "vanishes");
    s->away_until_ms = w->clock.now_ms + world_below(w, (unsigned)w->host.lease_ms * 3);
    if (!is_death)
        return;
    s->held_n = 0;
    call_end(&s->poll);
    call_end(&s->say);
    call_end(&s->beat);
    world_reconnect(w, &s->actor, world_chance(w, 800));
}

static void act(struct world *w, struct sim_worker *s)
{
    struct held *h = held_due(w, s);
    bool may_both = h && h->run->outcome && !h->is_cancelled && !call_is_open(&s->poll);
    if (!call_is_open(&s->beat) && s->beat_ms <= w->clock.now_ms)
        beat(w, s);
    if (may_both && world_chance(w, 500))
        finish_and_poll(w, s, h);
    else if (h && !call_is_open(&s->say))
        finish(w, s, h);
    if (!call_is_open(&s->poll) && s->held_n < s->slots && s->poll_ms <= w->clock.now_ms)
        poll(w, s);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t again_ms(const struct call *c)
{
    return call_is_open(c) ? c->again_ms : UINT64_MAX;
}

static uint64_t next_ms(const struct world *w, const struct sim_worker *s)
{
    uint64_t at_ms = sooner(again_ms(&s->poll), sooner(again_ms(&s->say), again_ms(&s->beat)));
    if (!call_is_open(&s->beat))
        at_ms = sooner(at_ms, s->beat_ms);
    if (!call_is_open(&s->poll) && s->held_n < s->slots)
        at_ms = sooner(at_ms, s->poll_ms);
    for (size_t i = 0; i < s->held_n && !call_is_open(&s->say); i++)
        if (held_is_due(w, &s->held[i]) || (!s->held[i].is_said && !s->held[i].run->is_endless))
            at_ms = sooner(at_ms, s->held[i].due_ms);
    return at_ms;
}

static void wake(struct world *w, struct actor *a)
{
    struct sim_worker *s = CONTAINER(a, sim_worker, actor);
    if (w->is_ending)
        s->away_until_ms = 0;
    else if (w->clock.now_ms >= s->away_until_ms && world_chance(w, w->storm_permille / AWAY_PART))
        go_away(w, s);
    if (w->clock.now_ms < s->away_until_ms) {
        world_wake(w, a, s->away_until_ms);
        return;
    }
    call_tend(w, a, &s->poll);
    call_tend(w, a, &s->say);
    call_tend(w, a, &s->beat);
    act(w, s);
    world_wake(w, a, next_ms(w, s));
}

static struct actor *sim_worker_free(struct actor *a)
{
    struct sim_worker *s = CONTAINER(a, sim_worker, actor);
    call_end(&s->poll);
    call_end(&s->say);
    call_end(&s->beat);
    free(s);
    return NULL;
}

void sim_worker_add(struct world *w, unsigned number)
{
    static const struct actor_kind kind = {wake, hear, sim_worker_free};
    char name[16];
    struct sim_worker *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    snprintf(name, sizeof name, "w%u", number);
    world_add(w, &s->actor, &kind, name);
    s->pool = number % POOLS;
    s->slots = w->kind.is_steady ? 2 : 1 + world_below(w, SLOTS_MAX);
    world_wake(w, &s->actor, 1 + number);
}
