/* limits.c: three layers laid over each other: tier, own values, add-ons.
 *
 * The maximum is what makes some add-ons worthless: Free and Enterprise have a default that is the
 * maximum, so no minutes can be added. An own timeout is default and maximum in one, hence the same
 * holds there. */
#include "sched/limits.h"

#include <assert.h>

enum { MS_PER_MIN = 60 * 1000 };

static uint64_t own_or(uint64_t own, uint64_t tiers)
{
    return own != 0 ? own : tiers;
}

static bool addon_counts(const struct addon_grant *g, uint64_t now_ms)
{
    return g->kind == ADDON_TIMEOUT && (g->until_ms == 0 || now_ms < g->until_ms);
}

static uint32_t addon_minutes(const struct addon_grant *grants, size_t count, uint64_t now_ms)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (addon_counts(&grants[i], now_ms) &&
            __builtin_add_overflow(sum, grants[i].timeout_minutes, &sum))
            return UINT32_MAX;
    return sum;
}

/* `room_ms` is what is left below the maximum. */
static uint64_t gain(uint64_t room_ms, uint32_t minutes)
{
    uint64_t ms = (uint64_t)minutes * MS_PER_MIN;
    return ms < room_ms ? ms : room_ms;
}

static void builds_set(const struct tier_row *row, const struct limits_own *own, struct limits *ret)
{
    uint64_t builds = own->has_builds ? own->builds_month : row->builds_month;
    ret->builds_unlimited = own->has_builds ? own->builds_unlimited : row->builds_month == 0;
    ret->builds_month = ret->builds_unlimited ? 0 : builds;
}

void limits_of(const struct tier_table *table, uint8_t tier, const struct limits_own *own,
               const struct addon_grant *grants, size_t count, uint64_t now_ms,
               struct limits *ret_limits)
{
    static const struct limits_own nothing_set;
    assert(table && tier < TIERS && ret_limits);
    assert(grants || count == 0);
    const struct tier_row *row = &table->row[tier];
    if (!own)
        own = &nothing_set;

    uint64_t base_ms = own_or(own->timeout_ms, row->timeout_ms);
    struct limits l = {
        .timeout_ms_max = own_or(own->timeout_ms, row->timeout_ms_max),
        .running_max = own->running_max != 0 ? own->running_max : row->running_max,
        .bundle_bytes_max = own_or(own->bundle_bytes_max, row->bundle_bytes_max),
        .source_bytes_max = own_or(own->source_bytes_max, row->source_bytes_max),
        .storage_bytes_max = own_or(own->storage_bytes_max, row->storage_bytes_max),
        .memory_bytes = row->memory_bytes,
        .rate_n = own->rate_ms != 0 ? own->rate_n : table->account_rate_n,
        .rate_ms = own->rate_ms != 0 ? own->rate_ms : table->account_rate_ms,
        .addon_minutes = addon_minutes(grants, count, now_ms),
    };
    assert(base_ms <= l.timeout_ms_max); /* tier_table_check() refuses such a table */
    l.timeout_ms = base_ms + gain(l.timeout_ms_max - base_ms, l.addon_minutes);
    builds_set(row, own, &l);
    *ret_limits = l;
}

uint64_t limits_addon_gain_ms(const struct limits *l, uint32_t minutes)
{
    assert(l->timeout_ms <= l->timeout_ms_max);
    return gain(l->timeout_ms_max - l->timeout_ms, minutes);
}

bool limits_timeout(const struct limits *l, uint64_t asked_ms, uint64_t *ret_timeout_ms)
{
    if (asked_ms > l->timeout_ms)
        return false;
    *ret_timeout_ms = asked_ms != 0 ? asked_ms : l->timeout_ms;
    return true;
}
