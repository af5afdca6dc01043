/* bulk.h: one act on all jobs that a filter means, a slice a turn. Private to the engine. Queue
 * thread.
 *
 *   begun -> runs, oldest job first -> ended: through, or stopped
 *
 * Where it stands is written with each slice in the slice's own transaction, so that a restart goes
 * on with the next job and no job is met twice. It never reaches jobs that were published after it
 * began. Ended acts are kept for a while, to be looked at. */
#pragma once

#include "engine/turn.h"

enum { BULKS_KEPT = 200 }; /* ended ones; BULKS_MAX may run at once */

/* One that is at hand: its row, and what that says. */
struct bulk {
    uint64_t number;
    struct bulk_row row;
    Rota__Bulk *b; /* arena */
};

/* 0 or STORE_MISSING. */
MUST_USE int bulk_read(struct turn *t, uint64_t number, struct bulk *ret_bulk);
MUST_USE int bulk_write(struct turn *t, struct bulk *bulk);
/* It runs no more; the oldest of those that are kept may go. */
MUST_USE int bulk_end(struct turn *t, struct bulk *bulk);
const char *bulk_verb(Rota__BulkVerb verb); /* "cancel"; NULL: none */

/* The numbers of those that run, from the store; into an empty cache. */
MUST_USE int bulks_load(struct cache *c, struct txn *txn);

/* A slice of the one whose turn it is; a no-op when none runs. */
MUST_USE int bulk_some(struct turn *t);
/* Broker time; UINT64_MAX: none runs. */
uint64_t bulk_due_ms(const struct engine *e);
