/* rotation_v1.c: a wrong rule behind the right header, for the test of the checker. "Count three,
 * then the next lower tier": the turn is looked for only below the highest eligible tier. It makes
 * the founding order exactly and looks fair, but when P0 runs dry just as a turn falls due, the
 * turn jumps past the tier that has become the highest. */
#include "sched/rotation.h"

uint8_t rotation_next(struct rotation *r, uint8_t eligible)
{
    uint8_t top = (uint8_t)__builtin_ctz(eligible);
    r->number++;
    for (unsigned step = 0; step < TIERS - 1; step++) {
        unsigned t = 1 + (r->c + step) % (TIERS - 1);
        if (t == top || !(eligible & 1u << t))
            continue;
        if (r->n < (r->c < t ? r->n_max - 1 : r->n_max))
            break;
        r->c = (uint8_t)t;
        r->n = 0;
        return r->c;
    }
    if (r->n < r->n_max)
        r->n++;
    return top;
}
