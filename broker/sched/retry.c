/* retry.c: doubling with a cap, then jitter. The cap comes first: jobs that have reached it need
 * the spread as much as others, and would lose half of it if the sum were cut. */
#include "sched/retry.h"

#include <assert.h>

static uint64_t backoff_ms(unsigned failed)
{
    uint64_t ms = RETRY_MS_FIRST;
    for (unsigned i = 1; i < failed && ms < RETRY_MS_CAP; i++)
        ms *= 2;
    return ms < RETRY_MS_CAP ? ms : RETRY_MS_CAP;
}

uint64_t retry_backoff_ms(unsigned failed, uint32_t random)
{
    assert(failed > 0);
    uint64_t ms = backoff_ms(failed), fifth = ms / 5;
    return ms - fifth + (2 * fifth * random >> 32);
}
