/* rates.h: how many jobs may start in a time: all together, of each tier, of each account. Queue
 * thread.
 *
 * A start takes a token of each bucket that is on (sched/bucket.h, by broker time). Whoever has
 * none left gets BAR_RATE and so stands in no ring; an alarm takes the bar away when the next token
 * is there. Bucket and bar are one row, so a restart finds both as they were. Off, which they are
 * unless an operator sets them, rates cost one compare a start. */
#pragma once

#include "engine/turn.h"
#include "sched/bucket.h"

enum rate_scope { RATE_GLOBAL, RATE_TIER, RATE_ACCOUNT };

/* A store result. Brings back the buckets that were dry, and their owners' bars. */
MUST_USE int rates_load(struct cache *c, struct txn *txn, uint64_t broker_ms);

/* May the account start a job now? It got BAR_RATE when not: choose another. Handler results. */
MUST_USE int rate_gate(struct turn *t, struct account *a, bool *ret_is_open);
/* It did. */
MUST_USE int rates_take(struct turn *t, struct account *a);
MUST_USE int rate_alarm(struct turn *t, struct rate *rate);

/* Other numbers hold from now on: nobody stays barred whom they would let go, whatever changed. */
MUST_USE int rates_changed(struct turn *t);
MUST_USE int account_rate_changed(struct turn *t, struct account *a);
/* The account is erased. */
MUST_USE int account_rate_forget(struct turn *t, struct account *a);

/* When the bucket has its next token, in broker time; `broker_ms` when it has one. For readers. */
MUST_USE int rate_free_at(struct txn *txn, enum rate_scope scope, uint64_t number, uint32_t n,
                          uint32_t per_ms, uint64_t broker_ms, uint64_t *ret_free_ms);
