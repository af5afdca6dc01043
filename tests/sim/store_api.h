/* store_api.h: a store as a table of functions, for a test that holds two of them at once. Compiled
 * once for each: api_lmdb.c, api_sim.c. */
#pragma once

#include "store/store.h"

typedef int store_move(struct cursor *c, struct span *ret_key, struct span *ret_value);
typedef int store_search(struct cursor *c, struct span key, struct span *ret_key,
                         struct span *ret_value);
typedef int store_write(struct txn *txn, enum table t, struct span key, struct span value);

struct store_api {
    int (*open)(const struct store_config *config, struct store **ret_store);
    struct store *(*free)(struct store *s);
    int (*begin)(struct store *s, struct txn **ret_txn);
    int (*snapshot)(struct store *s, struct txn **ret_txn);
    int (*commit)(struct txn **txn);
    struct txn *(*abort)(struct txn *txn);
    int (*get)(struct txn *txn, enum table t, struct span key, struct span *ret_value);
    store_write *put, *append;
    int (*reserve)(struct txn *txn, enum table t, struct span key, size_t n, bool is_append,
                   void **ret_p);
    int (*del)(struct txn *txn, enum table t, struct span key);
    int (*count)(struct txn *txn, enum table t, uint64_t *ret_rows);
    int (*cursor)(struct txn *txn, enum table t, struct cursor **ret_cursor);
    struct cursor *(*close)(struct cursor *c);
    store_search *seek, *before;
    store_move *next, *prev, *last;
    void (*collect)(struct store *s, store_collector *collector, void *arg);
};

/* Fills a table out of the functions that go by the names of store.h where this stands. */
#define STORE_API                                                                                  \
    {                                                                                              \
        .open = store_open, .free = store_free, .begin = store_begin, .snapshot = store_snapshot,  \
        .commit = store_commit, .abort = txn_free, .get = txn_get, .put = txn_put,                 \
        .append = txn_append, .reserve = txn_reserve, .del = txn_del, .count = txn_count,          \
        .cursor = cursor_open, .close = cursor_free, .seek = cursor_seek, .before = cursor_before, \
        .next = cursor_next, .prev = cursor_prev, .last = cursor_last, .collect = store_collect    \
    }

extern const struct store_api api_lmdb, api_sim;
