/* look.c: W6, looking at a deep queue: fill it with --jobs, then publish --rate jobs a second, one
 * a message, and ask meanwhile, one after the other: why and status of jobs chosen by lot, the next
 * 20, and stats. Measured is each answer from its asking; with a million jobs why, status and next
 * may take 5 ms in 99 of 100 cases.
 *
 * A thread of its own sends what is due each millisecond; calls that wait are bounded by
 * --in-flight, so a broker that cannot keep up shows in the rate that was reached. */
#include "bench.h"

#include <base/clock.h>
#include <base/exit.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <time.h>

enum { FILL_IN_FLIGHT = 16, TICK_NS = 1000000, NEXT_COUNT = 20, P99_US_MAX = 5000, SLOTS = 8 };
enum { DEEP_JOBS = 1000000 }; /* a shallower queue is held to nothing */

/* ---- the load meanwhile ---- */

struct pacer {
    struct bench *bench;
    pthread_t thread;
    _Atomic bool stops;
    _Atomic uint64_t waiting, acked, refused;
    uint64_t began_ns, ended_ns, sent;
};

static void paced_done(void *arg, Rota__Reply *reply)
{
    struct pacer *p = arg;
    atomic_fetch_add(reply->error ? &p->refused : &p->acked, 1);
    atomic_fetch_sub(&p->waiting, 1);
    rota_reply_free(reply);
}

static bool paced_send(struct pacer *p)
{
    struct job_text text;
    Rota__Publish publish;
    Rota__Request request = ROTA__REQUEST__INIT;
    job_fill(p->bench, &text, &publish);
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    atomic_fetch_add(&p->waiting, 1);
    if (rota_call_start(p->bench->client, &request, CALL_MS, paced_done, p) == 0)
        return true;
    atomic_fetch_sub(&p->waiting, 1);
    atomic_fetch_add(&p->refused, 1);
    return false;
}

static void tick(void)
{
    static const struct timespec pause = {.tv_nsec = TICK_NS};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void *pacer_main(void *arg)
{
    struct pacer *p = arg;
    const struct settings *s = p->bench->settings;
    p->began_ns = clock_boot_ns();
    while (!atomic_load(&p->stops) && !load_interrupted) {
        uint64_t due = (clock_boot_ns() - p->began_ns) / 1000 * s->rate / 1000000;
        while (p->sent < due && atomic_load(&p->waiting) < s->in_flight && paced_send(p))
            p->sent++;
        tick();
    }
    p->ended_ns = clock_boot_ns();
    while (atomic_load(&p->waiting))
        tick();
    return NULL;
}

/* ---- asking ---- */

struct asked {
    const char *p50, *p99; /* figures */
    struct histogram latency_us;
};

enum question { ASK_WHY, ASK_STATUS, ASK_NEXT, ASK_STATS, QUESTIONS };

struct look {
    struct bench *bench;
    struct acked *acked; /* of the filling, one for each slot */
    struct asked asked[QUESTIONS];
    uint64_t deep; /* answers of why that said "more than" */
    struct pacer pacer;
};

static const char *job_by_lot(const struct look *x)
{
    const struct acked *a;
    do
        a = &x->acked[randombytes_uniform(FILL_IN_FLIGHT)];
    while (!a->n);
    return a->ids[randombytes_uniform((uint32_t)a->n)];
}

static int ask(struct look *x, enum question question)
{
    Rota__Why why = ROTA__WHY__INIT;
    Rota__Status status = ROTA__STATUS__INIT;
    Rota__Next next = ROTA__NEXT__INIT;
    Rota__Stats stats = ROTA__STATS__INIT;
    Rota__Request requests[QUESTIONS];
    AUTO_REPLY reply = NULL;
    for (int i = 0; i < QUESTIONS; i++)
        rota__request__init(&requests[i]);
    why.job = status.job = (char *)job_by_lot(x);
    next.pool = (char *)"task";
    next.count = NEXT_COUNT;
    requests[ASK_WHY].op_case = ROTA__REQUEST__OP_WHY;
    requests[ASK_WHY].why = &why;
    requests[ASK_STATUS].op_case = ROTA__REQUEST__OP_STATUS;
    requests[ASK_STATUS].status = &status;
    requests[ASK_NEXT].op_case = ROTA__REQUEST__OP_NEXT;
    requests[ASK_NEXT].next = &next;
    requests[ASK_STATS].op_case = ROTA__REQUEST__OP_STATS;
    requests[ASK_STATS].stats = &stats;
    uint64_t asked_ns = clock_boot_ns();
    int r = bench_call(x->bench, &requests[question], &reply);
    histogram_add(&x->asked[question].latency_us, (clock_boot_ns() - asked_ns) / 1000);
    if (r == 0 && question == ASK_WHY)
        x->deep += reply->why->place_is_more;
    return r;
}

/* A worker, so that the answers have slots to reckon with. */
static int worker_begin(struct bench *b)
{
    char *class[] = {(char *)"task"};
    Rota__Heartbeat beat = ROTA__HEARTBEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    AUTO_REPLY reply = NULL;
    beat.worker = (char *)"bench-look";
    beat.class_ = class;
    beat.n_class_ = 1;
    beat.slots = SLOTS;
    request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    request.heartbeat = &beat;
    return bench_call(b, &request, &reply);
}

static int ask_all(struct look *x)
{
    uint64_t until_ns = clock_boot_ns() + x->bench->settings->seconds * 1000000000;
    int r = 0;
    for (uint64_t i = 0; r == 0 && clock_boot_ns() < until_ns && !load_interrupted; i++) {
        /* stats follows the accounts and is asked by people: now and then */
        for (int q = ASK_WHY; q <= ASK_NEXT && r == 0; q++)
            r = ask(x, (enum question)q);
        if (r == 0 && i % 16 == 0)
            r = ask(x, ASK_STATS);
    }
    return r;
}

/* ---- the run ---- */

static int fill(struct look *x)
{
    struct bench *b = x->bench;
    struct load_result result;
    struct publish_plan plan = {.bench = b,
                                .in_flight = FILL_IN_FLIGHT,
                                .bulk = BULK_MAX,
                                .jobs = b->settings->jobs,
                                .acked = x->acked};
    int r = publish_all(&plan, &result);
    if (r < 0)
        return err_pass(r);
    if (result.refused)
        figures_fail(&b->figures, "the queue could not be filled: %s", result.refusal);
    figures_count(&b->figures, "filled", result.jobs);
    figures_fraction(&b->figures, "fill_s", result.seconds);
    return 0;
}

static void verdict(struct look *x)
{
    struct figures *f = &x->bench->figures;
    const struct pacer *p = &x->pacer;
    double seconds = (double)(p->ended_ns - p->began_ns) / 1e9;
    uint64_t answers = 0;
    for (int q = 0; q < QUESTIONS; q++) {
        const struct asked *a = &x->asked[q];
        uint64_t p99_us = histogram_percentile(&a->latency_us, 99);
        answers += a->latency_us.count;
        figures_count(f, a->p50, histogram_percentile(&a->latency_us, 50));
        figures_count(f, a->p99, p99_us);
        if (q != ASK_STATS && p99_us > P99_US_MAX && x->bench->settings->jobs >= DEEP_JOBS)
            figures_fail(f, "%s is %llu, at most %d", a->p99, (unsigned long long)p99_us,
                         P99_US_MAX);
    }
    figures_count(f, "answers", answers);
    figures_count(f, "why_more_than", x->deep);
    figures_fraction(f, "publishes_per_s", seconds > 0 ? (double)p->acked / seconds : 0);
    if (p->refused)
        figures_fail(f, "%llu publishes were refused", (unsigned long long)p->refused);
    if (load_interrupted)
        figures_fail(f, "interrupted");
}

static int look(struct look *x)
{
    int r = fill(x);
    if (r == 0)
        r = worker_begin(x->bench);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    r = pthread_create(&x->pacer.thread, NULL, pacer_main, &x->pacer);
    if (r)
        return err_raise(-r);
    r = ask_all(x);
    atomic_store(&x->pacer.stops, true);
    pthread_join(x->pacer.thread, NULL);
    if (r == 0)
        verdict(x);
    return r;
}

int look_run(struct bench *b)
{
    struct acked acked[FILL_IN_FLIGHT] = {0};
    struct look x = {.bench = b,
                     .acked = acked,
                     .asked = {{.p50 = "why_p50_us", .p99 = "why_p99_us"},
                               {.p50 = "status_p50_us", .p99 = "status_p99_us"},
                               {.p50 = "next_p50_us", .p99 = "next_p99_us"},
                               {.p50 = "stats_p50_us", .p99 = "stats_p99_us"}},
                     .pacer = {.bench = b}};
    int r = look(&x);
    for (size_t i = 0; i < ARRAY_LEN(acked); i++)
        free(acked[i].ids);
    return r < 0 ? err_pass(r) : r;
}
