/* test_rotation.c: the order that customers were told, dispatch by dispatch, and what becomes of it
 * when tiers are empty. The proofs over all states stand in tests/prop. */
#undef NDEBUG
#include "sched/rotation.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { GOLDEN_DISPATCHES = 10000, STATES = 12 };

static void all_backlogged_is_the_string_for_10000_dispatches(void **state)
{
    static const char string[] = "0001002003";
    unsigned count[TIERS] = {0};
    struct rotation r = ROTATION_FRESH;
    for (unsigned i = 0; i < GOLDEN_DISPATCHES; i++) {
        uint8_t t = rotation_next(&r, 15);
        assert_int_equal(t, string[i % 10] - '0');
        assert_int_equal(r.number, i + 1);
        count[t]++;
    }
    printf("golden: %d dispatches, P0 %u, P1 %u, P2 %u, P3 %u\n", GOLDEN_DISPATCHES, count[0],
           count[1], count[2], count[3]);
    assert_int_equal(count[0], GOLDEN_DISPATCHES * 7 / 10);
}

/* One period from fresh, for each set of tiers that have work. */
static const struct set_row {
    const char *tiers, *cycle;
} set_rows[] = {
    {"0", "0"},         {"1", "1"},         {"2", "2"},
    {"3", "3"},         {"01", "0001"},     {"02", "0002"},
    {"03", "0003"},     {"12", "1112"},     {"13", "1113"},
    {"23", "2223"},     {"012", "0001002"}, {"013", "0001003"},
    {"023", "0002003"}, {"123", "1112113"}, {"0123", "0001002003"},
};
enum { SET_ROWS = sizeof set_rows / sizeof *set_rows };

static uint8_t set_of(const char *tiers)
{
    uint8_t set = 0;
    for (; *tiers; tiers++)
        set = (uint8_t)(set | 1u << (*tiers - '0'));
    return set;
}

static void each_of_the_15_sets_has_its_cycle_from_fresh(void **state)
{
    unsigned seen = 0;
    for (size_t i = 0; i < SET_ROWS; i++) {
        struct rotation r = ROTATION_FRESH;
        size_t period = strlen(set_rows[i].cycle);
        uint8_t set = set_of(set_rows[i].tiers);
        for (size_t k = 0; k < 100 * period; k++)
            assert_int_equal(rotation_next(&r, set), set_rows[i].cycle[k % period] - '0');
        seen |= 1u << set;
    }
    assert_int_equal(seen, 0xfffe);
    printf("%d sets, each 100 periods\n", SET_ROWS);
}

/* Runs on until the whole of `cycle` came by three times in a row; false when it never does. */
static bool comes_round_to(struct rotation r, const struct set_row *row)
{
    char order[128] = "";
    char wanted[32] = "";
    for (size_t i = 0; i < sizeof order - 1; i++)
        order[i] = (char)('0' + rotation_next(&r, set_of(row->tiers)));
    for (int i = 0; i < 3; i++)
        memcpy(wanted + strlen(wanted), row->cycle, strlen(row->cycle) + 1);
    const char *at = strstr(order, wanted);
    return at && at - order <= 20;
}

static void every_state_comes_round_to_the_cycle_of_the_set(void **state)
{
    unsigned starts = 0;
    for (unsigned at = 0; at < STATES; at++) {
        struct rotation r = {.c = (uint8_t)(1 + at / 4), .n = (uint8_t)(at % 4), .n_max = 3};
        assert_true(rotation_is_valid(&r));
        for (size_t i = 0; i < SET_ROWS; i++, starts++)
            assert_true(comes_round_to(r, &set_rows[i]));
    }
    printf("%u starts (12 states x 15 sets) came round\n", starts);
}

static void idle_time_leaves_one_turn_behind_and_no_more(void **state)
{
    struct rotation r = ROTATION_FRESH;
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(rotation_next(&r, 1), 0);
    /* All three lower tiers arrive after it: one turn is due at once, the next ones are earned. */
    static const char after[] = "1002003000100";
    for (const char *t = after; *t; t++)
        assert_int_equal(rotation_next(&r, 15), *t - '0');
}

static void a_turn_that_falls_due_while_p0_is_away_is_not_jumped(void **state)
{
    struct rotation r = ROTATION_FRESH;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(rotation_next(&r, 15), 0);
    assert_int_equal(rotation_next(&r, 14), 1);
}

static void bounds_are_those_that_users_are_told(void **state)
{
    static const struct {
        uint8_t n_max;
        unsigned bound[TIERS];
    } rows[] = {{3, {1, 11, 10, 9}}, {5, {1, 17, 16, 15}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned t = 0; t < TIERS; t++)
            assert_int_equal(rotation_bound((uint8_t)t, rows[i].n_max), rows[i].bound[t]);
}

static void values_that_we_never_write_are_refused(void **state)
{
    unsigned valid = 0;
    for (unsigned c = 0; c < 256; c++)
        for (unsigned n = 0; n < 256; n++)
            for (unsigned n_max = 0; n_max < 256; n_max++) {
                struct rotation r = {.c = (uint8_t)c, .n = (uint8_t)n, .n_max = (uint8_t)n_max};
                bool want = c >= 1 && c <= 3 && n_max >= 1 && n_max <= 15 && n <= n_max;
                assert(rotation_is_valid(&r) == want);
                valid += want;
            }
    assert_int_equal(valid, 3 * (15 * 16 / 2 + 15));
    printf("%u of 2^24 records are valid\n", valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_backlogged_is_the_string_for_10000_dispatches),
        cmocka_unit_test(each_of_the_15_sets_has_its_cycle_from_fresh),
        cmocka_unit_test(every_state_comes_round_to_the_cycle_of_the_set),
        cmocka_unit_test(idle_time_leaves_one_turn_behind_and_no_more),
        cmocka_unit_test(a_turn_that_falls_due_while_p0_is_away_is_not_jumped),
        cmocka_unit_test(bounds_are_those_that_users_are_told),
        cmocka_unit_test(values_that_we_never_write_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
