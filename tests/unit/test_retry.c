/* test_retry.c: a failed job comes back after 5 s, then later each time, but within minutes; jobs
 * that failed together come back apart. */
#undef NDEBUG
#include "../prop/random.h"
#include "sched/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Without jitter, in seconds. */
static const unsigned waits_s[] = {5, 10, 20, 40, 80, 160, 320, 600, 600, 600};
enum { WAITS = sizeof waits_s / sizeof *waits_s, DRAWS = 100000 };

static void waits_double_from_5_s_to_10_min(void **state)
{
    for (unsigned k = 1; k <= WAITS; k++)
        assert_int_equal(retry_backoff_ms(k, RETRY_NO_JITTER), waits_s[k - 1] * 1000u);
    assert_int_equal(retry_backoff_ms(255, RETRY_NO_JITTER), 600000);
    assert_int_equal(retry_backoff_ms(UINT32_MAX, RETRY_NO_JITTER), 600000);
    assert_int_equal(RETRY_ATTEMPTS_DEFAULT, 3);
}

static void jitter_goes_a_fifth_either_way_and_no_further(void **state)
{
    for (unsigned k = 1; k <= WAITS; k++) {
        uint64_t wait = waits_s[k - 1] * UINT64_C(1000);
        assert_int_equal(retry_backoff_ms(k, 0), wait * 8 / 10);
        assert_int_equal(retry_backoff_ms(k, UINT32_MAX), wait * 12 / 10 - 1);
    }
}

static void jitter_is_even(void **state)
{
    unsigned tenth[10] = {0}, least = DRAWS;
    struct random r = {1};
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t ms = retry_backoff_ms(1, (uint32_t)random_next(&r));
        assert_in_range(ms, 4000, 5999);
        tenth[(ms - 4000) / 200]++;
    }
    for (unsigned i = 0; i < 10; i++)
        least = tenth[i] < least ? tenth[i] : least;
    printf("%d draws, the emptiest tenth has %u\n", DRAWS, least);
    assert_true(least > DRAWS / 10 * 95 / 100);
}

static void the_same_number_gives_the_same_wait_on_any_machine(void **state)
{
    static const struct {
        unsigned failed;
        uint32_t random;
        uint64_t ms;
    } golden[] = {{1, 0x12345678, 4142},
                  {2, 0x12345678, 8284},
                  {3, 0xdeadbeef, 22958},
                  {8, 0x12345678, 497066},
                  {20, 0xdeadbeef, 688761}};
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        assert_int_equal(retry_backoff_ms(golden[i].failed, golden[i].random), golden[i].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_from_5_s_to_10_min),
        cmocka_unit_test(jitter_goes_a_fifth_either_way_and_no_further),
        cmocka_unit_test(jitter_is_even),
        cmocka_unit_test(the_same_number_gives_the_same_wait_on_any_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
