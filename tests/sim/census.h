/* census.h: every job of the store found and counted anew, from the tables alone. */
#pragma once

#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;

struct census {
    uint64_t jobs, done, leased, waiting; /* waiting: neither leased nor done */
};

/* Each job of `job` is in exactly one place and each place holds a job of `job`; the tallies are
 * what the places hold; what was said of a job is there. What is not so is a violation. */
void census_take(struct world *w, struct txn *txn, struct census *ret_census);
