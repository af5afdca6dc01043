/* store.h: the contract of the store: ordered tables, one writer, many snapshots.
 *
 * The engine knows only this header. Outcomes are above 0, faults below (-EIO: the process must end
 * with 74 and reopen; -ENOMEM). One write transaction at a time, on the turn's thread; snapshots on
 * any thread, short. Bytes that come back are borrowed from the database: until the transaction
 * ends, and in a write transaction only until its next put or delete. Every write of a transaction
 * passes one function, store_write() in txn.c, where a collector can see it. */
#pragma once

#include <base/auto.h>
#include <base/bytes.h>
#include <base/err.h>
#include <stdbool.h>
#include <stdint.h>

enum store_outcome {
    STORE_MISSING = 1,
    STORE_EXISTS,
    STORE_FULL,    /* no room: abort; finish and cancel may still fit */
    STORE_UNKNOWN, /* a commit that may or may not have happened (mirror) */
    STORE_FENCED,  /* another broker leads now */
    STORE_BUSY,    /* open: another process holds the database */
    STORE_FORMAT,  /* open: not our database, or of a newer format */
};

enum table {
#define TABLE(NAME, name, key) TABLE_##NAME,
#include "store/tables.def"
#undef TABLE
    TABLE_COUNT
};

const char *table_name(enum table t);

struct store;
struct txn;

struct store_config {
    const char *dir;      /* holds data.mdb; made by the caller, 0700 */
    uint64_t map_bytes;   /* size of the map, sparse; 0: 1 TiB */
    uint64_t quota_bytes; /* pages in use above this: STORE_FULL for reserve-less turns; 0: none */
    uint64_t reserve_bytes; /* kept free under the quota, and on the disk the file's own: for finish
                               and cancel */
    bool create;            /* make the database when it is absent */
};

/* STORE_BUSY, STORE_FORMAT, STORE_MISSING (no database and not `create`). */
MUST_USE int store_open(const struct store_config *config, struct store **ret_store);
struct store *store_free(struct store *s);
DEFINE_FREEP(store)

/* May a publish still be accepted? STORE_FULL above the high-water mark: quota or disk, less the
 * reserve; of the disk a quarter of the reserve must be free beside the blocks that the file has
 * set aside. Cheap: looks at the disk at most every 100 ms. Turn thread. */
MUST_USE int store_has_room(struct store *s);

/* Once between turns: sets blocks of the disk aside for later commits, and every 10 s frees the
 * snapshots of dead threads and processes. */
void store_tend(struct store *s, uint64_t now_ms);

struct store_usage {
    uint64_t used_bytes, quota_bytes, map_bytes;
    uint64_t commits, writes;
};
MUST_USE int store_usage(struct store *s, struct store_usage *ret_usage);

MUST_USE int store_begin(struct store *s, struct txn **ret_txn);    /* the writer */
MUST_USE int store_snapshot(struct store *s, struct txn **ret_txn); /* a reader */
/* Two flushes, then the writes are on the disk. Clears *txn also on failure. STORE_FULL: nothing
 * was written, and the store goes on. */
MUST_USE int store_commit(struct txn **txn);
struct txn *txn_free(struct txn *txn); /* aborts */
DEFINE_FREEP(txn)

/* Sees each write of each write transaction, in order; value.p NULL: deleted. For mirrors and
 * tests. */
typedef void store_collector(void *arg, enum table t, struct span key, struct span value);
void store_collect(struct store *s, store_collector *collector, void *arg);

/* 0 or STORE_MISSING / STORE_EXISTS / STORE_FULL. txn_append: key above all of the table. */
MUST_USE int txn_get(struct txn *txn, enum table t, struct span key, struct span *ret_value);
MUST_USE int txn_put(struct txn *txn, enum table t, struct span key, struct span value);
MUST_USE int txn_append(struct txn *txn, enum table t, struct span key, struct span value);
/* Makes room for n bytes and hands it out to be filled at once. */
MUST_USE int txn_reserve(struct txn *txn, enum table t, struct span key, size_t n, bool is_append,
                         void **ret_p);
MUST_USE int txn_del(struct txn *txn, enum table t, struct span key);
MUST_USE int txn_count(struct txn *txn, enum table t, uint64_t *ret_rows);

/* A place in one table. All moves: 0 or STORE_MISSING (no such row). In a write transaction a
 * cursor must be closed before the commit. */
struct cursor;
MUST_USE int cursor_open(struct txn *txn, enum table t, struct cursor **ret_cursor);
struct cursor *cursor_free(struct cursor *c);
DEFINE_FREEP(cursor)
/* The first row at or after `key` (the last before it: _before) */
MUST_USE int cursor_seek(struct cursor *c, struct span key, struct span *ret_key,
                         struct span *ret_value);
MUST_USE int cursor_before(struct cursor *c, struct span key, struct span *ret_key,
                           struct span *ret_value);
MUST_USE int cursor_next(struct cursor *c, struct span *ret_key, struct span *ret_value);
MUST_USE int cursor_prev(struct cursor *c, struct span *ret_key, struct span *ret_value);
MUST_USE int cursor_last(struct cursor *c, struct span *ret_key, struct span *ret_value);
/* For counting rows: on by at least one row and by as many more as cost nothing; *ret_rows says how
 * many. */
MUST_USE int cursor_leap(struct cursor *c, struct span *ret_key, uint64_t *ret_rows);

/* A consistent copy of the database file while the broker runs; for backup and tests. */
MUST_USE int store_copy(struct store *s, const char *path);
