/* promise.h: what a user may be told about the wait: bounds, which hold, and estimates, which are
 * named so.
 *
 * Dispatches are counted as in docs/SCHEDULING.md: others that come before the job. B is
 * rotation_bound() of the job's tier. A bound may be told for an account's head job alone, while
 * its account is under its cap and not paused, and no operator steps in. All sums stop at
 * UINT64_MAX. Pure; integers only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A2: the most other dispatches before the head job of the account at place `j` (1: the first) of
 * its ring: j * (B + 1) - 1, whatever others submit. For the i-th job of an account with at most A
 * accounts in the ring, j is (i - 1) * A + j, and the answer no bound but an estimate. */
uint64_t promise_bound(uint64_t j, unsigned b);

enum promise_outcome { PROMISE_NO_SLOTS = 1, PROMISE_UNKNOWN };

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
 *   HIGH    at least 20 are known, they differ by at most a quarter of their mean, and the job gets
 *           a slot of one of the runs that go on now: those behind are moved by newcomers of higher
 *           tiers, and when a slot that is free will be asked for its worker alone knows
 *   MEDIUM  all others */
enum promise_confidence { PROMISE_LOW, PROMISE_MEDIUM, PROMISE_HIGH };

struct promise_eta {
    uint64_t wait_ms; /* until the job begins; at least 1 */
    enum promise_confidence confidence;
};

/* What slots are at. */
struct promise_slots {
    uint32_t slots;             /* that take jobs */
    uint64_t running;           /* more than `slots`: so many must end before one is free */
    const uint64_t *elapsed_ms; /* of runs, longest first */
    size_t known;               /* runs in elapsed_ms[]; the others began just now */
};

/* When a job begins that has `ahead` dispatches before it. Slots that are free are filled first,
 * then those whose runs have gone on longest: each run takes the mean, and what has gone on for
 * longer than that goes on for as long as runs differ. All later rounds of the slots take the mean.
 * A mean above `run_ms_max`, the longest allowed, counts as that. Before the first run has ended,
 * those that go on are taken to be half done.
 *   PROMISE_NO_SLOTS  nobody works
 *   PROMISE_UNKNOWN   no run has ended, none goes on, and none of the free slots is for it */
int promise_eta(uint64_t ahead, const struct promise_slots *s, const struct durations *d,
                uint64_t run_ms_max, struct promise_eta *ret_eta);

/* The same job, at place `own` of its account's line (1: the head) while the account has a cap:
 * `of_pool` as if it had none, `of_own` as if the account's own jobs were all, with the cap as
 * slots. Each own job before it waits for its turn as well, in which time the account has one run
 * less; so what the turns take, but the first, is added, spread over the cap. */
struct promise_eta promise_under_cap(struct promise_eta of_pool, struct promise_eta of_own,
                                     uint64_t own, uint32_t cap);

/* "low", "medium", "high". Static. */
const char *promise_confidence_text(enum promise_confidence c);
