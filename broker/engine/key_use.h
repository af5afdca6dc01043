/* key_use.h: what each key has done: jobs it published, how they ended, and its builds of the
 * month. Queue thread.
 *
 * Counts of the keys used lately stand in RAM and change through the journal. Those of a key with a
 * quota of builds are written in the turn, so that its quota is exact across any crash; those of
 * other keys, and what auth.h counts of every key (requests, when, what is left of its rate), are
 * written in slices, ten seconds late at most when few keys are busy, and at a clean shutdown. */
#pragma once

#include "engine/map.h"
#include "store/rows.h"

struct cache;
struct engine;
struct job;
struct step;
struct turn;

enum { KEY_ENDINGS = 5 }; /* succeeded, failed, timed out, cancelled, dead */

struct key_use {
    struct map_node by_serial;
    struct key_use *next; /* of those that the turn must write */
    uint32_t serial;
    bool is_exact;  /* its key has a quota */
    bool is_listed; /* exact: in that list; else: auth.h has been told */
    uint16_t month;
    uint64_t month_builds, builds, ended[KEY_ENDINGS];
};

struct key_uses {
    struct map by_serial;
    struct key_use *exact;
    size_t kept; /* when idle ones were last let go */
};

MUST_USE int key_uses_init(struct key_uses *uses);
void key_uses_deinit(struct key_uses *uses);
/* Between turns: makes room, lets idle ones go. */
void key_uses_tend(struct key_uses *uses);

/* Is a build left in the key's month? 0 or E_KEY_QUOTA. */
MUST_USE int key_use_check(struct turn *t);
/* For job_move() alone: `before` goes to `s->to`. A handler's result. */
MUST_USE int key_use_moved(struct turn *t, const struct job *before, const struct job *after,
                           const struct step *s);
/* All that is known of a key at this moment. A handler's result. */
MUST_USE int key_use_now(struct turn *t, uint32_t serial, struct key_use_row *ret_row);
/* Its builds of the month in which `wall_ms` lies. */
uint64_t key_use_of_month(const struct key_use_row *row, uint64_t wall_ms);
/* Its row goes. A store result. */
MUST_USE int key_use_drop(struct turn *t, uint32_t serial);

/* Before the commit: what must be exact. A store result. */
MUST_USE int key_uses_flush(struct cache *c, struct txn *txn);

/* A slice of what is written now and then. */
MUST_USE int key_uses_some(struct turn *t);
void key_uses_committed(struct engine *e);
uint64_t key_uses_due_ms(const struct engine *e); /* broker time; UINT64_MAX: nothing waits */

/* 0 when what is not waiting to be written equals what is stored, else 1, or below. */
MUST_USE int key_uses_compare(const struct cache *c, struct txn *txn);
