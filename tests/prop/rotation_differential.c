/* rotation_differential.c: the rotation and a second model written from the words alone choose the
 * same tier and would store the same state, over 10^6 random eligible sets of four temperaments
 * and, more briefly, for every N. A misreading of the rule would have to happen twice in the same
 * way to pass. argv: dispatches of each temperament (250,000). */
#undef NDEBUG
#include "random.h"
#include "rotation_model.h"
#include "sched/rotation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { RUN = 250000, RUN_SHORT = 20000, SETS = 1 << TIERS };

/* Any set each time. */
static unsigned any_set(struct random *r, unsigned before)
{
    return 1 + random_below(r, SETS - 1);
}

/* One tier comes or goes, now and then. */
static unsigned slow_set(struct random *r, unsigned before)
{
    unsigned set = random_below(r, 4) ? before : before ^ 1u << random_below(r, TIERS);
    return set ? set : before;
}

/* P0 comes and goes at each dispatch, the others seldom: where jumping rules starve a tier. */
static unsigned p0_flickers(struct random *r, unsigned before)
{
    unsigned lower = random_below(r, 8) ? before & 14u : 2 * random_below(r, 8);
    unsigned set = lower | random_below(r, 2);
    return set ? set : 1;
}

/* All are there, but one misses a decision. */
static unsigned one_misses(struct random *r, unsigned before)
{
    return (SETS - 1) ^ (random_below(r, 3) ? 0 : 1u << random_below(r, TIERS));
}

typedef unsigned set_source(struct random *r, unsigned before);

static set_source *const sources[] = {any_set, slow_set, p0_flickers, one_misses};
enum { SOURCES = sizeof sources / sizeof *sources };

static void set_text(unsigned set, char *ret_text)
{
    for (unsigned t = 0; t < TIERS; t++)
        if (set & 1u << t)
            *ret_text++ = (char)('0' + t);
    *ret_text = 0;
}

/* Returns how many dispatches were turns of a lower tier, so that an idle comparison would show. */
static unsigned compare(set_source *source, unsigned n_max, unsigned steps, uint64_t seed)
{
    struct random random = {seed};
    struct rotation r = ROTATION_FRESH;
    r.n_max = (uint8_t)n_max;
    struct rotation_model m = {.n = n_max, .history = malloc(steps)};
    assert(m.history);
    unsigned set = SETS - 1, turns = 0;
    char text[TIERS + 1];
    for (unsigned i = 0; i < steps; i++) {
        set = source(&random, set);
        set_text(set, text);
        int model_tier = rotation_model_serve(&m, text);
        uint8_t tier = rotation_next(&r, (uint8_t)set);
        if (tier != model_tier || r.c != rotation_model_last_turn(&m) ||
            r.n != rotation_model_since(&m)) {
            printf("seed %llu, N %u, dispatch %u, set %s: rule P%u (c %u, n %u), model P%d\n",
                   (unsigned long long)seed, n_max, i, text, tier, r.c, r.n, model_tier);
            exit(1);
        }
        turns += r.n == 0;
    }
    assert(r.number == steps);
    free(m.history);
    return turns;
}

int main(int argc, char **argv)
{
    unsigned run = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : RUN;
    unsigned long total = 0, turns = 0;
    for (unsigned i = 0; i < SOURCES; i++, total += run)
        turns += compare(sources[i], ROTATION_N_DEFAULT, run, 1000 + i);
    printf("N = 3: %lu random sets, %lu turns, no difference\n", total, turns);
    assert(total >= 1000000 && turns > total / 10);
    for (unsigned n_max = 1; n_max <= ROTATION_N_MAX; n_max++)
        for (unsigned i = 0; i < SOURCES; i++, total += RUN_SHORT)
            compare(sources[i], n_max, RUN_SHORT, 2000 + i);
    printf("every N: %lu random sets in all, no difference\n", total);
    return 0;
}
