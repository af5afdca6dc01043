/* test_month.c: builds are counted and paid by the month, so each millisecond belongs to one month,
 * and it is the one that the C library names. */
#undef NDEBUG
#include "../prop/random.h"
#include "sched/month.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { DAY_MS = 24 * 3600 * 1000, LAST_YEAR = 2106, RANDOM_TIMES = 200000 };

static uint64_t start_by_libc(int year, int month)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month, .tm_mday = 1};
    return (uint64_t)timegm(&tm) * 1000;
}

static void months_from_1970_to_2106_begin_where_libc_says(void **state)
{
    unsigned months = 0, long_februaries = 0;
    for (int year = 1970; year <= LAST_YEAR; year++)
        for (int m = 0; m < 12; m++, months++) {
            uint64_t start = start_by_libc(year, m);
            uint64_t next = start_by_libc(year + m / 11, (m + 1) % 12);
            assert_int_equal(month_start_ms(months), start);
            assert_int_equal(month_start_ms(months + 1), next);
            assert_int_equal(month_days((uint16_t)months), (next - start) / DAY_MS);
            assert_int_equal(month_of(start), months);
            assert_int_equal(month_of(next - 1), months);
            long_februaries += m == 1 && month_days((uint16_t)months) == 29;
        }
    assert_int_equal(months, 137 * 12);
    assert_int_equal(long_februaries, 33); /* 1972 to 2104, without 2100 */
    printf("%u months, %u leap days\n", months, long_februaries);
}

static void any_millisecond_has_the_month_of_libc(void **state)
{
    struct random r = {1};
    for (unsigned i = 0; i < RANDOM_TIMES; i++) {
        uint64_t ms = random_next(&r) % start_by_libc(LAST_YEAR + 1, 0);
        time_t s = (time_t)(ms / 1000);
        struct tm tm;
        gmtime_r(&s, &tm);
        assert_int_equal(month_of(ms), (tm.tm_year - 70) * 12 + tm.tm_mon);
    }
    printf("%d random times\n", RANDOM_TIMES);
}

static void every_day_of_the_range_has_its_month(void **state)
{
    unsigned days = 0;
    for (unsigned m = 0; m < UINT16_MAX; m++)
        for (uint64_t ms = month_start_ms(m); ms < month_start_ms(m + 1); ms += DAY_MS, days++)
            assert(month_of(ms) == m && month_of(ms + DAY_MS - 1) == m);
    printf("%u days, 1970 to March 7431\n", days);
    assert_int_equal(days, month_start_ms(UINT16_MAX) / DAY_MS);
}

static void times_beyond_the_range_are_its_last_month(void **state)
{
    assert_int_equal(month_of(month_start_ms(UINT16_MAX) - 1), UINT16_MAX - 1);
    assert_int_equal(month_of(month_start_ms(UINT16_MAX)), UINT16_MAX);
    assert_int_equal(month_of(month_start_ms(UINT16_MAX + 1u)), UINT16_MAX);
    assert_int_equal(month_of(UINT64_MAX), UINT16_MAX);
}

static void texts_are_year_and_month(void **state)
{
    char text[MONTH_LEN + 1], want[32];
    assert_string_equal(month_text(0, text), "1970-01");
    assert_string_equal(month_text((2026 - 1970) * 12 + 11, text), "2026-12");
    assert_string_equal(month_text(UINT16_MAX, text), "7431-04");
    for (unsigned m = 0; m <= UINT16_MAX; m++) {
        snprintf(want, sizeof want, "%04u-%02u", 1970 + m / 12, m % 12 + 1);
        assert(strcmp(month_text((uint16_t)m, text), want) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_from_1970_to_2106_begin_where_libc_says),
        cmocka_unit_test(any_millisecond_has_the_month_of_libc),
        cmocka_unit_test(every_day_of_the_range_has_its_month),
        cmocka_unit_test(times_beyond_the_range_are_its_last_month),
        cmocka_unit_test(texts_are_year_and_month),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
