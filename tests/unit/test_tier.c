/* test_tier.c: the four tiers have the values of the product plan in the units the code counts in,
 * and an account's own values change them only in the ways that are allowed; tables that change at
 * run time have profiles, and ranges at which they are refused. */
#undef NDEBUG
#include "sched/tier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DAY_MS = 24 * 3600 * 1000 };

/* Written out a second time, in minutes and megabytes, so that a slip in tiers.def shows. */
static const struct {
    const char *name;
    unsigned timeout_min, timeout_min_max, builds, running, bundle_mb, source_mb, memory_gib;
} plan[TIERS] = {
    {"enterprise", 30, 30, 0, 5, 100, 500, 4},
    {"pro", 15, 25, 500, 2, 100, 250, 4},
    {"starter", 10, 20, 100, 1, 50, 125, 2},
    {"free", 5, 5, 10, 1, 10, 50, 2},
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
        assert_int_equal(row->source_bytes_max, plan[t].source_mb * 1000000u);
        assert_int_equal(row->storage_bytes_max, UINT64_C(10737418240));
        assert_int_equal(row->memory_bytes, plan[t].memory_gib * UINT64_C(1073741824));
        assert_int_equal(row->rate_n, 0);
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

static unsigned rows_differ(const struct tier_row *a, const struct tier_row *b)
{
    return (unsigned)(strcmp(a->name, b->name) != 0) + (a->timeout_ms != b->timeout_ms) +
           (a->timeout_ms_max != b->timeout_ms_max) + (a->builds_month != b->builds_month) +
           (a->running_max != b->running_max) + (a->bundle_bytes_max != b->bundle_bytes_max) +
           (a->source_bytes_max != b->source_bytes_max) +
           (a->storage_bytes_max != b->storage_bytes_max) + (a->memory_bytes != b->memory_bytes) +
           (a->rate_n != b->rate_n) + (a->rate_ms != b->rate_ms);
}

static void profile_default_is_the_plan_without_rates(void **state)
{
    struct tier_table t, same;
    tier_table_default(&t);
    assert_int_equal(tier_profile("default", &same), 0);
    for (unsigned i = 0; i < TIERS; i++) {
        assert_int_equal(rows_differ(&t.row[i], tier_row((uint8_t)i)), 0);
        assert_int_equal(rows_differ(&same.row[i], &t.row[i]), 0);
    }
    assert_int_equal(t.global_rate_n, 0);
    assert_int_equal(t.account_rate_n, 0);
    assert_int_equal(same.account_rate_n, 0);
    assert_int_equal(t.version, 0);
}

static void profile_wide_differs_in_five_cells(void **state)
{
    static const unsigned running[TIERS] = {10, 5, 2, 1};
    struct tier_table t, d;
    unsigned cells = 0;
    tier_table_default(&d);
    assert_int_equal(tier_profile("wide", &t), 0);
    for (unsigned i = 0; i < TIERS; i++) {
        assert_int_equal(t.row[i].running_max, running[i]);
        cells += rows_differ(&t.row[i], &d.row[i]);
    }
    assert_int_equal(t.row[3].builds_month, 100);
    assert_int_equal(t.account_rate_n, 10);
    assert_int_equal(t.account_rate_ms, 60000);
    assert_int_equal(t.global_rate_n, 0);
    cells += (t.account_rate_n != d.account_rate_n) + (t.account_rate_ms != d.account_rate_ms) +
             (t.global_rate_n != d.global_rate_n) + (t.global_rate_ms != d.global_rate_ms);
    /* P0, P1, P2 at once; Free's builds; the rate of accounts. P3's 1 is the plan's. */
    assert_int_equal(cells, 5);
    printf("wide: %u cells differ from default\n", cells);
}

static void unknown_profiles_change_nothing(void **state)
{
    static const char *const bad[] = {"", "Wide", "wid", "wider", "003"};
    struct tier_table t = {.version = 9};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tier_profile(bad[i], &t), TIER_UNKNOWN);
    assert_int_equal(t.version, 9);
    assert_null(t.row[0].name);
}

/* The edges of each column of a row. */
static const struct {
    const char *column;
    size_t offset, size;
    uint64_t min, max;
} edges[] = {
#define EDGE(column, min, max)                                                                     \
    {                                                                                              \
#column, offsetof(struct tier_row, column), sizeof(((struct tier_row *)NULL)->column),     \
            (min), (max)                                                                           \
    }
    EDGE(timeout_ms, 1000, 24 * UINT64_C(3600000)),
    EDGE(timeout_ms_max, 1000, 24 * UINT64_C(3600000)),
    EDGE(builds_month, 0, UINT64_C(4294967295)),
    EDGE(running_max, 1, 10000),
    EDGE(bundle_bytes_max, 1000000, UINT64_C(1000000000000)),
    EDGE(source_bytes_max, 1000000, UINT64_C(1000000000000)),
    EDGE(storage_bytes_max, 1000000, UINT64_C(1000000000000000)),
    EDGE(memory_bytes, 1000000, UINT64_C(1000000000000)),
    EDGE(rate_n, 0, 1000000),
    EDGE(rate_ms, 1000, DAY_MS),
#undef EDGE
};
enum { EDGES = sizeof edges / sizeof *edges };

static void cell_set(struct tier_row *row, size_t i, uint64_t value)
{
    uint32_t narrow = (uint32_t)value;
    if (edges[i].size == sizeof narrow)
        memcpy((char *)row + edges[i].offset, &narrow, sizeof narrow);
    else
        memcpy((char *)row + edges[i].offset, &value, sizeof value);
}

/* What the check says of a table with one cell changed. The row's timeouts are as far apart as they
 * can be, so that one of them can go anywhere; the rate is on. */
static int check_with(unsigned tier, size_t i, uint64_t value, unsigned *tier_found,
                      const char **column)
{
    struct tier_table t;
    tier_table_default(&t);
    t.row[tier].timeout_ms = 1000;
    t.row[tier].timeout_ms_max = DAY_MS;
    t.row[tier].rate_n = 1;
    cell_set(&t.row[tier], i, value);
    return tier_table_check(&t, tier_found, column);
}

static void a_row_holds_at_its_edges_and_is_refused_beyond(void **state)
{
    unsigned held = 0, refused = 0;
    for (unsigned t = 0; t < TIERS; t++)
        for (size_t i = 0; i < EDGES; i++) {
            unsigned tier = 77;
            const char *column = NULL;
            assert_int_equal(check_with(t, i, edges[i].min, &tier, &column), 0);
            assert_int_equal(check_with(t, i, edges[i].max, &tier, &column), 0);
            assert_int_equal(tier, 77);
            assert_null(column);
            held += 2;
            uint64_t beyond[] = {edges[i].min - 1, edges[i].max + 1};
            for (size_t k = edges[i].min == 0; k < 2; k++, refused++) {
                assert_int_equal(check_with(t, i, beyond[k], &tier, &column), TIER_BAD);
                assert_int_equal(tier, t);
                assert_string_equal(column, edges[i].column);
            }
        }
    printf("rows: %u edges held, %u values beyond refused\n", held, refused);
}

static void a_default_above_its_maximum_is_refused(void **state)
{
    struct tier_table t;
    unsigned tier = 77;
    const char *column = NULL;
    tier_table_default(&t);
    t.row[2].timeout_ms = t.row[2].timeout_ms_max;
    assert_int_equal(tier_table_check(&t, &tier, &column), 0);
    t.row[2].timeout_ms++;
    assert_int_equal(tier_table_check(&t, &tier, &column), TIER_BAD);
    assert_int_equal(tier, 2);
    assert_string_equal(column, "timeout_ms");
}

static void a_period_may_be_0_while_its_rate_is_off(void **state)
{
    struct tier_table t;
    unsigned tier = 77;
    const char *column = NULL;
    tier_table_default(&t);
    t.row[0].rate_ms = t.global_rate_ms = t.account_rate_ms = 0;
    assert_int_equal(tier_table_check(&t, &tier, &column), 0);
    t.row[0].rate_n = 1;
    assert_int_equal(tier_table_check(&t, &tier, &column), TIER_BAD);
    assert_int_equal(tier, 0);
    assert_string_equal(column, "rate_ms");
}

static void rates_of_the_table_are_refused_as_tier_4(void **state)
{
    static const struct {
        uint32_t global_n, global_ms, account_n, account_ms;
        const char *column; /* NULL: fine */
    } cases[] = {
        {1000000, DAY_MS, 1000000, DAY_MS, NULL}, {1, 1000, 1, 1000, NULL},
        {1000001, 1000, 0, 0, "global_rate_n"},   {1, 999, 0, 0, "global_rate_ms"},
        {0, DAY_MS + 1, 0, 0, "global_rate_ms"},  {0, 0, 1000001, 1000, "account_rate_n"},
        {0, 0, 1, 999, "account_rate_ms"},        {0, 0, 0, DAY_MS + 1, "account_rate_ms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tier_table t;
        unsigned tier = 77;
        const char *column = NULL;
        tier_table_default(&t);
        t.global_rate_n = cases[i].global_n;
        t.global_rate_ms = cases[i].global_ms;
        t.account_rate_n = cases[i].account_n;
        t.account_rate_ms = cases[i].account_ms;
        int want = cases[i].column ? TIER_BAD : 0;
        assert_int_equal(tier_table_check(&t, &tier, &column), want);
        assert_int_equal(tier, want ? TIERS : 77);
        if (want)
            assert_string_equal(column, cases[i].column);
    }
}

static void the_profiles_that_ship_pass_the_check(void **state)
{
    static const char *const names[] = {"default", "wide"};
    unsigned tier;
    const char *column;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tier_table t;
        assert_int_equal(tier_profile(names[i], &t), 0);
        assert_int_equal(tier_table_check(&t, &tier, &column), 0);
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
        cmocka_unit_test(profile_default_is_the_plan_without_rates),
        cmocka_unit_test(profile_wide_differs_in_five_cells),
        cmocka_unit_test(unknown_profiles_change_nothing),
        cmocka_unit_test(a_row_holds_at_its_edges_and_is_refused_beyond),
        cmocka_unit_test(a_default_above_its_maximum_is_refused),
        cmocka_unit_test(a_period_may_be_0_while_its_rate_is_off),
        cmocka_unit_test(rates_of_the_table_are_refused_as_tier_4),
        cmocka_unit_test(the_profiles_that_ship_pass_the_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
