/* query_outlook.h: what may be said of the wait in a pool: where a job stands, what comes before
 * it, and when. Private to query*.c.
 *
 * Places are of the snapshot. What else is at work (workers, sizes of rings, bars that are not
 * stored) comes from the board and may be a moment older or newer. */
#pragma once

#include "engine/query_parts.h"
#include "sched/promise.h"
#include "sched/rotation.h"
#include "sched/tier.h"

enum {
    PLACE_EXACT_MAX = 100000, /* rows counted in an account's line, and in a ring: 0.2 ms each */
    PLAY_MAX = 20000,         /* dispatches played to see what comes first: 0.2 ms */
    RUNS_SEEN_MAX = 1024,     /* of a pool's, the first to have begun */
};

/* A pool as a reader sees it. */
struct outlook {
    uint16_t pool;
    char name[POOL_NAME_MAX + 1];
    struct rotation rotation;
    struct durations runs;
    struct board_pool live; /* zero until its first turn is over */
    struct board_crew crew;
    struct board_totals totals;
    uint64_t elapsed_ms[RUNS_SEEN_MAX]; /* of its runs, longest first */
    size_t elapsed_n;
    uint8_t tier_bars[TIERS];
    uint32_t slots;      /* that work, or that the question supposes */
    uint64_t run_ms_max; /* no run is longer: the largest timeout of the table, and the broker's
                            grace;    accounts with a longer one of their own excepted */
    struct tier_table tiers;
};

/* By its name or, when that is NULL, by its number. STORE_MISSING: no such pool. */
MUST_USE int outlook_load(struct query *q, const char *name, uint16_t pool,
                          struct outlook *ret_outlook);
/* The tiers that somebody may be served in now. */
uint8_t outlook_eligible(const struct outlook *o);
/* When the dispatch that has `ahead` others before it may be. Outcomes of promise_eta(). */
int outlook_eta(const struct outlook *o, uint64_t ahead, struct promise_eta *ret_eta);
/* How long the runs of an account have gone on, over all pools: of at most `max` of them, longest
 * first; returns of how many. */
size_t outlook_runs_of(const struct query *q, const struct outlook *o, uint64_t account,
                       uint64_t *ret_elapsed_ms, size_t max);

/* Where a ready job stands. */
struct place {
    uint8_t tier;
    uint64_t own; /* in its account's line, from 1 */
    bool own_is_more;
    uint64_t ring; /* of its account in the ring, from 1; 0: it stands in none */
    bool ring_is_more;
    uint64_t ring_size;
    uint64_t ahead; /* dispatches of the pool before it, if nothing else happened */
    unsigned b;     /* rotation_bound() of its tier */
};
/* `ready` and `turn` are the account's in the pool. <0. */
MUST_USE int place_find(struct query *q, const struct outlook *o, uint64_t account, uint8_t tier,
                        const struct tally_row *tally, uint8_t priority, struct job_id job,
                        struct place *ret_place);
/* A2. May it be promised (place_is_head()), it is a bound, else an estimate. */
uint64_t place_bound(const struct place *p);
/* The account's head job, with a place in a ring that is known exactly. */
bool place_is_head(const struct place *p);
