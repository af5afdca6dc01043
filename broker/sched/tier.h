/* tier.h: what each tier may have: the values that ship (tiers.def), and tables of such values that
 * an operator changes while the broker runs.
 *
 * A table is a value: copied, stored and compared as a whole, `version` telling one from the next.
 * tier_row(), tier_running_max() and tier_timeout() answer from the values that ship. Pure. */
#pragma once

#include "sched/rotation.h"

#include <stdbool.h>
#include <stdint.h>

/* 1 MB is 10^6 bytes. */
struct tier_row {
    const char *name; /* "enterprise"; static */
    uint64_t timeout_ms, timeout_ms_max;
    uint64_t builds_month; /* 0: unlimited */
    uint32_t running_max;
    uint64_t bundle_bytes_max;  /* what a device downloads: bytecode and assets */
    uint64_t source_bytes_max;  /* the archive that is built */
    uint64_t storage_bytes_max; /* all that an account keeps */
    uint64_t memory_bytes;      /* of one running job */
    uint32_t rate_n, rate_ms;   /* at most rate_n starts of the tier each rate_ms; n 0: off */
};

struct tier_table {
    struct tier_row row[TIERS];
    uint32_t global_rate_n, global_rate_ms;   /* as rate_n, for all starts together */
    uint32_t account_rate_n, account_rate_ms; /* for each account that has no rate of its own */
    uint32_t version;                         /* 0: as shipped; raised by whoever changes a cell */
};

enum tier_outcome { TIER_UNKNOWN = 1, TIER_BAD };

/* The profile "default": tiers.def, no rates, version 0. */
void tier_table_default(struct tier_table *ret_table);

/* The table of a profile of profiles.def, version 0. TIER_UNKNOWN: no such profile. */
int tier_profile(const char *name, struct tier_table *ret_table);

/* Is every value within its range, and does each default fit under its maximum? TIER_BAD: *ret_tier
 * and *ret_column (static) name the first one that is not; *ret_tier is TIERS for a column of the
 * table itself. For tables that come from outside. */
int tier_table_check(const struct tier_table *table, unsigned *ret_tier, const char **ret_column);

/* What a column that tier_table_check() named may hold, in words: "1 to 10000". Returns `text`. */
enum { TIER_RANGE_TEXT_LEN = 79 };
char *tier_range_text(const char *column, char text[TIER_RANGE_TEXT_LEN + 1]);

/* `tier` is 0..3. Static. */
const struct tier_row *tier_row(uint8_t tier);

/* "free", "starter" or its alias "basic", "pro", "enterprise". */
int tier_by_name(const char *name, uint8_t *ret_tier);

/* Jobs that may run at once: the account's own value, or the tier's when that is 0. */
uint32_t tier_running_max(uint8_t tier, uint32_t own);

/* The timeout stamped on a job at publish: `asked_ms` when it is set and shorter. *ret is untouched
 * and false comes back when `asked_ms` is longer than the tier's. */
bool tier_timeout(uint8_t tier, uint64_t asked_ms, uint64_t *ret_timeout_ms);
