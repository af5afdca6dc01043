/* promise.c: products that stop at the largest number in place of going round, and a running mean.
 *
 * Mean and deviation are kept as TCP keeps round trips: one step towards each new value. It needs
 * no history and forgets by itself, and the mean distance needs no square root. */
#include "sched/promise.h"

#include <assert.h>

enum { WEIGHT = 8, RUN_MS_MAX = 24 * 3600 * 1000 };
enum { LOW_BELOW_RUNS = 5, HIGH_RUNS = 20, HIGH_DEV_PART = 4, HIGH_ROUNDS = 2 };

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus_1(uint64_t a)
{
    return a < UINT64_MAX ? a + 1 : a;
}

static uint64_t divide_up(uint64_t a, uint64_t by)
{
    return a / by + (a % by != 0);
}

uint64_t promise_bound(uint64_t j, unsigned b)
{
    assert(j > 0);
    uint64_t dispatches = times(j, (uint64_t)b + 1);
    return dispatches < UINT64_MAX ? dispatches - 1 : UINT64_MAX;
}

int promise_wall_ms(uint64_t bound, uint32_t slots, uint64_t run_ms_max, uint64_t *ret_ms)
{
    if (slots == 0)
        return PROMISE_NO_SLOTS;
    *ret_ms = times(divide_up(plus_1(bound), slots), run_ms_max);
    return 0;
}

/* A step of 1/weight from `from` towards `to`, rounded to the nearest. */
static uint32_t step_towards(uint32_t from, uint32_t to, uint32_t weight)
{
    uint32_t half = weight / 2;
    if (to >= from)
        return from + (to - from + half) / weight;
    return from - (from - to + half) / weight;
}

void durations_add(struct durations *d, uint64_t run_ms)
{
    uint32_t run = run_ms < RUN_MS_MAX ? (uint32_t)run_ms : RUN_MS_MAX;
    if (d->n == 0) {
        *d = (struct durations){.mean_ms = run, .dev_ms = run / 2, .n = 1};
        return;
    }
    if (d->n < UINT32_MAX)
        d->n++;
    uint32_t weight = d->n < WEIGHT ? d->n : WEIGHT;
    uint32_t distance = run > d->mean_ms ? run - d->mean_ms : d->mean_ms - run;
    d->mean_ms = step_towards(d->mean_ms, run, weight);
    d->dev_ms = step_towards(d->dev_ms, distance, weight);
}

static enum promise_confidence confidence(uint64_t ahead, uint32_t slots, const struct durations *d)
{
    if (d->n < LOW_BELOW_RUNS || d->dev_ms > d->mean_ms)
        return PROMISE_LOW;
    bool is_even = d->dev_ms <= d->mean_ms / HIGH_DEV_PART;
    bool is_near = ahead < (uint64_t)HIGH_ROUNDS * slots;
    return d->n >= HIGH_RUNS && is_even && is_near ? PROMISE_HIGH : PROMISE_MEDIUM;
}

int promise_eta(uint64_t ahead, uint32_t slots, const struct durations *d, uint64_t run_ms_max,
                struct promise_eta *ret_eta)
{
    if (slots == 0)
        return PROMISE_NO_SLOTS;
    uint64_t mean_ms = d->n > 0 && d->mean_ms < run_ms_max ? d->mean_ms : run_ms_max;
    uint64_t wait_ms = divide_up(times(plus_1(ahead), mean_ms), slots);
    *ret_eta = (struct promise_eta){wait_ms, confidence(ahead, slots, d)};
    return 0;
}

const char *promise_confidence_text(enum promise_confidence c)
{
    static const char *const texts[] = {"low", "medium", "high"};
    assert(c <= PROMISE_HIGH);
    return texts[c];
}
