/* breaker.c: three states and the four things that happen to them.
 *
 * OPEN does not change by itself when its time is over; it only lets the next run through, and
 * that run makes it HALF_OPEN. So there is no timer to lose, and a probe that says nothing (void)
 * leads back to an OPEN whose time is over. */
#include "sched/breaker.h"

#include <assert.h>

bool breaker_may(const struct breaker *b, uint64_t now_ms)
{
    assert(breaker_is_valid(b));
    if (b->state != BREAKER_OPEN)
        return b->state == BREAKER_CLOSED;
    return now_ms >= b->until_ms || b->until_ms - now_ms > b->open_ms;
}

void breaker_start(struct breaker *b, uint64_t token)
{
    assert(b->state != BREAKER_HALF_OPEN && token != 0);
    if (b->state == BREAKER_CLOSED)
        return;
    b->state = BREAKER_HALF_OPEN;
    b->probe = token;
}

static void breaker_open(struct breaker *b, uint32_t open_ms, uint64_t now_ms)
{
    *b = (struct breaker){.state = BREAKER_OPEN, .open_ms = open_ms};
    if (__builtin_add_overflow(now_ms, open_ms, &b->until_ms))
        b->until_ms = UINT64_MAX;
}

static bool is_probe(const struct breaker *b, uint64_t token)
{
    return b->state == BREAKER_HALF_OPEN && b->probe == token;
}

void breaker_fault(struct breaker *b, uint64_t token, uint64_t now_ms)
{
    assert(breaker_is_valid(b));
    if (b->state == BREAKER_CLOSED) {
        if (++b->faults >= BREAKER_FAULTS)
            breaker_open(b, BREAKER_OPEN_MS, now_ms);
    } else if (is_probe(b, token)) {
        uint32_t twice = 2 * b->open_ms;
        breaker_open(b, twice < BREAKER_OPEN_MS_MAX ? twice : BREAKER_OPEN_MS_MAX, now_ms);
    }
}

void breaker_good(struct breaker *b, uint64_t token)
{
    assert(breaker_is_valid(b));
    if (b->state == BREAKER_CLOSED || is_probe(b, token))
        *b = (struct breaker){.state = BREAKER_CLOSED};
}

void breaker_void(struct breaker *b, uint64_t token)
{
    assert(breaker_is_valid(b));
    if (!is_probe(b, token))
        return;
    b->state = BREAKER_OPEN;
    b->probe = 0;
}

const char *breaker_word(uint8_t state)
{
    static const char *const words[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half-open"};
    return state < sizeof words / sizeof *words ? words[state] : "";
}

bool breaker_is_valid(const struct breaker *b)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        return b->faults < BREAKER_FAULTS && !b->until_ms && !b->open_ms && !b->probe;
    case BREAKER_OPEN:
    case BREAKER_HALF_OPEN:
        return b->faults == 0 && b->open_ms >= BREAKER_OPEN_MS &&
               b->open_ms <= BREAKER_OPEN_MS_MAX &&
               (b->probe != 0) == (b->state == BREAKER_HALF_OPEN);
    default:
        return false;
    }
}
