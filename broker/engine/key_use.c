/* key_use.c: one row a key, put together from two sides: the turn's own counts, and auth.h's.
 * Whoever writes the row takes what it has from its side and leaves the other half as it is stored.
 */
#include "engine/key_use.h"

#include "engine/turn.h"
#include "engine/usage.h"
#include "sched/month.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDLE_MAX = 4096, SLICE_ROWS = 512, PAUSE_MS = 10000, MORE_MS = 1000 };

int key_uses_init(struct key_uses *uses)
{
    int r = map_init(&uses->by_serial);
    return r < 0 ? err_pass(r) : 0;
}

void key_uses_deinit(struct key_uses *uses)
{
    size_t bucket;
    struct map *m = &uses->by_serial;
    for (struct map_node *n = m->buckets ? map_begin(m, &bucket) : NULL, *next; n; n = next) {
        next = map_after(m, n, &bucket);
        free(CONTAINER(n, key_use, by_serial));
    }
    map_deinit(m);
}

void key_uses_tend(struct key_uses *uses)
{
    size_t bucket;
    struct map *m = &uses->by_serial;
    map_tend(m);
    if (m->count < uses->kept + IDLE_MAX)
        return;
    for (struct map_node *n = map_begin(m, &bucket), *next; n; n = next) {
        next = map_after(m, n, &bucket);
        if (CONTAINER(n, key_use, by_serial)->is_listed)
            continue;
        map_del(m, n, NULL);
        free(CONTAINER(n, key_use, by_serial));
    }
    uses->kept = m->count;
}

static struct key_use *find(const struct cache *c, uint32_t serial)
{
    const struct map *m = &c->key_uses.by_serial;
    for (struct map_node *n = map_first(m, hash_u64(serial)); n; n = map_same(n)) {
        struct key_use *u = CONTAINER(n, key_use, by_serial);
        if (u->serial == serial)
            return u;
    }
    return NULL;
}

/* ---- the row ---- */

static uint64_t *ending_of(struct key_use_row *row, size_t i)
{
    uint64_t *const at[KEY_ENDINGS] = {&row->succeeded, &row->failed, &row->timed_out,
                                       &row->cancelled, &row->dead};
    return at[i];
}

/* Either side may be absent: then its half stays. */
static void overlay(struct key_use_row *row, const struct key_use *u, const struct use *asked)
{
    if (u) {
        row->month = u->month;
        row->month_builds = u->month_builds;
        row->builds = u->builds;
        for (size_t i = 0; i < KEY_ENDINGS; i++)
            *ending_of(row, i) = u->ended[i];
    }
    if (asked) {
        row->requests = asked->requests;
        row->last_used_ms = asked->last_used_ms;
        row->tat = asked->bucket.full_at;
    }
}

/* Does the row say what is counted in RAM? */
static bool is_in_row(const struct key_use *u, struct key_use_row *row)
{
    bool is_same =
        row->month == u->month && row->month_builds == u->month_builds && row->builds == u->builds;
    for (size_t i = 0; i < KEY_ENDINGS && is_same; i++)
        is_same = *ending_of(row, i) == u->ended[i];
    return is_same;
}

/* Zeros when there is none. */
static int use_read(struct txn *txn, uint32_t serial, struct key_use_row *ret_row)
{
    struct key_buf k;
    *ret_row = (struct key_use_row){0};
    int r = row_get(txn, &key_use_row_type, key_u32(&k, serial), ret_row);
    return r < 0 ? err_pass(r) : r;
}

/* The key may have gone meanwhile: then its row is not made again. */
static int use_write(struct txn *txn, uint32_t serial, const struct key_use *u,
                     const struct use *asked)
{
    struct key_use_row row;
    struct key_serial_row key;
    struct key_buf k;
    int r = use_read(txn, serial, &row);
    if (r == STORE_MISSING)
        r = row_get(txn, &key_serial_row_type, key_u32(&k, serial), &key);
    if (r != 0)
        return r == STORE_MISSING ? 0 : r;
    overlay(&row, u, asked);
    return row_put(txn, &key_use_row_type, key_u32(&k, serial), &row);
}

/* ---- counting ---- */

/* Has the key a quota? STORE_MISSING: there is no such key any more. */
static int is_quota_key(struct txn *txn, uint32_t serial, bool *ret_is)
{
    struct key_serial_row at;
    struct key_row key;
    struct key_buf k;
    int r = row_get(txn, &key_serial_row_type, key_u32(&k, serial), &at);
    if (r == 0)
        r = row_get(txn, &key_row_type, span_of(at.hash, sizeof at.hash), &key);
    if (r == 0)
        *ret_is = key.builds_month > 0;
    return r;
}

/* *ret_use is NULL when there is no such key. */
static int use_of(struct turn *t, uint32_t serial, struct key_use **ret_use)
{
    struct key_use_row row;
    bool is_exact = false;
    *ret_use = find(t->cache, serial);
    if (*ret_use)
        return 0;
    int r = is_quota_key(t->txn, serial, &is_exact);
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    r = use_read(t->txn, serial, &row);
    if (r < 0)
        return err_pass(r);
    struct key_use *u = calloc(1, sizeof *u);
    if (!u)
        return err_raise(-ENOMEM);
    undo_born(t->undo, u, free);
    u->serial = serial;
    u->is_exact = is_exact;
    u->month = row.month;
    u->month_builds = row.month_builds;
    u->builds = row.builds;
    for (size_t i = 0; i < KEY_ENDINGS; i++)
        u->ended[i] = *ending_of(&row, i);
    map_add(&t->cache->key_uses.by_serial, &u->by_serial, hash_u64(serial), t->undo);
    *ret_use = u;
    return 0;
}

/* Its row is to be written, now or later. */
static int mark(struct turn *t, struct key_use *u)
{
    struct key_uses *uses = &t->cache->key_uses;
    if (u->is_listed)
        return 0;
    SET(t->undo, u->is_listed, true);
    if (!u->is_exact)
        return auth_use_touch(t->engine->config.auth, t->txn, u->serial, t->now.wall_ms);
    SET(t->undo, u->next, uses->exact);
    SET(t->undo, uses->exact, u);
    return 0;
}

static void count(struct turn *t, uint64_t *at, int by)
{
    if (by > 0 || *at > 0)
        SET(t->undo, *at, *at + (uint64_t)(int64_t)by);
}

/* A month that is over counts no more; a clock that went back does not bring it back. */
static void count_month(struct turn *t, struct key_use *u, uint16_t month, int by)
{
    if (by > 0 && month > u->month) {
        SET(t->undo, u->month, month);
        SET(t->undo, u->month_builds, 0);
    }
    if (by > 0 || month == u->month)
        count(t, &u->month_builds, by);
}

int key_use_check(struct turn *t)
{
    const struct principal *who = &t->who;
    struct key_use *u;
    char until[MINUTE_TEXT_LEN + 1];
    uint16_t month = month_of(t->now.wall_ms);
    if (!who->builds_month)
        return 0;
    int r = use_of(t, who->key_serial, &u);
    if (r != 0 || !u || u->month < month || u->month_builds < who->builds_month)
        return r;
    return turn_refuse(t, E_KEY_QUOTA, "monthly quota of %llu builds of key %s used; resets %s",
                       (unsigned long long)who->builds_month, who->key_prefix,
                       minute_text(month_start_ms(u->month + 1u), until));
}

static size_t ending(Rota__State state)
{
    return (size_t)(state - ROTA__STATE__SUCCEEDED);
}

int key_use_moved(struct turn *t, const struct job *before, const struct job *after,
                  const struct step *s)
{
    struct key_use *u;
    bool is_born = before->state == ROTA__STATE__STATE_NONE;
    bool had_ended = job_has_ended(before->state), has_ended = job_has_ended(s->to);
    if (!after->key_serial || (!is_born && !had_ended && !has_ended))
        return 0;
    int r = use_of(t, after->key_serial, &u);
    if (r != 0 || !u)
        return r;
    if (is_born)
        count(t, &u->builds, 1);
    if (had_ended)
        count(t, &u->ended[ending(before->state)], -1);
    if (has_ended)
        count(t, &u->ended[ending(s->to)], 1);
    if (is_born ? after->is_charged : before->is_refunded && !after->is_refunded)
        count_month(t, u, charge_month(after), 1);
    if (has_ended && job_is_refund(after, s))
        count_month(t, u, charge_month(after), -1);
    return mark(t, u);
}

int key_use_now(struct turn *t, uint32_t serial, struct key_use_row *ret_row)
{
    struct use asked;
    int r = use_read(t->txn, serial, ret_row);
    if (r < 0)
        return err_pass(r);
    bool has_asked = auth_use(t->engine->config.auth, serial, &asked);
    overlay(ret_row, find(t->cache, serial), has_asked ? &asked : NULL);
    return 0;
}

uint64_t key_use_of_month(const struct key_use_row *row, uint64_t wall_ms)
{
    return row->month >= month_of(wall_ms) ? row->month_builds : 0;
}

int key_use_drop(struct turn *t, uint32_t serial)
{
    struct key_buf k;
    struct key_use *u = find(t->cache, serial);
    int r = u ? key_uses_flush(t->cache, t->txn) : 0; /* no list points to it any more */
    if (r != 0)
        return r;
    if (u) {
        map_del(&t->cache->key_uses.by_serial, &u->by_serial, t->undo);
        undo_dies(t->undo, u, free);
    }
    r = txn_del(t->txn, TABLE_KEY_USE, key_u32(&k, serial));
    return r == STORE_MISSING ? 0 : r;
}

/* ---- writing ---- */

int key_uses_flush(struct cache *c, struct txn *txn)
{
    int r = 0;
    for (struct key_use *u; r == 0 && (u = c->key_uses.exact);) {
        r = use_write(txn, u->serial, u, NULL);
        SET(c->undo, c->key_uses.exact, u->next);
        SET(c->undo, u->is_listed, false);
    }
    return r;
}

int key_uses_some(struct turn *t)
{
    struct engine *e = t->engine;
    if (t->bt_ms < e->key_uses_ms || !auth_uses_waiting(e->config.auth))
        return 0;
    struct use *asked = arena_alloc(t->fx->arena, SLICE_ROWS * sizeof *asked);
    if (!asked)
        return err_raise(-ENOMEM);
    size_t n = auth_uses_take(e->config.auth, asked, SLICE_ROWS);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        struct key_use *u = find(t->cache, asked[i].serial);
        r = turn_store(use_write(t->txn, asked[i].serial, u, &asked[i]));
        if (u && !u->is_exact && u->is_listed)
            SET(t->undo, u->is_listed, false);
    }
    e->key_uses_taken = asked; /* for after the commit; only when to look again is not undone */
    e->key_uses_n = n;
    e->key_uses_ms = t->bt_ms + (n == SLICE_ROWS ? MORE_MS : PAUSE_MS);
    return r;
}

void key_uses_committed(struct engine *e)
{
    if (e->key_uses_n)
        auth_uses_written(e->config.auth, e->key_uses_taken, e->key_uses_n);
    e->key_uses_n = 0;
}

uint64_t key_uses_due_ms(const struct engine *e)
{
    return auth_uses_waiting(e->config.auth) ? e->key_uses_ms : UINT64_MAX;
}

int key_uses_compare(const struct cache *c, struct txn *txn)
{
    size_t bucket;
    const struct map *m = &c->key_uses.by_serial;
    if (c->key_uses.exact)
        return 1;
    for (struct map_node *n = map_begin(m, &bucket); n; n = map_after(m, n, &bucket)) {
        const struct key_use *u = CONTAINER(n, key_use, by_serial);
        struct key_use_row stored;
        int r = use_read(txn, u->serial, &stored);
        if (r < 0)
            return err_pass(r);
        if (u->is_listed || is_in_row(u, &stored))
            continue;
        fprintf(stderr, "cache differs: use of key %u\n", u->serial);
        return 1;
    }
    return 0;
}
