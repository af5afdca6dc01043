/* store_kit.h: what the store's tests share: a temporary folder, an open store, rows made of
 * numbers. */
#pragma once

#undef NDEBUG
#include "folder.h"

#include "store/keys.h"
#include "store/rows.h"
#include "store/store.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

struct kit {
    char dir[64];
    struct store *store;
};

static inline void kit_dir_make(char dir[64])
{
    snprintf(dir, 64, "/tmp/rota-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static inline void kit_dir_remove(const char *dir)
{
    folder_remove(dir);
}

static inline struct store *kit_open(const char *dir)
{
    struct store *s = NULL;
    struct store_config config = {.dir = dir, .map_bytes = 1ull << 30, .create = true};
    assert_int_equal(store_open(&config, &s), 0);
    return s;
}

static inline int kit_setup(void **state)
{
    struct kit *k = calloc(1, sizeof *k);
    assert_non_null(k);
    kit_dir_make(k->dir);
    k->store = kit_open(k->dir);
    *state = k;
    return 0;
}

static inline int kit_teardown(void **state)
{
    struct kit *k = *state;
    store_free(k->store);
    kit_dir_remove(k->dir);
    free(k);
    return 0;
}

static inline void kit_reopen(struct kit *k)
{
    k->store = store_free(k->store);
    k->store = kit_open(k->dir);
}

static inline struct txn *kit_begin(struct store *s)
{
    struct txn *txn = NULL;
    assert_int_equal(store_begin(s, &txn), 0);
    return txn;
}

static inline struct txn *kit_snapshot(struct store *s)
{
    struct txn *txn = NULL;
    assert_int_equal(store_snapshot(s, &txn), 0);
    return txn;
}

/* Row number n of the event table: a packed value of `bytes` bytes, each (uint8_t)n. */
static inline int kit_event_put(struct txn *txn, uint64_t n, size_t bytes)
{
    uint8_t *packed = malloc(bytes);
    assert_non_null(packed);
    memset(packed, (int)(n & 0xff), bytes);
    struct key_buf k;
    struct event_row row = {.packed = span_of(packed, bytes)};
    int r = row_put(txn, &event_row_type, key_u64(&k, n), &row);
    free(packed);
    return r;
}

static inline bool kit_event_is(struct txn *txn, uint64_t n, size_t bytes)
{
    struct key_buf k;
    struct event_row row;
    if (row_get(txn, &event_row_type, key_u64(&k, n), &row) != 0 || row.packed.n != bytes)
        return false;
    const uint8_t *p = row.packed.p;
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != (uint8_t)n)
            return false;
    return true;
}

static inline uint64_t kit_count(struct store *s, enum table t)
{
    AUTO(txn) txn = kit_snapshot(s);
    uint64_t n = 0;
    assert_int_equal(txn_count(txn, t, &n), 0);
    return n;
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* xorshift: the same walk in every run. */
static inline uint64_t kit_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}
