/* test_tui_keys.c shows what each key does to the model: leave, help, choose a pool, scroll, and
 * the form that heats up, with everything that it must not take. It matters because a heat that the
 * form misread costs machines.     */
#undef NDEBUG
#include "tui/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static Rota__PoolStats pools[3];
static Rota__PoolStats *pool_list[] = {&pools[0], &pools[1], &pools[2]};
static Rota__StatsResult stats;
static struct model model;

static int setup(void **state)
{
    static const char *const names[] = {"bundle", "mac", "task"};
    (void)state;
    rota__stats_result__init(&stats);
    for (int i = 0; i < 3; i++) {
        rota__pool_stats__init(&pools[i]);
        pools[i].pool = (char *)names[i];
    }
    stats.pool = pool_list;
    stats.n_pool = 3;
    model = (struct model){.stats = &stats};
    return 0;
}

static void type(const char *text)
{
    for (; *text; text++)
        keys_handle(&model, *text);
}

static void erase(int n)
{
    while (n--)
        keys_handle(&model, KEYS_ERASE);
}

static void q_leaves(void **state)
{
    (void)state;
    assert_int_equal(keys_handle(&model, 'q'), KEYS_QUIT);
}

static void help_opens_and_closes(void **state)
{
    (void)state;
    keys_handle(&model, 'h');
    assert_int_equal(model.page, PAGE_HELP);
    keys_handle(&model, '?');
    assert_int_equal(model.page, PAGE_MAIN);
    keys_handle(&model, '?');
    keys_handle(&model, KEYS_ESCAPE);
    assert_int_equal(model.page, PAGE_MAIN);
}

static void tab_goes_round_the_pools_by_name(void **state)
{
    (void)state;
    assert_string_equal(model_pool_name(&model), "bundle");
    assert_int_equal(keys_handle(&model, KEYS_TAB), KEYS_POOL);
    assert_string_equal(model_pool_name(&model), "mac");
    stats.pool = pool_list + 1; /* a picture without "bundle": the choice stays */
    stats.n_pool = 2;
    assert_string_equal(model_pool_name(&model), "mac");
    keys_handle(&model, KEYS_TAB);
    assert_string_equal(model_pool_name(&model), "task");
    keys_handle(&model, KEYS_TAB);
    assert_string_equal(model_pool_name(&model), "mac");
}

static void a_chosen_pool_that_went_falls_back_to_the_first(void **state)
{
    (void)state;
    model_pool_choose(&model, 2);
    stats.n_pool = 2;
    assert_string_equal(model_pool_name(&model), "bundle");
    stats.n_pool = 0;
    assert_null(model_pool(&model));
    assert_string_equal(model_pool_name(&model), "bundle");
    assert_int_equal(keys_handle(&model, KEYS_TAB), KEYS_IGNORED);
}

static void a_new_screen_shows_the_busiest_pool(void **state)
{
    (void)state;
    pools[1].ready = 3;
    pools[2].ready = 2;
    pools[2].leased = 2;
    model_pool_choose_busiest(&model);
    assert_string_equal(model_pool_name(&model), "task");
}

static void scrolling_never_leaves_the_list(void **state)
{
    (void)state;
    keys_handle(&model, KEYS_UP);
    assert_int_equal(model.scroll, 0);
    keys_handle(&model, KEYS_PAGE_DOWN);
    assert_int_equal(model.scroll, 0); /* there are no workers */
}

static void the_form_heats_up(void **state)
{
    (void)state;
    keys_handle(&model, 'H');
    assert_true(model.form.is_open);
    erase(5);
    type("12");
    keys_handle(&model, KEYS_TAB);
    erase(5);
    type("90m");
    assert_int_equal(keys_handle(&model, KEYS_ENTER), KEYS_HEAT);
    assert_false(model.form.is_open);
    struct keys_heat heat = keys_heat(&model);
    assert_int_equal(heat.slots, 12);
    assert_int_equal(heat.for_ms, 90 * 60 * 1000);
}

static void the_form_ends_the_heat_with_zero_slots(void **state)
{
    (void)state;
    keys_handle(&model, 'H');
    erase(1);
    type("0");
    assert_int_equal(keys_handle(&model, KEYS_ENTER), KEYS_HEAT);
    assert_int_equal(keys_heat(&model).slots, 0);
    assert_int_equal(keys_heat(&model).for_ms, 0);
}

static void the_form_refuses_what_is_no_value(void **state)
{
    static const char *const wrong[][2] = {{"", "30m"},        {"10001", "30m"}, {"2", ""},
                                           {"2", "m"},         {"2", "0"},       {"2", "30x"},
                                           {"99999999", "1h"}, {"2", "9999999d"}};
    unsigned refused = 0;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        keys_handle(&model, 'H');
        erase(9);
        type(wrong[i][0]);
        keys_handle(&model, KEYS_DOWN);
        erase(9);
        type(wrong[i][1]);
        assert_int_equal(keys_handle(&model, KEYS_ENTER), KEYS_REDRAW);
        assert_true(model.form.is_open && *model.form.fault);
        keys_handle(&model, KEYS_ESCAPE);
        assert_false(model.form.is_open);
        refused++;
    }
    printf("%u of %zu wrong forms refused\n", refused, sizeof wrong / sizeof *wrong);
}

static void the_form_takes_no_foreign_characters_and_keeps_its_bound(void **state)
{
    (void)state;
    keys_handle(&model, 'H');
    erase(9);
    type("1a-+ 2;$3");
    assert_string_equal(model.form.text[FIELD_SLOTS], "123");
    type("4567890123");
    assert_int_equal(strlen(model.form.text[FIELD_SLOTS]), FORM_TEXT_LEN);
    assert_int_equal(keys_handle(&model, 0x10ffff), KEYS_IGNORED);
    assert_int_equal(keys_handle(&model, 'q'), KEYS_IGNORED); /* the form has the keys */
}

static void an_unknown_key_only_clears_the_note(void **state)
{
    (void)state;
    snprintf(model.note, sizeof model.note, "done");
    assert_int_equal(keys_handle(&model, 'z'), KEYS_IGNORED);
    assert_string_equal(model.note, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(q_leaves, setup),
        cmocka_unit_test_setup(help_opens_and_closes, setup),
        cmocka_unit_test_setup(tab_goes_round_the_pools_by_name, setup),
        cmocka_unit_test_setup(a_chosen_pool_that_went_falls_back_to_the_first, setup),
        cmocka_unit_test_setup(a_new_screen_shows_the_busiest_pool, setup),
        cmocka_unit_test_setup(scrolling_never_leaves_the_list, setup),
        cmocka_unit_test_setup(the_form_heats_up, setup),
        cmocka_unit_test_setup(the_form_ends_the_heat_with_zero_slots, setup),
        cmocka_unit_test_setup(the_form_refuses_what_is_no_value, setup),
        cmocka_unit_test_setup(the_form_takes_no_foreign_characters_and_keeps_its_bound, setup),
        cmocka_unit_test_setup(an_unknown_key_only_clears_the_note, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
