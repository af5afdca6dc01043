/* query_stats.c: depth, age and load per tier and pool.
 *
 * Counts come from the board, where the queue thread keeps them as it goes. Since when the head job
 * of an account waits stands in its tally, so the greatest age takes a walk over the tallies: it
 * follows the accounts that have jobs and never the jobs. HEADS_SCAN_MAX bounds the work of one
 * answer; beyond it the ages are those of the accounts looked at. */
#include "engine/query.h"
#include "engine/query_parts.h"
#include "sched/breaker.h"
#include "sched/tier.h"

#include <errno.h>

enum { STATS_POOLS_MAX = 256 };

/* Greatest age of a head job, by tier. */
struct heads {
    uint64_t oldest_ms[TIERS];
};

/* One account's head job in one pool. */
static int head_visit(struct query *q, struct heads *h, struct span key, struct span value)
{
    struct key_buf k;
    struct tally_row tally;
    struct account_row row;
    int r = row_decode(&tally_row_type, key, value, &tally);
    if (r == 0 && (!tally.ready || !tally.head_ms))
        return 0;
    if (r == 0)
        r = row_get(q->txn, &account_row_type, key_u64(&k, get_be64(key.p)), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    uint64_t age = q->wall_ms > tally.head_ms ? q->wall_ms - tally.head_ms : 0;
    uint64_t *oldest_ms = &h->oldest_ms[row.tier < TIERS ? row.tier : TIERS - 1];
    if (age > *oldest_ms)
        *oldest_ms = age;
    return 0;
}

static int heads_walk(struct query *q, struct heads *h)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = cursor_open(q->txn, TABLE_TALLY, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    for (unsigned i = 0; r == 0 && i < HEADS_SCAN_MAX; i++) {
        r = head_visit(q, h, key, value);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
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
        to->barred = from->barred;
        to->bars = from->bars;
        to->oldest_ms = h->oldest_ms[t];
        result->jobs += from->ready + from->delayed + from->held + from->leased;
        result->tier[result->n_tier++] = to;
    }
}

/* What only the queue thread knows of a pool. */
static void pool_live(const struct board_pool *pools, size_t n, uint16_t pool,
                      Rota__PoolStats *stats)
{
    for (size_t i = 0; i < n; i++) {
        if (pools[i].pool != pool)
            continue;
        stats->waiting_workers = pools[i].waiting_workers;
        stats->leased = pools[i].leased;
        for (unsigned t = 0; t < TIERS; t++)
            stats->ready += pools[i].ready[t];
        stats->bars = pools[i].bars;
    }
}

static Rota__ClassStats *class_new(struct query *q, struct span name, const struct class_row *row,
                                   uint64_t broker_ms)
{
    Rota__ClassStats *class;
    QUERY_NEW(q, class, Rota__ClassStats, rota__class_stats__init);
    if (!class)
        return NULL;
    class->class_ = query_str(q, name);
    class->breaker = query_text(q, breaker_word(row->breaker_state));
    class->faults = row->breaker_faults;
    class->paused = row->is_paused;
    if (row->breaker_until_ms > broker_ms)
        class->open_until_ms = q->wall_ms + (row->breaker_until_ms - broker_ms);
    return class;
}

/* The classes that belong to the pool. */
static int fill_classes(struct query *q, uint16_t pool, uint64_t broker_ms, Rota__PoolStats *stats)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct class_row row;
    stats->class_ = query_array(q, CLASSES_MAX);
    stats->class_state = query_array(q, CLASSES_MAX);
    int r =
        stats->class_ && stats->class_state ? cursor_open(q->txn, TABLE_CLASS, &cursor) : -ENOMEM;
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    while (r == 0 && stats->n_class_ < CLASSES_MAX) {
        r = row_decode(&class_row_type, key, value, &row);
        if (r == 0 && row.pool == pool) {
            stats->class_[stats->n_class_++] = query_str(q, key);
            Rota__ClassStats *class = class_new(q, key, &row, broker_ms);
            if (!class)
                return -ENOMEM;
            stats->class_state[stats->n_class_state++] = class;
        }
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
    stats->run_ms_mean = row->run_ms_mean;
    stats->run_ms_dev = row->run_ms_dev;
    stats->run_count = row->run_count;
    if (row->heat_until_ms > q->wall_ms) {
        stats->heat_slots = row->heat_slots;
        stats->heat_until_ms = row->heat_until_ms;
    }
    return stats;
}

/* What the pools are filled from. */
struct pool_facts {
    struct board_pool *pools;
    size_t pools_n;
    uint64_t broker_ms; /* now */
};

static int fill_pool(struct query *q, struct pool_facts *f, struct span key, struct span value,
                     Rota__StatsResult *result)
{
    struct pool_row row;
    int r = row_decode(&pool_row_type, key, value, &row);
    if (r)
        return r;
    struct board_crew crew;
    uint16_t number = get_be16(key.p);
    Rota__PoolStats *stats = pool_new(q, &row);
    if (!stats)
        return -ENOMEM;
    pool_live(f->pools, f->pools_n, number, stats);
    board_crew(q->board, number, &crew);
    stats->workers = crew.workers;
    stats->slots = crew.slots;
    result->pool[result->n_pool++] = stats;
    return fill_classes(q, number, f->broker_ms, stats);
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
    AUTO_FREE struct board_pool *pools = NULL;
    struct heads heads = {0};
    struct board_totals totals;
    struct pool_facts facts = {0};
    board_totals(q->board, &totals);
    int r = heads_walk(q, &heads);
    if (r == 0)
        r = board_pools(q->board, &pools, &facts.pools_n);
    facts.broker_ms = query_broker_ms(q, &totals);
    facts.pools = pools;
    fill_tiers(q, &totals, &heads, result);
    result->events = totals.last_seq;
    result->turns = totals.turns;
    return r ? err_pass(r) : fill_pools(q, &facts, result);
}

static void stats_health(struct query *q, Rota__StatsResult *result)
{
    const struct query_health *h = q->health;
    Rota__ArtifactStats *store;
    result->store_full = h && h->store_is_full;
    if (!h)
        return;
    QUERY_NEW(q, store, Rota__ArtifactStats, rota__artifact_stats__init);
    if (!store)
        return;
    store->kind = query_text(q, h->kind);
    store->state = query_text(q, h->state);
    store->error = query_text(q, h->error);
    store->text = query_text(q, h->text);
    store->breaker = query_text(q, h->breaker);
    store->faults = h->faults;
    store->open_until_ms = h->open_until_ms;
    store->since_ms = h->since_ms;
    store->full_percent = h->full_percent;
    result->artifact_store = store;
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
    stats_health(q, result);
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
