/* test_engines.c shows that ranges of Node versions are read as npm reads them, and which of the
 * worker's versions then gets the build. A range that is read wrong builds an app with a Node that
 * its React Native does not run on, or refuses an app that would build. */
#undef NDEBUG
#include "engines.h"
#include "nodes.h"

#include <base/auto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int match(const char *range, const char *version)
{
    struct engines_version v;
    assert_int_equal(engines_version_read(version, &v), 0);
    return engines_match(range, v);
}

static void ranges_mean_what_npm_says(void **state)
{
    static const struct {
        const char *range, *inside[4], *outside[4];
    } rows[] = {
        {"", {"0.1.0", "99.0.0"}, {0}},
        {"*", {"0.1.0", "99.0.0"}, {0}},
        {"20", {"20.0.0", "20.99.99"}, {"19.99.99", "21.0.0"}},
        {"20.x", {"20.0.0", "20.19.4"}, {"21.0.0"}},
        {"20.X.x", {"20.0.0", "20.19.4"}, {"21.0.0"}},
        {"20.x.1", {"20.0.0"}, {"21.0.0"}},
        {"20.19", {"20.19.0", "20.19.9"}, {"20.18.9", "20.20.0"}},
        {"v20.19.4", {"20.19.4"}, {"20.19.3", "20.19.5"}},
        {"=20.19.4", {"20.19.4"}, {"20.19.5"}},
        {">=20.19", {"20.19.0", "24.0.0"}, {"20.18.9"}},
        {">= 26.0.0", {"26.0.0"}, {"25.9.9"}},
        {">20", {"21.0.0"}, {"20.99.0"}},
        {">20.19", {"20.20.0"}, {"20.19.9"}},
        {"<=20", {"20.99.0", "1.0.0"}, {"21.0.0"}},
        {"<22", {"21.9.9"}, {"22.0.0"}},
        {">=18 <23", {"18.0.0", "22.9.9"}, {"17.9.9", "23.0.0"}},
        {">=18.0.0   <19.0.0 || ^20", {"18.5.0", "20.1.0"}, {"19.0.0", "21.0.0"}},
        {"^22.13.0 || ^24.3.0 || >= 26.0.0",
         {"22.13.0", "22.23.3", "24.3.0", "26.0.0"},
         {"20.20.2", "22.12.9", "23.0.0", "24.2.9"}},
        {"^20.19.4||^22.13.0", {"20.19.4", "22.13.0"}, {"20.19.3", "21.0.0"}},
        {"^0.12.3", {"0.12.3", "0.12.9"}, {"0.13.0", "1.0.0"}},
        {"^0.0.3", {"0.0.3"}, {"0.0.4"}},
        {"~18.17", {"18.17.0", "18.17.9"}, {"18.18.0"}},
        {"~18", {"18.0.0", "18.99.0"}, {"19.0.0"}},
        {"~> 18.17.1", {"18.17.1"}, {"18.17.0", "18.18.0"}},
        {"18 - 22", {"18.0.0", "22.99.0"}, {"23.0.0", "17.0.0"}},
        {"18.1 - 22.4.1", {"18.1.0", "22.4.1"}, {"18.0.9", "22.4.2"}},
        {">=20.0.0-rc.1", {"20.0.0"}, {"19.9.9"}},
        {"<20.0.0-0", {"19.9.9"}, {"20.0.0"}},
        {"20.0.0-rc.1", {0}, {"20.0.0"}},
        {">=18.0.0+build.7", {"18.0.0"}, {"17.0.0"}},
        {"<*", {0}, {"20.0.0"}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < 4; k++) {
            if (rows[i].inside[k] && match(rows[i].range, rows[i].inside[k]) != 0)
                fail_msg("\"%s\" is to take %s", rows[i].range, rows[i].inside[k]);
            if (rows[i].outside[k] && match(rows[i].range, rows[i].outside[k]) != ENGINES_OTHER)
                fail_msg("\"%s\" is not to take %s", rows[i].range, rows[i].outside[k]);
        }
}

static void what_is_no_range_is_said_to_be_none(void **state)
{
    static const char *const texts[] = {"lts/*",    "node",   ">=",      "20.",   "20,22",
                                        "^",        "> 20 |", "20 | 22", "20..1", "9999999.0",
                                        "20.1.1.1", "- 22",   "20 -22"};
    char longest[ENGINES_RANGE_MAX + 2];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (match(texts[i], "20.20.2") != ENGINES_UNREADABLE)
            fail_msg("\"%s\" was read", texts[i]);
    memset(longest, ' ', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(match(longest, "20.20.2"), ENGINES_UNREADABLE);
    longest[sizeof longest - 2] = 0;
    assert_int_equal(match(longest, "20.20.2"), 0);
}

static void versions_are_read(void **state)
{
    struct engines_version v = {0};
    (void)state;
    assert_int_equal(engines_version_read("v22.13.1", &v), 0);
    assert_int_equal(v.major * 10000 + v.minor * 100 + v.patch, 221301);
    assert_int_equal(engines_version_read("22.13", &v), ENGINES_UNREADABLE);
    assert_int_equal(engines_version_read("", &v), ENGINES_UNREADABLE);
}

static void the_worker_s_own_node_goes_first_then_the_oldest(void **state)
{
    static const char *const there[] = {"v20.20.2", "v18.20.8", "v22.23.3", "v24.21.0"};
    static const struct {
        const char *range, *gets;
    } rows[] = {{"", "v20.20.2"},        {">=18", "v20.20.2"}, {"20 || 22", "v20.20.2"},
                {"18.x", "v18.20.8"},    {">20", "v22.23.3"},  {"^22.13.0 || ^24.3.0", "v22.23.3"},
                {">=24 <26", "v24.21.0"}};
    struct nodes nodes = {.n = ARRAY_LEN(there)};
    const struct node_at *got = NULL;
    char text[NODES_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < nodes.n; i++) {
        assert_int_equal(engines_version_read(there[i], &nodes.node[i].version), 0);
        snprintf(nodes.node[i].text, sizeof nodes.node[i].text, "%s", there[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(nodes_pick(&nodes, rows[i].range, &got), 0);
        assert_string_equal(got->text, rows[i].gets);
    }
    got = NULL;
    assert_int_equal(nodes_pick(&nodes, ">=26", &got), NODES_NONE);
    assert_int_equal(nodes_pick(&nodes, "newest", &got), NODES_UNREADABLE);
    assert_null(got);
    nodes_text(&nodes, text);
    assert_string_equal(text, "v20.20.2,v18.20.8,v22.23.3,v24.21.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_mean_what_npm_says),
        cmocka_unit_test(what_is_no_range_is_said_to_be_none),
        cmocka_unit_test(versions_are_read),
        cmocka_unit_test(the_worker_s_own_node_goes_first_then_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
