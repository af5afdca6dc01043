/* limits.c: see account_limits.h. The table is one packed message in `meta`, so that reading it is
 * one lookup, and a field that is added to it later reads as absent. */
#include "engine/account_limits.h"

#include "engine/turn.h"
#include "store/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

/* ---- the table ---- */

static void row_fill(const struct tier_row *row, Rota__Limits *m)
{
    rota__limits__init(m);
    m->timeout_ms = row->timeout_ms;
    m->timeout_ms_max = row->timeout_ms_max;
    m->builds_month = row->builds_month;
    m->builds_unlimited = row->builds_month == 0;
    m->running_max = row->running_max;
    m->bundle_bytes_max = row->bundle_bytes_max;
    m->source_bytes_max = row->source_bytes_max;
    m->storage_bytes_max = row->storage_bytes_max;
    m->memory_bytes = row->memory_bytes;
    m->rate_n = row->rate_n;
    m->rate_ms = row->rate_ms;
}

static void row_of(const Rota__Limits *m, struct tier_row *row)
{
    row->timeout_ms = m->timeout_ms;
    row->timeout_ms_max = m->timeout_ms_max;
    row->builds_month = m->builds_unlimited ? 0 : m->builds_month;
    row->running_max = m->running_max;
    row->bundle_bytes_max = m->bundle_bytes_max;
    row->source_bytes_max = m->source_bytes_max;
    row->storage_bytes_max = m->storage_bytes_max;
    row->memory_bytes = m->memory_bytes;
    row->rate_n = m->rate_n;
    row->rate_ms = m->rate_ms;
}

void limits_message(const struct tier_table *table, const char *profile,
                    struct limits_message *ret_message)
{
    struct limits_message *m = ret_message;
    rota__limits_result__init(&m->result);
    rota__rate__init(&m->global_rate);
    rota__rate__init(&m->account_rate);
    for (unsigned i = 0; i < TIERS; i++) {
        row_fill(&table->row[i], &m->tier[i]);
        m->tiers[i] = &m->tier[i];
    }
    m->global_rate.n = table->global_rate_n;
    m->global_rate.per_ms = table->global_rate_ms;
    m->account_rate.n = table->account_rate_n;
    m->account_rate.per_ms = table->account_rate_ms;
    m->result.tier = m->tiers;
    m->result.n_tier = TIERS;
    m->result.version = table->version;
    m->result.profile = (char *)profile;
    m->result.global_rate = &m->global_rate;
    m->result.account_rate = &m->account_rate;
}

static int table_of(const Rota__LimitsResult *m, struct tier_table *ret_table)
{
    struct tier_table table;
    unsigned tier;
    const char *column;
    if (m->n_tier != TIERS || !m->global_rate || !m->account_rate ||
        strlen(m->profile) > PROFILE_NAME_MAX)
        return err_raise(-EBADMSG);
    tier_table_default(&table); /* the names */
    for (unsigned i = 0; i < TIERS; i++)
        row_of(m->tier[i], &table.row[i]);
    table.global_rate_n = m->global_rate->n;
    table.global_rate_ms = m->global_rate->per_ms;
    table.account_rate_n = m->account_rate->n;
    table.account_rate_ms = m->account_rate->per_ms;
    table.version = m->version;
    if (tier_table_check(&table, &tier, &column) != 0)
        return err_raise(-EBADMSG);
    *ret_table = table;
    return 0;
}

int limits_table_read(struct txn *txn, struct tier_table *ret_table, char *ret_profile)
{
    struct meta_row row;
    int r = row_get(txn, &meta_row_type, span_str("limits"), &row);
    if (r < 0)
        return err_pass(r);
    if (r != 0) {
        tier_table_default(ret_table);
        if (ret_profile)
            snprintf(ret_profile, PROFILE_NAME_MAX + 1, "default");
        return 0;
    }
    Rota__LimitsResult *m = rota__limits_result__unpack(NULL, row.value.n, row.value.p);
    if (!m)
        return err_raise(-EBADMSG);
    r = table_of(m, ret_table);
    if (r == 0 && ret_profile)
        snprintf(ret_profile, PROFILE_NAME_MAX + 1, "%s", m->profile);
    rota__limits_result__free_unpacked(m, NULL);
    return r < 0 ? err_pass(r) : 0;
}

/* ---- one account ---- */

int grants_read(struct txn *txn, uint64_t account, struct grant ret_grants[GRANTS_MAX],
                size_t *ret_n)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct grant_row row;
    size_t n = 0;
    int r = cursor_open(txn, TABLE_GRANT, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, key_grant(&k, account, 0), &key, &value);
    while (r == 0 && get_be64(key.p) == account && n < GRANTS_MAX) {
        r = row_decode(&grant_row_type, key, value, &row);
        if (r == 0 && row.addon.n > ADDON_NAME_MAX)
            r = err_raise(-EBADMSG);
        if (r < 0)
            return err_pass(r);
        ret_grants[n] = (struct grant){.number = get_be32((const uint8_t *)key.p + 8),
                                       .timeout_minutes = row.timeout_minutes,
                                       .since_ms = row.since_ms,
                                       .until_ms = row.until_ms};
        memcpy(ret_grants[n++].addon, row.addon.p, row.addon.n);
        r = cursor_next(cursor, &key, &value);
    }
    *ret_n = n;
    return r < 0 ? err_pass(r) : 0;
}

bool grant_counts(const struct grant *g, uint64_t now_ms)
{
    return g->until_ms == 0 || now_ms < g->until_ms;
}

struct limits_own limits_own_of(const struct account_row *row)
{
    return (struct limits_own){.has_builds = row->has_builds,
                               .builds_unlimited = row->builds_unlimited,
                               .builds_month = row->builds_month,
                               .running_max = row->running_max,
                               .timeout_ms = row->timeout_ms,
                               .bundle_bytes_max = row->bundle_bytes_max,
                               .source_bytes_max = row->source_bytes_max,
                               .storage_bytes_max = row->storage_bytes_max,
                               .rate_n = row->rate_n,
                               .rate_ms = row->rate_ms};
}

/* *ret_until_ms: when the first add-on ends; UINT64_MAX: none does. */
static int compute(struct txn *txn, const struct tier_table *table, uint64_t account,
                   const struct account_row *row, uint64_t now_ms, struct limits *ret_limits,
                   uint64_t *ret_until_ms)
{
    struct grant all[GRANTS_MAX];
    struct addon_grant counted[GRANTS_MAX];
    size_t n = 0;
    int r = row->grants ? grants_read(txn, account, all, &n) : 0;
    if (r < 0)
        return err_pass(r);
    *ret_until_ms = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        counted[i] = (struct addon_grant){ADDON_TIMEOUT, all[i].timeout_minutes, all[i].until_ms};
        if (all[i].until_ms > now_ms && all[i].until_ms < *ret_until_ms)
            *ret_until_ms = all[i].until_ms;
    }
    struct limits_own own = limits_own_of(row);
    limits_of(table, row->tier < TIERS ? row->tier : TIERS - 1, &own, counted, n, now_ms,
              ret_limits);
    return 0;
}

int limits_read(struct txn *txn, const struct tier_table *table, uint64_t account,
                const struct account_row *row, uint64_t now_ms, struct limits *ret_limits)
{
    uint64_t until_ms;
    int r = compute(txn, table, account, row, now_ms, ret_limits, &until_ms);
    return r < 0 ? err_pass(r) : 0;
}

int limits_read_account(struct txn *txn, uint64_t account, uint64_t now_ms,
                        struct limits *ret_limits)
{
    struct tier_table table;
    struct account_row row;
    struct key_buf k;
    int r = row_get(txn, &account_row_type, key_u64(&k, account), &row);
    if (r == STORE_MISSING)
        return STORE_MISSING;
    if (r == 0)
        r = limits_table_read(txn, &table, NULL);
    if (r == 0)
        r = limits_read(txn, &table, account, &row, now_ms, ret_limits);
    return r < 0 ? err_pass(r) : 0;
}

void limits_fill(const struct limits *l, Rota__Limits *m)
{
    rota__limits__init(m);
    m->timeout_ms = l->timeout_ms;
    m->timeout_ms_max = l->timeout_ms_max;
    m->builds_month = l->builds_month;
    m->builds_unlimited = l->builds_unlimited;
    m->running_max = l->running_max;
    m->bundle_bytes_max = l->bundle_bytes_max;
    m->source_bytes_max = l->source_bytes_max;
    m->storage_bytes_max = l->storage_bytes_max;
    m->memory_bytes = l->memory_bytes;
    m->rate_n = l->rate_n;
    m->rate_ms = l->rate_ms;
    m->addon_minutes = l->addon_minutes;
}

const char *minute_text(uint64_t unix_ms, char text[MINUTE_TEXT_LEN + 1])
{
    time_t at = (time_t)(unix_ms / 1000);
    struct tm tm;
    if (!gmtime_r(&at, &tm) || !strftime(text, MINUTE_TEXT_LEN + 1, "%Y-%m-%dT%H:%MZ", &tm))
        snprintf(text, MINUTE_TEXT_LEN + 1, "never");
    return text;
}

/* ---- in the turn ---- */

void account_limits_begin(struct cache *c, struct account *a, const struct account_row *row)
{
    struct limits_own own = limits_own_of(row);
    a->running_own = row->running_max;
    a->running_max = row->running_max ? row->running_max : c->tiers.row[a->tier].running_max;
    a->rate_own_n = row->rate_n;
    a->rate_own_ms = row->rate_ms;
    a->storage_bytes = a->storage_stored = row->storage_bytes;
    a->budget_ms = row->budget_ms;
    if (row->grants)
        return; /* which count is a matter of the time */
    limits_of(&c->tiers, a->tier, &own, NULL, 0, 0, &a->limits);
    a->limits_version = c->tiers.version;
    a->limits_until_ms = UINT64_MAX;
}

static int refresh(struct turn *t, struct account *a)
{
    struct account_row row;
    struct key_buf k;
    struct limits limits;
    uint64_t until_ms;
    const struct tier_table *table = &t->cache->tiers;
    int r = turn_store(row_get(t->txn, &account_row_type, key_u64(&k, a->number), &row));
    if (r == 0)
        r = compute(t->txn, table, a->number, &row, t->now.wall_ms, &limits, &until_ms);
    if (r != 0)
        return r;
    SET(t->undo, a->limits, limits);
    SET(t->undo, a->limits_version, table->version);
    SET(t->undo, a->limits_until_ms, until_ms);
    return 0;
}

int account_limits(struct turn *t, struct account *a, const struct limits **ret_limits)
{
    int r = 0;
    if (a->limits_version != t->cache->tiers.version || t->now.wall_ms >= a->limits_until_ms)
        r = refresh(t, a);
    *ret_limits = &a->limits;
    return r;
}

void account_limits_forget(struct turn *t, struct account *a)
{
    SET(t->undo, a->limits_until_ms, 0);
}
