/* store_sim_cursor.c: a place in one table.
 *
 * A cursor stands on a row, or behind the last one after a search that found nothing, or nowhere
 * yet. It keeps the row it stands on, so that it knows where it is when the row has been deleted or
 * the table has changed: then the next move begins with a search for the row's key. */
#include "sim/store_sim_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum standing { NOWHERE, ON_ROW, BEHIND };

struct cursor {
    struct txn *txn;
    enum table table;
    enum standing standing;
    struct tree_row *row; /* ON_ROW */
    struct tree_place place;
    uint64_t version; /* of the transaction when `place` was found */
};

int cursor_open(struct txn *txn, enum table t, struct cursor **ret_cursor)
{
    assert(txn->is_open && t < TABLE_COUNT);
    struct cursor *c = malloc(sizeof *c); /* `place` needs no zeros */
    if (!c)
        return err_raise(-ENOMEM);
    c->txn = txn;
    c->table = t;
    c->standing = NOWHERE;
    c->row = NULL;
    c->place.depth = 0;
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
    tree_row_unref(c->row);
    free(c);
    return NULL;
}

static const struct tree *tree_of(const struct cursor *c)
{
    return &c->txn->table[c->table];
}

/* Ends a move that found `row`. */
static int stand_on(struct cursor *c, struct tree_row *row, struct span *ret_key,
                    struct span *ret_value)
{
    tree_row_ref(row);
    tree_row_unref(c->row);
    c->row = row;
    c->standing = ON_ROW;
    c->version = c->txn->version;
    *ret_key = txn_lend(c->txn, tree_key(row));
    *ret_value = txn_lend(c->txn, tree_value(row));
    return 0;
}

static int stand_behind(struct cursor *c)
{
    tree_row_unref(c->row);
    c->row = NULL;
    c->standing = BEHIND;
    return STORE_MISSING;
}

int cursor_seek(struct cursor *c, struct span key, struct span *ret_key, struct span *ret_value)
{
    struct tree_row *row = tree_seek(tree_of(c), key, TREE_ON, &c->place);
    return row ? stand_on(c, row, ret_key, ret_value) : stand_behind(c);
}

int cursor_last(struct cursor *c, struct span *ret_key, struct span *ret_value)
{
    struct tree_row *row = tree_end(tree_of(c), TREE_ON, &c->place);
    return row ? stand_on(c, row, ret_key, ret_value) : STORE_MISSING;
}

/* The row after (before) the one that the cursor stands on; NULL: none. */
static struct tree_row *neighbour(struct cursor *c, enum tree_way way)
{
    struct span key = tree_key(c->row);
    if (c->place.depth && c->version == c->txn->version)
        return tree_step(&c->place, way);
    struct tree_row *row = tree_seek(tree_of(c), key, way, &c->place);
    if (row && way == TREE_ON && tree_compare(tree_key(row), key) == 0)
        row = tree_step(&c->place, way);
    return row;
}

static int step(struct cursor *c, enum tree_way way, struct span *ret_key, struct span *ret_value)
{
    struct tree_row *row = NULL;
    if (c->standing == ON_ROW)
        row = neighbour(c, way);
    else if (c->standing == NOWHERE || way == TREE_BACK)
        row = tree_end(tree_of(c), (enum tree_way) !way, &c->place);
    if (row)
        return stand_on(c, row, ret_key, ret_value);
    c->place.depth = 0; /* it stays where it stood */
    return STORE_MISSING;
}

int cursor_next(struct cursor *c, struct span *ret_key, struct span *ret_value)
{
    return step(c, TREE_ON, ret_key, ret_value);
}

int cursor_leap(struct cursor *c, struct span *ret_key, uint64_t *ret_rows)
{
    struct span value;
    *ret_rows = 1;
    return cursor_next(c, ret_key, &value);
}

int cursor_prev(struct cursor *c, struct span *ret_key, struct span *ret_value)
{
    return step(c, TREE_BACK, ret_key, ret_value);
}

int cursor_before(struct cursor *c, struct span key, struct span *ret_key, struct span *ret_value)
{
    struct tree_row *row = tree_seek(tree_of(c), key, TREE_BACK, &c->place);
    if (row)
        return stand_on(c, row, ret_key, ret_value);
    /* Nothing is before `key`: it stands on the first row, as LMDB's does, or behind. */
    struct span first_key, first_value;
    row = tree_seek(tree_of(c), key, TREE_ON, &c->place);
    if (row)
        stand_on(c, row, &first_key, &first_value);
    else
        stand_behind(c);
    return STORE_MISSING;
}
