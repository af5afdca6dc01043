/* test_pinned.c: a yarn.lock of Yarn 1 pins everything that an install will fetch, or the build is
 * refused. Yarn 1.22 with --frozen-lockfile looks at the wishes of the top alone: what a member of
 * the workspace, a resolution or a package of the lockfile asks for without a key of its own it
 * resolves anew, so that two builds of one source could differ and nobody would know. A lockfile
 * that Yarn wrote must pass whole, and without any one of its keys it must not. */
#undef NDEBUG
#include "box_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/file.h>
#include <cmocka.h>
#include <globs.h>
#include <lock.h>
#include <members.h>
#include <pinned.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Y1            "# yarn lockfile v1\n\n"
#define HASH          "  integrity sha512-AAAA\n"
#define AT(keys, ver) "\n" keys ":\n  version \"" ver "\"\n" HASH
#define ASKS(wish)    "  dependencies:\n    " wish "\n"
#define TOP           "{\"name\":\"t\",\"private\":true,\"workspaces\":[\"p/*\"]}"
#define TOP_AND(more) "{\"name\":\"t\",\"private\":true,\"workspaces\":[\"p/*\"]," more "}"
#define MEMBER(more)  "{\"name\":\"m\",\"version\":\"1.0.0\"," more "}"
#define M             "p/m/package.json"

static const char *apps;

/* ---- whole sources ---- */

static const struct row {
    const char *top, *member, *other, *lock; /* `other` is p/o/package.json, or NULL */
    const char *error;                       /* NULL: passes */
    const char *says;
} rows[] = {
    /* What Yarn writes. */
    {TOP, MEMBER("\"dependencies\":{\"a\":\"^1\"}"), NULL, Y1 AT("a@^1", "1.0.0"), NULL, NULL},
    {TOP, MEMBER("\"dependencies\":{\"o\":\"^2.1.0\"}"), "{\"name\":\"o\",\"version\":\"2.3.4\"}",
     Y1, NULL, NULL},
    {TOP, MEMBER("\"devDependencies\":{\"o\":\"*\"}"), "{\"name\":\"o\",\"version\":\"0.0.1\"}", Y1,
     NULL, NULL},
    {TOP, MEMBER("\"dependencies\":{\"o\":\"^2.0.0-rc.1\"}"),
     "{\"name\":\"o\",\"version\":\"2.0.0-rc.1\"}", Y1, NULL, NULL},
    {TOP, MEMBER("\"dependencies\":{\"a\":\"^1\"}"), "{\"name\":\"o\",\"version\":\"2.0.0\"}",
     Y1 AT("a@^1", "1.0.0") ASKS("o \"^2\""), NULL, NULL},
    {TOP, MEMBER("\"dependencies\":{\"a\":\"npm:@s/b@^1\",\"c\":\"\"}"), NULL,
     Y1 AT("\"a@npm:@s/b@^1\"", "1.0.0") AT("c@", "3.0.0"), NULL, NULL},
    {"{\"private\":true,\"workspaces\":{\"packages\":[\"p/*\"],\"nohoist\":[\"**\"]}}",
     MEMBER("\"dependencies\":{\"a\":\"^1\"}"), NULL, Y1 AT("a@^1", "1.0.0"), NULL, NULL},
    {TOP, MEMBER("\"dependencies\":{\"a\":\"^1\"},\"devDependencies\":{\"a\":\"^2\"}"), NULL,
     Y1 AT("a@^1", "1.0.0"), NULL, NULL},
    {TOP, MEMBER("\"dependencies\":{\"a\":\"*\"},\"devDependencies\":{\"a\":\"^2\"}"), NULL,
     Y1 AT("a@^2", "2.0.0"), NULL, NULL},
    {TOP_AND("\"resolutions\":{\"a\":\"2.0.0\"}"), MEMBER("\"dependencies\":{\"a\":\"^1\"}"), NULL,
     Y1 AT("a@2.0.0, a@^1", "2.0.0"), NULL, NULL},
    {TOP_AND("\"resolutions\":{\"x/**/@s/a\":\"2.0.0\",\"b\":\"latest\"}"),
     MEMBER("\"dependencies\":{\"@s/a\":\"^1\"}"), NULL,
     Y1 AT("\"@s/a@2.0.0\", \"@s/a@^1\"", "2.0.0"), NULL, NULL},
    {TOP, MEMBER("\"dependencies\":{\"a\":\"next\"}"), NULL, Y1 AT("a@next", "3.0.0-rc.1"), NULL,
     NULL},
    /* No members: not meant by a glob, without a version; peers are nobody's wish. */
    {"{\"private\":true,\"workspaces\":[\"q/*\"]}", MEMBER("\"dependencies\":{\"a\":\"^1\"}"), NULL,
     Y1, NULL, NULL},
    {TOP, "{\"name\":\"m\",\"dependencies\":{\"a\":\"^1\"}}", NULL, Y1, NULL, NULL},
    {TOP, MEMBER("\"dependencies\":[],\"devDependencies\":null"), NULL, Y1, NULL, NULL},
    {TOP, MEMBER("\"peerDependencies\":{\"a\":\"^1\"}"), NULL, Y1, NULL, NULL},

    /* What a member asks for. */
    {TOP, MEMBER("\"dependencies\":{\"a\":\"^1\"}"), NULL, Y1 AT("a@^2", "2.0.0"),
     "LOCKFILE_INVALID", "no `a@^1` (asked for by " M ")"},
    {TOP, MEMBER("\"devDependencies\":{\"a\":\"^1\"}"), NULL, Y1, "LOCKFILE_INVALID", M},
    {TOP, MEMBER("\"optionalDependencies\":{\"@s/a\":\"^1\"}"), NULL, Y1, "LOCKFILE_INVALID",
     "`@s/a@^1`"},
    {TOP, MEMBER("\"dependencies\":{\"a\":1}"), NULL, Y1 AT("a@1", "1.0.0"), "LOCKFILE_INVALID",
     "`a@?`"},
    {TOP, MEMBER("\"dependencies\":{\"o\":\"^2.1.0\"}"), "{\"name\":\"o\",\"version\":\"2.0.9\"}",
     Y1, "LOCKFILE_INVALID", "`o@^2.1.0`"},
    {TOP, MEMBER("\"dependencies\":{\"o\":\"^2.0.0\"}"),
     "{\"name\":\"o\",\"version\":\"2.0.0-rc.1\"}", Y1, "LOCKFILE_INVALID", "`o@^2.0.0`"},
    {TOP, MEMBER("\"dependencies\":{\"o\":\"^2\"}"), "{\"name\":\"o\"}", Y1, "LOCKFILE_INVALID",
     "`o@^2`"},
    {"{\"private\":true,\"workspaces\":{\"packages\":[\"{q,p}/**\"]}}",
     MEMBER("\"dependencies\":{\"a\":\"^1\"}"), NULL, Y1, "LOCKFILE_INVALID", M},
    {TOP, MEMBER("\"dependencies\":{\"a\":\"link:../a\"}"), NULL, Y1, "LOCKFILE_SOURCE",
     "`a` (asked for by " M ")"},
    /* What others ask for, workspace or not. */
    {"{\"dependencies\":{\"a\":\"^1\"}}", "{}", NULL, Y1, "LOCKFILE_INVALID", "by package.json"},
    {"{\"dependencies\":{\"a\":\"^1\"}}", "{}", NULL, Y1 AT("a@^1", "1.0.0") ASKS("b \"^3.0.0\""),
     "LOCKFILE_INVALID", "no `b@^3.0.0` (asked for by a)"},
    {"{\"dependencies\":{\"a\":\"^1\"}}", "{}", NULL,
     Y1 AT("a@^1", "1.0.0") "  optionalDependencies:\n    b \"*\"\n", "LOCKFILE_INVALID", "`b@*`"},
    {"{\"resolutions\":{\"x/a\":\"2.0.0\"}}", "{}", NULL, Y1, "LOCKFILE_INVALID",
     "`a@2.0.0` (asked for by the resolutions"},
    {"{\"resolutions\":{\"a\":\"npm:b@1\"}}", "{}", NULL, Y1, "LOCKFILE_INVALID", "`a@npm:b@1`"},
    {"{\"resolutions\":{\"a\":\"link:./a\"}}", "{}", NULL, Y1, "LOCKFILE_SOURCE", "`link:./a`"},
    /* Yarn leaves such an entry aside, and asks anew. */
    {TOP, MEMBER("\"dependencies\":{\"a\":\"^1.2.0\"}"), NULL, Y1 AT("a@^1.2.0", "1.1.9"),
     "LOCKFILE_INVALID", "`a@^1.2.0` at version 1.1.9"},
    {TOP_AND("\"resolutions\":{\"a\":\"2.0.0\"}"), MEMBER("\"dependencies\":{\"a\":\"^1\"}"), NULL,
     Y1 AT("a@2.0.0", "2.0.0") AT("a@^1", "2.0.0"), "LOCKFILE_INVALID", "`a@^1`"},
    {"{\"resolutions\":{\"a\":\"2.0.0\",\"b/a\":\"^1\"}}", "{}", NULL,
     Y1 AT("a@2.0.0, a@^1, a@^2", "2.0.0"), "LOCKFILE_INVALID", "`a@^1`"},
    {"{}", "{}", NULL, Y1 AT("a@^1", "1.0.0") AT("a@^1", "1.0.1"), "LOCKFILE_INVALID",
     "`a@^1` twice"},
    /* What cannot be read must not look like nothing. */
    {TOP, "{\"name\":", NULL, Y1, "PACKAGE_JSON_INVALID", "in p/m: package.json line 1"},
    {TOP, "[]", NULL, Y1, "PACKAGE_JSON_INVALID", "in p/m"},
    {TOP, MEMBER("\"dependencies\":[\"1.0.0\"]"), NULL, Y1, "PACKAGE_JSON_INVALID",
     "`dependencies` of " M},
    {TOP_AND("\"resolutions\":\"12\""), "{}", NULL, Y1, "PACKAGE_JSON_INVALID", "`resolutions`"},
    {"{\"private\":true,\"workspaces\":[\"../p/*\"]}", "{}", NULL, Y1, "PACKAGE_JSON_INVALID",
     "`../p/*`"},
    {"{\"private\":true,\"workspaces\":[1]}", "{}", NULL, Y1, "PACKAGE_JSON_INVALID", "workspaces"},
};

static void each_workspace_gets_its_answer(void **state)
{
    unsigned pass = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        const struct file files[FILES_MAX] = {{"package.json", row->top},
                                              {M, row->member},
                                              {"yarn.lock", row->lock},
                                              {row->other ? "p/o/package.json" : NULL, row->other}};
        struct world w;
        world_open(&w, files);
        int r = box_verify(w.app, ".", w.install, &w.found, &w.refusal);
        if (!row->error && r != 0)
            fail_msg("row %zu: %s %s", i, w.refusal.name, w.refusal.text);
        if (row->error && (r != BOX_REFUSED || strcmp(w.refusal.name, row->error) != 0 ||
                           !strstr(w.refusal.text, row->says)))
            fail_msg("row %zu: %d %s %s", i, r, w.refusal.name, w.refusal.text);
        pass += !row->error;
        world_close(&w);
    }
    print_message("%zu workspaces: %u pass, %zu refused\n", ARRAY_LEN(rows), pass,
                  ARRAY_LEN(rows) - pass);
}

/* ---- globs ---- */

static void globs_mean_what_they_mean_to_yarn(void **state)
{
    static const struct {
        const char *glob, *folder;
        bool is_meant;
    } table[] = {
        {"p/*", "p/a", true},
        {"p/*", "p", false},
        {"p/*", "p/a/b", false},
        {"./p/*/", "p/a", true},
        {"p/a", "p/a", true},
        {"p/a", "p/ab", false},
        {"p/**", "p/a/b", true},
        {"p/**", "p", true},
        {"**", ".", true},
        {"*", ".", false},
        {".", ".", true},
        {"**/m", "a/b/m", true},
        {"**/m", "m", true},
        {"p/*", "p/.a", false},
        {"p/**", "p/.a/b", false},
        {"p/?", "p/a", true},
        {"p/[ab]", "p/b", true},
        {"p/[!ab]", "p/b", false},
        {"{p,q}/*", "q/a", true},
        {"{p,q}/*", "r/a", false},
        {"{p/x,q}", "p/x", true},
        {"p/{a,b}-{c,d}", "p/b-c", true},
        {"!p/a", "p/a", false},
        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},
    };
    static const char *const unread[] = {"",       "/p",        "../p", "p/../q",  "p\\*",
                                         "p/+(a)", "p/{1..3}",  "{a",   "a}",      "{{a,b},c}",
                                         "{a}",    "*********", "}{,",  "p/{a,b}}"};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        assert_true(glob_is_read(table[i].glob));
        if (glob_match(table[i].glob, table[i].folder) != table[i].is_meant)
            fail_msg("%s and %s", table[i].glob, table[i].folder);
    }
    for (size_t i = 0; i < ARRAY_LEN(unread); i++)
        if (glob_is_read(unread[i]))
            fail_msg("%s is read", unread[i]);
}

/* ---- a real lockfile ---- */

struct real {
    struct world world;
    json_t *top;
    char *lock;
    size_t lock_n;
};

static void real_put(struct real *real, const char *from, const char *to)
{
    char path[1024];
    AUTO_FREE char *text = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", apps, from);
    assert_int_equal(file_read(path, 1 << 20, &text, &n), 0);
    put(real->world.app, to, text);
}

static void real_open(struct real *real)
{
    char path[1024];
    *real = (struct real){0};
    world_open(&real->world, NULL);
    real_put(real, "workspace-yarn/package.json", "package.json");
    real_put(real, "workspace/apps/mobile/package.json", "apps/mobile/package.json");
    real_put(real, "workspace/packages/shared/package.json", "packages/shared/package.json");
    snprintf(path, sizeof path, "%s/workspace-yarn/yarn.lock", apps);
    assert_int_equal(file_read(path, 1 << 20, &real->lock, &real->lock_n), 0);
    assert_int_equal(package_read(real->world.app, ".", &real->top, &real->world.refusal), 0);
}

static void real_close(struct real *real)
{
    json_decref(real->top);
    free(real->lock);
    world_close(&real->world);
}

static int judge(struct real *real, const char *text, size_t n)
{
    struct lock lock = {0};
    int r = lock_yarn(text, n, NULL, &lock, &real->world.refusal);
    if (r == 0)
        r = pinned_judge(real->world.app, real->top, &lock.pins, &real->world.refusal);
    lock_deinit(&lock);
    return r;
}

/* Where the entry that begins at `at` ends. */
static const char *entry_end(const char *at)
{
    const char *end = strstr(at, "\n\n");
    return end ? end + 2 : at + strlen(at);
}

static void a_lockfile_passes_whole_and_without_no_entry(void **state)
{
    struct real real;
    unsigned dropped = 0, held = 0;
    real_open(&real);
    assert_int_equal(judge(&real, real.lock, real.lock_n), 0);
    AUTO_FREE char *text = malloc(real.lock_n + 1);
    for (const char *at = entry_end(real.lock) + 1, *end; *at; at = end) {
        end = entry_end(at);
        size_t before = (size_t)(at - real.lock), after = strlen(end);
        memcpy(text, real.lock, before);
        memcpy(text + before, end, after + 1);
        dropped++;
        if (judge(&real, text, before + after) != BOX_REFUSED ||
            strcmp(real.world.refusal.name, "LOCKFILE_INVALID") != 0 ||
            !strstr(real.world.refusal.text, "yarn.lock has no `"))
            held++, print_message("not missed: %.60s\n", at);
    }
    print_message("%u entries dropped in turn, %u of them not missed\n", dropped, held);
    assert_true(dropped == 290 && held == 0);
    real_close(&real);
}

/* Every version changed in its first digit. What passes: three ranges that are "*", a pre-release,
 * and two with numbers that are too large to be compared. */
static void a_version_of_another_range_is_seen(void **state)
{
    static const char mark[] = "  version \"";
    struct real real;
    unsigned changed = 0, passed = 0;
    real_open(&real);
    for (char *at = real.lock; (at = strstr(at, mark)); at++) {
        char *digit = at + sizeof mark - 1, was = *digit;
        *digit = was == '9' ? '8' : '9';
        changed++;
        if (judge(&real, real.lock, real.lock_n) == 0)
            passed++, print_message("passes: %.40s\n", at);
        *digit = was;
    }
    print_message("%u versions changed in turn, %u of them pass\n", changed, passed);
    assert_true(changed == 290 && passed <= 6);
    real_close(&real);
}

static void cuts_and_noise_are_safe(void **state)
{
    enum { ROUNDS = 400 };
    struct real real;
    unsigned refused = 0;
    uint64_t seed = 18;
    real_open(&real);
    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(seed >> 20) % real.lock_n;
        char was = real.lock[at];
        if (i % 2)
            real.lock[at] = (char)(seed >> 12);
        int r = judge(&real, real.lock, i % 2 ? real.lock_n : at);
        assert_true(r == 0 || r == BOX_REFUSED);
        assert_true(i % 2 || r == BOX_REFUSED); /* a cut always lacks something */
        refused += r == BOX_REFUSED;
        real.lock[at] = was;
    }
    print_message("%d cuts and changed bytes: %u refused\n", ROUNDS, refused);
    real_close(&real);
}

/* ---- bounds ---- */

static void more_than_the_bounds_is_refused(void **state)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    char path[160];
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    FILE *to = open_memstream(&text, &n);
    fputs(Y1 "a@0", to);
    for (unsigned i = 1; i <= PINS_MAX; i++)
        fprintf(to, ", a@%u", i);
    fputs(":\n  version \"1.0.0\"\n" HASH, to);
    fclose(to);
    assert_int_equal(lock_yarn(text, n, NULL, &lock, &refusal), BOX_REFUSED);
    assert_string_equal(refusal.name, "LOCKFILE_INVALID");
    assert_non_null(strstr(refusal.text, "more than 300000 names"));
    lock_deinit(&lock);

    static const struct file files[FILES_MAX] = {{"package.json", TOP}, {"yarn.lock", Y1}};
    struct world w;
    world_open(&w, files);
    for (unsigned i = 0; i <= MEMBERS_MAX; i++) {
        snprintf(path, sizeof path, "%s/p/%u", w.app, i);
        assert_int_equal(dir_make(path, 0755), 0);
        snprintf(path, sizeof path, "%s/p/%u/package.json", w.app, i);
        FILE *empty = fopen(path, "we");
        assert_non_null(empty);
        fputs("{}", empty);
        fclose(empty);
    }
    assert_int_equal(box_verify(w.app, ".", w.install, &w.found, &w.refusal), BOX_REFUSED);
    assert_string_equal(w.refusal.name, "PACKAGE_JSON_INVALID");
    assert_non_null(strstr(w.refusal.text, "more than 1000 packages"));
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_workspace_gets_its_answer),
        cmocka_unit_test(globs_mean_what_they_mean_to_yarn),
        cmocka_unit_test(a_lockfile_passes_whole_and_without_no_entry),
        cmocka_unit_test(a_version_of_another_range_is_seen),
        cmocka_unit_test(cuts_and_noise_are_safe),
        cmocka_unit_test(more_than_the_bounds_is_refused),
    };
    assert_int_equal(argc, 2);
    apps = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
