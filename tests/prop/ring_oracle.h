/* ring_oracle.h: watches a world from outside and stops the test at the first broken promise. It
 * keeps its own record of who became eligible when and looks at every account each time: it trusts
 * neither the rings nor the turn numbers. */
#pragma once

#include "ring_world.h"

/* What is known of one account in one pool while it stays eligible. */
struct stay {
    uint64_t since;     /* own rising number of the entry or of the last service; 0: not eligible */
    uint64_t overtaken; /* A1: dispatches of its tier to others since then */
    uint64_t overtaken_max; /* A1: how many stood before it when it entered */
    uint64_t start;         /* A2: the pool's dispatch number when the stay began */
    uint64_t served;        /* A2: its jobs dispatched in this stay */
    uint64_t place;         /* A2: j, its place when the stay began */
    uint64_t ring_most;     /* A2: A, the largest ring seen in the stay */
};

struct oracle {
    struct stay stay[ACCOUNTS][POOLS];
    unsigned
        allowed[ACCOUNTS];  /* A3: most that may run: the cap, or what ran when it was lowered */
    uint8_t tier[ACCOUNTS]; /* as last seen: a move begins a new stay */
    unsigned tier_wait[POOLS][TIERS];
    uint64_t entries;
};

/* Figures over the whole test. */
struct oracle_worst {
    unsigned tier_wait[TIERS];
    uint64_t overtaken, dispatches, checked_a2, parked, second_jobs;
    double a2_used; /* largest share of an A2 bound that was ever used up */
};
extern struct oracle_worst oracle_worst;

/* After any change that is no dispatch. */
void oracle_look(struct oracle *o, const struct world *w);

/* Before a dispatch in this pool: who must be served if the tier is this one; -1 when nobody can.
 */
int oracle_first(const struct oracle *o, const struct world *w, unsigned pool, unsigned tier);

/* After a dispatch in this pool; `eligible` as it was before, `served` as world_dispatch() said. */
void oracle_dispatched(struct oracle *o, const struct world *w, unsigned pool, unsigned eligible,
                       int served);
