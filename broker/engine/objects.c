/* objects.c: references from jobs to objects of the artifact store, counted in the turn; and what
 * an account's artifacts take of its storage: each object once, however many jobs refer to it.
 * Sources are not counted: they go with their jobs. */
#include "engine/turn.h"

#include "store/keys.h"

#include <errno.h>

enum { GOING_ROWS = 64, GOING_PAUSE_MS = 600000 };

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

/* Its bytes are to be deleted: the row stays until they are, over any crash. */
static int object_going(struct turn *t, uint8_t kind, const struct account *a,
                        const uint8_t sha256[32])
{
    struct key_buf k;
    struct going_row row = {.account_id = span_str(a->id)};
    effect_object_gone(t, kind, a->number, sha256, a->id);
    return turn_store(
        row_put(t->txn, &going_row_type, key_object(&k, kind, a->number, sha256), &row));
}

static int object_stays(struct turn *t, struct span key)
{
    int r = txn_del(t->txn, TABLE_GOING, key);
    return r == STORE_MISSING ? 0 : turn_store(r);
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
    r = turn_store(row_put(t->txn, &object_row_type, key, &row));
    return r == 0 && row.jobs == 1 ? object_stays(t, key) : r;
}

int object_unheld(struct turn *t, uint8_t kind, const struct account *a, const uint8_t sha256[32])
{
    struct object_row row;
    struct key_buf k;
    int r = row_get(t->txn, &object_row_type, key_object(&k, kind, a->number, sha256), &row);
    if (r == STORE_MISSING)
        return object_going(t, kind, a, sha256);
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
    r = turn_store(txn_del(t->txn, TABLE_OBJECT, key));
    return r == 0 ? object_going(t, kind, a, sha256) : r;
}

int objects_settled(struct turn *t, const struct object_settled *list, size_t n)
{
    struct key_buf k;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = object_stays(t, key_object(&k, list[i].kind, list[i].account, list[i].sha256));
    return r;
}

/* One row, whose key says all but the account's own id. */
static int going_ask(struct turn *t, struct span key, struct span value)
{
    struct going_row row;
    const uint8_t *p = key.p;
    int r = row_decode(&going_row_type, key, value, &row);
    if (r < 0 || key.n != 1 + 8 + 32)
        return err_raise(-EBADMSG);
    effect_object_gone(t, *p, get_be64(p + 1), p + 9, turn_str(t, row.account_id));
    return 0;
}

/* Where the walk stands is not stored: a restart begins again, and to ask twice does no harm. */
int going_some(struct turn *t)
{
    struct sweep *s = &t->engine->going;
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (t->bt_ms < s->next_ms)
        return 0;
    int r = turn_store(cursor_open(t->txn, TABLE_GOING, &cursor));
    if (r == 0)
        r = cursor_seek(cursor, span_of(s->from.b, s->from_n), &key, &value);
    for (unsigned i = 0; r == 0; i++, r = cursor_next(cursor, &key, &value)) {
        s->from_n = key.n < sizeof s->from.b ? key.n : sizeof s->from.b;
        memcpy(s->from.b, key.p, s->from_n);
        if (i == GOING_ROWS)
            return 0;
        r = going_ask(t, key, value);
        if (r < 0)
            return err_pass(r);
    }
    *s = (struct sweep){.next_ms = t->bt_ms + GOING_PAUSE_MS};
    return r < 0 ? err_pass(r) : 0;
}
