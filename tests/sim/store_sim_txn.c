/* store_sim_txn.c: reading and writing inside a transaction.
 *
 * What a write transaction hands out is a copy in its own memory, which its next write overwrites:
 * whoever holds a borrowed span across a write reads 0xdb, in every run, where LMDB would give the
 * right bytes nearly always. A snapshot hands out its own rows, which nobody changes. */
#include "sim/store_sim_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { LENT_BYTES = 16384, LENT_RECALLED = 0xdb, RECALLED_RUN = 6 };

/* ---- lending ---- */

static struct lent *lent_more(struct txn *txn, size_t n)
{
    size_t cap = n > LENT_BYTES ? n : LENT_BYTES;
    struct lent *l = malloc(sizeof *l + cap);
    if (!l)
        abort();
    l->next = txn->lent;
    l->used = 0;
    l->cap = cap;
    txn->lent = l;
    return l;
}

struct span txn_lend(struct txn *txn, struct span s)
{
    if (!txn->is_write)
        return s;
    struct lent *l = txn->lent;
    if (!l || l->cap - l->used < s.n)
        l = lent_more(txn, s.n);
    uint8_t *copy = l->bytes + l->used;
    if (s.n)
        memcpy(copy, s.p, s.n);
    l->used += s.n;
    return span_of(copy, s.n);
}

/* All that was lent is overwritten. The memory stays until the transaction ends, and only the
 * newest of it is lent from again. */
static void lent_recall(struct txn *txn)
{
    for (struct lent *l = txn->lent; l; l = l->next) {
        memset(l->bytes, LENT_RECALLED, l->used);
        l->used = 0;
    }
}

static void lent_free(struct txn *txn)
{
    while (txn->lent) {
        struct lent *l = txn->lent;
        txn->lent = l->next;
        free(l);
    }
}

/* ---- opening and closing ---- */

void txn_open(struct store *s, struct txn *txn, bool is_write)
{
    *txn = (struct txn){.store = s, .is_write = is_write, .is_open = true};
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        txn->table[t] = tree_copy(&s->disk->table[t]);
}

void txn_close(struct txn *txn)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        tree_drop(&txn->table[t]);
    if (txn->reserved.is_set)
        tree_row_unref(txn->reserved.row);
    txn->reserved.is_set = false;
    lent_free(txn);
    txn->is_open = false;
}

/* ---- reading ---- */

int txn_get(struct txn *txn, enum table t, struct span key, struct span *ret_value)
{
    assert(t < TABLE_COUNT && txn->is_open);
    const struct tree_row *r = tree_find(&txn->table[t], key);
    if (!r)
        return STORE_MISSING;
    *ret_value = txn_lend(txn, tree_value(r));
    return 0;
}

int txn_count(struct txn *txn, enum table t, uint64_t *ret_rows)
{
    assert(t < TABLE_COUNT && txn->is_open);
    *ret_rows = txn->table[t].rows;
    return 0;
}

/* ---- writing ---- */

static void collect(struct txn *txn, enum table t, struct span key, struct span value)
{
    struct store *s = txn->store;
    if (s->collector)
        s->collector(s->collector_arg, t, key, value);
}

/* Bytes that were lent and overwritten since have been written: somebody held a borrowed span
 * across a write. */
static void check_fresh(const struct txn *txn, struct span value)
{
    static const uint8_t run[RECALLED_RUN] = {LENT_RECALLED, LENT_RECALLED, LENT_RECALLED,
                                              LENT_RECALLED, LENT_RECALLED, LENT_RECALLED};
    (void)value;
    assert(!txn->lent || !value.n || !memmem(value.p, value.n, run, sizeof run));
}

void reserved_settle(struct txn *txn)
{
    if (!txn->reserved.is_set)
        return;
    struct tree_row *r = TAKE(txn->reserved.row);
    txn->reserved.is_set = false;
    check_fresh(txn, tree_value(r));
    collect(txn, txn->reserved.table, tree_key(r), tree_value(r));
    tree_row_unref(r);
}

/* What every write begins with: 0, or why there is none. */
static int write_begin(struct txn *txn, enum table t, struct span key, size_t value_n)
{
    struct store *s = txn->store;
    assert(txn->is_write && txn->is_open && t < TABLE_COUNT);
    assert(key.n > 0 && key.n <= STORE_KEY_BYTES_MAX);
    if (!txn->failed)
        reserved_settle(txn);
    if (!txn->failed && arm_hits(s, STORE_SIM_WRITE_EIO))
        txn->failed = -EIO;
    if (!txn->failed && (arm_hits(s, STORE_SIM_WRITE_FULL) ||
                         (value_n && tables_bytes(txn->table) + value_n > s->map_bytes)))
        txn->failed = STORE_FULL;
    if (txn->failed)
        return txn->failed < 0 ? err_raise(txn->failed) : txn->failed;
    return 0;
}

static void write_end(struct txn *txn)
{
    txn->version++;
    txn->store->writes++;
    lent_recall(txn);
}

/* The row of the key, its value still to be filled. */
static int row_make(struct txn *txn, enum table t, struct span key, size_t n, bool is_append,
                    struct tree_row **ret_row)
{
    struct tree_place place;
    int r = write_begin(txn, t, key, n);
    if (r)
        return r < 0 ? err_pass(r) : r;
    const struct tree_row *last = is_append ? tree_end(&txn->table[t], TREE_ON, &place) : NULL;
    if (last && tree_compare(key, tree_key(last)) <= 0)
        return STORE_EXISTS;
    *ret_row = tree_put(&txn->table[t], key, n);
    return 0;
}

static int value_put(struct txn *txn, enum table t, struct span key, struct span value,
                     bool is_append)
{
    struct tree_row *row;
    int r = row_make(txn, t, key, value.n, is_append, &row);
    if (r)
        return r < 0 ? err_pass(r) : r;
    if (value.n)
        memcpy(row->bytes + row->key_n, value.p, value.n);
    check_fresh(txn, tree_value(row));
    collect(txn, t, tree_key(row), tree_value(row));
    write_end(txn);
    return 0;
}

int txn_put(struct txn *txn, enum table t, struct span key, struct span value)
{
    return value_put(txn, t, key, value, false);
}

int txn_append(struct txn *txn, enum table t, struct span key, struct span value)
{
    return value_put(txn, t, key, value, true);
}

int txn_reserve(struct txn *txn, enum table t, struct span key, size_t n, bool is_append,
                void **ret_p)
{
    struct tree_row *row;
    int r = row_make(txn, t, key, n, is_append, &row);
    if (r)
        return r < 0 ? err_pass(r) : r;
    txn->reserved.is_set = true;
    txn->reserved.table = t;
    txn->reserved.row = tree_row_ref(row);
    write_end(txn);
    *ret_p = row->bytes + row->key_n;
    return 0;
}

int txn_del(struct txn *txn, enum table t, struct span key)
{
    int r = write_begin(txn, t, key, 0);
    if (r)
        return r < 0 ? err_pass(r) : r;
    /* The key may be a borrowed one: told before what was lent is overwritten. */
    if (!tree_del(&txn->table[t], key))
        return STORE_MISSING;
    collect(txn, t, key, (struct span){0});
    write_end(txn);
    return 0;
}
