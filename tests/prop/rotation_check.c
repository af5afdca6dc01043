/* rotation_check.c: the state of a rule is (c, n), the adversary's move is the eligible set. All
 * edges of that graph are few enough to try, so every figure here is a proof for the rule linked in
 * and not a sample. Waits are found by depth-first search: meeting a state that is still open means
 * that the adversary can go round for ever, and the tier starves. */
#undef NDEBUG
#include "rotation_check.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { SETS = 1 << TIERS, STATES_MAX = (TIERS - 1) * (ROTATION_N_MAX + 1), WINDOW = 10 };

static unsigned states_of(uint8_t n_max)
{
    return (TIERS - 1u) * (n_max + 1u);
}

static struct rotation state_at(unsigned index, uint8_t n_max)
{
    return (struct rotation){.c = (uint8_t)(1 + index / (n_max + 1u)),
                             .n = (uint8_t)(index % (n_max + 1u)),
                             .n_max = n_max};
}

static unsigned index_of(const struct rotation *r)
{
    unsigned index = (r->c - 1u) * (r->n_max + 1u) + r->n;
    assert(index < states_of(r->n_max));
    return index;
}

enum color { UNSEEN, OPEN, CLOSED };

struct search {
    unsigned tier;
    uint8_t n_max;
    enum color color[STATES_MAX];
    unsigned wait[STATES_MAX];
};

static unsigned wait_from(struct search *s, unsigned at)
{
    if (s->color[at] == OPEN)
        return WAIT_UNBOUNDED;
    if (s->color[at] == CLOSED)
        return s->wait[at];
    s->color[at] = OPEN;
    unsigned worst = 0;
    for (unsigned set = 1; set < SETS && worst != WAIT_UNBOUNDED; set++) {
        struct rotation r = state_at(at, s->n_max);
        if (!(set & 1u << s->tier) || rotation_next(&r, (uint8_t)set) == s->tier)
            continue;
        unsigned later = wait_from(s, index_of(&r));
        if (later == WAIT_UNBOUNDED)
            worst = WAIT_UNBOUNDED;
        else if (later + 1 > worst)
            worst = later + 1;
    }
    s->color[at] = CLOSED;
    return s->wait[at] = worst;
}

static unsigned wait_any(unsigned tier, uint8_t n_max)
{
    unsigned worst = 0;
    for (unsigned at = 0; at < states_of(n_max); at++) {
        struct search s = {.tier = tier, .n_max = n_max};
        unsigned w = wait_from(&s, at);
        worst = w > worst ? w : worst;
    }
    return worst;
}

static unsigned wait_stable(unsigned tier, uint8_t n_max)
{
    unsigned worst = 0;
    for (unsigned at = 0; at < states_of(n_max); at++) {
        for (unsigned set = 1; set < SETS; set++) {
            if (!(set & 1u << tier))
                continue;
            struct rotation r = state_at(at, n_max);
            unsigned w = 0;
            while (rotation_next(&r, (uint8_t)set) != tier)
                if (++w > states_of(n_max))
                    return WAIT_UNBOUNDED; /* a state came twice */
            worst = w > worst ? w : worst;
        }
    }
    return worst;
}

/* The most dispatches below P0 among the next `left`, P0 being eligible for all of them. */
static unsigned lower_most(struct rotation from, unsigned left)
{
    static unsigned memo[WINDOW + 1][STATES_MAX];
    static uint8_t memo_n_max;
    if (memo_n_max != from.n_max) {
        memset(memo, 0, sizeof memo);
        memo_n_max = from.n_max;
    }
    if (left == 0)
        return 0;
    unsigned *known = &memo[left][index_of(&from)];
    if (*known)
        return *known - 1;
    unsigned most = 0;
    for (unsigned set = 1; set < SETS; set += 2) {
        struct rotation r = from;
        unsigned lower = rotation_next(&r, (uint8_t)set) != 0;
        lower += lower_most(r, left - 1);
        most = lower > most ? lower : most;
    }
    *known = most + 1;
    return most;
}

static unsigned p0_least(uint8_t n_max)
{
    unsigned most = 0;
    for (unsigned at = 0; at < states_of(n_max); at++) {
        unsigned lower = lower_most(state_at(at, n_max), WINDOW);
        most = lower > most ? lower : most;
    }
    return WINDOW - most;
}

/* Dispatches of `tier` in a row from this state, a higher tier waiting at each of them. */
static unsigned in_a_row(struct rotation from, unsigned tier, unsigned most)
{
    unsigned longest = 0;
    if (most == 0)
        return 0;
    for (unsigned set = 1; set < SETS; set++) {
        struct rotation r = from;
        if ((set & ((1u << tier) - 1)) && rotation_next(&r, (uint8_t)set) == tier) {
            unsigned run = 1 + in_a_row(r, tier, most - 1);
            longest = run > longest ? run : longest;
        }
    }
    return longest;
}

static unsigned turns_in_a_row(uint8_t n_max)
{
    unsigned longest = 0;
    for (unsigned at = 0; at < states_of(n_max); at++) {
        for (unsigned tier = 1; tier < TIERS; tier++) {
            unsigned run = in_a_row(state_at(at, n_max), tier, 4);
            longest = run > longest ? run : longest;
        }
    }
    return longest;
}

/* With k tiers backlogged a period gives each lower one a turn, and the highest N dispatches before
 * the first turn and N-1 before each that follows. */
static bool shares_are_right(struct rotation r, unsigned set)
{
    unsigned k = (unsigned)__builtin_popcount(set), top = (unsigned)__builtin_ctz(set);
    unsigned top_share = k == 1 ? 1 : (k - 1) * r.n_max - (k - 2);
    unsigned period = top_share + k - 1, got[TIERS] = {0};
    for (unsigned i = 0; i < 4 * period; i++) /* settle */
        rotation_next(&r, (uint8_t)set);
    for (unsigned i = 0; i < 3 * period; i++)
        got[rotation_next(&r, (uint8_t)set)]++;
    for (unsigned t = 0; t < TIERS; t++) {
        unsigned share = !(set & 1u << t) ? 0 : t == top ? top_share : 1;
        if (got[t] != 3 * share)
            return false;
    }
    return true;
}

/* Writes one period of the founding order for this N: N x P0, P1, N-1 x P0, P2, N-1 x P0, P3. */
static unsigned string_for(uint8_t n_max, uint8_t *ret_order)
{
    unsigned len = 0;
    for (unsigned t = 1; t < TIERS; t++) {
        for (unsigned i = t == 1 ? 0 : 1; i < n_max; i++)
            ret_order[len++] = 0;
        ret_order[len++] = (uint8_t)t;
    }
    return len;
}

static bool string_is_reached(struct rotation r)
{
    uint8_t order[TIERS * (ROTATION_N_MAX + 1)];
    unsigned len = string_for(r.n_max, order), at = 0, right = 0;
    for (unsigned i = 0; i < 20 * len && right < 10 * len; i++) {
        bool fits = rotation_next(&r, SETS - 1) == order[at];
        right = fits ? right + 1 : 0;
        at = fits ? (at + 1) % len : 0;
    }
    return right == 10 * len;
}

void rotation_check(uint8_t n_max, struct rotation_report *ret)
{
    *ret = (struct rotation_report){0};
    for (unsigned at = 0; at < states_of(n_max); at++) {
        for (unsigned set = 1; set < SETS; set++) {
            struct rotation r = state_at(at, n_max);
            ret->steps++;
            ret->not_eligible += !(set & 1u << rotation_next(&r, (uint8_t)set));
            ret->shares_missed += !shares_are_right(state_at(at, n_max), set);
        }
        ret->string_missed += !string_is_reached(state_at(at, n_max));
    }
    for (unsigned t = 0; t < TIERS; t++) {
        ret->wait_any[t] = wait_any(t, n_max);
        ret->wait_stable[t] = wait_stable(t, n_max);
    }
    ret->p0_least_of_10 = p0_least(n_max);
    ret->turns_in_a_row = turns_in_a_row(n_max);
}

static unsigned differs(const char *what, unsigned tier, unsigned got, unsigned wanted)
{
    if (got == wanted)
        return 0;
    printf("  %s, P%u: %d, wanted %d (-1: without end)\n", what, tier, (int)got, (int)wanted);
    return 1;
}

unsigned rotation_report_compare(const struct rotation_report *got,
                                 const struct rotation_report *wanted)
{
    unsigned n = differs("(state, set) pairs", 0, got->steps, wanted->steps);
    n += differs("served though not eligible", 0, got->not_eligible, wanted->not_eligible);
    n += differs("states without the string", 0, got->string_missed, wanted->string_missed);
    n += differs("pairs with other shares", 0, got->shares_missed, wanted->shares_missed);
    for (unsigned t = 0; t < TIERS; t++) {
        n += differs("worst wait, any", t, got->wait_any[t], wanted->wait_any[t]);
        n += differs("worst wait, stable", t, got->wait_stable[t], wanted->wait_stable[t]);
    }
    n += differs("least of 10 dispatches", 0, got->p0_least_of_10, wanted->p0_least_of_10);
    return n + differs("turns in a row", 0, got->turns_in_a_row, wanted->turns_in_a_row);
}
