/* query_stats.c: depth, age and load per tier and pool.
 *
 * Counts come from the board, where the queue thread keeps them as it goes. The age of the oldest
 * waiting job cannot be kept cheaply, so it is looked up: the ready table is sorted by (pool,
 * account, priority, id), and one seek per account finds its head job. HEADS_SCAN_MAX bounds the
 * work of one answer; beyond it the ages are those of the accounts looked at. */
#include "engine/query.h"
#include "engine/query_parts.h"
#include "sched/tier.h"

#include <errno.h>

enum { READY_KEY_BYTES = 2 + 8 + 1 + 16, STATS_POOLS_MAX = 256 };

/* What the walk over the heads finds. */
struct heads {
    uint64_t oldest_ms[TIERS];
    struct {
        uint16_t pool;
        uint64_t ready;
    } pool[STATS_POOLS_MAX];
    size_t pools_n;
};

static uint64_t *pool_ready(struct heads *h, uint16_t pool)
{
    for (size_t i = 0; i < h->pools_n; i++)
        if (h->pool[i].pool == pool)
            return &h->pool[i].ready;
    if (h->pools_n == STATS_POOLS_MAX)
        return NULL;
    h->pool[h->pools_n].pool = pool;
    return &h->pool[h->pools_n++].ready;
}

/* One account's head job in one pool. */
static int head_visit(struct query *q, struct heads *h, uint16_t pool, uint64_t account,
                      struct job_id id)
{
    struct key_buf k;
    struct account_row row;
    struct tally_row tally;
    int r = row_get(q->txn, &account_row_type, key_u64(&k, account), &row);
    if (r == 0) {
        uint64_t since = job_id_ms(id), age = q->wall_ms > since ? q->wall_ms - since : 0;
        uint8_t tier = row.tier < TIERS ? row.tier : TIERS - 1;
        if (age > h->oldest_ms[tier])
            h->oldest_ms[tier] = age;
        r = row_get(q->txn, &tally_row_type, key_tally(&k, account, pool), &tally);
    }
    uint64_t *ready = r == 0 ? pool_ready(h, pool) : NULL;
    if (ready)
        *ready += tally.ready;
    return r < 0 ? err_pass(r) : 0;
}

/* Seeks from account to account: (pool, account) and then (pool, account + 1). */
static int heads_walk(struct query *q, struct heads *h)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value, from = span_of("", 0);
    int r = cursor_open(q->txn, TABLE_READY, &cursor);
    for (unsigned i = 0; r == 0 && i < HEADS_SCAN_MAX; i++) {
        r = cursor_seek(cursor, from, &key, &value);
        if (r || key.n != READY_KEY_BYTES)
            break;
        uint16_t pool = get_be16(key.p);
        uint64_t account = get_be64((const uint8_t *)key.p + 2);
        r = head_visit(q, h, pool, account, key_tail_id(key));
        if (account == UINT64_MAX)
            break;
        static const struct job_id none;
        from = key_ready(&k, pool, account + 1, 0, none);
    }
    return r < 0 ? err_pass(r) : 0;
}

static void fill_tiers(struct query *q, const struct board_totals *totals, const struct heads *h,
                       Rota__StatsResult *result)
{
    result->tier = query_array(q, TIERS);
    for (unsigned t = 0; result->tier && t < TIERS; t++) {
        const struct board_tier *from = &totals->tier[t];
        Rota__TierStats *to;
        QUERY_NEW(q, to, Rota__TierStats, rota__tier_stats__init);
        if (!to)
            return;
        to->tier = (Rota__Tier)t;
        to->ready = from->ready;
        to->delayed = from->delayed;
        to->held = from->held;
        to->leased = from->leased;
        to->accounts = from->accounts;
        to->at_cap = from->at_cap;
        to->oldest_ms = h->oldest_ms[t];
        result->jobs += from->ready + from->delayed + from->held + from->leased;
        result->tier[result->n_tier++] = to;
    }
}

static uint64_t pool_leased(const struct board_lease *leases, size_t n, uint16_t pool)
{
    uint64_t leased = 0;
    for (size_t i = 0; i < n; i++)
        leased += leases[i].pool == pool;
    return leased;
}

static uint32_t pool_waiting(const struct board_pool *pools, size_t n, uint16_t pool)
{
    for (size_t i = 0; i < n; i++)
        if (pools[i].pool == pool)
            return pools[i].waiting_workers;
    return 0;
}

/* The names of the classes that belong to the pool. */
static int fill_classes(struct query *q, uint16_t pool, Rota__PoolStats *stats)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct class_row row;
    stats->class_ = query_array(q, CLASSES_MAX);
    int r = stats->class_ ? cursor_open(q->txn, TABLE_CLASS, &cursor) : -ENOMEM;
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    while (r == 0 && stats->n_class_ < CLASSES_MAX) {
        r = row_decode(&class_row_type, key, value, &row);
        if (r == 0 && row.pool == pool)
            stats->class_[stats->n_class_++] = query_str(q, key);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

static Rota__PoolStats *pool_new(struct query *q, const struct pool_row *row)
{
    Rota__PoolStats *stats;
    QUERY_NEW(q, stats, Rota__PoolStats, rota__pool_stats__init);
    if (!stats)
        return NULL;
    stats->pool = query_str(q, row->name);
    stats->c = row->c;
    stats->n = row->n;
    stats->number = row->number;
    if (row->heat_until_ms > q->wall_ms) {
        stats->heat_slots = row->heat_slots;
        stats->heat_until_ms = row->heat_until_ms;
    }
    return stats;
}

/* What the pools are filled from. */
struct pool_facts {
    struct heads *heads;
    struct board_lease *leases;
    struct board_pool *pools;
    size_t leases_n, pools_n;
};

static int fill_pool(struct query *q, struct pool_facts *f, struct span key, struct span value,
                     Rota__StatsResult *result)
{
    struct pool_row row;
    int r = row_decode(&pool_row_type, key, value, &row);
    if (r)
        return r;
    uint16_t number = get_be16(key.p);
    Rota__PoolStats *stats = pool_new(q, &row);
    if (!stats)
        return -ENOMEM;
    const uint64_t *ready = pool_ready(f->heads, number);
    stats->ready = ready ? *ready : 0;
    stats->leased = pool_leased(f->leases, f->leases_n, number);
    stats->waiting_workers = pool_waiting(f->pools, f->pools_n, number);
    result->pool[result->n_pool++] = stats;
    return fill_classes(q, number, stats);
}

static int fill_pools(struct query *q, struct pool_facts *f, Rota__StatsResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    result->pool = query_array(q, STATS_POOLS_MAX);
    int r = result->pool ? cursor_open(q->txn, TABLE_POOL, &cursor) : -ENOMEM;
    if (r == 0)
        r = cursor_seek(cursor, key_u16(&k, 0), &key, &value);
    while (r == 0 && result->n_pool < STATS_POOLS_MAX) {
        r = fill_pool(q, f, key, value, result);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

static int stats_fill(struct query *q, Rota__StatsResult *result)
{
    AUTO_FREE struct board_lease *leases = NULL;
    AUTO_FREE struct board_pool *pools = NULL;
    struct heads heads = {0};
    struct board_totals totals;
    struct pool_facts facts = {.heads = &heads};
    board_totals(q->board, &totals);
    int r = heads_walk(q, &heads);
    if (r == 0)
        r = board_leases(q->board, &leases, &facts.leases_n);
    if (r == 0)
        r = board_pools(q->board, &pools, &facts.pools_n);
    facts.leases = leases;
    facts.pools = pools;
    fill_tiers(q, &totals, &heads, result);
    result->events = totals.last_seq;
    result->turns = totals.turns;
    return r ? err_pass(r) : fill_pools(q, &facts, result);
}

static void stats_broker(struct query *q, Rota__StatsResult *result)
{
    struct store_usage usage;
    if (store_usage(q->store, &usage) == 0) {
        result->map_bytes = usage.used_bytes;
        result->map_bytes_max = usage.quota_bytes ? usage.quota_bytes : usage.map_bytes;
    }
    result->version = query_text(q, ROTA_VERSION);
    result->environment = query_text(q, q->environment);
    result->uptime_ms = q->boot_ms - q->started_boot_ms;
}

enum error_code query_stats(struct query *q)
{
    Rota__StatsResult *result;
    QUERY_NEW(q, result, Rota__StatsResult, rota__stats_result__init);
    if (!result)
        return E_MEMORY;
    int r = stats_fill(q, result);
    if (r < 0)
        return query_fault(r);
    stats_broker(q, result);
    enum error_code e = query_workers(q, ANSWER_BYTES_MAX / 2, &result->worker, &result->n_worker);
    if (e)
        return e;
    q->reply->stats = result;
    q->reply->result_case = ROTA__REPLY__RESULT_STATS;
    return E_OK;
}
