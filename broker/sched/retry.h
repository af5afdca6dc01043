/* retry.h: how long a job waits after an attempt that an infrastructure fault ended.
 *
 * 5 s after the first, twice as long after each further one, 10 min at most; then spread by a fifth
 * either way, so that jobs that failed together do not come back together. Pure: the caller brings
 * the random number, so the same number gives the same wait. */
#pragma once

#include <stdint.h>

enum { RETRY_ATTEMPTS_DEFAULT = 3, RETRY_MS_FIRST = 5000, RETRY_MS_CAP = 600000 };

/* The random number that spreads nothing. */
#define RETRY_NO_JITTER (UINT32_C(1) << 31)

/* The wait in ms after failed attempt number `failed` (1: the first). All values of `random` are
 * equally good: 0 gives 80 % of the wait, the largest just below 120 %. */
uint64_t retry_backoff_ms(unsigned failed, uint32_t random);
