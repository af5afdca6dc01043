/* restart.c: W5, kill -9 under load, start again: how soon does a worker that waits get a job, and
 * is everything there that was acknowledged?
 *
 * Fill the queue; publish, one job a message; kill at a moment that nobody chose; let a worker
 * wait; start; then ask for every job that was acknowledged under the load, one by one. Memory of
 * the process is read empty, full and after the restart. */
#include "bench.h"
#include "disk.h"
#include "waiter.h"

#include <base/clock.h>
#include <base/exit.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

enum {
    FILL_IN_FLIGHT = 16,
    LOAD_SECONDS_MAX = 60,
    KILL_MS_MIN = 300,
    KILL_MS_RANGE = 1200,
    LEASE_WAIT_MS = 60000,
    FIRST_LEASE_MS_MAX = 100,
    REQUEST_BYTES_MAX = 1024,
};

struct restart {
    struct bench *bench;
    uint64_t filled;
    struct acked *acked; /* of the load, one for each slot */
    uint64_t acked_n;
    double first_lease_ms;
    _Atomic uint64_t lost;
};

static int fill(struct restart *x)
{
    struct bench *b = x->bench;
    struct load_result result;
    struct publish_plan plan = {
        .bench = b, .in_flight = FILL_IN_FLIGHT, .bulk = BULK_MAX, .jobs = b->settings->jobs};
    int r = publish_all(&plan, &result);
    if (r < 0)
        return err_pass(r);
    x->filled = result.jobs;
    if (result.refused)
        figures_fail(&b->figures, "the queue could not be filled: %s", result.refusal);
    figures_fraction(&b->figures, "fill_s", result.seconds);
    return 0;
}

/* Publishes until the kill breaks every call. */
static int load_and_kill(struct restart *x)
{
    struct bench *b = x->bench;
    AUTO(load) load = NULL;
    struct publish_plan plan = {.bench = b,
                                .in_flight = (unsigned)b->settings->in_flight,
                                .bulk = 1,
                                .seconds = LOAD_SECONDS_MAX,
                                .acked = x->acked};
    int r = publish_start(&plan, &load);
    if (r < 0)
        return err_pass(r);
    uint32_t ms = KILL_MS_MIN + randombytes_uniform(KILL_MS_RANGE);
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    broker_kill(b->broker);
    load_wait(load);
    struct load_result result;
    load_result(load, &result);
    x->acked_n = result.jobs;
    figures_count(&b->figures, "killed_after_ms", ms);
    return 0;
}

static int waiter_open(struct restart *x, struct waiter **ret_waiter)
{
    struct bench *b = x->bench;
    struct lease_text text;
    uint8_t bytes[REQUEST_BYTES_MAX];
    Rota__Lease lease;
    Rota__Request request = ROTA__REQUEST__INIT;
    lease_fill(&text, 0, LEASE_WAIT_MS, &lease);
    request.request_id = 1;
    request.credential = b->credential;
    request.environment = b->environment;
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    if (rota__request__get_packed_size(&request) > sizeof bytes)
        return err_raise(-EMSGSIZE);
    size_t n = rota__request__pack(&request, bytes);
    int r = waiter_new(b->url, bytes, n, ret_waiter);
    return r < 0 ? err_pass(r) : 0;
}

static void lease_check(struct restart *x, const void *bytes, size_t n)
{
    Rota__Reply *reply = rota__reply__unpack(NULL, n, bytes);
    if (!reply || reply->error || !reply->lease || !reply->lease->n_job)
        figures_fail(&x->bench->figures, "the waiting worker got no job: %s",
                     reply && reply->error ? reply->error->name : "an empty reply");
    rota_reply_free(reply);
}

/* From just before the fork to the reply in the worker's hands. */
static int start_again(struct restart *x)
{
    struct bench *b = x->bench;
    AUTO(waiter) waiter = NULL;
    const void *reply = NULL;
    size_t n = 0;
    uint64_t came_ns = 0;
    int r = waiter_open(x, &waiter);
    if (r < 0)
        return err_pass(r);
    uint64_t began_ns = clock_boot_ns();
    r = broker_start(b->broker);
    if (r == 0)
        r = waiter_wait(waiter, &came_ns, &reply, &n);
    if (r < 0)
        return err_pass(r);
    x->first_lease_ms = (double)(came_ns - began_ns) / 1e6;
    lease_check(x, reply, n);
    r = broker_wait(b->broker);
    return r > 0 ? EXIT_UNAVAILABLE : r;
}

/* ---- is it all there? ---- */

struct asker {
    size_t next; /* of the slot's ids */
};

/* Each slot asks for the ids that the slot of its number was given. */
static bool ask_step(struct slot *s, const Rota__Reply *reply)
{
    struct restart *x = s->arg;
    struct asker *a = s->own;
    const struct acked *acked = &x->acked[s->index];
    Rota__Status status = ROTA__STATUS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    if (reply && reply->error && strcmp(reply->error->name, "JOB_UNKNOWN") == 0)
        atomic_fetch_add(&x->lost, 1);
    else if (reply && reply->error)
        slot_refused(s, reply->error);
    else if (reply)
        s->jobs++;
    if (a->next == acked->n || load_interrupted)
        return false;
    status.job = acked->ids[a->next++];
    request.op_case = ROTA__REQUEST__OP_STATUS;
    request.status = &status;
    return slot_call(s, &request, CALL_MS);
}

static int ask_all(struct restart *x)
{
    struct bench *b = x->bench;
    AUTO(load) load = NULL;
    struct load_config config = {.client = b->client,
                                 .in_flight = (unsigned)b->settings->in_flight,
                                 .step = ask_step,
                                 .arg = x,
                                 .own_bytes = sizeof(struct asker)};
    int r = load_start(&config, &load);
    if (r < 0)
        return err_pass(r);
    load_wait(load);
    struct load_result result;
    load_result(load, &result);
    figures_count(&b->figures, "asked_for", result.jobs + atomic_load(&x->lost));
    if (result.refused)
        figures_fail(&b->figures, "asking for a job was refused: %s", result.refusal);
    return 0;
}

static void verdict(struct restart *x, uint64_t stored)
{
    struct figures *f = &x->bench->figures;
    uint64_t acked = x->filled + x->acked_n, lost = atomic_load(&x->lost);
    figures_count(f, "acknowledged", acked);
    figures_count(f, "stored", stored);
    figures_count(f, "lost", lost);
    figures_fraction(f, "first_lease_ms", x->first_lease_ms);
    if (lost || stored < acked)
        figures_fail(f, "of %llu acknowledged jobs %llu are stored", (unsigned long long)acked,
                     (unsigned long long)(stored - lost));
    if (x->first_lease_ms > FIRST_LEASE_MS_MAX)
        figures_fail(f, "first lease after %.1f ms, at most %d", x->first_lease_ms,
                     FIRST_LEASE_MS_MAX);
    if (load_interrupted)
        figures_fail(f, "interrupted");
}

static int after_restart(struct restart *x)
{
    struct bench *b = x->bench;
    struct counts counts;
    int r = bench_connect(b);
    if (r == 0)
        r = counts_read(b, &counts);
    if (r == 0)
        r = ask_all(x);
    if (r != 0)
        return r;
    figures_count(&b->figures, "anon_after_kib", broker_anon_kib(b->broker));
    verdict(x, counts.live);
    return 0;
}

static int restart(struct restart *x)
{
    struct bench *b = x->bench;
    uint64_t empty_kib = broker_anon_kib(b->broker), empty_bytes = disk_bytes(b->broker->dir);
    int r = fill(x);
    if (r < 0)
        return err_pass(r);
    uint64_t full_kib = broker_anon_kib(b->broker), bytes = disk_bytes(b->broker->dir);
    figures_count(&b->figures, "anon_empty_kib", empty_kib);
    figures_count(&b->figures, "anon_full_kib", full_kib);
    if (x->filled)
        figures_count(&b->figures, "disk_bytes_per_job", (bytes - empty_bytes) / x->filled);
    r = load_and_kill(x);
    if (r == 0)
        r = start_again(x);
    if (r == 0)
        r = after_restart(x);
    return r < 0 ? err_pass(r) : r;
}

int restart_run(struct bench *b)
{
    unsigned slots = (unsigned)b->settings->in_flight;
    struct restart x = {.bench = b, .acked = calloc(slots, sizeof *x.acked)};
    if (!x.acked)
        return err_raise(-ENOMEM);
    int r = restart(&x);
    for (unsigned i = 0; i < slots; i++)
        free(x.acked[i].ids);
    free(x.acked);
    return r < 0 ? err_pass(r) : r;
}
