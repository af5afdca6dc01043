/* history.h: the event log read as an outsider would: nothing is known but what it says.
 *
 * Read after each commit, event by event. A job goes from one state to the next only as its kinds of
 * events allow: it is never leased twice at once and never ends twice. Each dispatch is what the
 * rotation makes of the one before and of its own eligible set, in the account's tier, and does not
 * take the account above its cap. */
#pragma once

#include "sched/rotation.h"

#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;

enum past { PAST_READY, PAST_LEASED, PAST_ENDED };

struct past_job {
    struct job_id id;
    uint64_t account;
    enum past state;
};
struct past_account {
    uint64_t number;
    uint32_t running, running_max;
    uint8_t tier;
};
struct past_pool {
    char name[40];
    struct rotation rotation;
};

enum { PAST_ACCOUNTS_MAX = 64, PAST_POOLS_MAX = 8 };

struct history {
    uint64_t seq; /* of the last event that was read */
    struct past_job *jobs; /* in the order of ids */
    size_t jobs_n, jobs_cap;
    struct past_account accounts[PAST_ACCOUNTS_MAX];
    size_t accounts_n;
    struct past_pool pools[PAST_POOLS_MAX];
    size_t pools_n;
    uint64_t digest; /* of all events that were read */
};

/* Reads on to the end of the log. What is against the rules is a violation. */
void history_read(struct world *w, struct txn *txn);
void history_deinit(struct history *h);
