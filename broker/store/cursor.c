/* cursor.c: a place in one table. A thin dress over LMDB's cursor, which already follows the writes
 * of its own transaction; the transaction counts its cursors so that none can outlive it. */
#include "store/store_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

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
