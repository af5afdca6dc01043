/* tier.c: tiers.def and profiles.def turned into rows, and the few questions that are asked of
 * them. What a table may hold is tier_check.c. */
#include "sched/tier.h"

#include <assert.h>
#include <string.h>

enum { MS_PER_MIN = 60 * 1000, BYTES_PER_MB = 1000 * 1000, BYTES_PER_GIB = 1 << 30 };

enum tier_index { TIER_P0, TIER_P1, TIER_P2, TIER_P3 };

static const struct tier_row rows[TIERS] = {
#define TIER(tier, text, timeout_min, timeout_min_max, builds, running, bundle_mb, source_mb,      \
             storage_gib, memory_gib, starts, starts_ms)                                           \
    [TIER_##tier] = {.name = (text),                                                               \
                     .timeout_ms = UINT64_C(timeout_min) * MS_PER_MIN,                             \
                     .timeout_ms_max = UINT64_C(timeout_min_max) * MS_PER_MIN,                     \
                     .builds_month = (builds),                                                     \
                     .running_max = (running),                                                     \
                     .bundle_bytes_max = UINT64_C(bundle_mb) * BYTES_PER_MB,                       \
                     .source_bytes_max = UINT64_C(source_mb) * BYTES_PER_MB,                       \
                     .storage_bytes_max = UINT64_C(storage_gib) * BYTES_PER_GIB,                   \
                     .memory_bytes = UINT64_C(memory_gib) * BYTES_PER_GIB,                         \
                     .rate_n = (starts),                                                           \
                     .rate_ms = (starts_ms)},
#include "sched/tiers.def"
#undef TIER
};

/* The price list has called the Starter tier by both names. */
static const struct {
    const char *name;
    uint8_t tier;
} aliases[] = {{"basic", TIER_P2}};

enum profile {
#define PROFILE(name) PROFILE_##name,
#define TIER_CELL(profile, tier, column, value)
#define TABLE_CELL(profile, column, value)
#include "sched/profiles.def"
#undef PROFILE
#undef TIER_CELL
#undef TABLE_CELL
    PROFILES,
};

static const char *const profile_names[PROFILES] = {
#define PROFILE(name) [PROFILE_##name] = #name,
#define TIER_CELL(profile, tier, column, value)
#define TABLE_CELL(profile, column, value)
#include "sched/profiles.def"
#undef PROFILE
#undef TIER_CELL
#undef TABLE_CELL
};

static void profile_apply(enum profile p, struct tier_table *table)
{
#define PROFILE(name)
#define TIER_CELL(profile, tier, column, value)                                                    \
    if (p == PROFILE_##profile)                                                                    \
        table->row[TIER_##tier].column = (value);
#define TABLE_CELL(profile, column, value)                                                         \
    if (p == PROFILE_##profile)                                                                    \
        table->column = (value);
#include "sched/profiles.def"
#undef PROFILE
#undef TIER_CELL
#undef TABLE_CELL
}

void tier_table_default(struct tier_table *ret_table)
{
    /* The periods are set though the rates are off: a rate is switched on by its n alone. */
    *ret_table = (struct tier_table){.global_rate_ms = MS_PER_MIN, .account_rate_ms = MS_PER_MIN};
    memcpy(ret_table->row, rows, sizeof rows);
    profile_apply(PROFILE_default, ret_table);
}

int tier_profile(const char *name, struct tier_table *ret_table)
{
    assert(name && ret_table);
    for (unsigned p = 0; p < PROFILES; p++) {
        if (strcmp(profile_names[p], name) == 0) {
            tier_table_default(ret_table);
            profile_apply((enum profile)p, ret_table);
            return 0;
        }
    }
    return TIER_UNKNOWN;
}

const struct tier_row *tier_row(uint8_t tier)
{
    assert(tier < TIERS);
    return &rows[tier];
}

int tier_by_name(const char *name, uint8_t *ret_tier)
{
    assert(name && ret_tier);
    for (unsigned t = 0; t < TIERS; t++) {
        if (strcmp(rows[t].name, name) == 0) {
            *ret_tier = (uint8_t)t;
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(aliases[i].name, name) == 0) {
            *ret_tier = aliases[i].tier;
            return 0;
        }
    }
    return TIER_UNKNOWN;
}

uint32_t tier_running_max(uint8_t tier, uint32_t own)
{
    return own != 0 ? own : tier_row(tier)->running_max;
}

bool tier_timeout(uint8_t tier, uint64_t asked_ms, uint64_t *ret_timeout_ms)
{
    uint64_t tier_ms = tier_row(tier)->timeout_ms;
    if (asked_ms > tier_ms)
        return false;
    *ret_timeout_ms = asked_ms != 0 ? asked_ms : tier_ms;
    return true;
}
