/* objects.c: references from jobs to objects of the artifact store, counted in the turn; and what
 * an account's artifacts take of its storage: each object once, however many jobs refer to it.
 * Sources are not counted: they go with their jobs. */
#include "engine/turn.h"

#include "store/keys.h"

static void storage_change(struct turn *t, uint8_t kind, struct account *a, uint64_t from,
                           uint64_t to)
{
    if (kind == ROTA__OBJECT_KIND__SOURCE || from == to)
        return;
    /* Objects from before there were counts may go: never below nothing. */
    uint64_t rest = a->storage_bytes > from ? a->storage_bytes - from : 0;
    SET(t->undo, a->storage_bytes, rest + to);
    account_mark(t->cache, a);
}

int object_hold(struct turn *t, uint8_t kind, struct account *a, const uint8_t sha256[32],
                uint64_t size)
{
    struct object_row row = {0};
    struct key_buf k;
    struct span key = key_object(&k, kind, a->number, sha256);
    int r = row_get(t->txn, &object_row_type, key, &row);
    if (r < 0)
        return err_pass(r);
    if (size) {
        storage_change(t, kind, a, row.size, size);
        row.size = size;
    }
    row.jobs++;
    return turn_store(row_put(t->txn, &object_row_type, key, &row));
}

int object_unheld(struct turn *t, uint8_t kind, const struct account *a, const uint8_t sha256[32])
{
    struct object_row row;
    struct key_buf k;
    int r = row_get(t->txn, &object_row_type, key_object(&k, kind, a->number, sha256), &row);
    if (r == STORE_MISSING)
        effect_object_gone(t, kind, sha256, a->id);
    return r < 0 ? err_pass(r) : 0;
}

int object_release(struct turn *t, uint8_t kind, struct account *a, const uint8_t sha256[32])
{
    struct object_row row;
    struct key_buf k;
    struct span key = key_object(&k, kind, a->number, sha256);
    int r = row_get(t->txn, &object_row_type, key, &row);
    if (r == STORE_MISSING)
        return 0;
    if (r < 0)
        return err_pass(r);
    if (row.jobs > 1) {
        row.jobs--;
        return turn_store(row_put(t->txn, &object_row_type, key, &row));
    }
    storage_change(t, kind, a, row.size, 0);
    effect_object_gone(t, kind, sha256, a->id);
    return turn_store(txn_del(t->txn, TABLE_OBJECT, key));
}
