/* objects.c: references from jobs to objects of the artifact store, counted in the turn. */
#include "engine/turn.h"

#include "store/keys.h"

int object_hold(struct turn *t, uint8_t kind, uint64_t account, const uint8_t sha256[32],
                uint64_t size)
{
    struct object_row row = {0};
    struct key_buf k;
    struct span key = key_object(&k, kind, account, sha256);
    int r = row_get(t->txn, &object_row_type, key, &row);
    if (r < 0)
        return err_pass(r);
    if (size)
        row.size = size;
    row.jobs++;
    return turn_store(row_put(t->txn, &object_row_type, key, &row));
}

int object_release(struct turn *t, uint8_t kind, const struct account *a, const uint8_t sha256[32])
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
    effect_object_gone(t, kind, sha256, a->id);
    return turn_store(txn_del(t->txn, TABLE_OBJECT, key));
}
