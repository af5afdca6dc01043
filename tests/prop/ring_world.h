/* ring_world.h: accounts with counts of jobs instead of jobs, on top of the real ring and rotation,
 * with every change in the journal. What the engine does around sched, at its smallest. */
#pragma once

#include "sched/ring.h"
#include "sched/rotation.h"

enum { ACCOUNTS = 40, POOLS = 2 };

struct world_account {
    struct ring_node node[POOLS];
    unsigned ready[POOLS], running[POOLS];
    unsigned cap; /* over all pools */
    uint8_t tier;
    bool is_paused;
};

struct world {
    struct world_account account[ACCOUNTS];
    struct ring ring[POOLS][TIERS];
    struct rotation rotation[POOLS];
    uint64_t turn; /* the last one given out, of all rings */
};

void world_init(struct world *w);

void world_submit(struct world *w, unsigned account, unsigned pool, unsigned jobs, struct undo *u);
void world_complete(struct world *w, unsigned account, unsigned pool, struct undo *u);
void world_cap(struct world *w, unsigned account, unsigned cap, struct undo *u);
void world_move(struct world *w, unsigned account, uint8_t tier, struct undo *u);
void world_pause(struct world *w, unsigned account, bool is_paused, struct undo *u);

/* Gives one job of the pool to a worker; returns whose, or -1 when none may run. */
int world_dispatch(struct world *w, unsigned pool, struct undo *u);

/* Builds the rings anew from the turn numbers alone, as a broker does that starts. */
void world_restart(struct world *w);
