/* test_account_limits.c: broker/sched/limits.c. What an account may do follows from its tier, its
 * own values and its add-ons, and an add-on that can change nothing is told before it is sold. */
#undef NDEBUG
#include "sched/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { P0, P1, P2, P3 };
#define MIN_MS UINT64_C(60000)
#define NOW_MS UINT64_C(1798761600000)

static struct limits of(unsigned tier, const struct limits_own *own, const struct addon_grant *g,
                        size_t count)
{
    struct tier_table t;
    struct limits l;
    tier_table_default(&t);
    limits_of(&t, (uint8_t)tier, own, g, count, NOW_MS, &l);
    return l;
}

/* The timeout in minutes without, with +5, with +10 and with both. */
static void addons_lead_to_the_timeouts_of_the_plan(void **state)
{
    static const struct {
        uint8_t tier;
        unsigned timeout_min[4];
    } plan[] = {
        {P3, {5, 5, 5, 5}}, {P2, {10, 15, 20, 20}}, {P1, {15, 20, 25, 25}}, {P0, {30, 30, 30, 30}}};
    static const struct addon_grant recurring = {ADDON_TIMEOUT, 5, NOW_MS + 1};
    static const struct addon_grant permanent = {ADDON_TIMEOUT, 10, 0};
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++)
        for (unsigned set = 0; set < 4; set++, seen++) {
            struct addon_grant g[2];
            size_t n = 0;
            if (set & 1)
                g[n++] = recurring;
            if (set & 2)
                g[n++] = permanent;
            struct limits l = of(plan[i].tier, NULL, g, n);
            assert_int_equal(l.timeout_ms, plan[i].timeout_min[set] * MIN_MS);
            assert_int_equal(l.timeout_ms_max, tier_row(plan[i].tier)->timeout_ms_max);
            assert_int_equal(l.addon_minutes, (set & 1) * 5 + (set >> 1) * 10);
        }
    printf("add-ons: %u of 16 timeouts are the plan's\n", seen);
}

static void the_gain_of_one_more_addon_is_what_it_then_changes(void **state)
{
    static const unsigned minutes[] = {0, 1, 5, 10, 11, 4294967295u};
    unsigned without_effect = 0, seen = 0;
    for (unsigned tier = 0; tier < TIERS; tier++)
        for (unsigned had = 0; had < 12; had++)
            for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++, seen++) {
                struct addon_grant g[] = {{ADDON_TIMEOUT, had, 0}, {ADDON_TIMEOUT, minutes[i], 0}};
                struct limits before = of(tier, NULL, g, 1), after = of(tier, NULL, g, 2);
                uint64_t gain = limits_addon_gain_ms(&before, minutes[i]);
                assert_int_equal(gain, after.timeout_ms - before.timeout_ms);
                if (tier == P0 || tier == P3)
                    assert_int_equal(gain, 0);
                without_effect += gain == 0;
            }
    printf("gain: %u cases, %u without effect\n", seen, without_effect);
    struct limits starter = of(P2, NULL, NULL, 0);
    assert_int_equal(limits_addon_gain_ms(&starter, 5), 5 * MIN_MS);
    assert_int_equal(limits_addon_gain_ms(&starter, 10), 10 * MIN_MS);
    assert_int_equal(limits_addon_gain_ms(&starter, 11), 10 * MIN_MS);
}

static void an_addon_lapses_exactly_at_its_end(void **state)
{
    struct addon_grant g = {ADDON_TIMEOUT, 5, NOW_MS + 1};
    assert_int_equal(of(P2, NULL, &g, 1).timeout_ms, 15 * MIN_MS);
    g.until_ms = NOW_MS;
    assert_int_equal(of(P2, NULL, &g, 1).timeout_ms, 10 * MIN_MS);
    assert_int_equal(of(P2, NULL, &g, 1).addon_minutes, 0);
    g.until_ms = 1;
    assert_int_equal(of(P2, NULL, &g, 1).timeout_ms, 10 * MIN_MS);
    g.until_ms = 0;
    assert_int_equal(of(P2, NULL, &g, 1).timeout_ms, 15 * MIN_MS);
}

static void other_kinds_of_addon_change_nothing(void **state)
{
    for (unsigned kind = 0; kind < 256; kind++) {
        struct addon_grant g = {(uint8_t)kind, 5, 0};
        unsigned minutes = kind == ADDON_TIMEOUT ? 15 : 10;
        assert_int_equal(of(P2, NULL, &g, 1).timeout_ms, minutes * MIN_MS);
    }
}

static void minutes_without_bound_stop_at_the_maximum(void **state)
{
    struct addon_grant g[] = {{ADDON_TIMEOUT, UINT32_MAX, 0}, {ADDON_TIMEOUT, UINT32_MAX, 0}};
    struct limits l = of(P1, NULL, g, 2);
    assert_int_equal(l.timeout_ms, 25 * MIN_MS);
    assert_int_equal(l.addon_minutes, UINT32_MAX);
}

static void an_own_timeout_replaces_default_and_maximum(void **state)
{
    static const unsigned own_min[] = {1, 5, 29, 30, 31, 120};
    struct addon_grant g = {ADDON_TIMEOUT, 10, 0};
    for (unsigned tier = 0; tier < TIERS; tier++)
        for (size_t i = 0; i < sizeof own_min / sizeof *own_min; i++) {
            struct limits_own own = {.timeout_ms = own_min[i] * MIN_MS};
            struct limits l = of(tier, &own, &g, 1);
            assert_int_equal(l.timeout_ms, own_min[i] * MIN_MS);
            assert_int_equal(l.timeout_ms_max, own_min[i] * MIN_MS);
            assert_int_equal(limits_addon_gain_ms(&l, 10), 0);
        }
}

static void without_own_values_the_tier_counts(void **state)
{
    static const struct limits_own nothing;
    for (unsigned tier = 0; tier < TIERS; tier++)
        for (unsigned k = 0; k < 2; k++) {
            struct limits l = of(tier, k ? &nothing : NULL, NULL, 0);
            const struct tier_row *row = tier_row((uint8_t)tier);
            assert_int_equal(l.running_max, row->running_max);
            assert_int_equal(l.bundle_bytes_max, row->bundle_bytes_max);
            assert_int_equal(l.source_bytes_max, row->source_bytes_max);
            assert_int_equal(l.storage_bytes_max, row->storage_bytes_max);
            assert_int_equal(l.memory_bytes, row->memory_bytes);
            assert_int_equal(l.builds_month, row->builds_month);
            assert_int_equal(l.builds_unlimited, tier == P0);
            assert_int_equal(l.rate_n, 0);
        }
}

static void each_own_value_replaces_its_limit_alone(void **state)
{
    struct limits_own own = {.running_max = 7};
    struct limits plain = of(P0, NULL, NULL, 0), l = of(P0, &own, NULL, 0);
    assert_int_equal(l.running_max, 7);
    assert_int_equal(l.bundle_bytes_max, plain.bundle_bytes_max);
    own = (struct limits_own){.bundle_bytes_max = 250000000};
    l = of(P0, &own, NULL, 0);
    assert_int_equal(l.bundle_bytes_max, 250000000);
    assert_int_equal(l.source_bytes_max, plain.source_bytes_max);
    assert_int_equal(l.running_max, 5);
    own = (struct limits_own){.source_bytes_max = 2, .storage_bytes_max = 3};
    l = of(P0, &own, NULL, 0);
    assert_int_equal(l.source_bytes_max, 2);
    assert_int_equal(l.storage_bytes_max, 3);
    assert_int_equal(l.bundle_bytes_max, 100000000);
    assert_int_equal(l.timeout_ms, 30 * MIN_MS);
}

static void unlimited_builds_are_a_flag_and_0_is_none(void **state)
{
    static const struct {
        uint8_t tier;
        struct limits_own own;
        bool unlimited;
        uint64_t builds;
    } cases[] = {
        {P3, {.builds_month = 77, .builds_unlimited = true}, false, 10}, /* has_builds is off */
        {P3, {.has_builds = true, .builds_month = 77}, false, 77},
        {P3, {.has_builds = true, .builds_month = 0}, false, 0},
        {P3, {.has_builds = true, .builds_unlimited = true, .builds_month = 5}, true, 0},
        {P0, {.has_builds = true, .builds_month = 1000}, false, 1000},
        {P0, {.has_builds = true, .builds_month = 0}, false, 0},
        {P0, {0}, true, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct limits l = of(cases[i].tier, &cases[i].own, NULL, 0);
        assert_int_equal(l.builds_unlimited, cases[i].unlimited);
        assert_int_equal(l.builds_month, cases[i].builds);
    }
}

static void a_rate_is_the_accounts_own_or_the_tables(void **state)
{
    struct tier_table t;
    struct limits l;
    struct limits_own own = {.rate_n = 3};
    assert_int_equal(tier_profile("wide", &t), 0);
    limits_of(&t, P3, NULL, NULL, 0, NOW_MS, &l);
    assert_int_equal(l.rate_n, 10);
    assert_int_equal(l.rate_ms, 60000);
    limits_of(&t, P3, &own, NULL, 0, NOW_MS, &l); /* no period: not set */
    assert_int_equal(l.rate_n, 10);
    own.rate_ms = 1000;
    limits_of(&t, P3, &own, NULL, 0, NOW_MS, &l);
    assert_int_equal(l.rate_n, 3);
    assert_int_equal(l.rate_ms, 1000);
    own.rate_n = 0;
    limits_of(&t, P3, &own, NULL, 0, NOW_MS, &l);
    assert_int_equal(l.rate_n, 0);
    assert_int_equal(l.builds_month, 100); /* and the rest is the table's, not what ships */
}

static void a_timeout_may_be_shortened_only(void **state)
{
    struct addon_grant g = {ADDON_TIMEOUT, 5, 0};
    struct limits l = of(P2, NULL, &g, 1);
    uint64_t got = 0;
    assert_true(limits_timeout(&l, 0, &got));
    assert_int_equal(got, 15 * MIN_MS);
    assert_true(limits_timeout(&l, 15 * MIN_MS, &got));
    assert_int_equal(got, 15 * MIN_MS);
    assert_true(limits_timeout(&l, 1, &got));
    assert_int_equal(got, 1);
    assert_false(limits_timeout(&l, 15 * MIN_MS + 1, &got)); /* though the maximum is 20 */
    assert_false(limits_timeout(&l, UINT64_MAX, &got));
    assert_int_equal(got, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addons_lead_to_the_timeouts_of_the_plan),
        cmocka_unit_test(the_gain_of_one_more_addon_is_what_it_then_changes),
        cmocka_unit_test(an_addon_lapses_exactly_at_its_end),
        cmocka_unit_test(other_kinds_of_addon_change_nothing),
        cmocka_unit_test(minutes_without_bound_stop_at_the_maximum),
        cmocka_unit_test(an_own_timeout_replaces_default_and_maximum),
        cmocka_unit_test(without_own_values_the_tier_counts),
        cmocka_unit_test(each_own_value_replaces_its_limit_alone),
        cmocka_unit_test(unlimited_builds_are_a_flag_and_0_is_none),
        cmocka_unit_test(a_rate_is_the_accounts_own_or_the_tables),
        cmocka_unit_test(a_timeout_may_be_shortened_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
