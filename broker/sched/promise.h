/* promise.h: what a user may be told about the wait: bounds, which hold, and estimates, which are
 * named so.
 *
 * Dispatches are counted as in docs/SCHEDULING.md: others that come before the job. B is
 * rotation_bound() of the job's tier. A bound may be told for an account's head job alone, while
 * its account is under its cap and not paused, and no operator steps in. All sums stop at
 * UINT64_MAX. Pure; integers only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A2: the most other dispatches before the head job of the account at place `j` (1: the first) of
 * its ring: j * (B + 1) - 1, whatever others submit. For the i-th job of an account with at most A
 * accounts in the ring, j is (i - 1) * A + j, and the answer no bound but an estimate. */
uint64_t promise_bound(uint64_t j, unsigned b);

enum promise_outcome { PROMISE_NO_SLOTS = 1 };

/* G4 as time: the longest until the dispatch that has `bound` others before it has begun, with
 * `slots` at work and no run longer than `run_ms_max`: ceil((bound + 1) / slots) * run_ms_max.
 * PROMISE_NO_SLOTS: nobody works, so nothing can be said. */
int promise_wall_ms(uint64_t bound, uint32_t slots, uint64_t run_ms_max, uint64_t *ret_ms);

/* How long the recent runs of a pool took. All zero: none yet. Storable. */
struct durations {
    uint32_t mean_ms; /* the last run weighs 1/8 (1/n while there are fewer) */
    uint32_t dev_ms;  /* mean distance from the mean, in the same way */
    uint32_t n;       /* runs so far; stops at UINT32_MAX */
};

/* One more run. Runs above a day count as a day. The mean is exact to 4 ms of what fractions would
 * give at each step. */
void durations_add(struct durations *d, uint64_t run_ms);

/* How much an estimate is worth:
 *   LOW     fewer than 5 runs are known, or they differ by more than their mean
 *   HIGH    at least 20 are known, they differ by at most a quarter of their mean, and the job is
 * in the next two rounds of the slots: those behind are moved by newcomers of higher tiers MEDIUM
 * all others */
enum promise_confidence { PROMISE_LOW, PROMISE_MEDIUM, PROMISE_HIGH };

struct promise_eta {
    uint64_t wait_ms; /* until the job begins */
    enum promise_confidence confidence;
};

/* When a job begins that has `ahead` dispatches before it, all `slots` being busy: a slot comes
 * free each mean / slots, so (ahead + 1) * mean / slots, rounded up. Without a known run the mean
 * is `run_ms_max`, the longest allowed; so is a mean above it. PROMISE_NO_SLOTS: nobody works. */
int promise_eta(uint64_t ahead, uint32_t slots, const struct durations *d, uint64_t run_ms_max,
                struct promise_eta *ret_eta);

/* "low", "medium", "high". Static. */
const char *promise_confidence_text(enum promise_confidence c);
