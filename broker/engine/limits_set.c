/* limits_set.c: operators change the table of tiers while the broker runs.
 *
 * A new cap holds for all waiting jobs at once: every account in RAM whose cap it is gets its place
 * in the rings anew, in the order of the accounts' numbers, so that the event alone tells anybody
 * who replays the log in which order they entered. */
#include "engine/account_limits.h"

#include "engine/rates.h"
#include "store/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what the table becomes ---- */

static void keep_u64(uint64_t *at, uint64_t value)
{
    if (value)
        *at = value;
}

/* A period says that the rate is meant, also when its number is 0: off. */
static void rate_merge(uint32_t *n, uint32_t *ms, uint32_t new_n, uint32_t new_ms)
{
    if (new_n || new_ms)
        *n = new_n;
    if (new_ms)
        *ms = new_ms;
}

static void row_merge(const Rota__Limits *m, struct tier_row *row)
{
    keep_u64(&row->timeout_ms, m->timeout_ms);
    keep_u64(&row->timeout_ms_max, m->timeout_ms_max);
    keep_u64(&row->builds_month, m->builds_month);
    keep_u64(&row->bundle_bytes_max, m->bundle_bytes_max);
    keep_u64(&row->source_bytes_max, m->source_bytes_max);
    keep_u64(&row->storage_bytes_max, m->storage_bytes_max);
    keep_u64(&row->memory_bytes, m->memory_bytes);
    if (m->builds_unlimited)
        row->builds_month = 0;
    if (m->running_max)
        row->running_max = m->running_max;
    rate_merge(&row->rate_n, &row->rate_ms, m->rate_n, m->rate_ms);
}

/* A rate is given as a whole; its period may be left out when it is switched off. */
static void rate_set(const Rota__Rate *q, uint32_t *n, uint32_t *ms)
{
    *n = q->n;
    if (q->per_ms)
        *ms = q->per_ms;
}

static int table_merge(struct turn *t, const Rota__LimitsSet *q, struct tier_table *table,
                       char profile[PROFILE_NAME_MAX + 1])
{
    bool has_tier = q->set_tier_case == ROTA__LIMITS_SET__SET_TIER_TIER;
    if (has_tier != (q->limits != NULL))
        return turn_refuse(t, E_FIELD_MISSING, "limits_set needs tier and limits together");
    if (!q->profile[0] && !has_tier && !q->global_rate && !q->account_rate)
        return turn_refuse(t, E_FIELD_MISSING, "limits_set names nothing to change");
    if (has_tier && (unsigned)q->tier >= TIERS)
        return turn_refuse(t, E_TIER_UNKNOWN, "no tier %d", (int)q->tier);
    if (q->profile[0]) {
        if (tier_profile(q->profile, table) != 0)
            return turn_refuse(t, E_PROFILE_UNKNOWN, "no profile \"%s\"", q->profile);
        table->version = t->cache->tiers.version;
    }
    bool is_edited = has_tier || q->global_rate || q->account_rate;
    snprintf(profile, PROFILE_NAME_MAX + 1, "%s", is_edited ? "" : q->profile);
    if (has_tier)
        row_merge(q->limits, &table->row[q->tier]);
    if (q->global_rate)
        rate_set(q->global_rate, &table->global_rate_n, &table->global_rate_ms);
    if (q->account_rate)
        rate_set(q->account_rate, &table->account_rate_n, &table->account_rate_ms);
    return 0;
}

static int table_check(struct turn *t, const struct tier_table *table)
{
    unsigned tier;
    const char *column;
    char range[TIER_RANGE_TEXT_LEN + 1];
    if (tier_table_check(table, &tier, &column) == 0)
        return 0;
    return turn_refuse(t, E_LIMITS_INVALID, "%s%s%s: %s", tier < TIERS ? table->row[tier].name : "",
                       tier < TIERS ? "." : "", column, tier_range_text(column, range));
}

/* ---- what follows from it ---- */

static int table_write(struct turn *t, const struct limits_message *m)
{
    size_t n = rota__limits_result__get_packed_size(&m->result);
    uint8_t *packed = arena_alloc(t->fx->arena, n);
    if (!packed)
        return err_raise(-ENOMEM);
    struct meta_row row = {span_of(packed, rota__limits_result__pack(&m->result, packed))};
    return turn_store(row_put(t->txn, &meta_row_type, span_str("limits"), &row));
}

static int event_write(struct turn *t, const struct tier_table *table)
{
    uint32_t caps[TIERS];
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_LIMITS_SET);
    for (unsigned i = 0; i < TIERS; i++)
        caps[i] = table->row[i].running_max;
    if (event) {
        event->tier_running_max = caps;
        event->n_tier_running_max = TIERS;
    }
    return event_append(t, event);
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = (*(struct account *const *)x)->number, b = (*(struct account *const *)y)->number;
    return (a > b) - (a < b);
}

static uint32_t cap_of(const struct turn *t, const struct account *a)
{
    return a->running_own ? a->running_own : t->cache->tiers.row[a->tier].running_max;
}

/* Accounts whose cap is another one now, in order. Nothing is written for those that have no jobs.
 */
static int caps_apply(struct turn *t)
{
    size_t n = 0, bucket;
    const struct map *accounts = &t->cache->accounts;
    AUTO_FREE struct account **all = malloc((accounts->count + 1) * sizeof(struct account *));
    if (!all)
        return err_raise(-ENOMEM);
    for (struct map_node *m = map_begin(accounts, &bucket); m;
         m = map_after(accounts, m, &bucket)) {
        struct account *a = CONTAINER(m, account, by_number);
        if (a->running_max != cap_of(t, a))
            all[n++] = a;
    }
    qsort(all, n, sizeof(struct account *), by_number);
    for (size_t i = 0; i < n; i++) {
        SET(t->undo, all[i]->running_max, cap_of(t, all[i]));
        account_settle(t->cache, all[i]);
    }
    return 0;
}

static int table_apply(struct turn *t, const struct tier_table *table)
{
    SET(t->undo, t->cache->tiers, *table);
    int r = event_write(t, table);
    if (r == 0)
        r = caps_apply(t);
    return r == 0 ? rates_changed(t) : r;
}

static int note(struct turn *t, const Rota__LimitsSet *q, const struct tier_table *table)
{
    if (q->set_tier_case != ROTA__LIMITS_SET__SET_TIER_TIER)
        return trail_note(t, "limits", "version %u%s%s, all %u/%u ms, an account %u/%u ms",
                          table->version, q->profile[0] ? ", profile " : "", q->profile,
                          table->global_rate_n, table->global_rate_ms, table->account_rate_n,
                          table->account_rate_ms);
    const struct tier_row *row = &table->row[q->tier];
    return trail_note(
        t, row->name,
        "version %u: timeout %llu/%llu ms, builds %llu, running %u, bundle %llu, "
        "source %llu, storage %llu, memory %llu bytes, rate %u/%u ms",
        table->version, (unsigned long long)row->timeout_ms,
        (unsigned long long)row->timeout_ms_max, (unsigned long long)row->builds_month,
        row->running_max, (unsigned long long)row->bundle_bytes_max,
        (unsigned long long)row->source_bytes_max, (unsigned long long)row->storage_bytes_max,
        (unsigned long long)row->memory_bytes, row->rate_n, row->rate_ms);
}

int turn_limits_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__LimitsSet *q = request->limits_set;
    struct tier_table table = t->cache->tiers;
    char *profile = arena_alloc(t->fx->arena, PROFILE_NAME_MAX + 1);
    struct limits_message *m = arena_alloc(t->fx->arena, sizeof *m);
    if (!profile || !m)
        return err_raise(-ENOMEM);
    if (q->version && q->version != table.version)
        return turn_refuse(t, E_LIMITS_CHANGED, "the table is at version %u, not %u", table.version,
                           q->version);
    int r = table_merge(t, q, &table, profile);
    if (r == 0)
        r = table_check(t, &table);
    if (r != 0)
        return r;
    table.version++;
    limits_message(&table, profile, m);
    r = table_write(t, m);
    if (r == 0)
        r = table_apply(t, &table);
    if (r == 0)
        r = note(t, q, &table);
    reply->limits_set = &m->result;
    return r;
}
