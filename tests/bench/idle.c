/* idle.c: W3, an idle queue: one worker waits, one publisher publishes. Measured is the time from
 * the publish leaving to the job arriving at the worker; both are durable by then.
 *
 * The publisher gives the worker a moment to have its call parked before it publishes. */
#include "bench.h"

#include <base/clock.h>
#include <base/exit.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

enum { PARK_NS = 3000000, LEASE_WAIT_MS = 20000, ROUNDS_MAX = 1000 };

struct delivery {
    sem_t came;
    uint64_t came_ns;
    Rota__Reply *reply;
};

static void delivery_came(void *arg, Rota__Reply *reply)
{
    struct delivery *d = arg;
    d->came_ns = clock_boot_ns();
    d->reply = reply;
    sem_post(&d->came);
}

static int lease_start(struct bench *b, struct delivery *d)
{
    struct lease_text text;
    Rota__Lease lease;
    Rota__Request request = ROTA__REQUEST__INIT;
    lease_fill(&text, 0, LEASE_WAIT_MS, &lease);
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    int r = rota_call_start(b->client, &request, CALL_MS, delivery_came, d);
    return r < 0 ? err_pass(r) : 0;
}

static int publish_one(struct bench *b)
{
    struct job_text text;
    Rota__Publish publish;
    Rota__Request request = ROTA__REQUEST__INIT;
    AUTO_REPLY reply = NULL;
    job_fill(b, &text, &publish);
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    return bench_call(b, &request, &reply);
}

static int finish_one(struct bench *b, const Rota__LeasedJob *job)
{
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    AUTO_REPLY reply = NULL;
    finish.lease = job->lease;
    finish.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    request.op_case = ROTA__REQUEST__OP_FINISH;
    request.finish = &finish;
    return bench_call(b, &request, &reply);
}

/* Looks at what came, and ends the job. */
static int delivery_end(struct bench *b, struct delivery *d)
{
    AUTO_REPLY reply = d->reply;
    d->reply = NULL;
    if (reply->error || !reply->lease->n_job) {
        figures_fail(&b->figures, "the waiting worker got no job: %s",
                     reply->error ? reply->error->name : "its time was up");
        return 0;
    }
    return finish_one(b, reply->lease->job[0]);
}

static int round_run(struct bench *b, struct delivery *d, struct load_result *result)
{
    static const struct timespec pause = {.tv_nsec = PARK_NS};
    int r = lease_start(b, d);
    if (r < 0)
        return err_pass(r);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    uint64_t sent_ns = clock_boot_ns();
    int published = publish_one(b);
    while (sem_wait(&d->came) < 0 && errno == EINTR)
        continue;
    histogram_add(&result->latency_us, (d->came_ns - sent_ns) / 1000);
    result->jobs++;
    r = delivery_end(b, d);
    return published ? published : r;
}

int idle_run(struct bench *b)
{
    struct delivery d = {0};
    struct load_result result = {0};
    uint64_t rounds = b->settings->jobs < ROUNDS_MAX ? b->settings->jobs : ROUNDS_MAX;
    uint64_t began_ns = clock_boot_ns();
    int r = 0;
    sem_init(&d.came, 0, 0);
    for (uint64_t i = 0; i < rounds && r == 0 && !load_interrupted && !b->figures.fails; i++)
        r = round_run(b, &d, &result);
    sem_destroy(&d.came);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    result.seconds = (double)(clock_boot_ns() - began_ns) / 1e9;
    load_figure(b, &result);
    return 0;
}
