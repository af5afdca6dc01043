/* layout_world.h: one database under one layout, for layout.c.
 *
 * A layout says which rows a publish writes at once and which are folded later: gathered over tens
 * of thousands of jobs, sorted by account, and written a slice a turn, so that neighbours share
 * pages. */
#pragma once

#include "store/store.h"

#include <base/id.h>

/* What one job can cause to be written. Bits of a mask. */
enum part {
    PART_JOB,
    PART_EVENT,
    PART_READY,
    PART_FRESH, /* published, not yet folded: append only */
    PART_OF_ACCOUNT,
    PART_OF_APP,
    PART_TALLY,
    PART_IDEM,        /* keys that rise with time */
    PART_IDEM_RANDOM, /* keys without any order */
    PART_LEASE,
    PART_DONE,
    PART_OF_FINISHED,
    PART_RING,
    PART_STATE,
    PART_META, /* how far the fold has come; one row a turn */
    PART_COUNT
};
#define BIT(part) (1u << PART_##part)

const char *part_name(enum part p);

struct layout {
    const char *name;
    unsigned at_once, folded; /* masks of parts */
    size_t batch; /* jobs sorted together for the fold; at most two batches are unfolded */
};

struct world;

/* `history` jobs over `accounts`; they stand in the queue, or are done. The youngest are not yet
 * folded. */
struct world_config {
    struct layout layout;
    const char *dir; /* a folder of its own is made in it */
    unsigned accounts, history;
    bool is_queued;
};
MUST_USE int world_new(const struct world_config *config, struct world **ret_world);
struct world *world_free(struct world *w);
DEFINE_FREEP(world)

/* One turn with one commit: `n` publishes. */
MUST_USE int world_publish(struct world *w, unsigned n);
/* n publishes, n leases of the accounts in rotation, n finishes of the leases of the turn before.
 */
MUST_USE int world_cycle(struct world *w, unsigned n);
