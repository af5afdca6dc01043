/* census.h: every job of the store found and counted anew, from the tables alone. */
#pragma once

#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;

struct census {
    uint64_t jobs, done, leased;
};

/* Each job of `job` is in exactly one place, each place holds a job of `job`, and what a delayed
 * job waits for is there; the tallies are what the places hold, the rings what the tallies say;
 * what was said of a job is stored. What is not so is a violation. */
void census_take(struct world *w, struct txn *txn, struct census *ret_census);
