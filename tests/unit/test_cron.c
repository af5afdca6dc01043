/* test_cron.c: the next run of a schedule is the one that a walk over all minutes finds, and what
 * is wrong in a text is named with its field. A schedule that is read wrongly runs builds nobody
 * asked for, or none. */
#undef NDEBUG
#include "../prop/random.h"
#include "sched/cron.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MINUTE_MS = 60000, EXPRESSIONS = 120, YEARS = 2, MINUTES_MAX = YEARS * 366 * 1440 };

static uint64_t at(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};
    return (uint64_t)timegm(&tm) * 1000;
}

static struct cron parsed(const char *text)
{
    struct cron c;
    unsigned field = 77;
    int r = cron_parse(text, &c, &field);
    if (r)
        fail_msg("%s: %s in %u", text, cron_wrong(r), field);
    assert_int_equal(field, 77);
    return c;
}

/* ---- against a walk over two years ---- */

/* Each minute's value in each field, by the C library. */
static uint8_t calendar[MINUTES_MAX][CRON_FIELDS];

static unsigned calendar_fill(int year)
{
    uint64_t start = at(year, 1, 1, 0, 0), end = at(year + YEARS, 1, 1, 0, 0);
    unsigned n = (unsigned)((end - start) / MINUTE_MS);
    for (unsigned i = 0; i < n; i++) {
        time_t s = (time_t)(start / 1000 + i * UINT64_C(60));
        struct tm tm;
        gmtime_r(&s, &tm);
        uint8_t v[CRON_FIELDS] = {(uint8_t)tm.tm_min, (uint8_t)tm.tm_hour, (uint8_t)tm.tm_mday,
                                  (uint8_t)(tm.tm_mon + 1), (uint8_t)tm.tm_wday};
        memcpy(calendar[i], v, sizeof v);
    }
    return n;
}

/* An expression made part by part, with what it means noted beside the text. */
struct made {
    char text[512];
    bool counts[CRON_FIELDS][64];
    bool is_star[CRON_FIELDS];
};

static const unsigned low[CRON_FIELDS] = {0, 0, 1, 1, 0}, high[CRON_FIELDS] = {59, 23, 31, 12, 7};

static void add(struct made *m, const char *text)
{
    size_t n = strlen(m->text);
    assert(n + strlen(text) < sizeof m->text);
    memcpy(m->text + n, text, strlen(text) + 1);
}

/* A value, by its name now and then. */
static void add_value(struct made *m, unsigned f, unsigned v, struct random *r)
{
    static const char *const months[] = {"Jan", "feb", "MAR", "apr", "may", "jun",
                                         "jul", "aug", "sep", "oct", "nov", "dec"};
    static const char *const days[] = {"sun", "Mon", "tue", "WED", "thu", "fri", "sat"};
    char number[16];
    bool by_name = random_below(r, 3) == 0;
    snprintf(number, sizeof number, random_below(r, 4) ? "%u" : "%02u", v);
    if (f == 3 && by_name)
        add(m, months[v - 1]);
    else if (f == 4 && by_name && v < 7)
        add(m, days[v]);
    else
        add(m, number);
}

static void make_part(struct made *m, unsigned f, struct random *r)
{
    unsigned span = high[f] - low[f] + 1, a = low[f] + random_below(r, span), b = a, step = 1;
    unsigned kind = random_below(r, 5);
    if (kind == 0) {
        a = low[f];
        b = high[f];
        add(m, "*");
    } else if (kind <= 2) {
        add_value(m, f, a, r);
    } else {
        b = a + random_below(r, high[f] - a + 1);
        add_value(m, f, a, r);
        add(m, "-");
        add_value(m, f, b, r);
    }
    if (kind != 1 && kind != 2 && random_below(r, 2)) {
        char text[16];
        step = 1 + random_below(r, high[f] < 12 ? high[f] : 12);
        snprintf(text, sizeof text, "/%u", step);
        add(m, text);
    }
    for (unsigned v = a; v <= b; v += step)
        m->counts[f][f == 4 ? v % 7 : v] = true;
}

static void make(struct made *m, struct random *r)
{
    *m = (struct made){0};
    for (unsigned f = 0; f < CRON_FIELDS; f++) {
        if (f > 0)
            add(m, random_below(r, 4) ? " " : "\t ");
        /* Days and months are mostly left open, else nearly nothing would ever match. */
        if (random_below(r, f < 2 ? 4 : 2) == 0) {
            m->is_star[f] = true;
            memset(m->counts[f], true, sizeof m->counts[f]);
            add(m, "*");
            continue;
        }
        size_t start = strlen(m->text);
        make_part(m, f, r);
        for (unsigned more = random_below(r, 3); more > 0; more--) {
            add(m, ",");
            make_part(m, f, r);
        }
        m->is_star[f] = m->text[start] == '*';
    }
}

static bool made_matches(const struct made *m, const uint8_t v[CRON_FIELDS])
{
    bool by_month = m->counts[2][v[2]], by_week = m->counts[4][v[4]];
    bool day = !m->is_star[2] && !m->is_star[4] ? by_month || by_week : by_month && by_week;
    return m->counts[0][v[0]] && m->counts[1][v[1]] && m->counts[3][v[3]] && day;
}

/* Walks the minutes; each match must be what cron_next() gives from the match before it. */
static unsigned walk(const struct made *m, uint64_t start, unsigned minutes)
{
    struct cron c = parsed(m->text);
    unsigned matches = 0;
    uint64_t before = start - 1, next = 0;
    for (unsigned i = 0; i < minutes; i++) {
        if (!made_matches(m, calendar[i]))
            continue;
        uint64_t now = start + (uint64_t)i * MINUTE_MS;
        if (cron_next(&c, before, &next) != 0 || next != now)
            fail_msg("%s after %ju: %ju, walk %ju", m->text, (uintmax_t)before, (uintmax_t)next,
                     (uintmax_t)now);
        matches++;
        before = now;
    }
    if (cron_next(&c, before, &next) == 0 && next < start + (uint64_t)minutes * MINUTE_MS)
        fail_msg("%s after %ju: %ju, walk none", m->text, (uintmax_t)before, (uintmax_t)next);
    return matches;
}

static void random_expressions_agree_with_a_walk_over_all_minutes(void **state)
{
    static const int years[] = {2027, 2099}; /* 2028 is a leap year, 2100 is none */
    struct random r = {1};
    uint64_t matches = 0, minutes = 0;
    unsigned without = 0, either = 0;
    for (unsigned y = 0; y < 2; y++) {
        unsigned n = calendar_fill(years[y]);
        for (unsigned i = 0; i < EXPRESSIONS / 2; i++, minutes += n) {
            struct made m;
            make(&m, &r);
            unsigned found = walk(&m, at(years[y], 1, 1, 0, 0), n);
            matches += found;
            without += found == 0;
            either += !m.is_star[2] && !m.is_star[4];
        }
    }
    printf("%d expressions, %ju minutes, %ju matches, %u without one, %u with either day\n",
           EXPRESSIONS, (uintmax_t)minutes, (uintmax_t)matches, without, either);
    assert_true(matches > 1000000 && either > 10 && without < EXPRESSIONS / 10);
}

/* ---- by hand ---- */

static void known_schedules_have_their_next_time(void **state)
{
    const struct {
        const char *text;
        uint64_t after, next;
    } cases[] = {
        {"* * * * *", at(2026, 12, 1, 0, 0), at(2026, 12, 1, 0, 1)},
        {"* * * * *", at(2026, 12, 1, 0, 0) + 59999, at(2026, 12, 1, 0, 1)},
        {"* * * * *", at(2026, 12, 1, 0, 1) - 1, at(2026, 12, 1, 0, 1)},
        {"59 23 31 12 *", at(2026, 12, 31, 23, 58), at(2026, 12, 31, 23, 59)},
        {"59 23 31 12 *", at(2026, 12, 31, 23, 59), at(2027, 12, 31, 23, 59)},
        {"0 0 31 * *", at(2026, 3, 31, 0, 0), at(2026, 5, 31, 0, 0)},
        {"0 0 29 2 *", at(2096, 2, 29, 0, 0), at(2104, 2, 29, 0, 0)},
        {"0 9 * * mon-fri", at(2026, 11, 20, 9, 0), at(2026, 11, 23, 9, 0)},
        {"0 0 1 * 1", at(2026, 11, 23, 0, 0), at(2026, 11, 30, 0, 0)}, /* Monday or the 1st */
        {"0 0 1 * 1", at(2026, 11, 30, 0, 0), at(2026, 12, 1, 0, 0)},
        {"0 0 */2 * 1", at(2026, 11, 20, 0, 0), at(2026, 11, 23, 0, 0)}, /* both */
        {"0 0 */2 * 1", at(2026, 11, 23, 0, 0), at(2026, 12, 7, 0, 0)},
        {"30 8-10/2 * * *", at(2026, 11, 20, 8, 30), at(2026, 11, 20, 10, 30)},
        {"0 0 * * fri-sun", at(2026, 11, 20, 0, 0), at(2026, 11, 21, 0, 0)},
        {"0 0 * * fri-sun", at(2026, 11, 21, 0, 0), at(2026, 11, 22, 0, 0)},
        {"0 0 * * fri-sun", at(2026, 11, 22, 0, 0), at(2026, 11, 27, 0, 0)},
        {"0 0 * * 7", at(2026, 11, 20, 0, 0), at(2026, 11, 22, 0, 0)},
        {"0 0 * * 0", at(2026, 11, 20, 0, 0), at(2026, 11, 22, 0, 0)},
        {"@hourly", at(2026, 11, 20, 5, 0), at(2026, 11, 20, 6, 0)},
        {"@daily", at(2026, 11, 20, 5, 0), at(2026, 11, 21, 0, 0)},
        {" @Weekly ", at(2026, 11, 20, 5, 0), at(2026, 11, 22, 0, 0)},
        {"@monthly", at(2026, 11, 20, 5, 0), at(2026, 12, 1, 0, 0)},
        {"@yearly", at(2026, 11, 20, 5, 0), at(2027, 1, 1, 0, 0)},
        {"* * * * *", 0, MINUTE_MS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cron c = parsed(cases[i].text);
        uint64_t next = 0;
        assert_int_equal(cron_next(&c, cases[i].after, &next), 0);
        if (next != cases[i].next)
            fail_msg("%s: %ju", cases[i].text, (uintmax_t)next);
    }
    printf("%zu times by hand\n", sizeof cases / sizeof *cases);
}

static void days_that_no_month_has_never_come(void **state)
{
    static const char *const texts[] = {"0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 31 feb *",
                                        "0 0 30-31 2 */7"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cron c = parsed(texts[i]);
        uint64_t next = 77;
        assert_int_equal(cron_next(&c, at(2026, 11, 20, 0, 0), &next), CRON_NEVER);
        assert_int_equal(next, 77);
    }
    struct cron c = parsed("0 0 30 2 mon"); /* either: the Mondays of February remain */
    uint64_t next = 0;
    assert_int_equal(cron_next(&c, at(2026, 11, 20, 0, 0), &next), 0);
    assert_true(next == at(2027, 2, 1, 0, 0));
}

/* The rarest times there are: a leap day that is also a given day of the week. Over the 400 years
 * after which the calendar repeats, the gaps must stay within what cron_next() looks through. */
static void a_leap_day_on_each_weekday_is_found_over_400_years(void **state)
{
    static const char *const texts[] = {"0 0 */28 2 0", "0 0 */28 2 1", "0 0 */28 2 2",
                                        "0 0 */28 2 3", "0 0 */28 2 4", "0 0 */28 2 5",
                                        "0 0 */28 2 6"};
    unsigned found = 0, longest = 0;
    for (unsigned day = 0; day < 7; day++) {
        struct cron c = parsed(texts[day]);
        c.set[2] = UINT64_C(1) << 29; /* the text's 1 and 29, without the 1 */
        uint64_t last = at(2000, 1, 1, 0, 0), next = 0;
        while (cron_next(&c, last, &next) == 0 && next < at(2400, 1, 1, 0, 0)) {
            unsigned years = (unsigned)((next - last) / (365 * UINT64_C(86400000)));
            longest = years > longest ? years : longest;
            last = next;
            found++;
        }
        assert_true(next >= at(2400, 1, 1, 0, 0));
    }
    printf("%u leap days in 400 years, longest gap %u years\n", found, longest);
    assert_int_equal(found, 97);
    assert_int_equal(longest, 40);
}

static void the_end_of_time_is_never(void **state)
{
    struct cron c = parsed("* * * * *");
    uint64_t next = 77;
    assert_int_equal(cron_next(&c, UINT64_MAX, &next), CRON_NEVER);
    assert_int_equal(cron_next(&c, UINT64_MAX - 60000, &next), CRON_NEVER);
    assert_int_equal(next, 77);
}

enum { NONE = CRON_FIELDS };

/* Each with the fault and the field it is in. */
static const struct {
    const char *text;
    int wrong;
    unsigned field;
} wrongs[] = {
    {"", CRON_FIELDS_FEW, NONE},
    {"   ", CRON_FIELDS_FEW, NONE},
    {"* * * *", CRON_FIELDS_FEW, NONE},
    {"* * * * ", CRON_FIELDS_FEW, NONE},
    {"* * * * * *", CRON_FIELDS_MANY, NONE},
    {"* * * * * x", CRON_FIELDS_MANY, NONE},
    {"@", CRON_WORD, NONE},
    {"@hour", CRON_WORD, NONE},
    {"@hourlyx", CRON_WORD, NONE},
    {"@daily *", CRON_WORD, NONE},
    {"@reboot", CRON_WORD, NONE},
    {"60 * * * *", CRON_RANGE, 0},
    {"* 24 * * *", CRON_RANGE, 1},
    {"* * 0 * *", CRON_RANGE, 2},
    {"* * 32 * *", CRON_RANGE, 2},
    {"* * * 0 *", CRON_RANGE, 3},
    {"* * * 13 *", CRON_RANGE, 3},
    {"* * * * 8", CRON_RANGE, 4},
    {"0-60 * * * *", CRON_RANGE, 0},
    {"99999999999999999999 * * * *", CRON_RANGE, 0},
    {"5-4 * * * *", CRON_BACKWARDS, 0},
    {"* * * dec-jan *", CRON_BACKWARDS, 3},
    {"* * * * sat-mon", CRON_BACKWARDS, 4},
    {"*/0 * * * *", CRON_STEP, 0},
    {"*/60 * * * *", CRON_STEP, 0},
    {"* */24 * * *", CRON_STEP, 1},
    {"* * * * */8", CRON_STEP, 4},
    {"5/10 * * * *", CRON_STEP, 0},
    {"*/99999999999999999999 * * * *", CRON_STEP, 0},
    {"*/ * * * *", CRON_SYNTAX, 0},
    {"*/-1 * * * *", CRON_SYNTAX, 0},
    {"-1 * * * *", CRON_SYNTAX, 0},
    {"+1 * * * *", CRON_SYNTAX, 0},
    {"1- * * * *", CRON_SYNTAX, 0},
    {", * * * *", CRON_SYNTAX, 0},
    {"1, * * * *", CRON_SYNTAX, 0},
    {"1,,2 * * * *", CRON_SYNTAX, 0},
    {"** * * * *", CRON_SYNTAX, 0},
    {"*-5 * * * *", CRON_SYNTAX, 0},
    {"1-2-3 * * * *", CRON_SYNTAX, 0},
    {"*/2/3 * * * *", CRON_SYNTAX, 0},
    {"1.5 * * * *", CRON_SYNTAX, 0},
    {"jan * * * *", CRON_SYNTAX, 0},
    {"* * * ja *", CRON_SYNTAX, 3},
    {"* * * january *", CRON_SYNTAX, 3},
    {"* * * mon *", CRON_SYNTAX, 3},
    {"* * * * jan", CRON_SYNTAX, 4},
    {"* * ? * *", CRON_SYNTAX, 2},
    {"* * L * *", CRON_SYNTAX, 2},
    {"* * * * mon#1", CRON_SYNTAX, 4},
    {"* * * *\n*", CRON_SYNTAX, 3},
    {"\xc3\xa9 * * * *", CRON_SYNTAX, 0},
};

static void what_is_wrong_is_named_with_its_field(void **state)
{
    struct cron c, untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    memcpy(&c, &untouched, sizeof c);
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        unsigned field = 77;
        int r = cron_parse(wrongs[i].text, &c, &field);
        if (r != wrongs[i].wrong || field != wrongs[i].field)
            fail_msg("\"%s\": %d in %u", wrongs[i].text, r, field);
        assert_non_null(cron_wrong(r));
    }
    assert_memory_equal(&c, &untouched, sizeof c);
    printf("%zu faults named\n", sizeof wrongs / sizeof *wrongs);
}

static void texts_for_people_are_there(void **state)
{
    assert_null(cron_wrong(0));
    for (int r = CRON_NEVER; r <= CRON_STEP; r++)
        assert_true(strlen(cron_wrong(r)) > 10);
    assert_string_equal(cron_field_name(0), "minute");
    assert_string_equal(cron_field_name(4), "day of week");
}

/* Texts that are nearly right: each is read within its end and never taken for something else. */
static void nearly_right_texts_are_read_rightly_or_refused(void **state)
{
    static const char *const some[] = {"*",  "0",   "1", "5",  "12",   "31",  "59",  "60",
                                       "99", ",",   "-", "/",  "/2",   "1-5", "jan", "Sun",
                                       "@",  "*/5", "7", "\t", "\xff", "ja"};
    struct random r = {5};
    unsigned good = 0, bad = 0;
    for (unsigned i = 0; i < 500000; i++) {
        struct made m = {0};
        for (unsigned k = 4 + random_below(&r, 3); k > 0; k--) {
            for (unsigned parts = 1 + random_below(&r, 6) / 5; parts > 0; parts--)
                add(&m, some[random_below(&r, random_below(&r, 4) ? 4 : 22)]);
            add(&m, k > 1 ? " " : "");
        }
        struct cron c;
        unsigned field = 0;
        int got = cron_parse(m.text, &c, &field);
        good += got == 0;
        bad += got != 0;
        for (unsigned f = 0; got == 0 && f < CRON_FIELDS; f++)
            assert(c.set[f] != 0 && c.set[f] >> (high[f] + 1) == 0);
    }
    printf("random texts: %u read, %u refused\n", good, bad);
    assert_true(good > 10000 && bad > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_expressions_agree_with_a_walk_over_all_minutes),
        cmocka_unit_test(known_schedules_have_their_next_time),
        cmocka_unit_test(days_that_no_month_has_never_come),
        cmocka_unit_test(a_leap_day_on_each_weekday_is_found_over_400_years),
        cmocka_unit_test(the_end_of_time_is_never),
        cmocka_unit_test(what_is_wrong_is_named_with_its_field),
        cmocka_unit_test(texts_for_people_are_there),
        cmocka_unit_test(nearly_right_texts_are_read_rightly_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
