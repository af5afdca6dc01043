/* test_breaker.c: broken infrastructure must stop a class after eight faults, be tried by one run
 * at a time, and be trusted again at once when that run goes well. */
#undef NDEBUG
#include "../prop/random.h"
#include "sched/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1798761600000)
enum { MODEL_STEPS = 400000, MODEL_RUNS = 6 };

/* Closed, one fault short of open. */
static struct breaker shaken(void)
{
    struct breaker b = {0};
    for (unsigned i = 1; i < 8; i++)
        breaker_fault(&b, i, NOW_MS);
    return b;
}

static struct breaker opened(void)
{
    struct breaker b = shaken();
    breaker_fault(&b, 8, NOW_MS);
    return b;
}

/* Half open since NOW + 60 s, token 100 being the probe. */
static struct breaker probing(void)
{
    struct breaker b = opened();
    breaker_start(&b, 100);
    return b;
}

static void the_eighth_fault_in_a_row_opens(void **state)
{
    struct breaker b = shaken();
    assert_true(breaker_may(&b, NOW_MS));
    assert_int_equal(b.state, BREAKER_CLOSED);
    breaker_fault(&b, 8, NOW_MS);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_false(breaker_may(&b, NOW_MS));
    assert_int_equal(b.until_ms, NOW_MS + 60000);
}

static void a_good_end_in_between_starts_the_count_anew(void **state)
{
    struct breaker b = shaken();
    breaker_void(&b, 50); /* says nothing, counts for nothing */
    assert_int_equal(b.faults, 7);
    breaker_good(&b, 51);
    for (unsigned i = 1; i < 8; i++)
        breaker_fault(&b, i, NOW_MS);
    assert_true(breaker_may(&b, NOW_MS));
    breaker_fault(&b, 8, NOW_MS);
    assert_false(breaker_may(&b, NOW_MS));
}

static void it_stays_open_for_60_s(void **state)
{
    struct breaker b = opened();
    assert_false(breaker_may(&b, NOW_MS + 59999));
    assert_true(breaker_may(&b, NOW_MS + 60000));
    assert_true(breaker_may(&b, UINT64_MAX));
}

static void half_open_lets_one_run_through(void **state)
{
    struct breaker b = probing();
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(breaker_may(&b, NOW_MS + 60000));
    assert_false(breaker_may(&b, UINT64_MAX));
}

static void a_good_probe_closes_and_resets(void **state)
{
    struct breaker b = probing();
    breaker_good(&b, 100);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_true(breaker_may(&b, NOW_MS + 60000));
    /* Eight faults again, and 60 s again. */
    for (unsigned i = 1; i < 8; i++)
        breaker_fault(&b, i, NOW_MS);
    assert_true(breaker_may(&b, NOW_MS));
    breaker_fault(&b, 8, NOW_MS);
    assert_int_equal(b.until_ms, NOW_MS + 60000);
}

static void each_failed_probe_doubles_the_wait_to_30_min(void **state)
{
    static const unsigned open_s[] = {60, 120, 240, 480, 960, 1800, 1800, 1800};
    struct breaker b = opened();
    uint64_t now = NOW_MS;
    for (unsigned i = 0; i < sizeof open_s / sizeof *open_s; i++) {
        assert_int_equal(b.until_ms - now, open_s[i] * 1000u);
        assert_false(breaker_may(&b, b.until_ms - 1));
        now = b.until_ms;
        assert_true(breaker_may(&b, now));
        breaker_start(&b, 100 + i);
        breaker_fault(&b, 100 + i, now);
        assert_int_equal(b.state, BREAKER_OPEN);
    }
}

static void runs_that_began_before_are_not_taken_for_the_probe(void **state)
{
    struct breaker b = opened();
    breaker_fault(&b, 5, NOW_MS + 1000);
    breaker_good(&b, 6);
    breaker_void(&b, 7);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(b.until_ms, NOW_MS + 60000);
    breaker_start(&b, 100);
    breaker_fault(&b, 5, NOW_MS + 61000);
    breaker_good(&b, 6);
    breaker_void(&b, 7);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(breaker_may(&b, UINT64_MAX));
}

static void a_probe_that_says_nothing_is_followed_by_another(void **state)
{
    struct breaker b = probing();
    breaker_void(&b, 100);
    assert_true(breaker_may(&b, NOW_MS + 60000));
    breaker_start(&b, 101);
    assert_false(breaker_may(&b, NOW_MS + 60000));
    breaker_good(&b, 100);
    assert_false(breaker_may(&b, NOW_MS + 60000));
    breaker_good(&b, 101);
    assert_true(breaker_may(&b, NOW_MS + 60000));
}

static void a_clock_that_was_set_back_does_not_keep_it_open(void **state)
{
    struct breaker b = opened();
    assert_true(breaker_may(&b, NOW_MS - 1));
    assert_false(breaker_may(&b, NOW_MS));
    b = (struct breaker){0};
    for (unsigned i = 1; i <= 8; i++)
        breaker_fault(&b, i, UINT64_MAX - 5);
    assert_false(breaker_may(&b, UINT64_MAX - 1)); /* and the end of time does not overflow */
}

/* The rule told a second time, with whole words in place of a packed struct. */
struct model {
    bool is_open, has_probe;
    uint64_t opened_ms, length_ms, probe;
    unsigned in_a_row;
};

static bool model_may(const struct model *m, uint64_t now)
{
    return !m->is_open || (!m->has_probe && now >= m->opened_ms + m->length_ms);
}

static void model_end(struct model *m, uint64_t token, unsigned how, uint64_t now)
{
    bool is_probe = m->is_open && m->has_probe && m->probe == token;
    if (!m->is_open && how == 0 && ++m->in_a_row == 8)
        *m = (struct model){.is_open = true, .opened_ms = now, .length_ms = 60000};
    else if ((!m->is_open || is_probe) && how == 1)
        *m = (struct model){0};
    else if (is_probe && how == 2)
        m->has_probe = false;
    else if (is_probe && how == 0)
        *m = (struct model){.is_open = true,
                            .opened_ms = now,
                            .length_ms = m->length_ms > 900000 ? 1800000 : 2 * m->length_ms};
}

/* Some runs at a time that end as they like, faults being the rule for long stretches. */
static void any_history_is_that_of_the_model(void **state)
{
    struct random r = {1};
    struct breaker b = {0};
    struct model m = {0};
    uint64_t now = NOW_MS, token = 0, run[MODEL_RUNS] = {0};
    unsigned starts = 0, refusals = 0, opens = 0, longest = 0;
    for (unsigned i = 0; i < MODEL_STEPS; i++, now += random_below(&r, 20000)) {
        uint64_t *slot = &run[random_below(&r, MODEL_RUNS)];
        unsigned before = b.state;
        bool may = breaker_may(&b, now);
        assert_int_equal(may, model_may(&m, now));
        if (*slot == 0 && may) {
            *slot = ++token;
            breaker_start(&b, token);
            m.has_probe = m.is_open;
            m.probe = token;
            starts++;
        } else if (*slot) {
            unsigned mood = i / 5000 % 3, how = random_below(&r, 10) < 9 - 4 * mood ? 0 : 1;
            how = random_below(&r, 20) ? how : 2;
            void (*const quiet[])(struct breaker *, uint64_t) = {breaker_good, breaker_void};
            if (how == 0)
                breaker_fault(&b, *slot, now);
            else
                quiet[how - 1](&b, *slot);
            model_end(&m, *slot, how, now);
            *slot = 0;
        } else {
            refusals++;
        }
        opens += before != BREAKER_OPEN && b.state == BREAKER_OPEN;
        longest = b.open_ms > longest ? b.open_ms : longest;
        assert_true(breaker_is_valid(&b));
    }
    printf("%d steps: %u starts, %u refusals, opened %u times, at most %u ms\n", MODEL_STEPS,
           starts, refusals, opens, longest);
    assert_true(starts > 10000 && refusals > 10000 && opens > 1000 && longest == 1800000);
}

static void values_that_we_never_write_are_refused(void **state)
{
    static const struct breaker bad[] = {
        {.state = 3},
        {.faults = 8},
        {.until_ms = 1},
        {.open_ms = 60000},
        {.probe = 1},
        {.state = BREAKER_OPEN, .until_ms = 5, .open_ms = 59999},
        {.state = BREAKER_OPEN, .until_ms = 5, .open_ms = 1800001},
        {.state = BREAKER_OPEN, .until_ms = 5, .open_ms = 60000, .probe = 1},
        {.state = BREAKER_OPEN, .until_ms = 5, .open_ms = 60000, .faults = 1},
        {.state = BREAKER_HALF_OPEN, .until_ms = 5, .open_ms = 60000},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(breaker_is_valid(&bad[i]));
    struct breaker good[] = {{0}, shaken(), opened(), probing()};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(breaker_is_valid(&good[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_eighth_fault_in_a_row_opens),
        cmocka_unit_test(a_good_end_in_between_starts_the_count_anew),
        cmocka_unit_test(it_stays_open_for_60_s),
        cmocka_unit_test(half_open_lets_one_run_through),
        cmocka_unit_test(a_good_probe_closes_and_resets),
        cmocka_unit_test(each_failed_probe_doubles_the_wait_to_30_min),
        cmocka_unit_test(runs_that_began_before_are_not_taken_for_the_probe),
        cmocka_unit_test(a_probe_that_says_nothing_is_followed_by_another),
        cmocka_unit_test(a_clock_that_was_set_back_does_not_keep_it_open),
        cmocka_unit_test(any_history_is_that_of_the_model),
        cmocka_unit_test(values_that_we_never_write_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
