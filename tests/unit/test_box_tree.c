/* test_box_tree.c: what rota-box finds, keeps and packs. What a package manager installed must be
 * found, workspaces included, and kept without the app's own files; and the same assets must always
 * give the same archive. */
#undef NDEBUG
#include "box_kit.h"

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

static void path_add(void *arg, const char *path)
{
    char *list = arg;
    snprintf(list + strlen(list), 1024 - strlen(list), "%s ", path);
}

static void each_outer_node_modules_is_named_and_gets_a_cache(void **state)
{
    struct world w;
    char list[1024] = "";
    world_open(&w, NULL);
    put(w.install, "package.json", "{}");
    put(w.install, "node_modules/x/x.js", "");
    put(w.install, "node_modules/x/node_modules/y/y.js", "");
    put(w.install, "packages/a/node_modules/z/z.js", "");
    put(w.install, "packages/a/node_modules/.cache/old", "");
    assert_int_equal(box_settle(w.install, path_add, list, &w.refusal), 0);
    assert_string_equal(list, "node_modules packages/a/node_modules ");
    put(w.install, "node_modules/.cache/can-be-written", "");
    world_close(&w);
}

static void an_empty_install_is_refused(void **state)
{
    struct world w;
    char list[1024] = "";
    world_open(&w, NULL);
    put(w.install, "package.json", "{}");
    assert_int_equal(box_settle(w.install, path_add, list, &w.refusal), BOX_REFUSED);
    assert_string_equal(w.refusal.name, "INSTALL_FAILED");
    world_close(&w);
}

static mode_t mode_of(const char *folder, const char *path)
{
    char full[PATH_MAX];
    struct stat st;
    snprintf(full, sizeof full, "%s/%s", folder, path);
    assert_int_equal(lstat(full, &st), 0);
    return st.st_mode;
}

static void what_is_kept_is_node_modules_with_plain_modes(void **state)
{
    struct world w;
    struct keep_count count;
    char path[PATH_MAX];
    world_open(&w, NULL);
    put(w.install, "package.json", "{}");
    put(w.install, "packages/a/package.json", "{}");
    put(w.install, "packages/a/node_modules/z/z.js", "z");
    put(w.install, "node_modules/x/run", "x");
    snprintf(path, sizeof path, "%s/node_modules/x/run", w.install);
    assert_int_equal(chmod(path, 06711), 0);
    snprintf(path, sizeof path, "%s/node_modules/x/pipe", w.install);
    assert_int_equal(mkfifo(path, 0644), 0);
    snprintf(path, sizeof path, "%s/node_modules/a", w.install);
    assert_int_equal(symlink("../packages/a", path), 0);
    assert_int_equal(box_keep(w.install, w.app, &count), 0);
    assert_files(w.app, "node_modules/a node_modules/x/run packages/a/node_modules/z/z.js ");
    assert_int_equal(mode_of(w.app, "node_modules/x/run"), S_IFREG | 0755);
    assert_true(S_ISLNK(mode_of(w.app, "node_modules/a")));
    assert_true(count.entries >= 3 && count.bytes >= 8192);
    world_close(&w);
}

static void an_old_layer_gives_what_the_new_one_has_not(void **state)
{
    struct world w;
    struct keep_count count;
    char to[96];
    world_open(&w, NULL);
    snprintf(to, sizeof to, "%s/to", w.top);
    assert_int_equal(mkdir(to, 0755), 0);
    put(w.app, "00/new", "new");
    put(w.app, "01/both", "new");
    put(w.install, "01/both", "old, and longer");
    put(w.install, "02/old", "old");
    assert_int_equal(box_merge(w.app, w.install, to, &count), 0);
    assert_files(to, "00/new 01/both 02/old ");
    AUTO_FREE char *text = NULL;
    size_t n;
    snprintf(to, sizeof to, "%s/to/01/both", w.top);
    assert_int_equal(file_read(to, 100, &text, &n), 0);
    assert_string_equal(text, "new");
    snprintf(to, sizeof to, "%s/to", w.top);
    assert_int_equal(box_merge(w.app, "/nonexistent", to, &count), 0);
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
    world_open(&w, NULL);
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
    world_open(&w, NULL);
    pack(&w, w.app, "empty.tar.gz", &text, &n);
    assert_true(n > 10 && (unsigned char)text[0] == 0x1f && (unsigned char)text[1] == 0x8b);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_outer_node_modules_is_named_and_gets_a_cache),
        cmocka_unit_test(what_is_kept_is_node_modules_with_plain_modes),
        cmocka_unit_test(an_old_layer_gives_what_the_new_one_has_not),
        cmocka_unit_test(an_empty_install_is_refused),
        cmocka_unit_test(the_same_assets_give_the_same_bytes),
        cmocka_unit_test(no_assets_give_a_valid_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
