/* bucket.c: the arithmetic of bucket.h.
 *
 * With `step` the time of one token, a bucket that is full again at `full_at` holds
 * n - (full_at - now) / step tokens, so one is there when full_at <= now + (n - 1) * step. Taking
 * one moves full_at by a step, starting from now if it was full before. */
#include "sched/bucket.h"

enum { FINE_BITS = 20 };
#define NOW_MS_MAX (UINT64_C(1) << 43)

static uint64_t fine(uint64_t ms)
{
    return (ms < NOW_MS_MAX ? ms : NOW_MS_MAX) << FINE_BITS;
}

/* Rounded up: a token may come late by less than a unit, never early. */
static uint64_t step_of(uint32_t n, uint32_t per_ms)
{
    return (((uint64_t)per_ms << FINE_BITS) + n - 1) / n;
}

/* An honest bucket is empty at worst: full again n steps from now. One that lies further ahead was
 * written before the clock went back or under other parameters; believing it could block its owner
 * for hours. Calling it empty would not do either: it would be empty at each question anew, since
 * questions write nothing. So it has one token, and taking that makes it honest. */
static uint64_t full_at(const struct bucket *b, uint64_t now, uint32_t n, uint64_t step)
{
    if (b->full_at <= now)
        return now;
    return b->full_at <= now + n * step ? b->full_at : now + (n - 1) * step;
}

uint64_t bucket_free_at(const struct bucket *b, uint32_t n, uint32_t per_ms, uint64_t now_ms)
{
    if (n == 0)
        return now_ms;
    uint64_t step = step_of(n, per_ms), spare = step * (n - 1), now = fine(now_ms);
    uint64_t at = full_at(b, now, n, step);
    if (at <= now + spare)
        return now_ms;
    uint64_t free_ms = (at - spare + (UINT64_C(1) << FINE_BITS) - 1) >> FINE_BITS;
    return free_ms > now_ms ? free_ms : now_ms;
}

bool bucket_take(struct bucket *b, uint32_t n, uint32_t per_ms, uint64_t now_ms)
{
    if (n == 0)
        return true;
    if (bucket_free_at(b, n, per_ms, now_ms) > now_ms)
        return false;
    uint64_t step = step_of(n, per_ms);
    b->full_at = full_at(b, fine(now_ms), n, step) + step;
    return true;
}
