/* sweep.c: what has served its time goes, a few rows a turn.
 *
 * An idempotency key is kept until its job has ended and a day has passed: so long a client may
 * repeat itself. A sweep walks the table once every ten minutes, SWEEP_ROWS rows a turn; where it
 * stands is not stored, a restart begins again. */
#include "engine/turn.h"

#include "store/keys.h"

enum { SWEEP_ROWS = 32, SWEEP_PAUSE_MS = 600000 };
static const uint64_t idem_kept_ms = 24ull * 3600 * 1000;

/* Has its job ended so long ago that nobody may repeat the publish any more? */
static int is_spent(struct turn *t, const struct idem_row *row, bool *ret_spent)
{
    struct done_row done;
    struct key_buf k;
    *ret_spent = false;
    int r = row_get(t->txn, &done_row_type, key_id(&k, row->job), &done);
    if (r == STORE_MISSING)
        return 0;
    if (r == 0)
        *ret_spent = done.finished_ms + idem_kept_ms <= t->now.wall_ms;
    return turn_store(r);
}

/* The rows from where the sweep stands; spent ones go to `ret_keys`. */
struct slice {
    struct key_buf keys[SWEEP_ROWS];
    size_t lengths[SWEEP_ROWS], n;
    bool is_end;
};

static int slice_look(struct turn *t, struct cursor *cursor, struct sweep *s, struct slice *slice)
{
    struct span key, value;
    int r = cursor_seek(cursor, span_of(s->from.b, s->from_n), &key, &value);
    for (unsigned i = 0; r == 0; i++, r = cursor_next(cursor, &key, &value)) {
        struct idem_row row;
        bool is_gone = false;
        s->from_n = key.n < sizeof s->from.b ? key.n : sizeof s->from.b;
        memcpy(s->from.b, key.p, s->from_n);
        if (i == SWEEP_ROWS)
            return 0;
        int looked = row_decode(&idem_row_type, key, value, &row);
        if (looked == 0)
            looked = is_spent(t, &row, &is_gone);
        if (looked != 0)
            return looked;
        if (!is_gone)
            continue;
        slice->keys[slice->n] = s->from;
        slice->lengths[slice->n++] = s->from_n;
    }
    slice->is_end = r == STORE_MISSING;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

int sweep_some(struct turn *t)
{
    struct sweep *s = &t->engine->sweep; /* only a place to go on from: not journaled */
    struct slice slice = {.n = 0};
    if (t->bt_ms < s->next_ms)
        return 0;
    AUTO(cursor) cursor = NULL;
    int r = turn_store(cursor_open(t->txn, TABLE_IDEM, &cursor));
    if (r == 0)
        r = slice_look(t, cursor, s, &slice);
    cursor = cursor_free(cursor);
    for (size_t i = 0; i < slice.n && r == 0; i++)
        r = turn_store(txn_del(t->txn, TABLE_IDEM, span_of(slice.keys[i].b, slice.lengths[i])));
    if (r == 0 && slice.is_end)
        *s = (struct sweep){.next_ms = t->bt_ms + SWEEP_PAUSE_MS};
    return r;
}
