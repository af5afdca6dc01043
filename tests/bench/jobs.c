/* jobs.c: the requests that scenarios send, and what the broker and its disk count meanwhile. */
#include "bench.h"

#include "disk.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>

void account_name(uint64_t turn, char name[ACCOUNT_NAME_MAX])
{
    snprintf(name, ACCOUNT_NAME_MAX, "bench-%04llu", (unsigned long long)turn + 1);
}

void job_fill(struct bench *b, struct job_text *text, Rota__Publish *ret_publish)
{
    uint64_t turn = atomic_fetch_add(&b->next_account, 1);
    rota__publish__init(ret_publish);
    account_name(turn % b->settings->accounts, text->account);
    ret_publish->account = text->account;
    ret_publish->app = (char *)"bench";
    ret_publish->class_ = (char *)"task";
    ret_publish->spec = (ProtobufCBinaryData){SPEC_BYTES, (uint8_t *)b->spec};
    if (b->settings->no_keys)
        return;
    rota_idempotency_key(text->key);
    ret_publish->idempotency_key = text->key;
}

/* A worker's newer call replaces its parked one, so each slot is a worker of its own. */
void lease_fill(struct lease_text *text, unsigned index, uint32_t wait_ms, Rota__Lease *ret_lease)
{
    rota__lease__init(ret_lease);
    snprintf(text->worker, sizeof text->worker, "bench-%d-%u", (int)getpid(), index);
    randombytes_buf(text->nonce, sizeof text->nonce);
    text->class[0] = (char *)"task";
    ret_lease->worker = text->worker;
    ret_lease->class_ = text->class;
    ret_lease->n_class_ = 1;
    ret_lease->jobs_max = 1;
    ret_lease->wait_ms = wait_ms;
    ret_lease->nonce = (ProtobufCBinaryData){sizeof text->nonce, text->nonce};
}

static uint64_t own_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int counts_read(struct bench *b, struct counts *ret_counts)
{
    Rota__Stats stats = ROTA__STATS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    AUTO_REPLY reply = NULL;
    request.op_case = ROTA__REQUEST__OP_STATS;
    request.stats = &stats;
    int r = bench_call(b, &request, &reply);
    if (r != 0)
        return r;
    ret_counts->turns = reply->stats->turns;
    ret_counts->flushes = disk_flushes(b->broker ? b->broker->dir : ".");
    ret_counts->broker_cpu_ns = b->broker ? broker_cpu_ns(b->broker) : 0;
    ret_counts->own_cpu_ns = own_cpu_ns();
    ret_counts->live = 0;
    for (size_t i = 0; i < reply->stats->n_tier; i++) {
        const Rota__TierStats *tier = reply->stats->tier[i];
        ret_counts->live += tier->ready + tier->delayed + tier->held + tier->leased;
    }
    return 0;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

void counts_figure(struct bench *b, const struct counts *before, const struct counts *after,
                   uint64_t jobs)
{
    uint64_t turns = after->turns - before->turns, flushes = after->flushes - before->flushes;
    figures_count(&b->figures, "turns", turns);
    figures_fraction(&b->figures, "jobs_per_turn", ratio(jobs, turns));
    figures_count(&b->figures, "flushes", flushes);
    figures_fraction(&b->figures, "flushes_per_turn", ratio(flushes, turns));
    figures_fraction(&b->figures, "broker_cpu_us_per_job",
                     ratio(after->broker_cpu_ns - before->broker_cpu_ns, jobs) / 1000);
    figures_fraction(&b->figures, "bench_cpu_us_per_job",
                     ratio(after->own_cpu_ns - before->own_cpu_ns, jobs) / 1000);
}

void load_figure(struct bench *b, const struct load_result *result)
{
    figures_speed(&b->figures, result->jobs, result->seconds, &result->latency_us);
    figures_count(&b->figures, "refused", result->refused);
    if (result->refused)
        figures_fail(&b->figures, "%llu calls were refused, first %s",
                     (unsigned long long)result->refused, result->refusal);
    else if (load_interrupted)
        figures_fail(&b->figures, "interrupted");
    else if (!result->jobs)
        figures_fail(&b->figures, "no job went through");
}
