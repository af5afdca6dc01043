/* history.h: the event log read as an outsider would: nothing is known but what it says.
 *
 * Read after each commit, event by event. A job goes from one state to the next only as the kinds
 * of events allow, each from the state that the one before left it in: it is never leased twice at
 * once and never ends twice. Each dispatch is what the rotation makes of the one before and of its
 * own eligible set, in the account's tier, and does not take the account above its cap. */
#pragma once

#include "rota.pb-c.h"
#include "sched/rotation.h"

#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;

struct past_job {
    struct job_id id;
    uint64_t account;
    Rota__State state;
    uint32_t attempt; /* of the last dispatch; 0: none */
    bool is_spent;    /* that attempt counts: the next is another */
    uint64_t token;   /* of the lease it has; 0: none */
    uint64_t let_go;  /* of the last lease that ended */
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

/* A dispatch since the invariants were last looked at. */
struct past_serving {
    char pool[40];
    uint64_t account;
    uint8_t tier;
};

enum { PAST_ACCOUNTS_MAX = 64, PAST_POOLS_MAX = 8 };

struct history {
    uint64_t seq;          /* of the last event that was read */
    struct past_job *jobs; /* in the order of ids */
    size_t jobs_n, jobs_cap;
    struct past_account accounts[PAST_ACCOUNTS_MAX];
    size_t accounts_n;
    struct past_pool pools[PAST_POOLS_MAX];
    size_t pools_n;
    struct past_serving *servings;
    size_t servings_n, servings_cap;
    uint64_t digest; /* of all events that were read */
};

/* Reads on to the end of the log. What is against the rules is a violation. */
void history_read(struct world *w, struct txn *txn);
struct past_job *history_job(struct history *h, struct job_id id); /* NULL: never published */
void history_deinit(struct history *h);
