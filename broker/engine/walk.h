/* walk.h: jobs in the order of their ids, as tables have them. Private to the engine; any thread
 * that owns the transaction.
 *
 * A leg is the part of one table that begins with a prefix and goes on with a spot: a job's id, or
 * in one index the time it finished and then its id. A walk over two legs meets the spots that are
 * in both; each step jumps to where the other leg goes on, so that it costs what the smaller of the
 * two holds. */
#pragma once

#include "store/keys.h"
#include "store/store.h"

#include <base/id.h>

enum { SPOT_BYTES_MAX = 8 + 16, WALK_LEGS_MAX = 2 };

struct spot {
    uint8_t b[SPOT_BYTES_MAX];
};

struct leg {
    enum table table;
    struct key_buf prefix;
    size_t prefix_n;
};

/* One stretch to be walked: [lo, hi) of what all its legs have in common. */
struct stretch {
    struct leg leg[WALK_LEGS_MAX];
    size_t legs_n;
    size_t spot_n; /* bytes of a spot: 16 or 24 */
    struct spot lo, hi;
};

struct walk {
    const struct stretch *stretch; /* borrowed */
    struct cursor *cursor[WALK_LEGS_MAX];
    struct spot edge;  /* up: spots at or above it are still to come; down: those below it */
    bool is_up, is_on; /* is_on: the first cursor stands on the spot that was met last */
};

struct spot spot_of(struct job_id id);
struct job_id spot_id(const struct spot *p, size_t spot_n);
/* A leg of a whole table, or of what begins with `prefix`. */
struct leg leg_of(enum table t, struct span prefix);

MUST_USE int walk_open(struct walk *w, struct txn *txn, const struct stretch *s, bool is_up);
void walk_close(struct walk *w);

/* One step. STORE_MISSING: the stretch is through. Else *ret_met says whether the spot is in every
 * leg; if so *ret_spot is set, and *ret_value is the first leg's row. w->edge is where to go on. */
MUST_USE int walk_next(struct walk *w, bool *ret_met, struct spot *ret_spot,
                       struct span *ret_value);
