/* tier.h: the tier table of tiers.def, and what an account's own values make of it. Pure. */
#pragma once

#include "sched/rotation.h"

#include <stdbool.h>
#include <stdint.h>

struct tier_row {
    const char *name; /* "enterprise" */
    uint64_t timeout_ms, timeout_ms_max;
    uint64_t builds_month; /* 0: unlimited */
    uint32_t running_max;
    uint64_t bundle_bytes_max;
};

/* `tier` is 0..3. Static. */
const struct tier_row *tier_row(uint8_t tier);

enum tier_outcome { TIER_UNKNOWN = 1 };

/* "free", "starter" or its alias "basic", "pro", "enterprise". */
int tier_by_name(const char *name, uint8_t *ret_tier);

/* Jobs that may run at once: the account's own value, or the tier's when that is 0. */
uint32_t tier_running_max(uint8_t tier, uint32_t own);

/* The timeout stamped on a job at publish: `asked_ms` when it is set and shorter. *ret is untouched
 * and false comes back when `asked_ms` is longer than the tier's. */
bool tier_timeout(uint8_t tier, uint64_t asked_ms, uint64_t *ret_timeout_ms);
