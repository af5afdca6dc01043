/* genesis.c: how a world begins, and what is left when it goes. */
#include "sim/client.h"
#include "sim/fate.h"
#include "sim/sim_worker.h"
#include "sim/world.h"

#include <stdlib.h>

enum { WALL_FIRST_S = 1790000000 };

const char *world_account(unsigned i)
{
    static const char *const names[ACCOUNTS_MAX] = {"a0", "a1", "a2", "a3", "a4",  "a5",
                                                    "a6", "a7", "a8", "a9", "a10", "a11"};
    return names[i];
}

const char *world_class(unsigned i)
{
    static const char *const names[POOLS] = {"task", "mail"};
    return names[i];
}

/* Into the inbox as they are: no link may lose what a world stands on. */
static void accounts_ask(struct world *w)
{
    static const struct about none;
    for (unsigned i = 0; i < w->accounts_n; i++) {
        Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
        request.account_set = &set;
        set.account = (char *)world_account(i);
        set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
        set.tier = (Rota__Tier)(i % TIERS);
        set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
        set.builds_unlimited = true; /* a month's quota would end a life's work in a moment */
        struct message *m = world_pack(w, w->actors[0], &request, none);
        w->asked[m->request_id - 1].arrived = 1;
        host_take(&w->host, m);
    }
}

static void people_come(struct world *w)
{
    unsigned clients = 1 + world_below(w, 4), workers = POOLS + world_below(w, 6);
    for (unsigned i = 0; i < clients; i++)
        client_add(w, i);
    for (unsigned i = 0; i < workers; i++)
        sim_worker_add(w, i);
}

struct world *world_new(uint64_t seed, bool is_verbose)
{
    static const uint64_t lease_ms[] = {300, 1000, 3000, 10000};
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->seed = seed;
    w->is_verbose = is_verbose;
    w->random.state = seed * 0x9e3779b97f4a7c15ull;
    clock_step_wall(&w->clock, WALL_FIRST_S * INT64_C(1000));
    w->storm_permille = seed % 8 ? 100 + world_below(w, 900) : 0;
    w->accounts_n = 2 + world_below(w, ACCOUNTS_MAX - 1);
    host_init(&w->host, seed);
    w->host.lease_ms = lease_ms[world_below(w, ARRAY_LEN(lease_ms))];
    if (host_boot(&w->host, clock_read(&w->clock)) != 0)
        world_violated(w, "the first start failed");
    people_come(w);
    accounts_ask(w);
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
    free(w->asked);
    free(w);
    return NULL;
}
