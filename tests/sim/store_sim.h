/* store_sim.h: the store of store.h in memory, with faults on demand.
 *
 * Linked in the place of the LMDB one, under the real rows, codec and keys. A folder's name stands
 * for a disk: store_open() finds what was committed there, whoever closed it and however. No thread
 * but one, and nothing here reads a clock. Stricter than LMDB where the contract allows: bytes that
 * a write transaction handed out are overwritten with 0xdb at its next write, and a value with a
 * run of them, in a transaction that has lent anything, fails an assertion. */
#pragma once

#include "store/store.h"

enum store_sim_fault {
    STORE_SIM_NO_ROOM,     /* store_has_room() says STORE_FULL */
    STORE_SIM_WRITE_FULL,  /* a write says STORE_FULL */
    STORE_SIM_WRITE_EIO,   /* a write says -EIO */
    STORE_SIM_COMMIT_FULL, /* a commit says STORE_FULL and did not happen; the store lives on */
    /* After one of these only a reopening heals. */
    STORE_SIM_COMMIT_MADE,   /* -EIO, and it happened */
    STORE_SIM_COMMIT_LOST,   /* -EIO, and it did not */
    STORE_SIM_UNKNOWN_MADE,  /* STORE_UNKNOWN, and it happened */
    STORE_SIM_UNKNOWN_LOST,  /* STORE_UNKNOWN, and it did not */
    STORE_SIM_COMMIT_FENCED, /* STORE_FENCED, and it did not */
    /* These say that it is good. */
    STORE_SIM_COMMIT_SLOW, /* it takes as long as store_sim_slowness() says */
    STORE_SIM_COMMIT_LIES, /* it did not happen: what no store may do, for tests of the tests */
    STORE_SIM_FAULTS
};
const char *store_sim_fault_name(enum store_sim_fault f);

/* Lets `after` calls of that kind pass, then fails `times` of them. Replaces what was armed. */
void store_sim_arm(struct store *s, enum store_sim_fault f, uint64_t after, uint64_t times);
void store_sim_disarm(struct store *s);
/* How often it has hit on this disk, over all openings. */
uint64_t store_sim_hits(const struct store *s, enum store_sim_fault f);

/* A slow commit takes `ms`; what they took since the last asking. */
void store_sim_slowness(struct store *s, uint64_t ms);
uint64_t store_sim_slept_ms(struct store *s);

/* The last committed row of the table is gone, as from a broken disk; false: it has none. No
 * transaction is open. */
bool store_sim_lose(struct store *s, enum table t);

/* As by kill -9 in the middle of a transaction: what was not committed is gone. Returns NULL. The
 * caller has no snapshot and no cursor any more. */
struct store *store_sim_crash(struct store *s);

/* All committed rows of all tables as one number. Walks them. */
uint64_t store_sim_digest(const struct store *s);

/* The committed rows as they are now, kept for the price of a pointer a table. */
struct store_sim_mark;
struct store_sim_mark *store_sim_mark_new(const struct store *s);
struct store_sim_mark *store_sim_mark_free(struct store_sim_mark *m);
/* Has the table other rows now? */
bool store_sim_differs(const struct store *s, const struct store_sim_mark *m, enum table t);

/* The disk and all that is on it goes; it is not open. */
void store_sim_forget(const char *dir);
