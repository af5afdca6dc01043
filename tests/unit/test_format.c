/* test_format.c shows how figures read, that durations are read back, and that no text from
 * elsewhere, whole or in pieces, carries a control character to a terminal. It matters because a
 * log is written by a customer's build and read by an operator. */
#undef NDEBUG
#include "text.h"
#include "tiername.h"

#include <base/auto.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void durations_read_well(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {{0, "0ms"},           {999, "999ms"},        {1000, "1.0s"},
                {4250, "4.2s"},       {9999, "9.9s"},        {10000, "10s"},
                {59999, "59s"},       {60000, "1m 00s"},     {182000, "3m 02s"},
                {3599999, "59m 59s"}, {3600000, "1h 00m"},   {7500000, "2h 05m"},
                {86400000, "1d 00h"}, {86399999, "23h 59m"}, {31536000000u, "365d 00h"}};
    char text[TEXT_SHORT_LEN + 1];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(text_duration(rows[i].ms, text), rows[i].text);
}

static void sizes_counts_and_times_read_well(void **state)
{
    char text[TEXT_SHORT_LEN + 1];
    (void)state;
    assert_string_equal(text_bytes(0, text), "0 B");
    assert_string_equal(text_bytes(999, text), "999 B");
    assert_string_equal(text_bytes(1000, text), "1.0 kB");
    assert_string_equal(text_bytes(1234567, text), "1.2 MB");
    assert_string_equal(text_bytes(123456789, text), "123 MB");
    assert_string_equal(text_bytes(UINT64_MAX, text), "18.4 EB");
    assert_string_equal(text_count(0, text), "0");
    assert_string_equal(text_count(999, text), "999");
    assert_string_equal(text_count(1000, text), "1,000");
    assert_string_equal(text_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(text_time(0, text), "-");
    assert_string_equal(text_time(1795167065123u, text), "2026-11-20T09:31:05Z");
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"90", 90000},  {"0", 0},        {"500ms", 500},   {"90s", 90000},
                {"5m", 300000}, {"2h", 7200000}, {"1d", 86400000}, {"366d", 31622400000u}};
    static const char *const bad[] = {"",   "m",    "-1",   "+1",   " 1",  "1 ",
                                      "1x", "1.5h", "367d", "0x10", "1hm", "18446744073709551616",
                                      "1e3"};
    uint64_t ms;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(text_duration_parse(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    ms = 7;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(text_duration_parse(bad[i], &ms), TEXT_INVALID);
        assert_int_equal(ms, 7);
    }
    printf("%zu good, %zu bad durations\n", ARRAY_LEN(good), ARRAY_LEN(bad));
}

static void no_byte_pair_gets_a_control_character_through(void **state)
{
    unsigned n = 0;
    (void)state;
    for (unsigned a = 1; a < 256; a++)
        for (unsigned b = 1; b < 256; b++, n++) {
            char raw[] = {(char)a, (char)b, 'x', 0};
            AUTO_FREE char *clean = text_clean(raw);
            for (const char *c = clean; *c; c++) {
                assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
                assert_false((unsigned char)c[0] == 0xc2 && (unsigned char)c[1] < 0xa0);
            }
            assert_int_equal(clean[strlen(clean) - 1], 'x'); /* nothing swallows its neighbour */
        }
    printf("%u byte pairs cleaned\n", n);
}

static void what_is_fine_stays_as_it_is(void **state)
{
    static const char *const fine[] = {"",           "plain",     "caf\xc3\xa9",
                                       "店舗アプリ", "🛒 shop", "a\xc2\xa0."};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        AUTO_FREE char *clean = text_clean(fine[i]);
        assert_string_equal(clean, fine[i]);
    }
}

static void broken_utf8_and_turning_marks_become_visible(void **state)
{
    static const char *const rows[][2] = {
        {"\xff", "\xef\xbf\xbd"},                                 /* no such byte */
        {"\xc3", "\xef\xbf\xbd"},                                 /* cut off */
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong slash */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* half a surrogate pair */
        {"a\xe2\x80\xae"
         "b",
         "a\xef\xbf\xbd"
         "b"}, /* right-to-left override */
        {"a\xe2\x80\x8b"
         "b",
         "a\xef\xbf\xbd"
         "b"}, /* a blank without width */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO_FREE char *clean = text_clean(rows[i][0]);
        assert_string_equal(clean, rows[i][1]);
    }
}

static void columns_count_wide_characters_twice_and_marks_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(text_columns("abc"), 3);
    assert_int_equal(text_columns("店舗"), 4);
    assert_int_equal(text_columns("e\xcc\x81"), 1);
}

/* Cleans `raw` in pieces of `step` bytes. */
static char *log_in_pieces(const char *raw, size_t step)
{
    size_t n = strlen(raw), used = 0;
    int at = 0;
    char *all = x_alloc(3 * n + 1);
    for (size_t i = 0; i < n; i += step) {
        size_t got = 0, piece = n - i < step ? n - i : step;
        AUTO_FREE char *clean = text_clean_log(raw + i, piece, &at, &got);
        memcpy(all + used, clean, got);
        used += got;
    }
    return all;
}

static void a_log_loses_its_escapes_however_it_is_cut(void **state)
{
    static const struct {
        const char *raw, *clean;
    } rows[] = {
        {"plain\n\tline\n", "plain\n\tline\n"},
        {"\x1b[31mred\x1b[0m\n", "red\n"},
        {"\x1b]0;title\x07name\n", "name\n"},
        {"\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n"},
        {"a\x1b(Bb\n", "ab\n"},
        {"\x1b[2J\x1b[1;1Hgone?\n", "gone?\n"},
        {"\x1bP+q544e\x1b\\x\n", "x\n"},
        {"bell\x07\n", "bell\xef\xbf\xbd\n"},
    };
    unsigned n = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t step = 1; step <= strlen(rows[i].raw); step++, n++) {
            AUTO_FREE char *clean = log_in_pieces(rows[i].raw, step);
            assert_string_equal(clean, rows[i].clean);
        }
    printf("%u ways to cut a log\n", n);
}

static void carriage_returns_become_lines(void **state)
{
    size_t n = 0;
    int at = 0;
    (void)state;
    AUTO_FREE char *clean = text_clean_log("10%\r20%\r\nend\r", 13, &at, &n);
    assert_string_equal(clean, "10%\n20%\nend");
}

static void tiers_have_the_products_names(void **state)
{
    (void)state;
    assert_int_equal(tier_by_name("enterprise"), ROTA__TIER__P0);
    assert_int_equal(tier_by_name("free"), ROTA__TIER__P3);
    assert_int_equal(tier_by_name("P2"), ROTA__TIER__P2);
    assert_int_equal(tier_by_name("gold"), -1);
    assert_string_equal(tier_name(ROTA__TIER__P1), "pro");
    assert_string_equal(tier_name((Rota__Tier)9), "");
}

static int locale_setup(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_read_well),
        cmocka_unit_test(sizes_counts_and_times_read_well),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(no_byte_pair_gets_a_control_character_through),
        cmocka_unit_test(what_is_fine_stays_as_it_is),
        cmocka_unit_test(broken_utf8_and_turning_marks_become_visible),
        cmocka_unit_test(columns_count_wide_characters_twice_and_marks_not_at_all),
        cmocka_unit_test(a_log_loses_its_escapes_however_it_is_cut),
        cmocka_unit_test(carriage_returns_become_lines),
        cmocka_unit_test(tiers_have_the_products_names),
    };
    return cmocka_run_group_tests(tests, locale_setup, NULL);
}
