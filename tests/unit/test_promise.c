/* test_promise.c: the bounds that users are told are the formulas of docs/SCHEDULING.md, estimates
 * come from what runs took, and no number goes round. */
#undef NDEBUG
#include "../prop/random.h"
#include "sched/promise.h"
#include "sched/rotation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MIN_MS UINT64_C(60000)
enum { DAY_MS = 24 * 3600 * 1000, ADDS = 200000 };

static void a_bound_is_j_times_b_plus_1_less_1(void **state)
{
    static const unsigned first[TIERS] = {1, 11, 10, 9}, third[TIERS] = {5, 35, 32, 29};
    for (unsigned t = 0; t < TIERS; t++) {
        unsigned b = rotation_bound((uint8_t)t, ROTATION_N_DEFAULT);
        assert_int_equal(promise_bound(1, b), first[t]); /* j = 1: the bound of the tier itself */
        assert_int_equal(promise_bound(3, b), third[t]);
    }
    assert_int_equal(promise_bound(1000000, 47), 47999999);
}

static void bounds_stop_at_the_largest_number(void **state)
{
    assert_true(promise_bound(UINT64_MAX, 9) == UINT64_MAX);
    assert_true(promise_bound(UINT64_MAX / 10 + 1, 9) == UINT64_MAX);
    assert_true(promise_bound(UINT64_MAX / 10, 9) == UINT64_MAX / 10 * 10 - 1);
    assert_true(promise_bound(UINT64_MAX, UINT32_MAX) == UINT64_MAX);
}

static void in_time_a_bound_is_rounds_of_the_longest_run(void **state)
{
    static const struct {
        uint64_t bound;
        uint32_t slots;
        uint64_t run_ms, wall_ms;
    } cases[] = {
        {9, 4, 30 * MIN_MS, 90 * MIN_MS}, /* the example of the document */
        {9, 1, 30 * MIN_MS, 300 * MIN_MS},
        {9, 10, 30 * MIN_MS, 30 * MIN_MS},
        {9, 9, 30 * MIN_MS, 60 * MIN_MS},
        {9, 11, 30 * MIN_MS, 30 * MIN_MS},
        {0, 4, 5 * MIN_MS, 5 * MIN_MS},
        {UINT64_MAX, 1, 2, UINT64_MAX},
        {UINT64_MAX, UINT32_MAX, UINT64_MAX, UINT64_MAX},
        {UINT64_MAX - 1, UINT32_MAX, 1, (UINT64_MAX - 1) / UINT32_MAX + 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ms = 0;
        assert_int_equal(promise_wall_ms(cases[i].bound, cases[i].slots, cases[i].run_ms, &ms), 0);
        assert_true(ms == cases[i].wall_ms);
    }
}

static void without_slots_nothing_is_said(void **state)
{
    struct durations d = {60000, 0, 50};
    struct promise_slots s = {0};
    struct promise_eta eta = {.wait_ms = 77};
    uint64_t ms = 77;
    assert_int_equal(promise_wall_ms(9, 0, 1000, &ms), PROMISE_NO_SLOTS);
    assert_int_equal(promise_eta(9, &s, &d, 1000, &eta), PROMISE_NO_SLOTS);
    assert_int_equal(ms, 77);
    assert_int_equal(eta.wait_ms, 77);
}

static const struct durations even = {.mean_ms = 120000, .dev_ms = 1000, .n = 30};

static struct promise_eta eta_of(uint64_t ahead, struct promise_slots s, struct durations d)
{
    struct promise_eta eta;
    assert_int_equal(promise_eta(ahead, &s, &d, 30 * MIN_MS, &eta), 0);
    assert_true(eta.wait_ms > 0);
    return eta;
}

static uint64_t wait_of(uint64_t ahead, struct promise_slots s, struct durations d)
{
    return eta_of(ahead, s, d).wait_ms;
}

static void a_free_slot_is_filled_at_once(void **state)
{
    const uint64_t elapsed[] = {100000};
    struct promise_slots s = {3, 1, elapsed, 1};
    assert_int_equal(wait_of(0, s, even), 1);
    assert_int_equal(wait_of(1, s, even), 1);
    assert_int_equal(wait_of(2, s, even), 20000);  /* when the run that goes on has ended */
    assert_int_equal(wait_of(3, s, even), 120000); /* when the first that begins now has */
    assert_int_equal(wait_of(5, s, even), 140000);
}

static void slots_come_free_as_their_runs_have_gone_on(void **state)
{
    const uint64_t elapsed[] = {500000, 110000, 60000, 10000};
    struct promise_slots s = {4, 4, elapsed, 4};
    assert_int_equal(wait_of(0, s, even), 1000); /* overdue: as long as runs differ */
    assert_int_equal(wait_of(1, s, even), 10000);
    assert_int_equal(wait_of(2, s, even), 60000);
    assert_int_equal(wait_of(3, s, even), 110000);
    assert_int_equal(wait_of(6, s, even), 180000); /* a round later */
    s.slots = 2;                                   /* two are to go: two runs end for nobody */
    assert_int_equal(wait_of(0, s, even), 60000);
    assert_int_equal(wait_of(1, s, even), 110000);
    s.slots = 9;
    s.running = 9; /* of the others nothing is known */
    assert_int_equal(wait_of(8, s, even), 120000);
    assert_true(wait_of(UINT64_MAX, (struct promise_slots){1, 1, elapsed, 1}, even) == UINT64_MAX);
}

/* Beside the slots themselves, one by one: each dispatch takes the one that is free first. */
static void an_estimate_is_what_playing_the_slots_gives(void **state)
{
    enum { CASES = 20000, SLOTS = 12 };
    struct random r = {7};
    unsigned asked = 0;
    for (unsigned i = 0; i < CASES; i++) {
        uint64_t elapsed[SLOTS], free_at[SLOTS], last = 120000;
        unsigned slots = 1 + random_below(&r, SLOTS);
        unsigned running = random_below(&r, slots + 1);
        for (unsigned k = 0; k < slots; k++) {
            last = k < running ? random_below(&r, (unsigned)last + 1) : 0;
            elapsed[k] = last;
            free_at[k] = k < running ? 120000 - last : 0;
        }
        for (unsigned k = 0; k < running; k++)
            if (free_at[k] < even.dev_ms)
                free_at[k] = even.dev_ms;
        unsigned ahead = random_below(&r, 40), best = 0;
        for (unsigned n = 0; n <= ahead; n++) {
            best = 0;
            for (unsigned k = 1; k < slots; k++)
                best = free_at[k] < free_at[best] ? k : best;
            last = free_at[best];
            free_at[best] += 120000;
        }
        struct promise_slots s = {slots, running, elapsed, running};
        assert_int_equal(wait_of(ahead, s, even), last ? last : 1);
        asked++;
    }
    printf("%u waits, each as the slots played one by one give it\n", asked);
}

static void before_the_first_run_has_ended_those_that_go_on_count(void **state)
{
    const uint64_t elapsed[] = {40000, 30000};
    struct durations none = {0};
    struct promise_eta eta = {.wait_ms = 77};
    struct promise_slots busy = {2, 2, elapsed, 2}, idle = {.slots = 2},
                         endless = {1, 1, elapsed, 1};
    uint64_t long_ago = 40 * MIN_MS;
    assert_int_equal(wait_of(0, busy, none), 40001); /* it is taken to be half done */
    assert_int_equal(wait_of(1, busy, none), 50001);
    assert_int_equal(wait_of(1, idle, none), 1);
    assert_int_equal(promise_eta(2, &idle, &none, 30 * MIN_MS, &eta), PROMISE_UNKNOWN);
    assert_int_equal(eta.wait_ms, 77);
    endless.elapsed_ms = &long_ago;
    assert_int_equal(wait_of(1, endless, none), 30 * MIN_MS); /* the longest allowed */
}

static void no_mean_is_above_the_longest_allowed(void **state)
{
    struct durations longer = {.mean_ms = 31 * MIN_MS, .n = 30};
    assert_int_equal(wait_of(0, (struct promise_slots){.slots = 1, .running = 1}, longer),
                     30 * MIN_MS);
}

static void an_estimate_is_never_above_its_bound(void **state)
{
    struct random r = {1};
    unsigned pairs = 0;
    for (; pairs < 200000; pairs++) {
        struct durations d = {.mean_ms = random_below(&r, 40 * 60000),
                              .dev_ms = random_below(&r, 40 * 60000),
                              .n = random_below(&r, 3)};
        uint64_t elapsed = random_below(&r, 3600000);
        uint32_t slots = 1 + random_below(&r, 50);
        struct promise_slots s = {slots, random_below(&r, 2 * slots), &elapsed, 1};
        uint64_t ahead = random_below(&r, 1000), wall;
        struct promise_eta eta = {0};
        s.known = s.running > 0;
        assert_int_equal(promise_wall_ms(ahead, slots, 30 * MIN_MS, &wall), 0);
        assert_true(promise_eta(ahead, &s, &d, 30 * MIN_MS, &eta) != PROMISE_NO_SLOTS);
        assert_true(eta.wait_ms <= wall);
    }
    printf("%u estimates below their bounds\n", pairs);
}

static void a_cap_is_like_slots_of_ones_own(void **state)
{
    const struct promise_eta at_once = {1, PROMISE_MEDIUM}, soon = {10000, PROMISE_HIGH},
                             later = {90000, PROMISE_HIGH};
    static const struct {
        uint64_t own;
        uint32_t cap;
        bool is_pool_longer;
        uint64_t wait_ms;
        enum promise_confidence confidence;
    } cases[] = {
        {1, 2, true, 90000, PROMISE_HIGH},   /* its head waits for its turn alone */
        {1, 2, false, 90000, PROMISE_HIGH},  /* or for its account's run */
        {2, 1, false, 95000, PROMISE_HIGH},  /* one turn of two is on top */
        {2, 5, false, 91000, PROMISE_HIGH},  /* a fifth of it */
        {3, 1, true, 90000, PROMISE_MEDIUM}, /* 10000 + two turns of three are less */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promise_eta pool = cases[i].is_pool_longer ? later : soon,
                           own = cases[i].is_pool_longer ? soon : later,
                           eta = promise_under_cap(pool, own, cases[i].own, cases[i].cap);
        assert_int_equal(eta.wait_ms, cases[i].wait_ms);
        assert_int_equal(eta.confidence, cases[i].confidence);
    }
    struct promise_eta free = promise_under_cap(later, at_once, 1, 5);
    assert_int_equal(free.wait_ms, 90000); /* under its cap nothing changes */
    assert_int_equal(free.confidence, PROMISE_HIGH);
}

static void confidence_follows_the_stated_rule(void **state)
{
    static const struct {
        struct durations d;
        uint64_t ahead;
        uint32_t slots, running;
        const char *word;
    } cases[] = {
        {{1000, 0, 0}, 0, 4, 0, "low"},       {{1000, 0, 4}, 0, 4, 4, "low"},
        {{1000, 0, 5}, 0, 4, 4, "medium"},    {{1000, 0, 19}, 0, 4, 4, "medium"},
        {{1000, 0, 20}, 0, 4, 4, "high"},     {{1000, 250, 20}, 0, 4, 4, "high"},
        {{1000, 251, 20}, 0, 4, 4, "medium"}, {{1000, 1000, 20}, 0, 4, 4, "medium"},
        {{1000, 1001, 20}, 0, 4, 4, "low"},   {{1000, 0, 20}, 3, 4, 4, "high"},
        {{1000, 0, 20}, 4, 4, 4, "medium"},   {{1000, 0, UINT32_MAX}, 0, 1, 1, "high"},
        {{1000, 0, 20}, 1, 1, 1, "medium"},   {{1000, 0, 20}, 0, 4, 3, "medium"},
        {{1000, 0, 20}, 1, 4, 3, "high"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promise_slots s = {.slots = cases[i].slots, .running = cases[i].running};
        struct promise_eta eta = eta_of(cases[i].ahead, s, cases[i].d);
        assert_string_equal(promise_confidence_text(eta.confidence), cases[i].word);
    }
    printf("%zu edges of the confidence rule\n", sizeof cases / sizeof *cases);
}

static void the_first_runs_have_equal_weight(void **state)
{
    struct durations d = {0};
    durations_add(&d, 1000);
    assert_int_equal(d.mean_ms, 1000);
    assert_int_equal(d.dev_ms, 500);
    durations_add(&d, 3000);
    assert_int_equal(d.mean_ms, 2000);
    for (unsigned i = 3; i <= 8; i++)
        durations_add(&d, 2000);
    assert_int_equal(d.mean_ms, 2000);
    durations_add(&d, 10000); /* the ninth weighs an eighth */
    assert_int_equal(d.mean_ms, 3000);
    assert_int_equal(d.n, 9);
}

/* Beside the same mean in doubles. */
static void the_mean_is_exact_to_4_ms(void **state)
{
    struct random r = {3};
    struct durations d = {0};
    double mean = 0, dev = 0, worst = 0;
    for (unsigned i = 1; i <= ADDS; i++) {
        unsigned level = i / 1000 % 5 * 100000, run = level + random_below(&r, 60000);
        double weight = i < 8 ? i : 8, distance = fabs(run - mean);
        durations_add(&d, run);
        mean += (run - mean) / weight;
        dev = i == 1 ? run / 2.0 : dev + (distance - dev) / weight;
        worst = fmax(worst, fmax(fabs(mean - d.mean_ms), fabs(dev - d.dev_ms) - 4));
    }
    printf("%d runs: worst distance %.2f ms\n", ADDS, worst);
    assert_true(worst <= 4.0);
}

static void even_runs_bring_the_deviation_down(void **state)
{
    struct durations d = {0};
    for (unsigned i = 0; i < 100; i++)
        durations_add(&d, 120000);
    assert_int_equal(d.mean_ms, 120000);
    assert_in_range(d.dev_ms, 0, 4);
}

static void long_runs_and_long_lives_do_not_overflow(void **state)
{
    struct durations d = {0};
    durations_add(&d, UINT64_MAX);
    assert_int_equal(d.mean_ms, DAY_MS);
    d.n = UINT32_MAX;
    durations_add(&d, 0);
    assert_int_equal(d.mean_ms, DAY_MS / 8 * 7);
    assert_true(d.n == UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_is_j_times_b_plus_1_less_1),
        cmocka_unit_test(bounds_stop_at_the_largest_number),
        cmocka_unit_test(in_time_a_bound_is_rounds_of_the_longest_run),
        cmocka_unit_test(without_slots_nothing_is_said),
        cmocka_unit_test(a_free_slot_is_filled_at_once),
        cmocka_unit_test(slots_come_free_as_their_runs_have_gone_on),
        cmocka_unit_test(an_estimate_is_what_playing_the_slots_gives),
        cmocka_unit_test(before_the_first_run_has_ended_those_that_go_on_count),
        cmocka_unit_test(no_mean_is_above_the_longest_allowed),
        cmocka_unit_test(a_cap_is_like_slots_of_ones_own),
        cmocka_unit_test(an_estimate_is_never_above_its_bound),
        cmocka_unit_test(confidence_follows_the_stated_rule),
        cmocka_unit_test(the_first_runs_have_equal_weight),
        cmocka_unit_test(the_mean_is_exact_to_4_ms),
        cmocka_unit_test(even_runs_bring_the_deviation_down),
        cmocka_unit_test(long_runs_and_long_lives_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
