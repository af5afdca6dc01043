/* test_tier.c: the four tiers have the values of the product plan in the units the code counts in,
 * and an account's own values change them only in the ways that are allowed. */
#undef NDEBUG
#include "sched/tier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Written out a second time, in minutes and megabytes, so that a slip in tiers.def shows. */
static const struct {
    const char *name;
    unsigned timeout_min, timeout_min_max, builds, running, bundle_mb;
} plan[TIERS] = {
    {"enterprise", 30, 30, 0, 5, 100},
    {"pro", 15, 25, 500, 2, 100},
    {"starter", 10, 20, 100, 1, 50},
    {"free", 5, 5, 10, 1, 10},
};

static void rows_are_those_of_the_plan(void **state)
{
    for (unsigned t = 0; t < TIERS; t++) {
        const struct tier_row *row = tier_row((uint8_t)t);
        assert_string_equal(row->name, plan[t].name);
        assert_int_equal(row->timeout_ms, plan[t].timeout_min * 60000u);
        assert_int_equal(row->timeout_ms_max, plan[t].timeout_min_max * 60000u);
        assert_int_equal(row->builds_month, plan[t].builds);
        assert_int_equal(row->running_max, plan[t].running);
        assert_int_equal(row->bundle_bytes_max, plan[t].bundle_mb * 1000000u);
        assert_true(row->timeout_ms <= row->timeout_ms_max);
        printf("P%u %s: %ju ms, %u at once, %ju bytes\n", t, row->name, (uintmax_t)row->timeout_ms,
               row->running_max, (uintmax_t)row->bundle_bytes_max);
    }
}

static void names_lead_to_tiers(void **state)
{
    uint8_t tier = 77;
    for (unsigned t = 0; t < TIERS; t++) {
        assert_int_equal(tier_by_name(plan[t].name, &tier), 0);
        assert_int_equal(tier, t);
    }
    assert_int_equal(tier_by_name("basic", &tier), 0);
    assert_int_equal(tier, 2);
}

static void other_names_are_unknown_and_change_nothing(void **state)
{
    static const char *const bad[] = {"", "Free", "fre", "freee", "P3", "0", "basic ", "gold"};
    uint8_t tier = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tier_by_name(bad[i], &tier), TIER_UNKNOWN);
    assert_int_equal(tier, 77);
}

static void an_own_cap_counts_unless_it_is_0(void **state)
{
    for (unsigned t = 0; t < TIERS; t++) {
        assert_int_equal(tier_running_max((uint8_t)t, 0), plan[t].running);
        assert_int_equal(tier_running_max((uint8_t)t, 1), 1);
        assert_int_equal(tier_running_max((uint8_t)t, 400), 400);
    }
}

static void a_timeout_may_be_shortened_only(void **state)
{
    for (unsigned t = 0; t < TIERS; t++) {
        uint64_t most = UINT64_C(60000) * plan[t].timeout_min, got = 0;
        assert_true(tier_timeout((uint8_t)t, 0, &got));
        assert_int_equal(got, most);
        assert_true(tier_timeout((uint8_t)t, most, &got));
        assert_int_equal(got, most);
        assert_true(tier_timeout((uint8_t)t, 1, &got));
        assert_int_equal(got, 1);
        assert_false(tier_timeout((uint8_t)t, most + 1, &got));
        assert_false(tier_timeout((uint8_t)t, UINT64_MAX, &got));
        assert_int_equal(got, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_the_plan),
        cmocka_unit_test(names_lead_to_tiers),
        cmocka_unit_test(other_names_are_unknown_and_change_nothing),
        cmocka_unit_test(an_own_cap_counts_unless_it_is_0),
        cmocka_unit_test(a_timeout_may_be_shortened_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
