/* store_impl.h: what the files of the store share; nobody else includes it. */
#pragma once

#include "store/lmdb_call.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    STORE_FORMAT_NOW = 2,     /* raise when an older rotad must not open the database */
    STORE_FORMAT_OLDEST = 1,  /* that this one can still open; it then becomes NOW's */
    STORE_READERS_MAX = 256,  /* snapshots open at once, all threads together */
    STORE_POOL_MAX = 16,      /* snapshots kept ready for reuse */
    STORE_KEY_BYTES_MAX = 511 /* LMDB's bound */
};

/* A reserved value is filled by the caller after store_write() has returned, so a collector can see
 * it only at the next write or at the commit. The key is copied: the caller's buffer is gone by
 * then. */
struct reserved {
    bool is_set;
    enum table table;
    struct span value;
    size_t key_bytes;
    uint8_t key[STORE_KEY_BYTES_MAX];
};

struct txn {
    struct store *store;
    MDB_txn *mdb;
    struct txn *next; /* in the pool */
    bool is_write;
    unsigned cursors; /* open now; a transaction ends only with none */
    int failed;       /* what broke the write transaction: the commit answers it again */
    struct reserved reserved;
};

/* Blocks of the file behind its last page (ahead.c). */
struct ahead {
    uint64_t to_bytes; /* every block of the file up to here is ours */
    uint64_t tried_ms; /* the disk had none then; 0: it had */
    bool is_off;       /* the file system cannot set blocks aside */
};

struct store {
    MDB_env *env;
    MDB_dbi dbi[TABLE_COUNT];
    int lock_fd; /* -1: not taken */
    uint64_t map_bytes, quota_bytes, reserve_bytes;
    uint32_t page_bytes;

    struct txn writer; /* the only write transaction; open when writer.mdb is set */
    atomic_bool
        is_dead; /* a commit failed on the way to the disk: nothing may be written any more */
    store_collector *collector;
    void *collector_arg;
    atomic_uint_least64_t commits, writes;

    pthread_mutex_t pool_lock;
    struct txn *pool; /* reset snapshots: each keeps its reader slot but pins no page */
    unsigned pool_n;

    uint64_t room_seen_ms; /* turn thread only, as all below */
    int room;
    uint64_t readers_checked_ms;
    struct ahead ahead;
};

/* The one place where LMDB's codes become ours. A caller is promised only some outcomes; any other,
 * from a call that should not have it, is a fault, so that nobody goes on with a result that is not
 * there. */
#define store_fault(rc)      store_code_at((rc), 0, __FILE__, __LINE__)
#define store_code_read(rc)  store_code_at((rc), STORE_MISSING, __FILE__, __LINE__)
#define store_code_write(rc) store_code_at((rc), STORE_FULL, __FILE__, __LINE__)
#define store_code_open(rc)  store_code_at((rc), STORE_FORMAT, __FILE__, __LINE__)
int store_code_at(int rc, enum store_outcome most, const char *file, int line);

static inline MDB_val val_of(struct span s)
{
    /* LMDB only reads through this pointer, its type is shared with results. */
    return (MDB_val){s.n, (void *)(uintptr_t)s.p};
}

static inline struct span span_of_val(MDB_val v)
{
    return span_of(v.mv_data, v.mv_size);
}

/* ahead.c. Before LMDB opens the folder's lock file: its blocks. */
MUST_USE int ahead_lock_file(const char *dir);
/* Sets blocks aside when fewer than the reserve are behind `end_bytes`, where the last page ends;
 * on a full disk it tries once a second. */
void ahead_keep(struct store *s, int fd, uint64_t end_bytes, uint64_t now_ms);
uint64_t ahead_bytes(const struct store *s, uint64_t end_bytes);
/* What publishes leave free on the disk beside them. */
uint64_t ahead_margin(const struct store *s);
/* After a commit that failed: is it that the disk is full? */
bool ahead_is_spent(struct store *s);

/* Frees the pooled snapshots; the store is closing. */
void snapshots_drop(struct store *s);
