/* promise.c: products that stop at the largest number in place of going round, and a running mean.
 *
 * Mean and deviation are kept as TCP keeps round trips: one step towards each new value. It needs
 * no history and forgets by itself, and the mean distance needs no square root. */
#include "sched/promise.h"

#include <assert.h>

enum { WEIGHT = 8, RUN_MS_MAX = 24 * 3600 * 1000 };
enum { LOW_BELOW_RUNS = 5, HIGH_RUNS = 20, HIGH_DEV_PART = 4 };

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
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
    *ret_ms = times(divide_up(plus(bound, 1), slots), run_ms_max);
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

static enum promise_confidence confidence(bool is_seen, const struct durations *d)
{
    if (d->n < LOW_BELOW_RUNS || d->dev_ms > d->mean_ms)
        return PROMISE_LOW;
    bool is_even = d->dev_ms <= d->mean_ms / HIGH_DEV_PART;
    return d->n >= HIGH_RUNS && is_even && is_seen ? PROMISE_HIGH : PROMISE_MEDIUM;
}

/* 0: nothing is known. */
static uint64_t mean_ms(const struct promise_slots *s, const struct durations *d,
                        uint64_t run_ms_max)
{
    uint64_t mean = d->n > 0 ? d->mean_ms : s->known > 0 ? plus(times(s->elapsed_ms[0], 2), 1) : 0;
    return mean < run_ms_max ? mean : run_ms_max;
}

/* How long the run goes on that is at this place, the longest first. */
static uint64_t rest_ms(uint64_t place, const struct promise_slots *s, uint64_t mean,
                        uint64_t dev_ms)
{
    uint64_t elapsed_ms = place < s->known ? s->elapsed_ms[place] : 0;
    uint64_t rest = mean > elapsed_ms ? mean - elapsed_ms : 0;
    uint64_t least = dev_ms < mean ? dev_ms : mean;
    return rest > least ? rest : least;
}

int promise_eta(uint64_t ahead, const struct promise_slots *s, const struct durations *d,
                uint64_t run_ms_max, struct promise_eta *ret_eta)
{
    if (s->slots == 0)
        return PROMISE_NO_SLOTS;
    uint64_t free = s->slots > s->running ? s->slots - s->running : 0;
    uint64_t leaving = s->running > s->slots ? s->running - s->slots : 0;
    uint64_t rounds = ahead / s->slots, place = ahead % s->slots;
    uint64_t mean = mean_ms(s, d, run_ms_max);
    bool is_seen = ahead >= free && rounds == 0;
    if (mean == 0 && d->n == 0 && ahead >= free)
        return PROMISE_UNKNOWN;
    uint64_t rest = place < free ? 0 : rest_ms(place - free + leaving, s, mean, d->dev_ms);
    uint64_t wait = plus(times(rounds, mean), rest);
    *ret_eta = (struct promise_eta){wait ? wait : 1, confidence(is_seen, d)};
    return 0;
}

struct promise_eta promise_under_cap(struct promise_eta of_pool, struct promise_eta of_own,
                                     uint64_t own, uint32_t cap)
{
    assert(own > 0 && cap > 0);
    uint64_t turns = of_pool.wait_ms - of_pool.wait_ms / own;
    uint64_t wait = plus(of_own.wait_ms, turns / cap);
    struct promise_eta eta = of_pool.wait_ms > wait ? of_pool : of_own;
    if (own > 1 && of_pool.wait_ms > of_own.wait_ms && eta.confidence == PROMISE_HIGH)
        eta.confidence = PROMISE_MEDIUM; /* how the ring looks at its next turns is not known */
    eta.wait_ms = of_pool.wait_ms > wait ? of_pool.wait_ms : wait;
    return eta;
}

const char *promise_confidence_text(enum promise_confidence c)
{
    static const char *const texts[] = {"low", "medium", "high"};
    assert(c <= PROMISE_HIGH);
    return texts[c];
}
