/* account.c: accounts in RAM: their counts per pool, their places in the rings, and how both get
 * back to the store.
 *
 * A turn may move an account many times; what it ends up with is written once, at the turn's end,
 * by comparing `now` with `stored`. Ring rows follow the turn number of the tally in the same way.
 */
#include "engine/cache.h"

#include "sched/tier.h"
#include "store/keys.h"

#include <assert.h>
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
    a->running_own = row.running_max;
    a->bars = row.bars;
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
    return tier_running_max(a->tier, a->running_own);
}

static void account_mark(struct cache *c, struct account *a)
{
    if (a->is_dirty)
        return;
    a->is_dirty = true; /* cleared after commit and abort alike: not journaled */
    a->dirty_next = c->dirty;
    c->dirty = a;
}

void account_settle(struct cache *c, struct account *a)
{
    account_mark(c, a);
    bool has_room = !a->bars && a->running < account_running_max(a);
    for (struct tally *t = a->tallies; t; t = t->next) {
        bool belongs = has_room && t->now.ready;
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
                           .name = span_str(p->name)};
    return row_put(txn, &pool_row_type, key_u16(&k, p->number), &row);
}

int cache_flush(struct cache *c, struct txn *txn)
{
    int r = 0;
    for (struct account *a = c->dirty; a && r == 0; a = a->dirty_next)
        for (struct tally *t = a->tallies; t && r == 0; t = t->next)
            r = flush_tally(t, txn);
    for (size_t i = 1; i <= POOLS_MAX && r == 0; i++)
        if (c->pools[i] && c->pools[i]->is_dirty)
            r = flush_pool(c->pools[i], txn);
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
    s.waits = s.ready > 0;
    s.at_cap = s.waits && a->running >= account_running_max(a);
    count_share(&c->totals, &a->share, -1);
    count_share(&c->totals, &s, 1);
    a->share = s;
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
        t->stored = t->now;
        t->stored_tier = a->tier;
    }
    account_recount(c, a);
    account_prune(a);
    a->is_dirty = false;
}

void cache_committed(struct cache *c)
{
    undo_keep(c->undo);
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
