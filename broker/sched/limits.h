/* limits.h: the limits in force for one account: its tier's row, the account's own values over it,
 * and the add-ons that count at this moment.
 *
 * Pure: time is an argument, nothing is kept. Whoever needs limits asks again, so an add-on ends at
 * its date without anybody having to end it. Units are in the names; 1 MB is 10^6 bytes. */
#pragma once

#include "sched/tier.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An account's own values. Each replaces the tier's when it is set; all zero: nothing is. */
struct limits_own {
    bool has_builds;       /* the next two count */
    bool builds_unlimited; /* a flag and not a big number; builds_month is not looked at then */
    uint64_t builds_month; /* 0: none at all */
    uint32_t running_max;
    uint64_t timeout_ms; /* replaces the tier's default AND its maximum, up or down */
    uint64_t bundle_bytes_max, source_bytes_max, storage_bytes_max;
    uint32_t rate_n, rate_ms; /* set when rate_ms is; n 0 then means no rate for this account */
};

enum addon_kind { ADDON_TIMEOUT = 1 }; /* other kinds change no limit here */

struct addon_grant {
    uint8_t kind;
    uint32_t timeout_minutes;
    uint64_t until_ms; /* counts before this time and not at it; 0: permanent */
};

struct limits {
    uint64_t timeout_ms;     /* min(default + add-ons, timeout_ms_max) */
    uint64_t timeout_ms_max; /* no add-on leads beyond it */
    bool builds_unlimited;
    uint64_t builds_month; /* 0 when unlimited */
    uint32_t running_max;
    uint64_t bundle_bytes_max, source_bytes_max, storage_bytes_max, memory_bytes;
    uint32_t rate_n, rate_ms;
    uint32_t addon_minutes; /* of all add-ons that count, with or without effect */
};

/* `own` may be NULL: nothing set. `grants` holds `count` add-ons in any order. */
void limits_of(const struct tier_table *table, uint8_t tier, const struct limits_own *own,
               const struct addon_grant *grants, size_t count, uint64_t now_ms,
               struct limits *ret_limits);

/* What one more add-on of so many minutes would add to the timeout now. 0: the add-on has no effect
 * on this tier, which a buyer must be told before the sale. */
uint64_t limits_addon_gain_ms(const struct limits *l, uint32_t minutes);

/* The timeout stamped on a job at publish: `asked_ms` when it is set and shorter. *ret is untouched
 * and false comes back when `asked_ms` is longer than the limit. */
bool limits_timeout(const struct limits *l, uint64_t asked_ms, uint64_t *ret_timeout_ms);
