/* test_locks.c: which lockfiles of Yarn and pnpm an install gets to see. A package from git, from
 * an address, from a folder, or without a hash must be refused before a manager runs, by its own
 * error and with its name; a checksum that Yarn would not compare must not pass for one; and no
 * text may crash a reader or make it eat memory: each real lockfile is cut at every byte of its
 * first and last kilobytes, and bombs of every kind are small ones here. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/clock.h>
#include <base/file.h>
#include <cmocka.h>
#include <lock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Y1      "# yarn lockfile v1\n\n\n"
#define Y1_HASH "  integrity sha512-AAAA\n"
#define META    "__metadata:\n  version: 8\n  cacheKey: 10c0\n\n"
#define SUM(n)  n n n n n n n n
#define SUM128  SUM("0123456789abcdef")
#define B_SUM   "  checksum: 10c0/" SUM128 "\n"
#define B_NULL                                                                                     \
    "\"nullthrows@npm:^1.1.1\":\n  version: 1.1.1\n  resolution: \"nullthrows@npm:1.1.1\"\n"
#define PNPM     "lockfileVersion: '9.0'\n\n"
#define P_HASH   "    resolution: {integrity: sha512-AAAA}\n"
#define IMPORTER "importers:\n\n  .:\n    dependencies:\n      evil:\n"

static const struct row {
    lock_read *read;
    const char *text;
    const char *error; /* NULL: passes */
    const char *says;
    uint64_t packages;
} rows[] = {
    /* ---- Yarn 1 ---- */
    {lock_yarn, Y1, NULL, NULL, 0},
    {lock_yarn,
     Y1
     "a@^1, \"a@>= 1 < 2\":\n  version \"1.0.0\"\n  resolved \"https://r.example/a/-/a-1.0.0.tgz#"
     "0123456789012345678901234567890123456789\"\n" Y1_HASH
     "  dependencies:\n    \"@s/b\" \"^2.0.0\"\n",
     NULL, NULL, 1},
    {lock_yarn, Y1 "a@^1:\r\n  version \"1.0.0\"\r\n  integrity \"sha1-AA sha512-AA==\"\r\n", NULL,
     NULL, 1},
    {lock_yarn, Y1 "\"x@npm:@s/real@^1\":\n  version \"1.0.0\"\n" Y1_HASH, NULL, NULL, 1},
    {lock_yarn, Y1 "\"evil@git+https://h.example/evil.git\":\n  version \"1.0.0\"\n" Y1_HASH,
     "LOCKFILE_SOURCE", "`evil` comes from `git+https://h.example/evil.git`", 0},
    {lock_yarn, Y1 "evil@o/evil:\n  version \"1.0.0\"\n" Y1_HASH, "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_yarn, Y1 "\"evil@file:./evil\":\n  version \"1.0.0\"\n", "LOCKFILE_SOURCE", "file:./evil",
     0},
    {lock_yarn, Y1 "\"@s/evil@link:../evil\":\n  version \"1.0.0\"\n", "LOCKFILE_SOURCE",
     "`@s/evil`", 0},
    {lock_yarn,
     Y1 "evil@^1:\n  version \"1.0.0\"\n  resolved \"https://h.example/evil.tgz\"\n" Y1_HASH,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_yarn,
     Y1 "evil@^1:\n  version \"1.0.0\"\n  resolved "
        "\"http://h.example/evil/-/evil-1.0.0.tgz\"\n" Y1_HASH,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_yarn,
     Y1 "evil@^1:\n  version \"1.0.0\"\n  resolved \"https://u:p@h.example/e/-/e-1.tgz\"\n" Y1_HASH,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_yarn,
     Y1 "evil@^1:\n  version \"1.0.0\"\n  resolved \"https://h.example/e/-/../x\"\n" Y1_HASH,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_yarn,
     Y1 "a@^1:\n  version \"1.0.0\"\n" Y1_HASH "  dependencies:\n    evil \"git://h/e\"\n",
     "LOCKFILE_SOURCE", "`evil` (asked for by a)", 0},
    {lock_yarn, Y1 "bare@^1:\n  version \"1.0.0\"\n", "LOCKFILE_INTEGRITY", "`bare` 1.0.0", 0},
    {lock_yarn, Y1 "bare@^1:\n  version \"1.0.0\"\n  integrity md5-AA\n", "LOCKFILE_INTEGRITY",
     "`bare`", 0},
    {lock_yarn, Y1 "bare@^1:\n  version \"1\"\n\na@^1:\n  version \"1.0.0\"\n" Y1_HASH,
     "LOCKFILE_INTEGRITY", "`bare`", 0},
    {lock_yarn, "", "LOCKFILE_INVALID", "yarn lockfile v1", 0},
    {lock_yarn, "a@^1:\n  version \"1.0.0\"\n" Y1_HASH, "LOCKFILE_INVALID", "yarn lockfile v1", 0},
    {lock_yarn, Y1 "a@^1:\n" Y1_HASH, "LOCKFILE_INVALID", "line 5", 0},
    {lock_yarn, Y1 "a@^1:\n  version \"1.0.0\"\n   x \"y\"\n", "LOCKFILE_INVALID", "line 6", 0},
    {lock_yarn, Y1 "a@^1:\n\tversion \"1.0.0\"\n", "LOCKFILE_INVALID", "line 5", 0},
    {lock_yarn, Y1 "a@^1:\n  version \"1.0\\u0030\"\n" Y1_HASH, "LOCKFILE_INVALID", "line 5", 0},
    {lock_yarn, Y1 "a@^1:\n  version \"1.0.0\" x\n" Y1_HASH, "LOCKFILE_INVALID", "line 5", 0},
    {lock_yarn, Y1 "a@^1:\n  version \"1.0.0\"\n  version \"2.0.0\"\n" Y1_HASH, "LOCKFILE_INVALID",
     "line 6", 0},
    {lock_yarn,
     Y1 "a@^1:\n  version \"1.0.0\"\n" Y1_HASH "  resolved \"https://r.example/a/-/a-1.tgz\"\n",
     "LOCKFILE_INVALID", "line 7", 0},
    {lock_yarn, Y1 "<<<<<<< HEAD\n", "LOCKFILE_INVALID", "line 4", 0},
    {lock_yarn, Y1 "  version \"1.0.0\"\n", "LOCKFILE_INVALID", "line 4", 0},
    {lock_yarn, Y1 "a:\n  version \"1.0.0\"\n" Y1_HASH, "LOCKFILE_INVALID", "line 4", 0},

    /* ---- Yarn 2 and later ---- */
    {lock_berry, META, NULL, NULL, 0},
    {lock_berry, META B_NULL B_SUM, NULL, NULL, 1},
    {lock_berry, "__metadata:\n  version: 6\n  cacheKey: 8\n\n" B_NULL "  checksum: " SUM128 "\n",
     NULL, NULL, 1},
    {lock_berry, META "\"app@workspace:.\":\n  resolution: \"app@workspace:.\"\n  linkType: soft\n",
     NULL, NULL, 0},
    {lock_berry,
     META "\"r@patch:r@npm%3A1#optional!builtin<compat/resolve>\":\n  resolution: "
          "\"r@patch:r@npm%3A1#optional!builtin<compat/resolve>::version=1&hash=ab\"\n" B_SUM,
     NULL, NULL, 1},
    {lock_berry,
     META "\"r@patch:r@npm%3A1#~/.yarn/patches/r.patch\":\n  resolution: "
          "\"r@patch:r@npm%3A1#~/.yarn/patches/r.patch::version=1&hash=ab\"\n" B_SUM,
     NULL, NULL, 1},
    {lock_berry, META B_NULL "  conditions: os=darwin\n", NULL, NULL, 1},
    {lock_berry,
     META "\"evil@git@h.example:o/evil\":\n  resolution: "
          "\"evil@https://h.example/o/evil.git#commit=0\"\n" B_SUM,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_berry, META "\"evil@file:./e\":\n  resolution: \"evil@file:./e#./e::hash=1\"\n" B_SUM,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_berry, META "\"evil@portal:./e\":\n  resolution: \"evil@portal:./e::locator=x\"\n",
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_berry, META "\"evil@link:./e\":\n  resolution: \"evil@link:./e::locator=x\"\n",
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_berry,
     META "\"evil@exec:./e.js\":\n  resolution: \"evil@exec:./e.js#./e.js::h=1\"\n" B_SUM,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_berry,
     META "\"evil@npm:1\":\n  resolution: "
          "\"evil@npm:1.0.0::__archiveUrl=https%3A%2F%2Fh.example\"\n" B_SUM,
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_berry, META "\"evil@workspace:../e\":\n  resolution: \"evil@workspace:../e\"\n",
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_berry,
     META
     "\"e@patch:e@npm%3A1#../x\":\n  resolution: \"e@patch:e@npm%3A1#../x::version=1\"\n" B_SUM,
     "LOCKFILE_SOURCE", "`e` is patched by", 0},
    {lock_berry,
     META "\"e@patch:e@npm%3A1#.yarn/patches/../../x\":\n  resolution: "
          "\"e@patch:e@npm%3A1#.yarn/patches/../../x::version=1\"\n" B_SUM,
     "LOCKFILE_SOURCE", "`e` is patched by", 0},
    {lock_berry, META B_NULL B_SUM "  dependencies:\n    evil: \"git@h.example:o/evil\"\n",
     "LOCKFILE_SOURCE", "`evil` (asked for by nullthrows", 0},
    {lock_berry, META B_NULL, "LOCKFILE_INTEGRITY", "`nullthrows` has no checksum", 0},
    {lock_berry, META B_NULL "  checksum: 10c0/0123\n", "LOCKFILE_INTEGRITY", "`nullthrows`", 0},
    /* Yarn would take whatever comes and write the checksum anew. */
    {lock_berry, META B_NULL "  checksum: 9c0/" SUM128 "\n", "LOCKFILE_INTEGRITY",
     "would not compare", 0},
    {lock_berry,
     "__metadata:\n  version: 8\n  cacheKey: 9c0\n\n" B_NULL "  checksum: 9c0/" SUM128 "\n",
     "LOCKFILE_INVALID", "cacheKey 9c0", 0},
    {lock_berry, "__metadata:\n  version: 8\n\n" B_NULL B_SUM, "LOCKFILE_INTEGRITY", "`nullthrows`",
     0},
    {lock_berry, B_NULL B_SUM META, "LOCKFILE_INVALID", "must come first", 0},
    {lock_berry, META META, "LOCKFILE_INVALID", "second", 0},
    {lock_berry, "__metadata:\n  version: 1\n", "LOCKFILE_INVALID", "from 4 on", 0},
    {lock_berry, "__metadata: 8\n", "LOCKFILE_INVALID", "no map", 0},
    {lock_berry, META "a: {}\n", "LOCKFILE_INVALID", "no resolution", 0},
    {lock_berry, META B_NULL B_SUM "  resolution: \"evil@file:x\"\n", "LOCKFILE_INVALID", "twice",
     0},
    {lock_berry, META "a: &x {resolution: \"a@npm:1\"}\nb: *x\n", "LOCKFILE_INVALID", "anchors", 0},
    {lock_berry, META "a:\n  <<: {resolution: \"a@npm:1\"}\n", "LOCKFILE_INVALID", "merge", 0},
    {lock_berry, META "a: !!binary x\n", "LOCKFILE_INVALID", "tags", 0},
    {lock_berry, META "---\na: b\n", "LOCKFILE_INVALID", "second document", 0},
    {lock_berry, META "? [a]\n: b\n", "LOCKFILE_INVALID", "no text", 0},
    {lock_berry, "- a\n", "LOCKFILE_INVALID", "no text", 0},
    {lock_berry, "", "LOCKFILE_INVALID", "empty", 0},
    {lock_berry, "a\n", "LOCKFILE_INVALID", "no map", 0},

    /* ---- pnpm ---- */
    {lock_pnpm, PNPM "packages:\n\n  nullthrows@1.1.1:\n" P_HASH "    engines: {node: '>=1'}\n",
     NULL, NULL, 1},
    {lock_pnpm, "lockfileVersion: '6.0'\n\npackages:\n\n  /@s/a@1.0.0(b@1):\n" P_HASH, NULL, NULL,
     1},
    {lock_pnpm,
     PNPM
     "importers:\n  apps/m:\n    dependencies:\n      '@a/s':\n        specifier: workspace:*\n"
     "        version: link:../../packages/s\n",
     NULL, NULL, 0},
    {lock_pnpm,
     PNPM "packages:\n  evil@1.0.0:\n    resolution: {tarball: https://h.example/e.tgz}\n",
     "LOCKFILE_SOURCE", "`evil@1.0.0` comes from tarball", 0},
    {lock_pnpm,
     PNPM
     "packages:\n  evil@1.0.0:\n    resolution: {integrity: sha512-AA, tarball: https://h/e.tgz}\n",
     "LOCKFILE_SOURCE", "`evil@1.0.0`", 0},
    {lock_pnpm,
     PNPM "packages:\n  evil@git+https://h/e:\n    resolution: {commit: 0, repo: https://h/e, "
          "type: git}\n",
     "LOCKFILE_SOURCE", "`evil@git", 0},
    {lock_pnpm, PNPM "packages:\n  evil@file:e:\n    resolution: {directory: e, type: directory}\n",
     "LOCKFILE_SOURCE", "directory `e`", 0},
    {lock_pnpm, PNPM IMPORTER "        specifier: github:o/evil\n        version: 1\n",
     "LOCKFILE_SOURCE", "`evil` (asked for by package.json)", 0},
    {lock_pnpm, PNPM IMPORTER "        specifier: 'link:../evil'\n        version: link:../evil\n",
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_pnpm, PNPM IMPORTER "        specifier: workspace:*\n        version: link:../evil\n",
     "LOCKFILE_SOURCE", "outside the source", 0},
    {lock_pnpm, PNPM "importers:\n  ../x: {}\n", "LOCKFILE_SOURCE", "../x", 0},
    {lock_pnpm,
     "lockfileVersion: '6.0'\ndependencies:\n  evil:\n    specifier: file:e\n    version: 1\n",
     "LOCKFILE_SOURCE", "`evil`", 0},
    {lock_pnpm, PNPM "packages:\n  bare@1.0.0:\n    engines: {node: '1'}\n", "LOCKFILE_INTEGRITY",
     "`bare@1.0.0`", 0},
    {lock_pnpm, PNPM "packages:\n  bare@1.0.0:\n    resolution: {integrity: md5-A}\n",
     "LOCKFILE_INTEGRITY", "`bare@1.0.0`", 0},
    {lock_pnpm, PNPM "packages:\n  bare@1.0.0:\n    resolution: x\n", "LOCKFILE_INTEGRITY",
     "`bare@1.0.0`", 0},
    {lock_pnpm,
     PNPM "packages:\n  a@1:\n    resolution: {integrity: sha512-A, integrity: sha512-B}\n",
     "LOCKFILE_INVALID", "second integrity", 0},
    {lock_pnpm, PNPM "pnpmfileChecksum: abc\n", "MANAGER_SETTING", ".pnpmfile.cjs", 0},
    {lock_pnpm, "lockfileVersion: 5.4\n", "LOCKFILE_INVALID", "lockfileVersion 5.4", 0},
    {lock_pnpm, "packages: {}\n", "LOCKFILE_INVALID", "no lockfileVersion", 0},
    {lock_pnpm, "lockfileVersion: {a: b}\n", "LOCKFILE_INVALID", "no lockfileVersion", 0},
    {lock_pnpm, PNPM "packages: *x\n", "LOCKFILE_INVALID", "line 3", 0},
};

static void row_check(const struct row *row)
{
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    int r = row->read(row->text, strlen(row->text), NULL, &lock, &refusal);
    if (!row->error && r != 0)
        fail_msg("%s: %s %s", row->text, refusal.name, refusal.text);
    if (row->error && (r != BOX_REFUSED || strcmp(refusal.name, row->error) != 0))
        fail_msg("%s: %s %s", row->text, r ? refusal.name : "passed", refusal.text);
    if (row->error && !strstr(refusal.text, row->says))
        fail_msg("`%s` does not say `%s`", refusal.text, row->says);
    if (!row->error)
        assert_int_equal(lock.packages, row->packages);
    lock_deinit(&lock);
}

static void each_lockfile_gets_its_answer(void **state)
{
    unsigned pass = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        row_check(&rows[i]);
        pass += !rows[i].error;
    }
    print_message("%zu lockfiles: %u passed, %zu refused by name\n", ARRAY_LEN(rows), pass,
                  ARRAY_LEN(rows) - pass);
}

/* ---- what is handed on ---- */

static void yarn_is_shown_places_without_hosts(void **state)
{
    static const char text[] = Y1 "\"@s/a@^1\":\n  version \"1.0.0\"\n  resolved "
                                  "\"https://r.example/api/npm/all/@s/a/-/"
                                  "a-1.0.0.tgz#0123456789012345678901234567890123456789\"\n" Y1_HASH
                                  "\n\"x@npm:@s/real@^1\":\n  version \"2.0.0\"\n" Y1_HASH
                                  "\nb@^3:\n  version \"3.0.0\"\n" Y1_HASH;
    AUTO_FREE char *out = NULL;
    size_t n = 0;
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    FILE *to = open_memstream(&out, &n);
    assert_int_equal(lock_yarn(text, strlen(text), to, &lock, &refusal), 0);
    fclose(to);
    assert_null(strstr(out, "https:"));
    assert_non_null(
        strstr(out, "resolved \"@s/a/-/a-1.0.0.tgz#0123456789012345678901234567890123456789\"\n"));
    assert_non_null(strstr(out, "resolved \"@s/real/-/real-2.0.0.tgz\"\n"));
    assert_non_null(strstr(out, "resolved \"b/-/b-3.0.0.tgz\"\n"));
    /* It passes again, and says the same. */
    AUTO_FREE char *again = NULL;
    assert_int_equal(lock.packages, 3);
    to = open_memstream(&again, &n);
    assert_int_equal(lock_yarn(out, strlen(out), to, &lock, &refusal), BOX_REFUSED);
    fclose(to);
    assert_string_equal(refusal.name, "LOCKFILE_SOURCE");
    lock_deinit(&lock);
}

static void patches_are_named(void **state)
{
    static const char berry[] =
        META "\"r@patch:r@npm%3A1#~/.yarn/patches/r.patch\":\n  resolution: "
             "\"r@patch:r@npm%3A1#~/.yarn/patches/r.patch::version=1&hash=ab\"\n" B_SUM;
    static const char pnpm[] =
        PNPM "patchedDependencies:\n  a@1:\n    hash: x\n    path: patches/a.patch\n";
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    assert_int_equal(lock_berry(berry, strlen(berry), NULL, &lock, &refusal), 0);
    assert_int_equal(lock_pnpm(pnpm, strlen(pnpm), NULL, &lock, &refusal), 0);
    assert_int_equal(lock.patches.n, 2);
    assert_string_equal(lock.patches.v[0], ".yarn/patches/r.patch");
    assert_string_equal(lock.patches.v[1], "patches/a.patch");
    lock_deinit(&lock);
}

/* ---- cuts and bombs ---- */

enum { REAL_MAX = 4 << 20, CUTS = 2048 };

static const char *apps;

/* Never more packages than the whole has: a cut can only lose some. */
static void cut_check(lock_read *read, const char *text, size_t n, uint64_t packages)
{
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    int r = read(text, n, NULL, &lock, &refusal);
    assert_true(r == 0 || r == BOX_REFUSED);
    assert_true(r == 0 ? lock.packages <= packages : refusal.name != NULL);
    lock_deinit(&lock);
}

static void real_cut(const char *file, lock_read *read, uint64_t packages)
{
    char path[1024];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    snprintf(path, sizeof path, "%s/%s", apps, file);
    assert_int_equal(file_read(path, REAL_MAX, &text, &n), 0);
    assert_int_equal(read(text, n, NULL, &lock, &refusal), 0);
    assert_int_equal(lock.packages, packages);
    lock_deinit(&lock);
    size_t small = n < CUTS ? n : CUTS;
    for (size_t i = 0; i < small; i++)
        cut_check(read, text, i, packages);
    for (size_t i = 0; i < 32; i++)
        cut_check(read, text, n - 1 - i, packages);
    print_message("%s: %llu packages, %zu cuts\n", file, (unsigned long long)packages, small + 32);
}

static void real_lockfiles_pass_and_their_cuts_are_safe(void **state)
{
    real_cut("yarn-classic/yarn.lock", lock_yarn, 290);
    real_cut("workspace-yarn/yarn.lock", lock_yarn, 290);
    real_cut("yarn-berry/yarn.lock", lock_berry, 291);
    real_cut("pnpm/pnpm-lock.yaml", lock_pnpm, 288);
    real_cut("hello/package-lock.json", lock_npm, 299);
}

/* Small rows, cut at every byte. */
static void every_row_cut_at_every_byte_is_safe(void **state)
{
    unsigned cuts = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t n = 0; n <= strlen(rows[i].text); n++, cuts++)
            cut_check(rows[i].read, rows[i].text, n, UINT64_MAX);
    print_message("%u cuts\n", cuts);
}

static void repeat(FILE *to, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        fputs(text, to);
}

static void bomb_check(const char *name, const char *head, const char *body, size_t times)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    fputs(head, to);
    repeat(to, body, times);
    fclose(to);
    struct box_refusal refusal = {0};
    struct lock lock = {0};
    uint64_t from_ms = clock_boot_ms();
    assert_int_equal(lock_berry(text, n, NULL, &lock, &refusal), BOX_REFUSED);
    uint64_t ms = clock_boot_ms() - from_ms;
    print_message("%s: %zu bytes refused in %llu ms: %s\n", name, n, (unsigned long long)ms,
                  refusal.text);
    assert_string_equal(refusal.name, "LOCKFILE_INVALID");
    assert_true(ms < 10000);
    lock_deinit(&lock);
}

static void bombs_are_refused_at_once(void **state)
{
    bomb_check("deep lists", META "a: ", "[", 1000000);
    bomb_check("deep maps", META "a: ", "{a: ", 1000000);
    bomb_check("aliases", META "a: &a [x,x]\nb: ", "*a\n", 100000);
    bomb_check("many values", META "a: [", "x,", 3000000);
    bomb_check("a long text", META "a: ", "xxxxxxxxxxxxxxxx", 100000);
    bomb_check("blank depth", META, "- ", 100000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lockfile_gets_its_answer),
        cmocka_unit_test(yarn_is_shown_places_without_hosts),
        cmocka_unit_test(patches_are_named),
        cmocka_unit_test(real_lockfiles_pass_and_their_cuts_are_safe),
        cmocka_unit_test(every_row_cut_at_every_byte_is_safe),
        cmocka_unit_test(bombs_are_refused_at_once),
    };
    assert_int_equal(argc, 2);
    apps = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
