/* ledger.h: what the broker has said, job by job: its word, which no crash may break.
 *
 * Written when a reply leaves the broker, whether or not anybody hears it. */
#pragma once

#include "rota.pb-c.h"

#include <base/id.h>
#include <stddef.h>

struct promise {
    struct job_id job;
    bool is_published;
    bool is_cancelling;   /* a cancel of the running job: it can end only as cancelled */
    Rota__State finished; /* a finish or a cancel: it has ended so; STATE_NONE: not said */
};

/* In the order of ids, which is nearly that of their making. */
struct ledger {
    struct promise *all;
    size_t n, cap;
};

/* The job's, made when absent; until the next call. */
struct promise *ledger_of(struct ledger *l, struct job_id job);
void ledger_deinit(struct ledger *l);
