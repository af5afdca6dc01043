/* ring_world.c: each change of an account ends in one place, account_settle(), which compares where
 * the account stands with where it should stand. A dispatched account leaves first and settles
 * after, so that it comes back at the tail. */
#undef NDEBUG
#include "ring_world.h"

#include <assert.h>
#include <string.h>

void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    for (unsigned pool = 0; pool < POOLS; pool++)
        w->rotation[pool] = ROTATION_FRESH;
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        w->account[a].tier = a % TIERS;
        w->account[a].cap = 1 + a % 3;
    }
}

static unsigned world_running(const struct world_account *a)
{
    unsigned running = 0;
    for (unsigned pool = 0; pool < POOLS; pool++)
        running += a->running[pool];
    return running;
}

static bool world_is_eligible(const struct world_account *a, unsigned pool)
{
    return a->ready[pool] > 0 && world_running(a) < a->cap && !a->is_paused;
}

static void account_settle(struct world *w, struct world_account *a, struct undo *u)
{
    for (unsigned pool = 0; pool < POOLS; pool++) {
        struct ring *ring = &w->ring[pool][a->tier];
        bool stands = ring_has(&a->node[pool]), should = world_is_eligible(a, pool);
        if (stands && !should)
            ring_leave(ring, &a->node[pool], u);
        if (!stands && should) {
            SET(u, w->turn, w->turn + 1);
            ring_enter(ring, &a->node[pool], w->turn, u);
        }
    }
}

void world_submit(struct world *w, unsigned account, unsigned pool, unsigned jobs, struct undo *u)
{
    struct world_account *a = &w->account[account];
    SET(u, a->ready[pool], a->ready[pool] + jobs);
    account_settle(w, a, u);
}

void world_complete(struct world *w, unsigned account, unsigned pool, struct undo *u)
{
    struct world_account *a = &w->account[account];
    assert(a->running[pool] > 0);
    SET(u, a->running[pool], a->running[pool] - 1);
    account_settle(w, a, u);
}

void world_cap(struct world *w, unsigned account, unsigned cap, struct undo *u)
{
    struct world_account *a = &w->account[account];
    SET(u, a->cap, cap);
    account_settle(w, a, u);
}

void world_move(struct world *w, unsigned account, uint8_t tier, struct undo *u)
{
    struct world_account *a = &w->account[account];
    if (a->tier == tier)
        return; /* no move: it keeps its place */
    for (unsigned pool = 0; pool < POOLS; pool++)
        if (ring_has(&a->node[pool]))
            ring_leave(&w->ring[pool][a->tier], &a->node[pool], u);
    SET(u, a->tier, tier);
    account_settle(w, a, u);
}

void world_pause(struct world *w, unsigned account, bool is_paused, struct undo *u)
{
    struct world_account *a = &w->account[account];
    SET(u, a->is_paused, is_paused);
    account_settle(w, a, u);
}

static struct world_account *account_of(struct ring_node *n, unsigned pool)
{
    char *at = (char *)n - offsetof(struct world_account, node) - pool * sizeof *n;
    return (struct world_account *)(void *)at;
}

int world_dispatch(struct world *w, unsigned pool, struct undo *u)
{
    uint8_t eligible = 0;
    for (unsigned t = 0; t < TIERS; t++)
        if (w->ring[pool][t].first)
            eligible = (uint8_t)(eligible | 1u << t);
    if (!eligible)
        return -1;
    undo_save(u, &w->rotation[pool], sizeof w->rotation[pool]);
    struct ring *ring = &w->ring[pool][rotation_next(&w->rotation[pool], eligible)];
    struct world_account *a = account_of(ring->first, pool);
    ring_leave(ring, &a->node[pool], u);
    SET(u, a->ready[pool], a->ready[pool] - 1);
    SET(u, a->running[pool], a->running[pool] + 1);
    account_settle(w, a, u);
    return (int)(a - w->account);
}

/* The account of this pool and tier with the least turn above `above`, or NULL. */
static struct world_account *account_after(struct world *w, unsigned pool, unsigned tier,
                                           uint64_t above)
{
    struct world_account *found = NULL;
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        struct world_account *a = &w->account[i];
        if (a->tier == tier && a->node[pool].turn > above &&
            (!found || a->node[pool].turn < found->node[pool].turn))
            found = a;
    }
    return found;
}

void world_restart(struct world *w)
{
    for (unsigned pool = 0; pool < POOLS; pool++) {
        for (unsigned t = 0; t < TIERS; t++) {
            struct world_account *a;
            uint64_t turn = 0;
            w->ring[pool][t] = (struct ring){0};
            while ((a = account_after(w, pool, t, turn))) {
                turn = a->node[pool].turn;
                a->node[pool] = (struct ring_node){0};
                ring_enter(&w->ring[pool][t], &a->node[pool], turn, NULL);
            }
        }
    }
}
