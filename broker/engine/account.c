/* account.c: accounts in RAM: their counts per pool, their places in the rings, and how both get
 * back to the store.
 *
 * A turn may move an account many times; what it ends up with is written once, at the turn's end,
 * by comparing `now` with `stored`. Ring rows follow the turn number of the tally in the same way.
 */
#include "engine/cache.h"

#include "store/keys.h"

#include <assert.h>
#include <base/auto.h>
#include <errno.h>
#include <stdlib.h>

struct account *cache_account_known(const struct cache *c, uint64_t number)
{
    for (struct map_node *n = map_first(&c->accounts, hash_u64(number)); n; n = map_same(n)) {
        struct account *a = CONTAINER(n, account, by_number);
        if (a->number == number)
            return a;
    }
    return NULL;
}

int cache_account(struct cache *c, struct txn *txn, uint64_t number, struct account **ret_account)
{
    struct account *a = cache_account_known(c, number);
    if (a) {
        *ret_account = a;
        return 0;
    }
    struct account_row row;
    struct key_buf k;
    int r = row_get(txn, &account_row_type, key_u64(&k, number), &row);
    if (r == STORE_MISSING)
        return STORE_MISSING;
    if (r < 0)
        return err_pass(r);
    if (row.id.n > ACCOUNT_ID_MAX || row.tier >= TIERS)
        return err_raise(-EBADMSG);
    a = calloc(1, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    a->number = number;
    a->tier = a->share.tier = row.tier;
    a->bars = row.bars;
    account_limits_begin(c, a, &row);
    memcpy(a->id, row.id.p, row.id.n);
    undo_born(c->undo, a, free);
    map_add(&c->accounts, &a->by_number, hash_u64(number), c->undo);
    *ret_account = a;
    return 0;
}

struct tally *account_tally(struct cache *c, struct account *a, struct pool *p)
{
    for (struct tally *t = a->tallies; t; t = t->next)
        if (t->pool == p)
            return t;
    struct tally *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    undo_born(c->undo, t, free);
    t->account = a;
    t->pool = p;
    t->next = a->tallies;
    SET(c->undo, a->tallies, t);
    return t;
}

uint32_t account_running_max(const struct account *a)
{
    return a->running_max;
}

void account_mark(struct cache *c, struct account *a)
{
    if (a->is_dirty)
        return;
    a->is_dirty = true; /* cleared after commit and abort alike: not journaled */
    a->dirty_next = c->dirty;
    c->dirty = a;
}

static bool has_room(const struct account *a)
{
    return !a->bars && a->running < account_running_max(a);
}

void account_settle(struct cache *c, struct account *a)
{
    account_mark(c, a);
    bool may_run = has_room(a);
    for (struct tally *t = a->tallies; t; t = t->next) {
        bool belongs = may_run && t->now.ready;
        struct ring *ring = &t->pool->ring[a->tier];
        if (belongs && !ring_has(&t->node)) {
            SET(c->undo, c->hot.ring_turn, c->hot.ring_turn + 1);
            ring_enter(ring, &t->node, c->hot.ring_turn, c->undo);
            c->hot_dirty = true;
        } else if (!belongs && ring_has(&t->node)) {
            ring_leave(ring, &t->node, c->undo);
        }
    }
}

static bool is_settled(const struct account *a)
{
    bool may_run = has_room(a);
    for (const struct tally *t = a->tallies; t; t = t->next)
        if ((may_run && t->now.ready) != ring_has(&t->node))
            return false;
    return true;
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = (*(struct account *const *)x)->number, b = (*(struct account *const *)y)->number;
    return (a > b) - (a < b);
}

int accounts_settle(struct cache *c)
{
    size_t n = 0, bucket;
    AUTO_FREE struct account **odd = malloc((c->accounts.count + 1) * sizeof(struct account *));
    if (!odd)
        return err_raise(-ENOMEM);
    for (struct map_node *m = map_begin(&c->accounts, &bucket); m;
         m = map_after(&c->accounts, m, &bucket)) {
        struct account *a = CONTAINER(m, account, by_number);
        if (is_settled(a))
            account_mark(c, a);
        else
            odd[n++] = a;
    }
    qsort(odd, n, sizeof(struct account *), by_number);
    for (size_t i = 0; i < n; i++)
        account_settle(c, odd[i]);
    return 0;
}

void account_move(struct cache *c, struct account *a, uint8_t tier)
{
    account_mark(c, a);
    for (struct tally *t = a->tallies; t; t = t->next)
        if (ring_has(&t->node))
            ring_leave(&t->pool->ring[a->tier], &t->node, c->undo);
    SET(c->undo, a->tier, tier);
}

static bool row_is_blank(const struct tally_row *r)
{
    return !r->ready && !r->running && !r->delayed && !r->held && !r->turn;
}

static int flush_ring_row(struct tally *t, struct txn *txn)
{
    struct key_buf k;
    uint8_t tier = t->account->tier;
    if (t->now.turn == t->stored.turn && (tier == t->stored_tier || !t->now.turn))
        return 0;
    /* The new row first: deleting first would empty the table's page and free it, 64 times over. */
    int r = 0;
    struct ring_row row = {t->account->number};
    if (t->now.turn)
        r = row_put(txn, &ring_row_type, key_ring(&k, t->pool->number, tier, t->now.turn), &row);
    if (r == 0 && t->stored.turn)
        r = txn_del(txn, TABLE_RING, key_ring(&k, t->pool->number, t->stored_tier, t->stored.turn));
    return r == STORE_MISSING ? err_raise(-EBADMSG) : r;
}

static int flush_tally(struct tally *t, struct txn *txn)
{
    struct key_buf k;
    t->now.turn = t->node.turn;
    int r = flush_ring_row(t, txn);
    if (r != 0 || memcmp(&t->now, &t->stored, sizeof t->now) == 0)
        return r;
    struct span key = key_tally(&k, t->account->number, t->pool->number);
    if (!row_is_blank(&t->now))
        return row_put(txn, &tally_row_type, key, &t->now);
    r = txn_del(txn, TABLE_TALLY, key);
    return r == STORE_MISSING ? 0 : r; /* came and went within the turn */
}

static int flush_pool(struct pool *p, struct txn *txn)
{
    struct key_buf k;
    struct pool_row row = {.c = p->rotation.c,
                           .n = p->rotation.n,
                           .n_max = p->rotation.n_max,
                           .number = p->rotation.number,
                           .heat_slots = p->heat_slots,
                           .heat_until_ms = p->heat_until_ms,
                           .run_ms_mean = p->runs.mean_ms,
                           .run_ms_dev = p->runs.dev_ms,
                           .run_count = p->runs.n,
                           .name = span_str(p->name),
                           .is_paused = p->bars & ROTA__BAR__BAR_PAUSED ? 1 : 0};
    return row_put(txn, &pool_row_type, key_u16(&k, p->number), &row);
}

/* What its artifacts take; the rest of its row belongs to whoever changes it. */
static int flush_storage(struct account *a, struct txn *txn)
{
    struct account_row row;
    struct key_buf k;
    if (a->storage_bytes == a->storage_stored)
        return 0;
    struct span key = key_u64(&k, a->number), old;
    int r = txn_get(txn, TABLE_ACCOUNT, key, &old);
    if (r != 0)
        return r == STORE_MISSING ? 0 : r; /* the account was erased with them */
    AUTO_FREE void *copy = malloc(old.n);  /* the put may move what the row's texts point into */
    if (!copy)
        return err_raise(-ENOMEM);
    memcpy(copy, old.p, old.n);
    r = row_decode(&account_row_type, key, span_of(copy, old.n), &row);
    row.storage_bytes = a->storage_bytes;
    return r == 0 ? row_put(txn, &account_row_type, key, &row) : r;
}

static int flush_account(struct account *a, struct txn *txn)
{
    int r = 0;
    for (struct tally *t = a->tallies; t && r == 0; t = t->next)
        r = flush_tally(t, txn);
    if (r == 0)
        r = usage_flush(a, txn);
    if (r == 0)
        r = account_rate_flush(a, txn);
    return r == 0 ? flush_storage(a, txn) : r;
}

int cache_flush(struct cache *c, struct txn *txn)
{
    int r = heads_settle(c, txn);
    if (r == 0)
        r = rates_flush(c, txn);
    for (struct account *a = c->dirty; a && r == 0; a = a->dirty_next)
        r = flush_account(a, txn);
    for (size_t i = 1; i <= POOLS_MAX && r == 0; i++)
        if (c->pools[i] && c->pools[i]->is_dirty)
            r = flush_pool(c->pools[i], txn);
    if (r == 0)
        r = key_uses_flush(c, txn);
    if (r == 0 && c->hot_dirty)
        r = row_put(txn, &hot_row_type, hot_key(), &c->hot);
    return r < 0 ? err_pass(r) : r;
}

/* Adds (sign 1) or takes away (-1) an account's part of the totals. */
static void count_share(struct board_totals *totals, const struct account_share *s, int sign)
{
    struct board_tier *t = &totals->tier[s->tier];
    uint64_t by = (uint64_t)(int64_t)sign;
    t->ready += by * s->ready;
    t->delayed += by * s->delayed;
    t->held += by * s->held;
    t->leased += by * s->leased;
    t->accounts += by * s->waits;
    t->at_cap += by * s->at_cap;
    t->barred += by * s->barred;
}

static void account_recount(struct cache *c, struct account *a)
{
    struct account_share s = {.tier = a->tier};
    for (struct tally *t = a->tallies; t; t = t->next) {
        s.ready += t->now.ready;
        s.delayed += t->now.delayed;
        s.held += t->now.held;
        s.leased += t->now.running;
    }
    s.is_active = s.ready || s.leased;
    c->accounts_active += (uint64_t)s.is_active - (uint64_t)a->share.is_active;
    s.waits = s.ready > 0;
    s.barred = s.waits && a->bars;
    s.at_cap = s.waits && !a->bars && a->running >= account_running_max(a);
    if (a->bars & (ROTA__BAR__BAR_REVIEW | ROTA__BAR__BAR_BLOCKED)) {
        s.held += s.ready; /* as everybody sees them */
        s.ready = 0;
    }
    count_share(&c->totals, &a->share, -1);
    count_share(&c->totals, &s, 1);
    a->share = s;
}

/* Its part in the pool's share: what it was is taken away, what it is counts. */
static void pool_recount(struct tally *t)
{
    struct pool_share *s = &t->pool->share;
    s->ready[t->stored_tier] -= t->stored.ready;
    s->ready[t->account->tier] += t->now.ready;
    s->leased += t->now.running - (uint64_t)t->stored.running;
}

/* Tallies without anything in them leave RAM as they left the store. */
static void account_prune(struct account *a)
{
    for (struct tally **at = &a->tallies; *at;) {
        struct tally *t = *at;
        if (row_is_blank(&t->now)) {
            *at = t->next;
            free(t);
        } else {
            at = &t->next;
        }
    }
}

/* Every lease holds its tally, so a blank one has no lease; settles what the turn wrote. */
static void account_committed(struct cache *c, struct account *a)
{
    for (struct tally *t = a->tallies; t; t = t->next) {
        pool_recount(t);
        t->stored = t->now;
        t->stored_tier = a->tier;
    }
    if (a->rate)
        a->rate->stored = a->rate->now;
    a->storage_stored = a->storage_bytes;
    usage_committed(c, a);
    account_recount(c, a);
    account_prune(a);
    a->is_dirty = false;
}

void cache_committed(struct cache *c)
{
    undo_keep(c->undo);
    rates_committed(c);
    while (c->dirty) {
        struct account *a = c->dirty;
        c->dirty = a->dirty_next;
        account_committed(c, a);
    }
    for (size_t i = 1; i <= POOLS_MAX; i++)
        if (c->pools[i])
            c->pools[i]->is_dirty = false;
    c->hot_dirty = c->fold_ended = false;
}

void cache_aborted(struct cache *c)
{
    while (c->dirty) {
        struct account *a = c->dirty;
        c->dirty = a->dirty_next;
        a->is_dirty = false;
    }
    undo_unwind(c->undo);
    fold_aborted(c);
    for (size_t i = 1; i <= POOLS_MAX; i++)
        if (c->pools[i])
            c->pools[i]->is_dirty = false;
    c->hot_dirty = false;
}
