/* view_kit.c: see view_kit.h. */
#include "view_kit.h"

Rota__TierStats tiers[4];
static Rota__TierStats *tier_list[] = {&tiers[0], &tiers[1], &tiers[2], &tiers[3]};
Rota__PoolStats pools[2];
static Rota__PoolStats *pool_list[] = {&pools[0], &pools[1]};
static Rota__WorkerJob jobs[4];
static Rota__WorkerJob *job_list[] = {&jobs[0], &jobs[1], &jobs[2], &jobs[3]};
Rota__WorkerStats workers[3];
static Rota__WorkerStats *worker_list[] = {&workers[0], &workers[1], &workers[2]};
Rota__NextJob nexts[VIEW_NEXTS];
static Rota__NextJob *next_list[VIEW_NEXTS];
Rota__StatsResult stats;
static Rota__NextResult next;
struct model model;

void tier_fill(int t, uint64_t ready, uint64_t delayed, uint64_t held, uint64_t leased,
               uint64_t oldest_ms)
{
    rota__tier_stats__init(&tiers[t]);
    tiers[t].tier = (Rota__Tier)t;
    tiers[t].ready = ready;
    tiers[t].delayed = delayed;
    tiers[t].held = held;
    tiers[t].leased = leased;
    tiers[t].oldest_ms = oldest_ms;
    tiers[t].accounts = ready ? 1 + ready / 10 : 0;
    tiers[t].at_cap = ready / 100;
}

void pool_fill(int i, const char *name, uint32_t c, uint32_t n, uint64_t ready, uint64_t leased)
{
    rota__pool_stats__init(&pools[i]);
    pools[i].pool = (char *)name;
    pools[i].c = c;
    pools[i].n = n;
    pools[i].ready = ready;
    pools[i].leased = leased;
    pools[i].slots = 4;
}

void job_fill(int i, Rota__Tier tier, const char *account, const char *app, const char *phase,
              uint32_t percent, uint64_t running_ms)
{
    rota__worker_job__init(&jobs[i]);
    jobs[i].job = (char *)"job_06cv3zk8q0e5w9t1m2n4p6r8s0";
    jobs[i].tier = tier;
    jobs[i].account = (char *)account;
    jobs[i].app = (char *)app;
    jobs[i].phase = (char *)phase;
    jobs[i].percent = percent;
    jobs[i].running_ms = running_ms;
}

static void worker_fill(int i, const char *name, const char *pool, uint32_t slots, uint64_t seen_ms,
                        size_t first_job, size_t n_job)
{
    rota__worker_stats__init(&workers[i]);
    workers[i].worker = (char *)name;
    workers[i].pool = (char *)pool;
    workers[i].slots = slots;
    workers[i].seen_ms = seen_ms;
    workers[i].n_job = n_job;
    workers[i].job = &job_list[first_job];
}

void nexts_fill(size_t n)
{
    static const char *const ids[] = {"job_06cv3zk8q0e5w9t1m2n4p6r8s0",
                                      "job_06cv3zk9a1b2c3d4e5f6g7h8j9",
                                      "job_06cv3zkbz9y8x7w6v5t4s3r2q1"};
    static const char *const accounts[] = {"acme", "globex", "initech_mobile_team"};
    static const char *const apps[] = {"shop", "field-service", "wallet"};
    static const Rota__Tier order[] = {0, 0, 0, 1, 0, 0, 2, 0, 0, 3};
    for (size_t i = 0; i < n; i++) {
        rota__next_job__init(&nexts[i]);
        nexts[i].job = (char *)ids[i % 3];
        nexts[i].account = (char *)accounts[i % 3];
        nexts[i].app = (char *)apps[i % 3];
        nexts[i].tier = order[i % 10];
        nexts[i].waited_ms = 182000 + 61000 * i;
        next_list[i] = &nexts[i];
    }
    rota__next_result__init(&next);
    next.n_job = n;
    next.job = next_list;
}

static void stats_fill(void)
{
    rota__stats_result__init(&stats);
    stats.environment = (char *)"production";
    stats.n_tier = 4;
    stats.tier = tier_list;
    stats.n_pool = 2;
    stats.pool = pool_list;
    stats.n_worker = 3;
    stats.worker = worker_list;
}

int view_setup(void **state)
{
    (void)state;
    tier_fill(0, 12, 0, 0, 2, 182000);
    tier_fill(1, 3, 1, 0, 1, 70000);
    tier_fill(2, 0, 0, 2, 0, 0);
    tier_fill(3, 1204, 12, 0, 1, 7500000);
    pool_fill(0, "bundle", 2, 2, 1219, 4);
    pools[0].heat_slots = 4;
    pools[0].heat_until_ms = NOW_MS + UINT64_C(22) * 60 * 1000;
    pool_fill(1, "task", 3, 0, 0, 0);
    job_fill(0, 0, "acme", "shop", "bundle", 42, 72000);
    job_fill(1, 1, "globex", "field-service", "install", 17, 31000);
    job_fill(2, 0, "acme", "shop", "", 0, 400);
    job_fill(3, 3, "initech_mobile_team", "wallet", "compile", 88, 132000);
    worker_fill(0, "build-1", "bundle", 2, 400, 0, 2);
    worker_fill(1, "build-2", "bundle", 4, 1200, 2, 2);
    worker_fill(2, "build-3", "task", 2, 14000, 0, 0);
    workers[2].draining = true;
    nexts_fill(VIEW_NEXTS);
    stats_fill();
    model = (struct model){.url = "ipc:///run/rota/rotad.ipc",
                           .link = LINK_LIVE,
                           .stats = &stats,
                           .next = &next,
                           .as_of_ms = NOW_MS,
                           .now_ms = NOW_MS};
    return 0;
}
