/* cursor.c: a place in one table. A thin dress over LMDB's cursor, which already follows the writes
 * of its own transaction; the transaction counts its cursors so that none can outlive it. */
#include "store/store_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    struct txn *txn;
    MDB_cursor *mdb;
};

int cursor_open(struct txn *txn, enum table t, struct cursor **ret_cursor)
{
    assert(txn->mdb && t < TABLE_COUNT);
    struct cursor *c = calloc(1, sizeof *c);
    if (!c)
        return err_raise(-ENOMEM);
    int rc = LMDB(mdb_cursor_open(txn->mdb, txn->store->dbi[t], &c->mdb));
    if (rc) {
        free(c);
        return store_fault(rc);
    }
    c->txn = txn;
    txn->cursors++;
    *ret_cursor = c;
    return 0;
}

struct cursor *cursor_free(struct cursor *c)
{
    if (!c)
        return NULL;
    assert(c->txn->cursors > 0);
    c->txn->cursors--;
    mdb_cursor_close(c->mdb);
    free(c);
    return NULL;
}

static int cursor_move(struct cursor *c, MDB_cursor_op op, struct span key, struct span *ret_key,
                       struct span *ret_value)
{
    MDB_val k = val_of(key), v;
    int rc = LMDB(mdb_cursor_get(c->mdb, &k, &v, op));
    if (rc)
        return store_code_read(rc);
    *ret_key = span_of_val(k);
    *ret_value = span_of_val(v);
    return 0;
}

int cursor_seek(struct cursor *c, struct span key, struct span *ret_key, struct span *ret_value)
{
    /* LMDB takes no empty key; below all keys is the first row. */
    return cursor_move(c, key.n ? MDB_SET_RANGE : MDB_FIRST, key, ret_key, ret_value);
}

int cursor_before(struct cursor *c, struct span key, struct span *ret_key, struct span *ret_value)
{
    struct span k, v;
    int r = cursor_seek(c, key, &k, &v);
    if (r < 0)
        return err_pass(r);
    return r == STORE_MISSING ? cursor_last(c, ret_key, ret_value)
                              : cursor_prev(c, ret_key, ret_value);
}

int cursor_next(struct cursor *c, struct span *ret_key, struct span *ret_value)
{
    return cursor_move(c, MDB_NEXT, (struct span){0}, ret_key, ret_value);
}

int cursor_prev(struct cursor *c, struct span *ret_key, struct span *ret_value)
{
    return cursor_move(c, MDB_PREV, (struct span){0}, ret_key, ret_value);
}

int cursor_last(struct cursor *c, struct span *ret_key, struct span *ret_value)
{
    return cursor_move(c, MDB_LAST, (struct span){0}, ret_key, ret_value);
}

/* ---- leaping ---- */

/* A leaf of LMDB's data format 1: a head of 16 bytes, then the offset of each node in the order of
 * the keys; a node has a head of 8 bytes and its key behind that. Whoever counts rows goes from one
 * such page to the next, 80 rows at a time, in place of asking for each. What is read is checked
 * before it is believed: it must be a leaf with sound bounds that lists the very node the cursor
 * stands on. Else, and in a write transaction, whose pages move, a leap is one row. */
enum {
    PAGE_FLAGS_AT = 10,
    PAGE_LOWER_AT = 12,
    PAGE_UPPER_AT = 14,
    PAGE_HEAD_BYTES = 16,
    PAGE_IS_LEAF = 2,
    NODE_KEY_BYTES_AT = 6,
    NODE_HEAD_BYTES = 8,
};

static unsigned word_at(const uint8_t *page, size_t at)
{
    uint16_t word;
    memcpy(&word, page + at, sizeof word);
    return word;
}

/* The key of the last node of the page on which `key` lies, and the nodes from there to it. */
static bool page_last(const struct cursor *c, MDB_val key, MDB_val *ret_last, uint64_t *ret_rows)
{
    size_t page_bytes = c->txn->store->page_bytes;
    size_t at = (uintptr_t)key.mv_data % page_bytes;
    const uint8_t *page = (const uint8_t *)key.mv_data - at;
    if (c->txn->is_write || at < PAGE_HEAD_BYTES + NODE_HEAD_BYTES)
        return false;
    unsigned lower = word_at(page, PAGE_LOWER_AT), n = (lower - PAGE_HEAD_BYTES) / 2, i = 0;
    if (word_at(page, PAGE_FLAGS_AT) != PAGE_IS_LEAF || lower <= PAGE_HEAD_BYTES ||
        lower > word_at(page, PAGE_UPPER_AT) || word_at(page, PAGE_UPPER_AT) > page_bytes)
        return false;
    while (i < n && word_at(page, PAGE_HEAD_BYTES + 2 * i) != at - NODE_HEAD_BYTES)
        i++;
    unsigned last = word_at(page, PAGE_HEAD_BYTES + 2 * (n - 1));
    if (i + 1 >= n || last < lower || last + NODE_HEAD_BYTES > page_bytes)
        return false;
    unsigned key_bytes = word_at(page, last + NODE_KEY_BYTES_AT);
    if (last + NODE_HEAD_BYTES + key_bytes > page_bytes)
        return false;
    *ret_last = (MDB_val){key_bytes, (void *)(uintptr_t)(page + last + NODE_HEAD_BYTES)};
    *ret_rows = n - 1 - i;
    return true;
}

int cursor_leap(struct cursor *c, struct span *ret_key, uint64_t *ret_rows)
{
    MDB_val key, value;
    int rc = LMDB(mdb_cursor_get(c->mdb, &key, &value, MDB_GET_CURRENT));
    bool leaps = rc == 0 && page_last(c, key, &key, ret_rows);
    if (!leaps)
        *ret_rows = 1;
    if (rc == 0)
        rc = LMDB(mdb_cursor_get(c->mdb, &key, &value, leaps ? MDB_SET_KEY : MDB_NEXT));
    if (rc)
        return store_code_read(rc);
    *ret_key = span_of_val(key);
    return 0;
}
