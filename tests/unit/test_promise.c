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
    struct promise_eta eta = {.wait_ms = 77};
    uint64_t ms = 77;
    assert_int_equal(promise_wall_ms(9, 0, 1000, &ms), PROMISE_NO_SLOTS);
    assert_int_equal(promise_eta(9, 0, &d, 1000, &eta), PROMISE_NO_SLOTS);
    assert_int_equal(ms, 77);
    assert_int_equal(eta.wait_ms, 77);
}

static uint64_t wait_of(uint64_t ahead, uint32_t slots, struct durations d)
{
    struct promise_eta eta;
    assert_int_equal(promise_eta(ahead, slots, &d, 30 * MIN_MS, &eta), 0);
    return eta.wait_ms;
}

static void an_estimate_is_the_share_of_the_slots(void **state)
{
    struct durations d = {.mean_ms = 120000, .dev_ms = 1000, .n = 30};
    assert_int_equal(wait_of(0, 1, d), 120000);
    assert_int_equal(wait_of(0, 4, d), 30000);
    assert_int_equal(wait_of(9, 4, d), 300000);
    assert_int_equal(wait_of(9, 7, d), 171429); /* rounded up */
    assert_true(wait_of(UINT64_MAX, 1, d) == UINT64_MAX);
    assert_int_equal(wait_of(0, UINT32_MAX, d), 1);
}

static void without_known_runs_the_longest_allowed_counts(void **state)
{
    struct durations none = {0}, longer = {.mean_ms = 31 * MIN_MS, .n = 30};
    assert_int_equal(wait_of(1, 2, none), 30 * MIN_MS);
    assert_int_equal(wait_of(1, 2, longer), 30 * MIN_MS);
}

static void an_estimate_is_never_above_its_bound(void **state)
{
    struct random r = {1};
    unsigned pairs = 0;
    for (; pairs < 200000; pairs++) {
        struct durations d = {.mean_ms = random_below(&r, 40 * 60000), .n = random_below(&r, 3)};
        uint32_t slots = 1 + random_below(&r, 50);
        uint64_t ahead = random_below(&r, 1000), wall;
        assert_int_equal(promise_wall_ms(ahead, slots, 30 * MIN_MS, &wall), 0);
        assert_true(wait_of(ahead, slots, d) <= wall);
    }
    printf("%u estimates below their bounds\n", pairs);
}

static void confidence_follows_the_stated_rule(void **state)
{
    static const struct {
        struct durations d;
        uint64_t ahead;
        uint32_t slots;
        const char *word;
    } cases[] = {
        {{1000, 0, 0}, 0, 4, "low"},       {{1000, 0, 4}, 0, 4, "low"},
        {{1000, 0, 5}, 0, 4, "medium"},    {{1000, 0, 19}, 0, 4, "medium"},
        {{1000, 0, 20}, 0, 4, "high"},     {{1000, 250, 20}, 0, 4, "high"},
        {{1000, 251, 20}, 0, 4, "medium"}, {{1000, 1000, 20}, 0, 4, "medium"},
        {{1000, 1001, 20}, 0, 4, "low"},   {{1000, 0, 20}, 7, 4, "high"},
        {{1000, 0, 20}, 8, 4, "medium"},   {{1000, 0, UINT32_MAX}, 1, 1, "high"},
        {{1000, 0, 20}, 2, 1, "medium"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promise_eta eta;
        assert_int_equal(promise_eta(cases[i].ahead, cases[i].slots, &cases[i].d, 10000, &eta), 0);
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
        cmocka_unit_test(an_estimate_is_the_share_of_the_slots),
        cmocka_unit_test(without_known_runs_the_longest_allowed_counts),
        cmocka_unit_test(an_estimate_is_never_above_its_bound),
        cmocka_unit_test(confidence_follows_the_stated_rule),
        cmocka_unit_test(the_first_runs_have_equal_weight),
        cmocka_unit_test(the_mean_is_exact_to_4_ms),
        cmocka_unit_test(even_runs_bring_the_deviation_down),
        cmocka_unit_test(long_runs_and_long_lives_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
