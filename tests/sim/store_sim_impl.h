/* store_sim_impl.h: what the files of the simulated store share; nobody else includes it. */
#pragma once

#include "sim/store_sim.h"
#include "sim/tree.h"

enum { STORE_KEY_BYTES_MAX = 511 };

struct arm {
    uint64_t after, times, hits;
};

/* What outlives a store: it lies in a list that is kept for the life of the process. */
struct disk {
    struct disk *next;
    char *dir;
    bool is_open;
    struct tree table[TABLE_COUNT];
    struct arm arm[STORE_SIM_FAULTS];
};

/* Bytes handed out by a write transaction, until its next write. */
struct lent {
    struct lent *next;
    size_t used, cap;
    uint8_t bytes[];
};

struct txn {
    struct store *store;
    bool is_write;
    bool is_open;
    unsigned cursors;
    int failed;       /* what broke the write transaction: the commit answers it again */
    uint64_t version; /* rises with each write: cursors find their place again */
    struct tree table[TABLE_COUNT];
    struct lent *lent;
    struct {
        bool is_set;
        enum table table;
        struct tree_row *row;
    } reserved; /* filled by the caller after its write: told at the next one, or at the commit */
};

struct store {
    struct disk *disk;
    uint64_t map_bytes, quota_bytes, reserve_bytes;
    struct txn writer;
    unsigned snapshots; /* open now */
    bool is_dead;       /* a commit failed: nothing may be written any more */
    uint64_t commits, writes;
    uint64_t slow_ms, slept_ms;
    store_collector *collector;
    void *collector_arg;
};

/* Does this call meet its fault? Counts it either way. */
bool arm_hits(struct store *s, enum store_sim_fault f);

/* store_sim_txn.c */
void txn_open(struct store *s, struct txn *txn, bool is_write);
void txn_close(struct txn *txn);
void reserved_settle(struct txn *txn);
/* The span as the caller may have it: its own copy in a write transaction. */
struct span txn_lend(struct txn *txn, struct span s);
uint64_t tables_bytes(const struct tree table[TABLE_COUNT]);
