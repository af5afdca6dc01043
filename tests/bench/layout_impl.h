/* layout_impl.h: what layout_world.c and layout_parts.c share. */
#pragma once

#include "layout_world.h"

#include "store/keys.h"
#include "store/rows.h"

enum {
    BATCH_MAX = 32768,
    FOLD_MAX = 128,        /* jobs folded in a turn */
    PRELOAD_COMMIT = 4000, /* jobs */
    POOL = 1,
    PAYLOAD_BYTES = 1024,
};
#define TABLE_FRESH TABLE_WAITS_ON

struct entry {
    struct job_id id;
    uint32_t account;
    bool is_taken;
};

struct world {
    struct layout layout;
    unsigned accounts;
    char dir[256];
    struct store *store;
    struct entry *jobs; /* every job, in the order of its id */
    size_t n, room;
    size_t take_at;          /* oldest job that stands in no queue by account (is_queued false) */
    size_t batch[BATCH_MAX]; /* indexes, sorted by account */
    size_t batch_n, batch_at, batch_from, batch_to;
    size_t fresh_gone; /* jobs before it have no fresh row any more */
    struct entry *leased;
    size_t leased_n;
    bool is_queued;
    struct tally_row *tally;
    unsigned *tally_turn; /* a tally is written once a turn */
    uint64_t *ring_turn, ring_next;
    uint32_t *ring_order; /* accounts as the rotation comes to them */
    unsigned turn, ring_at;
    uint64_t seq, x;
    struct job_id last;
};

uint64_t world_random(struct world *w);

/* Writes the parts of `mask` for one job. */
MUST_USE int parts_write(struct world *w, struct txn *txn, const struct entry *e, unsigned mask);
struct span ready_key(struct key_buf *k, const struct entry *e);
