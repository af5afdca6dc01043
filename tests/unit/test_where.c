/* test_where.c: a filter as people write it becomes the filter that the broker gets, and back; what
 * is wrong is named with its column; times are read strictly, for a misread time would cancel the
 * wrong jobs. */
#undef NDEBUG
#include "cli/moment.h"
#include "cli/where.h"
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-20T12:00:00Z */
#define NOW_MS UINT64_C(1795176000000)
#define DAY    UINT64_C(86400000)
#define TODAY  (NOW_MS - DAY / 2)

static void moments_are_read_and_nothing_else_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t unix_ms, unit_ms;
    } good[] = {
        {"2026-11-20", TODAY, DAY},
        {"1970-01-01", 0, DAY},
        {"2024-02-29", UINT64_C(1709164800000), DAY},
        {"2026-11-20T12:00:00Z", NOW_MS, 1000},
        {"2026-11-20 12:00Z", NOW_MS, 60000},
        {"2026-11-20t13:00:00.25+01:00", NOW_MS + 250, 1},
        {"2026-11-20T06:30:00-05:30", NOW_MS, 1000},
        {"2h", NOW_MS - 7200000, 1},
        {"3d", NOW_MS - 3 * DAY, 1},
        {"0s", NOW_MS, 1},
        {"1500ms", NOW_MS - 1500, 1},
    };
    static const char *const bad[] = {
        "",
        "yesterday",
        "2026",
        "90",
        "2026-13-01",
        "2026-02-30",
        "2025-02-29",
        "2026-1-1",
        "2026-11-20T",
        "2026-11-20T12",
        "2026-11-20T12:00",
        "2026-11-20T25:00Z",
        "2026-11-20x",
        "2026-11-20T12:60Z",
        "2026-11-20T12:00:60Z",
        "2026-11-20T12:00:00.Z",
        "-2h",
        "2h ago",
        "999999999d",
        "1969-12-31",
        "2026-11-20T12:00:00+1:00",
    };
    struct moment m;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (moment_read(good[i].text, NOW_MS, &m) != 0)
            fail_msg("%s is refused", good[i].text);
        assert_int_equal(m.unix_ms, good[i].unix_ms);
        assert_int_equal(m.unit_ms, good[i].unit_ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (moment_read(bad[i], NOW_MS, &m) == 0)
            fail_msg("\"%s\" is taken for a time", bad[i]);
}

static struct where read_short(const char *text)
{
    struct where_options o = {.where = text};
    struct where w;
    char fault[WHERE_FAULT_LEN + 1];
    if (where_read(&o, NOW_MS, &w, fault) != 0)
        fail_msg("%s: %s", text, fault);
    return w;
}

static void the_short_form_says_what_the_options_say(void **state)
{
    (void)state;
    const struct where_options o = {.account = "acme",
                                    .app = "shop front",
                                    .platform = "ios",
                                    .class = "task",
                                    .pool = "task",
                                    .state = "timed_out",
                                    .tier = "P2,free",
                                    .published_from = "3d",
                                    .published_to = "2026-11-20",
                                    .finished_from = "2026-11-19T00:00Z",
                                    .finished_to = "1h",
                                    .error = "RUNNER_FAILED",
                                    .reason = "let me look",
                                    .ref = "main"};
    struct where w, x;
    char fault[WHERE_FAULT_LEN + 1];
    assert_int_equal(where_read(&o, NOW_MS, &w, fault), 0);
    assert_int_equal(w.where.state, ROTA__STATE__TIMED_OUT);
    assert_int_equal(w.where.tiers, 1 << ROTA__TIER__P2 | 1 << ROTA__TIER__P3);
    assert_int_equal(w.where.published_from_ms, NOW_MS - 3 * DAY);
    assert_int_equal(w.where.published_to_ms, TODAY);
    x = read_short("account=acme app=\"shop front\"  platform=ios class=task\tpool=task "
                   "state=timed_out tier=P2,free published>=3d published<2026-11-20 "
                   "finished>=2026-11-19T00:00Z finished<1h error=RUNNER_FAILED "
                   "reason=\"let me look\" ref=main");
    char *a = where_text(&w.where), *b = where_text(&x.where);
    assert_string_equal(a, b);
    struct where again = read_short(a);
    char *c = where_text(&again.where);
    assert_string_equal(a, c);
    free(a);
    free(b);
    free(c);
    where_deinit(&w);
    where_deinit(&x);
    where_deinit(&again);
}

/* A date stands for its whole day, whichever way it is compared. */
static void a_range_is_half_open(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t from_ms, to_ms;
    } cases[] = {
        {"published<2026-11-20", 0, TODAY},
        {"published<=2026-11-20", 0, TODAY + DAY},
        {"published>=2026-11-20", TODAY, 0},
        {"published>2026-11-20", TODAY + DAY, 0},
        {"published>=2026-11-20 published<=2026-11-20", TODAY, TODAY + DAY},
        {"published<=2026-11-20T12:00Z", 0, NOW_MS + 60000},
        {"published>2h", NOW_MS - 7200000 + 1, 0},
        {"published-from=2h published-to=1h", NOW_MS - 7200000, NOW_MS - 3600000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct where w = read_short(cases[i].text);
        assert_int_equal(w.where.published_from_ms, cases[i].from_ms);
        assert_int_equal(w.where.published_to_ms, cases[i].to_ms);
        where_deinit(&w);
    }
}

static void what_is_wrong_is_named_with_its_column(void **state)
{
    (void)state;
    static const struct {
        struct where_options o;
        const char *fault;
    } cases[] = {
        {{.where = "state=redy"}, "--where, column 7: there is no state \"redy\""},
        {{.where = " app=x  foo=1"}, "--where, column 9: there is no \"foo\" to ask for"},
        {{.where = "state"}, "--where, column 1: \"state\" is not followed by = or a value"},
        {{.where = "state ready"}, "--where, column 1: \"state\" is not followed by = or a value"},
        {{.where = "=ready"}, "--where, column 1: there is no \"\" to ask for"},
        {{.where = "app="}, "--where, column 5: app has no value"},
        {{.where = "app=\"\""}, "--where, column 5: app has no value"},
        {{.where = "app=\"a b"}, "--where, column 5: the quotes do not close"},
        {{.where = "app=\"a\"b"}, "--where, column 5: the quotes do not close"},
        {{.where = "app<x"}, "--where, column 5: app is compared by = alone"},
        {{.where = "published=2026-11-20"},
         "--where, column 11: published is compared by <, <=, > or >="},
        {{.where = "finished>soon"},
         "--where, column 10: \"soon\" is no time: 2026-11-20, 2026-11-20T09:12Z, or an age as 2h"},
        {{.where = "tier=P2,gold"}, "--where, column 6: there is no tier \"gold\""},
        {{.where = "app=x app=y"}, "--where, column 11: app is given twice"},
        {{.where = "published<1h published<=2h"},
         "--where, column 25: published-to is given twice"},
        {{.app = "x", .where = "app=y"}, "--where, column 5: app is given twice"},
        {{.state = "ready", .tier = "none"}, "--tier: there is no tier \"none\""},
        {{.account = ""}, "--account: account has no value"},
        {{.published_to = "90"},
         "--published-to: \"90\" is no time: 2026-11-20, 2026-11-20T09:12Z, or an age as 2h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct where w;
        char fault[WHERE_FAULT_LEN + 1] = "";
        assert_int_equal(where_read(&cases[i].o, NOW_MS, &w, fault), WHERE_WRONG);
        assert_string_equal(fault, cases[i].fault);
        where_deinit(&w);
    }
    printf("%zu wrong filters named\n", sizeof cases / sizeof *cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_read_and_nothing_else_is),
        cmocka_unit_test(the_short_form_says_what_the_options_say),
        cmocka_unit_test(a_range_is_half_open),
        cmocka_unit_test(what_is_wrong_is_named_with_its_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
