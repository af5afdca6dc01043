/* history.h: the event log read as an outsider would: nothing is known but what it says, and how a
 * job was published, which is in the job's own row.
 *
 * Read after each commit, event by event. A job goes from one state to the next only as the kinds
 * of events allow, each from the state that the one before left it in: it is never leased twice at
 * once and never ends twice. Each dispatch is what the rotation makes of the one before and of its
 * own eligible set, and one that may be (starts.h); builds are counted (usages.h); every event goes
 * to the audit and to the bounds that were stated (bounds.h). */
#pragma once

#include "rota.pb-c.h"
#include "sched/rotation.h"
#include "store/rows.h"

#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

struct audit;
struct world;
struct txn;

enum {
    PAST_ACCOUNTS_MAX = 64,
    PAST_MONTHS_MAX = 16, /* of one account */
    PAST_PLACES_MAX = 8,  /* pools, and classes */
    PAST_AFTER_MAX = 2,
    PAST_REFS_MAX = 4, /* "r0" .. "r3" */
};

struct past_job {
    struct job_id id;
    uint64_t account;
    uint64_t seq; /* of its last event */
    Rota__State state;
    uint32_t attempt; /* of the last dispatch; 0: none */
    bool is_spent;    /* that attempt counts: the next is another */
    uint64_t token;   /* of the lease it has; 0: none */
    uint64_t let_go;  /* of the last lease that ended */
    uint64_t let_go_before;
    bool is_anew; /* tried again since that lease ended */
    /* as it was published */
    uint8_t class; /* in history.classes */
    uint8_t attempts_max, after_n;
    int8_t ref; /* under which it replaces others and is replaced; below 0: none */
    struct job_id after[PAST_AFTER_MAX];
    uint64_t published_ms;
    uint64_t not_before_ms, not_before_bt_ms; /* Unix and broker time; 0: at any time */
    /* what became of it */
    bool is_replaced; /* by a newer one of its ref, while it had not ended */
    bool is_forgotten;
    bool has_been_old; /* tried again a day after its end: its idempotency key may be gone */
    uint64_t ended_ms; /* Unix time; 0: it has not */
    /* what it costs */
    uint16_t paid;    /* the month that pays for it */
    uint32_t started; /* attempts that count */
    bool is_refunded;
    uint64_t granted_bt_ms;
};
struct past_month {
    uint16_t month;
    uint64_t most_used;  /* since the last look */
    uint64_t most_taken; /* likewise: the number of the highest build that was taken; 0: none was */
    struct usage_row counted;
};
struct past_account {
    uint64_t number;
    uint32_t running, running_own, bars;
    uint8_t tier;
    bool is_erased, was_set; /* was_set: since the last look */
    uint64_t kept[2];        /* ended jobs that are not forgotten: succeeded, others */
    struct past_month months[PAST_MONTHS_MAX];
    size_t months_n;
    struct job_id stands[PAST_REFS_MAX]; /* the job that the next of that ref replaces */
};
struct past_pool {
    char name[40];
    struct rotation rotation;
    uint32_t bars;
};
struct past_class {
    char name[40];
    bool is_closed;
};

/* A dispatch since the invariants were last looked at. */
struct past_serving {
    char pool[40];
    uint64_t account;
    uint8_t tier;
};

struct history {
    uint64_t seq;          /* of the last event that was read */
    uint64_t seq_looked;   /* the same at the last look */
    struct past_job *jobs; /* in the order of ids */
    size_t jobs_n, jobs_cap, forgotten_n;
    struct past_account accounts[PAST_ACCOUNTS_MAX];
    size_t accounts_n;
    struct past_pool pools[PAST_PLACES_MAX];
    size_t pools_n;
    struct past_class classes[PAST_PLACES_MAX];
    size_t classes_n;
    uint32_t tier_cap[TIERS], tier_bars[TIERS];
    bool limits_were_set; /* since the last look */
    struct past_serving *servings;
    size_t servings_n, servings_cap;
    struct audit *audit;
    struct txn *txn; /* while it is being read */
    uint64_t digest; /* of all events that were read */
};

void history_init(struct history *h);
void history_deinit(struct history *h);
/* Reads on to the end of the log. What is against the rules is a violation. */
void history_read(struct world *w, struct txn *txn);
/* The look is over: what is known "since the last look" begins anew. */
void history_looked(struct history *h);

/* ---- past.c: what is known ---- */

struct past_job *history_job(struct history *h, struct job_id id); /* NULL: never published */
/* One that was published just now; ids rise with the log. */
struct past_job *past_job_add(struct world *w, struct job_id id);
/* These are made when they are not known; too many of them is a violation. */
struct past_account *past_account(struct world *w, uint64_t number);
struct past_pool *past_pool(struct world *w, const char *name);
uint8_t past_class(struct world *w, const char *name);
void past_serving_add(struct history *h, const char *pool, uint64_t account, uint8_t tier);
uint32_t past_cap(const struct history *h, const struct past_account *a);
static inline bool state_has_ended(Rota__State s)
{
    return s >= ROTA__STATE__SUCCEEDED;
}
