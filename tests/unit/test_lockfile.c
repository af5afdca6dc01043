/* test_lockfile.c: which lockfiles of npm an install gets to see. A package from git, from an
 * address, from a folder, or without a hash must be refused before npm runs, by its own error and
 * with its name; what real lockfiles contain (workspaces, aliases, bundled packages, scopes) must
 * pass. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <cmocka.h>
#include <lock.h>
#include <path.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH          "\"integrity\":\"sha512-AAAA\""
#define FULL(entries) "{\"lockfileVersion\":3,\"packages\":{\"\":{\"name\":\"app\"}," entries "}}"

static const struct lock_case {
    const char *text;
    const char *error; /* NULL: passes */
    const char *says;
    uint64_t packages;
} cases[] = {
    {FULL("\"node_modules/a\":{\"version\":\"1.0.0\"," HASH "}"), NULL, NULL, 1},
    {FULL("\"node_modules/a\":{\"resolved\":\"https://r.example/a/-/a-1.0.0.tgz\"," HASH "}"), NULL,
     NULL, 1},
    {FULL("\"node_modules/@s/a\":{" HASH "},\"node_modules/@s/a/node_modules/b\":{" HASH "}"), NULL,
     NULL, 2},
    {FULL("\"packages/w\":{\"version\":\"1.0.0\"},\"node_modules/w\":{\"resolved\":\"packages/w\","
          "\"link\":true}"),
     NULL, NULL, 0},
    {FULL("\"node_modules/a\":{" HASH "},\"node_modules/a/node_modules/b\":{\"inBundle\":true}"),
     NULL, NULL, 1},
    {"{\"lockfileVersion\":2,\"packages\":{\"\":{\"dependencies\":{\"a\":\"npm:@x/b@^1\"}},"
     "\"node_modules/a\":{\"name\":\"@x/b\"," HASH "}},\"dependencies\":{}}",
     NULL, NULL, 1},

    {FULL("\"node_modules/evil\":{\"resolved\":\"git+ssh://git@h.example/o/evil.git#0\"," HASH "}"),
     "LOCKFILE_SOURCE", "`evil`", 0},
    {FULL("\"node_modules/evil\":{\"resolved\":\"git://h.example/evil.git\"," HASH "}"),
     "LOCKFILE_SOURCE", "`evil`", 0},
    {FULL("\"node_modules/@s/evil\":{\"resolved\":\"http://r.example/evil/-/evil-1.tgz\"," HASH
          "}"),
     "LOCKFILE_SOURCE", "`@s/evil`", 0},
    {FULL("\"node_modules/a/node_modules/evil\":{\"resolved\":\"https://h.example/evil.tgz\"," HASH
          "}"),
     "LOCKFILE_SOURCE", "`evil`", 0},
    {FULL("\"node_modules/evil\":{\"resolved\":\"https://user:pw@r.example/e/-/e-1.tgz\"," HASH
          "}"),
     "LOCKFILE_SOURCE", "`evil`", 0},
    {FULL("\"node_modules/evil\":{\"resolved\":\"file:../evil.tgz\"," HASH "}"), "LOCKFILE_SOURCE",
     "file:../evil.tgz", 0},
    {FULL("\"node_modules/evil\":{\"resolved\":\"../evil\",\"link\":true}"), "LOCKFILE_SOURCE",
     "`evil`", 0},
    {FULL("\"node_modules/evil\":{\"resolved\":\"/etc\",\"link\":true}"), "LOCKFILE_SOURCE", "/etc",
     0},
    {FULL("\"node_modules/evil\":{\"link\":true}"), "LOCKFILE_SOURCE", "`evil`", 0},
    {"{\"lockfileVersion\":3,\"packages\":{\"\":{\"dependencies\":{\"evil\":\"github:o/evil\"}}}}",
     "LOCKFILE_SOURCE", "asked for by package.json", 0},
    {"{\"lockfileVersion\":3,\"packages\":{\"\":{\"devDependencies\":{\"evil\":\"o/evil\"}}}}",
     "LOCKFILE_SOURCE", "`evil`", 0},
    {"{\"lockfileVersion\":3,\"packages\":{\"\":{},\"packages/"
     "w\":{\"optionalDependencies\":{\"evil\":"
     "\"https://h.example/e.tgz\"}}}}",
     "LOCKFILE_SOURCE", "packages/w", 0},

    {FULL("\"node_modules/bare\":{\"version\":\"1.0.0\"}"), "LOCKFILE_INTEGRITY", "`bare`", 0},
    {FULL("\"node_modules/bare\":{\"integrity\":\"\"}"), "LOCKFILE_INTEGRITY", "`bare`", 0},
    {FULL("\"node_modules/bare\":{\"integrity\":\"md5-AAAA\"}"), "LOCKFILE_INTEGRITY", "`bare`", 0},
    {FULL("\"node_modules/bare\":{\"integrity\":7}"), "LOCKFILE_INTEGRITY", "`bare`", 0},

    {"", "LOCKFILE_INVALID", "", 0},
    {"[]", "LOCKFILE_INVALID", "", 0},
    {"{\"lockfileVersion\":3", "LOCKFILE_INVALID", "line 1", 0},
    {"{\"lockfileVersion\":1,\"dependencies\":{}}", "LOCKFILE_INVALID", "lockfileVersion 1", 0},
    {"{\"lockfileVersion\":9,\"packages\":{}}", "LOCKFILE_INVALID", "lockfileVersion 9", 0},
    {"{\"lockfileVersion\":3,\"packages\":[]}", "LOCKFILE_INVALID", "", 0},
    {FULL("\"node_modules/a\":7"), "LOCKFILE_INVALID", "node_modules/a", 0},
    {FULL("\"../node_modules/a\":{" HASH "}"), "LOCKFILE_INVALID", "../node_modules/a", 0},
    {FULL("\"node_modules/a\":{" HASH "},\"node_modules/a\":{}"), "LOCKFILE_INVALID", "duplicate",
     0},
};

static void case_check(const struct lock_case *c)
{
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    int r = lock_npm(c->text, strlen(c->text), NULL, &lock, &refusal);
    if (!c->error) {
        if (r != 0)
            fail_msg("%s: %s %s", c->text, refusal.name, refusal.text);
        assert_int_equal(lock.packages, c->packages);
        return;
    }
    assert_int_equal(r, BOX_REFUSED);
    assert_string_equal(refusal.name, c->error);
    if (!strstr(refusal.text, c->says))
        fail_msg("`%s` does not say `%s`", refusal.text, c->says);
}

static void each_lockfile_gets_its_answer(void **state)
{
    unsigned pass = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        case_check(&cases[i]);
        pass += !cases[i].error;
    }
    print_message("%zu lockfiles: %u passed, %zu refused by name\n", ARRAY_LEN(cases), pass,
                  ARRAY_LEN(cases) - pass);
}

/* A lockfile cut anywhere is refused and never crashes the reader. */
static void a_cut_lockfile_is_invalid(void **state)
{
    const char *text = cases[2].text;
    unsigned cuts = 0;
    for (size_t n = 0; n < strlen(text); n++, cuts++) {
        struct box_refusal refusal = {0};
        struct lock lock = {0};
        assert_int_equal(lock_npm(text, n, NULL, &lock, &refusal), BOX_REFUSED);
        assert_string_equal(refusal.name, "LOCKFILE_INVALID");
    }
    print_message("%u cuts refused\n", cuts);
}

/* npm asks whichever registry is configured, for what the hash pins. */
static void npm_sees_no_address(void **state)
{
    static const char text[] =
        "{\"lockfileVersion\":2,\"packages\":{\"\":{},\"node_modules/a\":{\"version\":\"1.0.0\","
        "\"resolved\":\"https://r.example/a/-/a-1.0.0.tgz\"," HASH "},\"node_modules/w\":{"
        "\"resolved\":\"packages/w\",\"link\":true}},\"dependencies\":{\"a\":{\"resolved\":"
        "\"https://r.example/a/-/a-1.0.0.tgz\"}}}";
    AUTO_FREE char *out = NULL;
    size_t n = 0;
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    FILE *to = open_memstream(&out, &n);
    assert_int_equal(lock_npm(text, strlen(text), to, &lock, &refusal), 0);
    fclose(to);
    assert_null(strstr(out, "r.example"));
    assert_non_null(strstr(out, "sha512-AAAA"));
    assert_non_null(strstr(out, "\"resolved\": \"packages/w\""));
}

static void links_are_judged_by_where_they_may_lead(void **state)
{
    assert_true(link_is_inside("a", "b"));
    assert_true(link_is_inside("d/a", "../b"));
    assert_true(link_is_inside("./d/a", "./../b"));
    assert_true(link_is_inside("d/e/a", "../../b/c"));
    assert_false(link_is_inside("a", "../b"));
    assert_false(link_is_inside("./a", "../b"));
    assert_false(link_is_inside("d/a", "../../b"));
    assert_false(link_is_inside("d/a", "x/../../.."));
    assert_false(link_is_inside("d/a", "x/.."));
    assert_false(link_is_inside("a", "/b"));
    assert_false(link_is_inside("a", ""));
    assert_false(path_is_inside("a/../b"));
    assert_true(path_is_inside("a/..b/c"));
    assert_true(path_leads_inside("apps/mobile", "../../packages/x"));
    assert_true(path_leads_inside(".", "packages/x"));
    assert_false(path_leads_inside("apps/mobile", "../../../x"));
    assert_false(path_leads_inside(".", "a/../../a"));
    assert_false(path_leads_inside("a", "/a"));
    assert_false(path_leads_inside("a", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lockfile_gets_its_answer),
        cmocka_unit_test(a_cut_lockfile_is_invalid),
        cmocka_unit_test(npm_sees_no_address),
        cmocka_unit_test(links_are_judged_by_where_they_may_lead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
