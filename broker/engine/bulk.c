/* bulk.c: bulk acts begin and end; how they go on: bulk_run.c. */
#include "engine/bulk.h"

#include "engine/match.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { PRIORITY_LAST = 9, TARGET_BYTES = 32 };

/* ---- rows ---- */

int bulk_read(struct turn *t, uint64_t number, struct bulk *ret_bulk)
{
    struct bulk_row row;
    struct key_buf k;
    int r = row_get(t->txn, &bulk_row_type, key_u64(&k, number), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    Rota__Bulk *b = rota__bulk__unpack(arena_allocator(t->fx->arena), row.packed.n, row.packed.p);
    if (!b)
        return err_raise(-ENOMEM);
    *ret_bulk = (struct bulk){.number = number, .row = row, .b = b};
    return 0;
}

int bulk_write(struct turn *t, struct bulk *bulk)
{
    struct key_buf k;
    size_t n = rota__bulk__get_packed_size(bulk->b);
    uint8_t *packed = arena_alloc(t->fx->arena, n + 1);
    if (!packed)
        return err_raise(-ENOMEM);
    bulk->row.packed = span_of(packed, rota__bulk__pack(bulk->b, packed));
    bulk->row.has_ended = bulk->b->ended_ms != 0;
    return turn_store(row_put(t->txn, &bulk_row_type, key_u64(&k, bulk->number), &bulk->row));
}

int bulks_load(struct cache *c, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct bulk_row row;
    int r = cursor_open(txn, TABLE_BULK, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    for (; r == 0; r = cursor_next(cursor, &key, &value)) {
        r = row_decode(&bulk_row_type, key, value, &row);
        if (r != 0)
            break;
        if (row.has_ended)
            continue;
        if (c->bulks_n == BULKS_MAX)
            return err_raise(-EBADMSG);
        c->bulks[c->bulks_n++] = get_be64(key.p);
    }
    return r < 0 ? err_pass(r) : 0;
}

/* ---- those that run, and those that are kept ---- */

static void running_add(struct turn *t, uint64_t number)
{
    struct cache *c = t->cache;
    assert(c->bulks_n < BULKS_MAX);
    SET(t->undo, c->bulks[c->bulks_n], number);
    SET(t->undo, c->bulks_n, c->bulks_n + 1);
}

static void running_drop(struct turn *t, uint64_t number)
{
    struct cache *c = t->cache;
    size_t to = 0;
    undo_save(t->undo, c->bulks, sizeof c->bulks);
    for (size_t i = 0; i < c->bulks_n; i++)
        if (c->bulks[i] != number)
            c->bulks[to++] = c->bulks[i];
    assert(to + 1 == c->bulks_n);
    SET(t->undo, c->bulks_n, to);
}

/* The oldest ended one. */
static int oldest_ended(struct turn *t, uint64_t *ret_number)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct bulk_row row;
    int r = cursor_open(t->txn, TABLE_BULK, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    for (; r == 0; r = cursor_next(cursor, &key, &value)) {
        r = row_decode(&bulk_row_type, key, value, &row);
        if (r != 0 || row.has_ended)
            break;
    }
    if (r == 0)
        *ret_number = get_be64(key.p);
    return turn_store(r);
}

/* No more than BULKS_KEPT ended ones stay. */
static int forget_oldest(struct turn *t)
{
    struct key_buf k;
    uint64_t rows, number = 0;
    int r = turn_store(txn_count(t->txn, TABLE_BULK, &rows));
    for (; r == 0 && rows > BULKS_KEPT + t->cache->bulks_n; rows--) {
        r = oldest_ended(t, &number);
        if (r == 0)
            r = turn_store(txn_del(t->txn, TABLE_BULK, key_u64(&k, number)));
    }
    return r;
}

static const char *target(const struct bulk *bulk, char text[TARGET_BYTES])
{
    snprintf(text, TARGET_BYTES, "bulk %llu", (unsigned long long)bulk->number);
    return text;
}

int bulk_end(struct turn *t, struct bulk *bulk)
{
    char text[TARGET_BYTES];
    const Rota__Bulk *b = bulk->b;
    bulk->b->ended_ms = t->now.wall_ms;
    int r = bulk_write(t, bulk);
    if (r != 0)
        return r;
    running_drop(t, bulk->number);
    r = forget_oldest(t);
    return r == 0 ? trail_note(t, target(bulk, text),
                               "%s: %llu looked at, %llu matched, %llu done, %llu refused%s%s",
                               b->stopped ? "stopped" : "ended", (unsigned long long)b->seen,
                               (unsigned long long)b->matched, (unsigned long long)b->done,
                               (unsigned long long)b->refused, b->last_error[0] ? ", last " : "",
                               b->last_error)
                  : r;
}

/* ---- the requests ---- */

static bool is_empty(const Rota__Where *where)
{
    return rota__where__get_packed_size(where) == 0;
}

/* Everything that can be refused. */
static int check_start(struct turn *t, const Rota__BulkStart *q)
{
    struct match m;
    if (!bulk_verb(q->verb))
        return turn_refuse(t, E_FIELD_MISSING, "bulk_start.verb is empty");
    if (!q->where || is_empty(q->where))
        return turn_refuse(t, E_WHERE_INVALID, "a bulk act needs a filter: name at least a state");
    bool is_move = q->verb == ROTA__BULK_VERB__BULK_MOVE;
    if (is_move && !q->pool[0] && !q->priority)
        return E_MOVE_NEEDED;
    if (!is_move && (q->pool[0] || q->priority))
        return turn_refuse(t, E_FIELD_INVALID, "only a move has a pool and a priority");
    if (q->priority > PRIORITY_LAST)
        return turn_refuse(t, E_FIELD_INVALID, "bulk_start.priority: %u, at most %d", q->priority,
                           PRIORITY_LAST);
    if (q->pool[0] && !cache_pool(t->cache, q->pool))
        return turn_refuse(t, E_POOL_UNKNOWN, "no pool \"%s\"", q->pool);
    enum error_code e = match_init(&m, t->txn, &t->who, q->where);
    if (e == E_MEMORY || e == E_STORE_FAULT)
        return err_raise(e == E_MEMORY ? -ENOMEM : -EIO);
    if (e != E_OK)
        return m.text[0] ? turn_refuse(t, e, "%s", m.text) : (int)e;
    if (t->cache->bulks_n == BULKS_MAX)
        return turn_refuse(t, E_BULK_LIMIT,
                           "%d bulk acts run at once, and so many do: %llu to %llu", BULKS_MAX,
                           (unsigned long long)t->cache->bulks[0],
                           (unsigned long long)t->cache->bulks[BULKS_MAX - 1]);
    return 0;
}

/* " state=READY" when the field is set, else "". */
static void field_text(const ProtobufCFieldDescriptor *f, const void *p, char *text, size_t n)
{
    const char *word = f->type == PROTOBUF_C_TYPE_STRING ? *(char *const *)p : NULL;
    unsigned long long number = f->type == PROTOBUF_C_TYPE_UINT64 ? *(const uint64_t *)p
                                : word                            ? 0
                                                                  : *(const uint32_t *)p;
    *text = '\0';
    if (f->type == PROTOBUF_C_TYPE_ENUM && number)
        word = protobuf_c_enum_descriptor_get_value(f->descriptor, (int)number)->name;
    if (word && *word)
        snprintf(text, n, " %s=%s", f->name, word);
    else if (number)
        snprintf(text, n, " %s=%llu", f->name, number);
}

/* The filter in words, " state=READY tiers=12", cut to what fits. */
static void where_text(const Rota__Where *where, char *text, size_t n)
{
    const ProtobufCMessageDescriptor *d = where->base.descriptor;
    size_t at = 0;
    *text = '\0';
    for (unsigned i = 0; i < d->n_fields && at + 1 < n; i++) {
        field_text(&d->fields[i], (const char *)where + d->fields[i].offset, text + at, n - at);
        at += strlen(text + at);
    }
}

static int bulk_reply(struct turn *t, Rota__Bulk *b, Rota__BulkResult **ret_result)
{
    Rota__BulkResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return err_raise(-ENOMEM);
    rota__bulk_result__init(result);
    result->bulk = b;
    *ret_result = result;
    return 0;
}

static void bulk_fill(struct turn *t, const Rota__BulkStart *q, struct bulk *bulk)
{
    Rota__Bulk *b = bulk->b;
    rota__bulk__init(b);
    b->bulk = bulk->number;
    b->verb = q->verb;
    b->where = q->where;
    b->dry_run = q->dry_run;
    b->reason = q->reason;
    b->pool = q->pool;
    b->priority = q->priority;
    b->by = turn_str(t, span_str(t->who.key_prefix));
    b->account = turn_str(t, span_str(t->who.account_id));
    b->started_ms = t->now.wall_ms;
    bulk->row.until = t->cache->hot.last_job;
    bulk->row.account = t->who.account;
}

int turn_bulk_start(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__BulkStart *q = request->bulk_start;
    char words[256], text[TARGET_BYTES];
    struct bulk bulk = {.b = arena_alloc(t->fx->arena, sizeof *bulk.b)};
    int r = bulk.b ? check_start(t, q) : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    SET(t->undo, t->cache->hot.bulk, t->cache->hot.bulk + 1);
    t->cache->hot_dirty = true;
    bulk.number = t->cache->hot.bulk;
    bulk_fill(t, q, &bulk);
    r = bulk_write(t, &bulk);
    if (r != 0)
        return r;
    running_add(t, bulk.number);
    where_text(q->where, words, sizeof words);
    r = trail_note(t, target(&bulk, text), "%s%s where%s%s%s", q->dry_run ? "dry run of " : "",
                   bulk_verb(q->verb), words, q->reason[0] ? "; " : "", q->reason);
    return r == 0 ? bulk_reply(t, bulk.b, &reply->bulk_start) : r;
}

int turn_bulk_stop(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    uint64_t number = request->bulk_stop->bulk;
    struct bulk bulk;
    int r = bulk_read(t, number, &bulk);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_BULK_UNKNOWN, "no bulk act %llu", (unsigned long long)number);
    if (r != 0)
        return turn_store(r);
    if (!bulk.b->ended_ms) {
        bulk.b->stopped = true;
        r = bulk_end(t, &bulk);
    }
    return r == 0 ? bulk_reply(t, bulk.b, &reply->bulk_stop) : r;
}
