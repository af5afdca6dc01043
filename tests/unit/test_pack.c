/* test_pack.c shows that a folder becomes the same bytes each time, without what must not travel:
 * version control, packages, secrets, build outputs, and links or devices that reach outside. It
 * matters because a source archive leaves the developer's machine. */
#undef NDEBUG
#include "cli/pack.h"
#include "folder.h"
#include "text.h"

#include <archive.h>
#include <archive_entry.h>
#include <base/auto.h>
#include <base/file.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rota-pack-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void file_make(const char *name, const char *text)
{
    AUTO_FREE char *path = x_printf("%s/%s", folder, name);
    AUTO_FREE char *dir = x_strdup(path);
    *strrchr(dir, '/') = 0;
    assert_int_equal(dir_make(dir, 0755), 0);
    assert_int_equal(file_write(path, 0644, text, strlen(text)), 0);
}

static void link_make(const char *name, const char *target)
{
    AUTO_FREE char *path = x_printf("%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
}

static char skipped[512];

static void note_skipped(void *arg, const char *path, const char *why)
{
    (void)arg;
    (void)why;
    size_t n = strlen(skipped);
    snprintf(skipped + n, sizeof skipped - n, "%s ", path);
}

/* Packs into a fresh unnamed file. */
static int pack(int *ret_fd, struct pack_result *result)
{
    char path[] = "/tmp/rota-pack-out-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    skipped[0] = 0;
    *ret_fd = fd;
    return pack_folder(folder, fd, note_skipped, NULL, result);
}

/* "name:size name->target …" in the archive's order; also checks that the entries say nothing of
 * this machine. */
static char *listing(int fd)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    char *text = x_strdup("");
    lseek(fd, 0, SEEK_SET);
    archive_read_support_filter_gzip(a);
    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_fd(a, fd, 65536), ARCHIVE_OK);
    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        const char *target = archive_entry_symlink(e);
        char *longer = target ? x_printf("%s%s->%s ", text, archive_entry_pathname(e), target)
                              : x_printf("%s%s:%d ", text, archive_entry_pathname(e),
                                         (int)archive_entry_size(e));
        free(text);
        text = longer;
        assert_int_equal(archive_entry_mtime(e), 0);
        assert_int_equal(archive_entry_uid(e), 0);
        assert_int_equal(archive_entry_gid(e), 0);
        assert_true(!archive_entry_uname(e) || !*archive_entry_uname(e));
    }
    archive_read_free(a);
    return text;
}

static void hash(int fd, uint8_t sha256[32])
{
    crypto_hash_sha256_state state;
    unsigned char buf[4096];
    ssize_t n;
    crypto_hash_sha256_init(&state);
    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, buf, sizeof buf)) > 0)
        crypto_hash_sha256_update(&state, buf, (unsigned long long)n);
    crypto_hash_sha256_final(&state, sha256);
}

static void only_what_a_build_needs_travels(void **state)
{
    static const char *const kept[] = {"App.tsx",      "android/app/src/x.java", "build/tool.js",
                                       "ios/App/a.m",  "package.json",           "src/env.ts",
                                       "src/f.gitkeep"};
    static const char *const left[] = {".git/config",
                                       "node_modules/a/index.js",
                                       "packages/b/node_modules/c/x.js",
                                       ".npmrc",
                                       "packages/b/.npmrc",
                                       ".env",
                                       ".env.production",
                                       "packages/b/.env.local",
                                       "ios/Pods/P.m",
                                       "apps/x/ios/Pods/P.m",
                                       "ios/build/x.o",
                                       "android/build/x",
                                       "android/app/build/y",
                                       "out/app.apk",
                                       "main.jsbundle",
                                       ".gradle/c"};
    struct pack_result result;
    AUTO_FD fd = -1;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        file_make(kept[i], "kept!");
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        file_make(left[i], "SECRET");
    assert_int_equal(pack(&fd, &result), 0);
    AUTO_FREE char *list = listing(fd);
    assert_string_equal(list, "App.tsx:5 android/app/src/x.java:5 build/tool.js:5 ios/App/a.m:5 "
                              "package.json:5 src/env.ts:5 src/f.gitkeep:5 ");
    assert_int_equal(result.files, ARRAY_LEN(kept));
    assert_int_equal(result.bytes, 5 * ARRAY_LEN(kept));
    printf("%zu files kept, %zu left out by %zu entries\n", ARRAY_LEN(kept), ARRAY_LEN(left),
           result.left_out);
}

/* A file with a token in it is the commonest way of losing one. */
static void of_an_npmrc_the_allowed_lines_travel(void **state)
{
    static const struct {
        const char *text, *travels;
    } rows[] = {
        {"; mine\nsave-exact = true\n@corp:registry = https://r.example/npm/\n"
         "//r.example/npm/:_authToken=${NPM_TOKEN}\nemail=a@b.example\nlegacy-peer-deps\n",
         "@corp:registry=https://r.example/npm/\n//r.example/npm/:_authToken=${NPM_TOKEN}\n"
         "legacy-peer-deps=true\n"},
        {"save-exact=true\n", NULL},
        {"", NULL},
        {"legacy-peer-deps=true\n//r.example/:_authToken=npm_abc\n", NULL},
        {"legacy-peer-deps=true\n_auth=abc\n", NULL},
        {"legacy-peer-deps=true\nregistry=http://localhost:4873/\n", NULL},
        {"legacy-peer-deps=true\n[section]\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pack_result result;
        char want[64] = "a.js:1 ";
        AUTO_FD fd = -1;
        file_make("a.js", "a");
        file_make(".npmrc", rows[i].text);
        assert_int_equal(pack(&fd, &result), 0);
        AUTO_FREE char *list = listing(fd);
        if (rows[i].travels)
            snprintf(want, sizeof want, ".npmrc:%zu a.js:1 ", strlen(rows[i].travels));
        assert_string_equal(list, want);
        assert_int_equal(result.left_out, rows[i].travels ? 0 : 1);
    }
}

#define RC_SECRET "s3cr3t-in-the-clear"

/* The file of a folder that Yarn installs is part of it, so there a secret stops the publish. */
static void a_yarnrc_with_a_secret_stays_here(void **state)
{
    static const struct {
        const char *text, *error, *says; /* NULL: it travels */
    } rows[] = {
        {"nodeLinker: node-modules\nnpmScopes:\n  corp:\n    npmRegistryServer: https://r.example\n"
         "    npmAuthToken: ${NPM_TOKEN}\n",
         NULL, NULL},
        {"# npmAuthToken: x\n", NULL, NULL},
        {"", NULL, NULL},
        {"nodeLinker: node-modules\nnpmAuthToken: " RC_SECRET "\n", "NPMRC_SECRET",
         ".yarnrc.yml line 2: `npmAuthToken`"},
        {"npmScopes: {corp: {npmAuthToken: \"" RC_SECRET "\"}}\n", "NPMRC_SECRET",
         ".yarnrc.yml line 1: `npmAuthToken`"},
        {"npmRegistries:\n  'https://r.example':\n    npmAuthIdent: me:" RC_SECRET "\n",
         "NPMRC_SECRET", ".yarnrc.yml line 3: `npmAuthIdent`"},
        {"npmRegistryServer: https://me:" RC_SECRET "@r.example\n", "NPMRC_INVALID",
         "npmRegistryServer"},
        {"npmScopes: 1\nnpmAuthToken: " RC_SECRET "\n", "NPMRC_INVALID", "npmScopes"},
        {"a: [\nnpmAuthToken: " RC_SECRET "\n", "LOCKFILE_INVALID", ".yarnrc.yml line"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pack_result result;
        char want[64];
        AUTO_FD fd = -1;
        file_make("m/yarn.lock", "l");
        file_make("m/.yarnrc.yml", rows[i].text);
        int r = pack(&fd, &result);
        assert_int_equal(r, rows[i].error ? PACK_REFUSED : 0);
        if (rows[i].error) {
            assert_string_equal(result.refusal.error, rows[i].error);
            assert_non_null(strstr(result.refusal.text, rows[i].says));
            assert_ptr_equal(strstr(result.refusal.text, "m/.yarnrc.yml"), result.refusal.text);
            assert_null(strstr(result.refusal.text, RC_SECRET));
        } else {
            AUTO_FREE char *list = listing(fd);
            snprintf(want, sizeof want, "m/.yarnrc.yml:%zu m/yarn.lock:1 ", strlen(rows[i].text));
            assert_string_equal(list, want);
        }
    }
    printf("%zu files judged\n", ARRAY_LEN(rows));
}

static void a_yarnrc_that_no_build_reads_is_left_out(void **state)
{
    struct pack_result result;
    AUTO_FD fd = -1;
    (void)state;
    file_make("a.js", "a");
    file_make("examples/.yarnrc.yml", "npmAuthToken: " RC_SECRET "\n");
    assert_int_equal(pack(&fd, &result), 0);
    AUTO_FREE char *list = listing(fd);
    assert_string_equal(list, "a.js:1 ");
    assert_string_equal(skipped, "examples/.yarnrc.yml ");
    assert_int_equal(result.left_out, 1);
}

static void a_link_is_no_way_around_the_judge(void **state)
{
    struct pack_result result;
    AUTO_FD fd = -1;
    AUTO_FD again = -1;
    (void)state;
    file_make("yarn.lock", "l");
    file_make("conf/yarn.yml", "npmAuthToken: " RC_SECRET "\n");
    link_make(".yarnrc.yml", "conf/yarn.yml");
    assert_int_equal(pack(&fd, &result), PACK_REFUSED);
    file_make("conf/yarn.yml", "nodeLinker: node-modules\n");
    assert_int_equal(pack(&again, &result), 0);
    AUTO_FREE char *list = listing(again);
    assert_string_equal(list, ".yarnrc.yml->conf/yarn.yml conf/yarn.yml:25 yarn.lock:1 ");
}

static void the_same_folder_gives_the_same_bytes(void **state)
{
    struct pack_result result;
    uint8_t first[32], second[32];
    AUTO_FD one = -1;
    AUTO_FD two = -1;
    (void)state;
    file_make("b/z.js", "z");
    file_make("a.js", "a");
    assert_int_equal(pack(&one, &result), 0);
    hash(one, first);
    AUTO_FREE char *path = x_printf("%s/a.js", folder);
    assert_int_equal(chmod(path, 0600), 0); /* times and modes of this machine change */
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(pack(&two, &result), 0);
    hash(two, second);
    assert_memory_equal(first, second, 32);
}

static void links_that_stay_are_kept_and_others_named(void **state)
{
    struct pack_result result;
    AUTO_FD fd = -1;
    (void)state;
    file_make("src/a.js", "a");
    link_make("inside", "src/a.js");
    link_make("src/up", "../package.json");
    link_make("absolute", "/etc/passwd");
    link_make("escape", "../../etc/passwd");
    link_make("src/by-name", "b/../../../etc/passwd");
    AUTO_FREE char *fifo = x_printf("%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(pack(&fd, &result), 0);
    AUTO_FREE char *list = listing(fd);
    assert_string_equal(list, "inside->src/a.js src/a.js:1 src/up->../package.json ");
    assert_string_equal(skipped, "absolute escape fifo src/by-name ");
}

static void where_a_link_leads_is_decided_by_its_text(void **state)
{
    static const struct {
        const char *path, *target;
        bool stays;
    } rows[] = {
        {"a", "b", true},          {"a", ".", true},           {"a", "..", false},
        {"a", "../a", false},      {"d/a", "..", true},        {"d/a", "../..", false},
        {"d/a", "../x/y", true},   {"a", "/x", false},         {"a", "", false},
        {"a", "x/../y", false},    {"d/e/a", "../../x", true}, {"d/e/a", "../../../x", false},
        {"a", "./x", true},        {"d/a", "./../x", true},    {"a", "..x", true},
        {"d/a", "../x/..", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (pack_link_stays(rows[i].path, rows[i].target) != rows[i].stays)
            fail_msg("%s -> %s", rows[i].path, rows[i].target);
    printf("%zu links judged\n", ARRAY_LEN(rows));
}

static void names_with_any_bytes_and_great_lengths_survive(void **state)
{
    struct pack_result result;
    AUTO_FD fd = -1;
    (void)state;
    AUTO_FREE char *deep = x_strdup("x.js");
    for (int i = 0; i < 20; i++) {
        char *longer = x_printf("a-rather-long-folder/%s", deep);
        free(deep);
        deep = longer;
    }
    file_make(deep, "d");
    file_make("name with; $(shell) `words` & 'quotes'", "q");
    file_make("\xc3\xbcn\xc3\xad.png", "u");
    assert_int_equal(pack(&fd, &result), 0);
    AUTO_FREE char *list = listing(fd);
    assert_non_null(strstr(list, deep));
    assert_non_null(strstr(list, "name with; $(shell) `words` & 'quotes':1"));
    assert_non_null(strstr(list, "\xc3\xbcn\xc3\xad.png:1"));
}

static void an_executable_stays_one(void **state)
{
    struct pack_result result;
    struct archive_entry *e;
    AUTO_FD fd = -1;
    (void)state;
    file_make("gradlew", "#!");
    AUTO_FREE char *path = x_printf("%s/gradlew", folder);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(pack(&fd, &result), 0);
    struct archive *a = archive_read_new();
    lseek(fd, 0, SEEK_SET);
    archive_read_support_filter_gzip(a);
    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_fd(a, fd, 65536), ARCHIVE_OK);
    assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
    assert_int_equal(archive_entry_perm(e), 0755);
    archive_read_free(a);
}

static void an_empty_or_absent_folder_is_an_outcome(void **state)
{
    struct pack_result result;
    AUTO_FD fd = -1;
    AUTO_FD null = open("/dev/null", O_WRONLY);
    (void)state;
    file_make("node_modules/x", "x");
    assert_int_equal(pack(&fd, &result), PACK_EMPTY);
    assert_int_equal(pack_folder("/nonexistent/folder", null, NULL, NULL, &result), PACK_NO_FOLDER);
    assert_int_equal(pack_folder("/etc/passwd", null, NULL, NULL, &result), PACK_NO_FOLDER);
}

static void a_full_disk_is_a_fault(void **state)
{
    struct pack_result result;
    AUTO_FD full = open("/dev/full", O_WRONLY);
    (void)state;
    file_make("a.js", "a");
    assert_true(full >= 0);
    assert_true(pack_folder(folder, full, NULL, NULL, &result) < 0);
}

static int locale_setup(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") && sodium_init() >= 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_a_build_needs_travels, setup, teardown),
        cmocka_unit_test_setup_teardown(of_an_npmrc_the_allowed_lines_travel, setup, teardown),
        cmocka_unit_test_setup_teardown(a_yarnrc_with_a_secret_stays_here, setup, teardown),
        cmocka_unit_test_setup_teardown(a_yarnrc_that_no_build_reads_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_is_no_way_around_the_judge, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_folder_gives_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(links_that_stay_are_kept_and_others_named, setup, teardown),
        cmocka_unit_test(where_a_link_leads_is_decided_by_its_text),
        cmocka_unit_test_setup_teardown(names_with_any_bytes_and_great_lengths_survive, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_executable_stays_one, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_or_absent_folder_is_an_outcome, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_a_fault, setup, teardown),
    };
    return cmocka_run_group_tests(tests, locale_setup, NULL);
}
