/* quota_recount.h: what the usage rows must say, counted anew: the log tells each job's life, and
 * the rules of what is paid for and given back are written here a second time; kept jobs and
 * storage come from their tables. Shares no code with the counting in the engine. */
#pragma once

#include "unit/limits_kit.h"

enum { QUOTA_ACCOUNTS = 6, QUOTA_MONTHS = 64 };

struct recount {
    struct usage_row month[QUOTA_ACCOUNTS + 2][QUOTA_MONTHS]; /* by account number */
    struct usage_row kept[QUOTA_ACCOUNTS + 2];
    uint64_t storage[QUOTA_ACCOUNTS + 2];
    uint16_t first_month;
    uint64_t lives, rows; /* of jobs ever accepted; of usage that were compared */
    uint64_t refunded;    /* ended jobs that are kept and were given back */
};

/* Counts, and asserts that `usage` and the accounts' storage say the same. */
void recount_check(struct engine_kit *k, uint16_t first_month, struct recount *ret_recount);
