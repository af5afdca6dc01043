/* rotation.c: the turn cycle.
 *
 * Two numbers are the whole memory: c, the tier that had the last turn, and n, how many dispatches
 * went by since. Lower tiers take turns in the cycle 1, 2, 3, 1, ...; all else goes to the highest
 * eligible tier. n stops at N, so idle time leaves behind at most one turn that is due.
 *
 * The tier whose turn comes is looked for among all lower tiers, the highest eligible one included.
 * That matters when P0 runs dry just as a turn falls due: a rule that looks only below the highest
 * eligible tier jumps past it then, and does so for ever if P0 comes and goes in step. */
#include "sched/rotation.h"

#include <assert.h>

enum { ELIGIBLE_ALL = (1 << TIERS) - 1, BOUND_STATES_MAX = (TIERS - 1) * (ROTATION_N_MAX + 1) };

static uint8_t highest(uint8_t eligible)
{
    return (uint8_t)__builtin_ctz(eligible);
}

/* The first eligible lower tier after `c` in the cycle 1, 2, 3, 1, ..., `c` itself coming last; 0
 * when only P0 is eligible. */
static uint8_t next_in_cycle(uint8_t c, uint8_t eligible)
{
    for (unsigned step = 0; step < TIERS - 1; step++) {
        unsigned t = 1 + (c + step) % (TIERS - 1);
        if (eligible & 1u << t)
            return (uint8_t)t;
    }
    return 0;
}

/* The highest tier is served in any case, so its own turn need not wait. For the others the last
 * turn counts as one of the N higher dispatches if it went to a higher tier. */
static bool turn_is_due(const struct rotation *r, uint8_t t, uint8_t top)
{
    unsigned needed = r->c < t ? r->n_max - 1u : r->n_max;
    return t == top || r->n >= needed;
}

uint8_t rotation_next(struct rotation *r, uint8_t eligible)
{
    assert(rotation_is_valid(r));
    assert(eligible != 0 && eligible <= ELIGIBLE_ALL);

    uint8_t top = highest(eligible), t = next_in_cycle(r->c, eligible);
    r->number++;
    if (t != 0 && turn_is_due(r, t, top)) {
        r->c = t;
        r->n = 0;
        return t;
    }
    if (r->n < r->n_max)
        r->n++;
    return top;
}

bool rotation_is_valid(const struct rotation *r)
{
    return r->c >= 1 && r->c < TIERS && r->n_max >= 1 && r->n_max <= ROTATION_N_MAX &&
           r->n <= r->n_max;
}

/* What `tier` still has to wait from this state when the others are as unkind as they can be, given
 * the waits of the states that follow. */
static unsigned worst_wait(const unsigned *wait, struct rotation from, uint8_t tier)
{
    unsigned worst = 0;
    for (unsigned eligible = 1; eligible <= ELIGIBLE_ALL; eligible++) {
        if (!(eligible & 1u << tier))
            continue;
        struct rotation r = from;
        if (rotation_next(&r, (uint8_t)eligible) == tier)
            continue;
        unsigned w = 1 + wait[(r.c - 1) * (r.n_max + 1) + r.n];
        worst = w > worst ? w : worst;
    }
    return worst;
}

/* Longest path by relaxation: the waits of all states are raised until nothing moves. A wait that
 * could grow past the number of states would be a cycle, that is, a tier that starves. */
unsigned rotation_bound(uint8_t tier, uint8_t n_max)
{
    assert(tier < TIERS);
    assert(n_max >= 1 && n_max <= ROTATION_N_MAX);

    unsigned wait[BOUND_STATES_MAX] = {0}, bound = 0;
    unsigned states = (TIERS - 1u) * (n_max + 1u);
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned s = 0; s < states; s++) {
            struct rotation r = {.c = (uint8_t)(1 + s / (n_max + 1u)),
                                 .n = (uint8_t)(s % (n_max + 1u)),
                                 .n_max = n_max};
            unsigned w = worst_wait(wait, r, tier);
            moved |= w != wait[s];
            wait[s] = w;
            bound = w > bound ? w : bound;
            assert(w < states);
        }
    }
    return bound;
}
