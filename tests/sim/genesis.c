/* genesis.c: how a world begins, and what is left when it goes. */
#include "sched/month.h"
#include "sim/client.h"
#include "sim/fate.h"
#include "sim/sim_worker.h"
#include "sim/world.h"

#include <stdlib.h>

enum {
    WALL_FIRST_S = 1790000000,
    LATE_EVERY = 4,
    LATE_MS_MAX = 30000,
    MINUTE_MS = 60000,
    SIDE_EVERY = 3,
    KEPT_EVERY = 5,
    KEPT_FEW = 4,
    RULE_PERMILLE_MAX = 200,
    QUOTA_PERMILLE = 400,
    BUILDS_MOST = 60,
    STEADY_CLIENTS = 3,
    STEADY_WORKERS = 6,
    LEASE_MS_STEADY = 10000,
};

const char *world_account(unsigned i)
{
    static const char *const names[ACCOUNTS_MAX] = {"a0", "a1", "a2", "a3", "a4",  "a5",
                                                    "a6", "a7", "a8", "a9", "a10", "a11"};
    return names[i];
}

const char *world_pool(unsigned i)
{
    static const char *const names[POOLS] = {"task", "mail"};
    return names[i];
}

/* The second pool has two classes: one of them may be closed while the other goes on. */
static const struct {
    const char *name;
    unsigned pool;
} classes[CLASSES] = {{"task", 0}, {"mail", 1}, {"post", 1}};

const char *world_class(unsigned i)
{
    return classes[i].name;
}

unsigned world_pool_of(unsigned class)
{
    return classes[class].pool;
}

/* Into the inbox as it is: no link may lose what a world stands on. */
static void ask(struct world *w, struct actor *a, Rota__Request *request)
{
    static const struct about none;
    struct message *m = world_pack(w, a, request, none);
    w->asked[m->request_id - 1].arrived = 1;
    host_take(&w->host, m);
}

/* Some have a quota of builds that they will use up; the others could not work with the tier's. */
static void accounts_ask(struct world *w)
{
    for (unsigned i = 0; i < w->accounts_n; i++) {
        Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
        request.account_set = &set;
        set.account = (char *)world_account(i);
        set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
        set.tier = (Rota__Tier)(i % TIERS);
        set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
        set.builds_unlimited = true;
        if (!w->kind.is_steady && world_chance(w, QUOTA_PERMILLE)) {
            set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH;
            set.builds_month = 1 + world_below(w, BUILDS_MOST);
        }
        ask(w, w->actors[0], &request);
    }
}

/* A first worker of each pool brings its classes: published to before, each would make a pool. */
static void pools_ask(struct world *w)
{
    for (unsigned pool = 0; pool < POOLS; pool++) {
        Rota__Lease lease = ROTA__LEASE__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        uint8_t nonce[16] = {(uint8_t)pool};
        char *names[CLASSES];
        request.op_case = ROTA__REQUEST__OP_LEASE;
        request.lease = &lease;
        lease.worker = (char *)"first";
        lease.pool = (char *)world_pool(pool);
        lease.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
        lease.class_ = names;
        for (unsigned i = 0; i < CLASSES; i++)
            if (world_pool_of(i) == pool)
                names[lease.n_class_++] = (char *)world_class(i);
        ask(w, w->actors[0], &request);
    }
}

static void people_come(struct world *w)
{
    unsigned clients = 1 + world_below(w, 4), workers = POOLS + world_below(w, 6);
    if (w->kind.is_steady) {
        clients = STEADY_CLIENTS;
        workers = STEADY_WORKERS;
    }
    for (unsigned i = 0; i < clients; i++)
        client_add(w, i);
    for (unsigned i = 0; i < workers; i++)
        sim_worker_add(w, i);
}

/* Some worlds begin in the last seconds of a month. */
static void clock_begin(struct world *w)
{
    const uint64_t first_ms = WALL_FIRST_S * UINT64_C(1000);
    uint64_t ends_ms = month_start_ms(month_of(first_ms) + 1u);
    bool is_late = w->seed % LATE_EVERY == 1;
    uint64_t wall_ms =
        is_late ? ends_ms - world_below(w, LATE_MS_MAX) : first_ms + world_below(w, MINUTE_MS);
    clock_step_wall(&w->clock, (int64_t)wall_ms);
}

/* How rough it is, how many people there are, how long things are kept. */
static void climate(struct world *w)
{
    static const uint64_t lease_ms[] = {300, 1000, 3000, 10000};
    bool is_steady = w->kind.is_steady;
    clock_begin(w);
    w->storm_permille = !is_steady && w->seed % 8 ? 100 + world_below(w, 900) : 0;
    w->rule_permille = is_steady ? 0 : world_below(w, RULE_PERMILLE_MAX);
    w->accounts_n = 2 + world_below(w, ACCOUNTS_MAX - 1);
    w->has_side = !is_steady && w->seed % SIDE_EVERY == 2 && w->accounts_n > 2;
    host_init(&w->host, w->seed);
    w->host.lease_ms = is_steady ? LEASE_MS_STEADY : lease_ms[world_below(w, ARRAY_LEN(lease_ms))];
    w->host.kept = w->seed % KEPT_EVERY == 3 ? KEPT_FEW : 0;
}

struct world *world_new(uint64_t seed, struct world_kind kind)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->seed = seed;
    w->kind = kind;
    w->random.state = seed * 0x9e3779b97f4a7c15ull;
    w->bounds.tightest = UINT64_MAX;
    inquiry_init(&w->inquiry, seed);
    history_init(&w->history);
    climate(w);
    if (host_boot(&w->host, clock_read(&w->clock)) != 0)
        world_violated(w, "the first start failed");
    people_come(w);
    accounts_ask(w);
    pools_ask(w);
    world_step(w);
    fate_begin(w);
    return w;
}

struct world *world_free(struct world *w)
{
    if (!w)
        return NULL;
    for (unsigned i = 0; i < w->actors_n; i++)
        w->actors[i]->kind->free(w->actors[i]);
    host_deinit(&w->host);
    agenda_deinit(&w->agenda);
    history_deinit(&w->history);
    ledger_deinit(&w->ledger);
    queue_deinit(&w->queue);
    paces_deinit(&w->paces);
    bounds_deinit(&w->bounds);
    inquiry_deinit(&w->inquiry);
    free(w->asked);
    free(w);
    return NULL;
}
