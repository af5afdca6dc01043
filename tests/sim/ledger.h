/* ledger.h: what the broker has said, job by job: its word, which no crash may break.
 *
 * Written when a reply leaves the broker, whether or not anybody hears it. */
#pragma once

#include "rota.pb-c.h"

#include <base/id.h>
#include <stdbool.h>
#include <stddef.h>

struct promise {
    struct job_id job;
    bool is_published;     /* the log has it, for good */
    bool is_cancelling;    /* a cancel of the running job: it can end only as cancelled */
    Rota__State finished;  /* a finish or a cancel: it has ended so; STATE_NONE: not said */
    Rota__State contested; /* said before `finished`, and something else; STATE_NONE: not */
    uint64_t token;        /* of the lease under which it ended, when it was said to its holder */
};

/* It was said that a lease is no more. */
struct claim {
    struct job_id job;
    uint64_t token;
    bool is_loose; /* it ended some time; else: it is the one that ended last */
};

/* In the order of ids, which is nearly that of their making. A promise stands for as long as the
 * job is not tried again. */
struct ledger {
    struct promise *all;
    size_t n, cap;
    struct claim *claims; /* of the last turn */
    size_t claims_n, claims_cap;
};

/* The job's, made when absent; until the next call. */
struct promise *ledger_of(struct ledger *l, struct job_id job);
void ledger_claim(struct ledger *l, struct job_id job, uint64_t token, bool is_loose);
void ledger_deinit(struct ledger *l);
