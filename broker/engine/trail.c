/* trail.c: the operators' trail: who did what to whom, kept for 400 days whatever becomes of the
 * things it names. Appended in the turn of the act itself, so that no act is without its entry and
 * no entry without its act. */
#include "engine/turn.h"

#include "ops.h"
#include "store/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { DETAIL_BYTES = 512, TRAIL_SLICE = 256, TRAIL_PAUSE_MS = 3600000 };
static const uint64_t trail_kept_ms = 400ull * 24 * 3600 * 1000;

/* Cuts a text that did not fit where a character begins. */
static void cut(char *text, size_t n)
{
    while (n > 0 && (text[n] & 0xc0) == 0x80)
        n--;
    text[n] = '\0';
}

static int trail_write(struct turn *t, const Rota__TrailEntry *entry)
{
    struct key_buf k;
    size_t n = rota__trail_entry__get_packed_size(entry);
    uint8_t *packed = arena_alloc(t->fx->arena, n);
    if (!packed)
        return err_raise(-ENOMEM);
    struct trail_row row = {span_of(packed, rota__trail_entry__pack(entry, packed))};
    return turn_store(row_append(t->txn, &trail_row_type, key_u64(&k, entry->seq), &row));
}

int trail_note(struct turn *t, const char *target, const char *format, ...)
{
    char detail[DETAIL_BYTES + 4];
    struct hot_row *hot = &t->cache->hot;
    const struct op_row *op = op_row(t->in->op_tag);
    va_list ap;
    assert(op);
    va_start(ap, format);
    int n = vsnprintf(detail, sizeof detail, format, ap);
    va_end(ap);
    if (n > DETAIL_BYTES)
        cut(detail, DETAIL_BYTES);
    SET(t->undo, hot->trail_seq, hot->trail_seq + 1);
    t->cache->hot_dirty = true;
    Rota__TrailEntry entry = ROTA__TRAIL_ENTRY__INIT;
    entry.seq = hot->trail_seq;
    entry.at_ms = t->now.wall_ms;
    entry.key_prefix = t->who.key_prefix;
    entry.account = t->who.account_id;
    entry.op = (char *)op->name;
    entry.target = (char *)target;
    entry.detail = detail;
    return trail_write(t, &entry);
}

/* ---- retention ---- */

/* Is the row older than it need be? */
static int is_spent(const struct turn *t, struct span key, struct span value, bool *ret_spent)
{
    struct trail_row row;
    int r = row_decode(&trail_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    Rota__TrailEntry *entry =
        rota__trail_entry__unpack(arena_allocator(t->fx->arena), row.packed.n, row.packed.p);
    if (!entry)
        return err_raise(-ENOMEM);
    *ret_spent = entry->at_ms + trail_kept_ms <= t->now.wall_ms;
    return 0;
}

/* The oldest rows that are spent: entries stand in order, so the first that is not ends it. */
static int spent_read(struct turn *t, uint64_t ret_seqs[TRAIL_SLICE], size_t *ret_n)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    bool spent = true;
    *ret_n = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_TRAIL, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0 && *ret_n < TRAIL_SLICE;
         r = cursor_next(cursor, &key, &value)) {
        r = is_spent(t, key, value, &spent);
        if (r != 0 || !spent)
            return r;
        ret_seqs[(*ret_n)++] = get_be64(key.p);
    }
    return r < 0 ? err_pass(r) : 0;
}

int trail_some(struct turn *t)
{
    uint64_t seqs[TRAIL_SLICE];
    size_t n;
    struct key_buf k;
    if (t->bt_ms < t->engine->trail_next_ms)
        return 0;
    int r = spent_read(t, seqs, &n);
    for (size_t i = 0; i < n && r == 0; i++)
        r = turn_store(txn_del(t->txn, TABLE_TRAIL, key_u64(&k, seqs[i])));
    if (r == 0 && n < TRAIL_SLICE) /* only when to look again: not journaled */
        t->engine->trail_next_ms = t->bt_ms + TRAIL_PAUSE_MS;
    return r;
}
