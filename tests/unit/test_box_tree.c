/* test_box_tree.c: what rota-box copies, moves and packs. npm must see package.json files and the
 * lockfile and nothing else of an app (an .npmrc least of all); what it installed must come to the
 * app, workspaces included; and the same assets must always give the same archive. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/file.h>
#include <box.h>
#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tree.h>
#include <unistd.h>

static const char lock[] = "{\"lockfileVersion\":3,\"packages\":{\"\":{}}}";

struct world {
    char top[64], app[80], install[80];
    struct box_refusal refusal;
};

static void world_open(struct world *w)
{
    *w = (struct world){0};
    snprintf(w->top, sizeof w->top, "/tmp/rota-tree-XXXXXX");
    assert_non_null(mkdtemp(w->top));
    snprintf(w->app, sizeof w->app, "%s/app", w->top);
    snprintf(w->install, sizeof w->install, "%s/install", w->top);
    assert_int_equal(mkdir(w->app, 0755), 0);
    assert_int_equal(mkdir(w->install, 0755), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

static void world_close(struct world *w)
{
    nftw(w->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *folder, const char *path, const char *text)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", folder, path);
    char *slash = strrchr(full, '/');
    *slash = 0;
    assert_int_equal(dir_make(full, 0755), 0);
    *slash = '/';
    assert_int_equal(file_write(full, 0644, text, strlen(text)), 0);
}

static int name_add(void *arg, const char *path, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return TREE_GO_ON;
    strncat(arg, path, 200);
    strncat(arg, " ", 2);
    return TREE_GO_ON;
}

/* All files below, sorted, each followed by a blank. */
static void assert_files(const char *folder, const char *want)
{
    char names[1000] = "";
    assert_int_equal(tree_walk(folder, name_add, names), 0);
    assert_string_equal(names, want);
}

static void npm_sees_package_files_only(void **state)
{
    struct world w;
    uint64_t packages = 99;
    world_open(&w);
    put(w.app, "package.json", "{}");
    put(w.app, "package-lock.json", lock);
    put(w.app, ".npmrc", "registry=x");
    put(w.app, "index.js", "");
    put(w.app, "packages/a/package.json", "{}");
    put(w.app, "packages/a/.npmrc", "registry=x");
    put(w.app, "packages/a/node_modules/b/package.json", "{}");
    assert_int_equal(box_verify(w.app, w.install, &packages, &w.refusal), 0);
    assert_int_equal(packages, 0);
    assert_files(w.install, "package-lock.json package.json packages/a/package.json ");
    world_close(&w);
}

static void refused(const char *package, const char *lockfile, const char *error)
{
    struct world w;
    uint64_t packages = 0;
    world_open(&w);
    if (package)
        put(w.app, "package.json", package);
    if (lockfile)
        put(w.app, "package-lock.json", lockfile);
    assert_int_equal(box_verify(w.app, w.install, &packages, &w.refusal), BOX_REFUSED);
    assert_string_equal(w.refusal.name, error);
    assert_files(w.install, "");
    world_close(&w);
}

static void what_is_missing_or_broken_has_its_name(void **state)
{
    refused(NULL, lock, "PACKAGE_JSON_INVALID");
    refused("", lock, "PACKAGE_JSON_INVALID");
    refused("[]", lock, "PACKAGE_JSON_INVALID");
    refused("{\"name\":", lock, "PACKAGE_JSON_INVALID");
    refused("{}", NULL, "LOCKFILE_MISSING");
    refused("{}", "{", "LOCKFILE_INVALID");
}

static void a_linked_package_file_is_not_followed(void **state)
{
    struct world w;
    char path[PATH_MAX];
    uint64_t packages = 0;
    world_open(&w);
    put(w.top, "elsewhere", "{}");
    put(w.app, "package-lock.json", lock);
    snprintf(path, sizeof path, "%s/package.json", w.app);
    assert_int_equal(symlink("../elsewhere", path), 0);
    assert_int_equal(box_verify(w.app, w.install, &packages, &w.refusal), BOX_REFUSED);
    assert_string_equal(w.refusal.name, "PACKAGE_JSON_INVALID");
    world_close(&w);
}

static void each_node_modules_moves_to_its_place(void **state)
{
    struct world w;
    world_open(&w);
    put(w.app, "index.js", "");
    put(w.app, "packages/a/a.js", "");
    put(w.install, "package.json", "{}");
    put(w.install, "node_modules/x/x.js", "");
    put(w.install, "node_modules/x/node_modules/y/y.js", "");
    put(w.install, "packages/a/node_modules/z/z.js", "");
    assert_int_equal(box_settle(w.install, w.app, &w.refusal), 0);
    assert_files(w.app, "index.js node_modules/x/node_modules/y/y.js node_modules/x/x.js "
                        "packages/a/a.js packages/a/node_modules/z/z.js ");
    assert_files(w.install, "package.json ");
    world_close(&w);
}

static void an_empty_install_is_refused(void **state)
{
    struct world w;
    world_open(&w);
    put(w.install, "package.json", "{}");
    assert_int_equal(box_settle(w.install, w.app, &w.refusal), BOX_REFUSED);
    assert_string_equal(w.refusal.name, "INSTALL_FAILED");
    world_close(&w);
}

static void pack(struct world *w, const char *folder, const char *name, char **ret, size_t *ret_n)
{
    char to[PATH_MAX];
    snprintf(to, sizeof to, "%s/%s", w->top, name);
    assert_int_equal(box_pack(folder, to, &w->refusal), 0);
    assert_int_equal(file_read(to, 1 << 20, ret, ret_n), 0);
}

static void the_same_assets_give_the_same_bytes(void **state)
{
    struct world w;
    AUTO_FREE char *one = NULL, *two = NULL;
    size_t one_n, two_n;
    world_open(&w);
    put(w.app, "a/1.png", "one");
    put(w.app, "b/2.png", "two");
    put(w.install, "b/2.png", "two"); /* made in the other order, at another time */
    put(w.install, "a/1.png", "one");
    pack(&w, w.app, "one.tar.gz", &one, &one_n);
    pack(&w, w.install, "two.tar.gz", &two, &two_n);
    assert_int_equal(one_n, two_n);
    assert_memory_equal(one, two, one_n);
    world_close(&w);
}

static void no_assets_give_a_valid_archive(void **state)
{
    struct world w;
    AUTO_FREE char *text = NULL;
    size_t n;
    world_open(&w);
    pack(&w, w.app, "empty.tar.gz", &text, &n);
    assert_true(n > 10 && (unsigned char)text[0] == 0x1f && (unsigned char)text[1] == 0x8b);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npm_sees_package_files_only),
        cmocka_unit_test(what_is_missing_or_broken_has_its_name),
        cmocka_unit_test(a_linked_package_file_is_not_followed),
        cmocka_unit_test(each_node_modules_moves_to_its_place),
        cmocka_unit_test(an_empty_install_is_refused),
        cmocka_unit_test(the_same_assets_give_the_same_bytes),
        cmocka_unit_test(no_assets_give_a_valid_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
