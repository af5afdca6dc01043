/* test_uses.c: requests are counted and bounded, and what waits to be written down is neither lost
 * nor written twice. Why it matters: a count that is lost is a key that looks unused; a table that
 * never lets go grows with every key that was ever used. */
#undef NDEBUG
#include "engine/uses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW_MS = 1000000, MINUTE_MS = 60000 };

static int begin(void **state)
{
    struct uses *u = NULL;
    int r = uses_new(&u);
    *state = u;
    return r;
}

static int end(void **state)
{
    uses_free(*state);
    return 0;
}

static void add(struct uses *u, uint32_t serial, uint64_t at_ms)
{
    struct use use = {.serial = serial};
    assert_int_equal(uses_add(u, &use, at_ms), 0);
}

static void a_key_gets_its_rate_and_hears_when_the_next_is_free(void **state)
{
    struct uses *u = *state;
    uint64_t free_ms = 0;
    unsigned in = 0;
    add(u, 7, NOW_MS);
    for (int i = 0; i < 150; i++)
        in += uses_count(u, 7, true, 100, NOW_MS, &free_ms);
    assert_int_equal(in, 100);
    assert_int_equal(uses_find(u, 7)->requests, 100);
    assert_in_range(free_ms, NOW_MS + 1, NOW_MS + MINUTE_MS / 100 + 1);
    assert_false(uses_count(u, 7, true, 100, free_ms - 1, &free_ms));
    assert_true(uses_count(u, 7, true, 100, free_ms, &free_ms));
    assert_false(uses_count(u, 7, true, 100, free_ms, &free_ms));
    for (int i = 0; i < 50; i++) /* what does not count against the rate is let in all the same */
        assert_true(uses_count(u, 7, false, 100, free_ms, &free_ms));
    assert_int_equal(uses_find(u, 7)->requests, 151);
    for (int i = 0; i < 500; i++) /* no rate */
        assert_true(uses_count(u, 7, true, 0, free_ms, &free_ms));
}

static void what_waits_is_written_once_and_again_when_it_was_used_meanwhile(void **state)
{
    struct uses *u = *state;
    struct use taken[4];
    uint64_t free_ms;
    for (uint32_t serial = 1; serial <= 6; serial++) {
        add(u, serial, NOW_MS);
        assert_true(uses_count(u, serial, true, 0, NOW_MS, &free_ms));
    }
    assert_int_equal(uses_waiting(u), 6);
    assert_int_equal(uses_take(u, taken, 4), 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(taken[i].serial, i + 1);
    assert_int_equal(uses_waiting(u), 6); /* until it is committed */
    assert_int_equal(uses_take(u, taken, 4), 4);
    assert_true(uses_count(u, 2, true, 0, NOW_MS, &free_ms));
    uses_touch(u, 3);
    uses_written(u, taken, 4);
    assert_int_equal(uses_waiting(u), 4); /* 5, 6, and 2 and 3 anew */
    assert_int_equal(uses_take(u, taken, 4), 4);
    const uint32_t order[] = {5, 6, 2, 3};
    for (int i = 0; i < 4; i++)
        assert_int_equal(taken[i].serial, order[i]);
    assert_int_equal(taken[2].requests, 2);
    uses_written(u, taken, 4);
    assert_int_equal(uses_waiting(u), 0);
}

/* A worker's heartbeats alone must not make the broker write every ten seconds. */
static void what_is_not_rated_is_written_once_a_minute(void **state)
{
    struct uses *u = *state;
    struct use taken[1];
    uint64_t free_ms;
    unsigned writes = 0;
    add(u, 1, NOW_MS);
    for (uint64_t at_ms = NOW_MS; at_ms < NOW_MS + 10 * MINUTE_MS; at_ms += 1000) {
        assert_true(uses_count(u, 1, false, 0, at_ms, &free_ms));
        size_t n = uses_take(u, taken, 1);
        uses_written(u, taken, n);
        writes += (unsigned)n;
    }
    assert_int_equal(writes, 10);
    assert_int_equal(uses_find(u, 1)->requests, 600);
}

static void keys_that_rest_leave_and_those_that_wait_stay(void **state)
{
    struct uses *u = *state;
    struct use taken[100];
    uint64_t free_ms, at_ms = NOW_MS;
    unsigned here = 0;
    for (uint32_t serial = 1; serial <= 50000; serial++, at_ms += 100) {
        add(u, serial, at_ms);
        if (serial > 100)
            continue;
        assert_true(uses_count(u, serial, true, 10, at_ms, &free_ms)); /* waits to be written */
    }
    for (uint32_t serial = 1; serial <= 50000; serial++)
        here += uses_find(u, serial) != NULL;
    printf("%u of 50,000 keys are kept\n", here);
    assert_true(here < 20000);
    for (uint32_t serial = 1; serial <= 100; serial++)
        assert_int_equal(uses_find(u, serial)->requests, 1);
    assert_int_equal(uses_take(u, taken, 100), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_gets_its_rate_and_hears_when_the_next_is_free, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            what_waits_is_written_once_and_again_when_it_was_used_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_rated_is_written_once_a_minute, begin, end),
        cmocka_unit_test_setup_teardown(keys_that_rest_leave_and_those_that_wait_stay, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
