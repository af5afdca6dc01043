/* test_box_verify.c: what a package manager gets to see of a source, and which manager that is.
 * Its own configuration least of all: a yarnPath, a plugin or a hook would run; a registry would
 * send an install elsewhere. What it does see must be hashed, so that a cache never gives one app
 * another's packages. */
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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tree.h>
#include <unistd.h>

#define NPM   "{\"lockfileVersion\":3,\"packages\":{\"\":{}}}"
#define YARN1 "# yarn lockfile v1\n"
#define BERRY "__metadata:\n  version: 8\n  cacheKey: 10c0\n"
#define PNPM  "lockfileVersion: '9.0'\n"

/* ---- which manager, and what it sees ---- */

static const struct pass {
    struct file file[FILES_MAX];
    const char *app; /* NULL: the top */
    const char *program, *root, *files;
} passes[] = {
    {{{"package.json", "{}"},
      {"package-lock.json", NPM},
      {".npmrc", "registry=x"},
      {"index.js", ""},
      {"packages/a/package.json", "{}"},
      {"packages/a/.npmrc", "registry=x"},
      {"packages/a/node_modules/b/package.json", "{}"}},
     NULL,
     "npm",
     ".",
     "package-lock.json package.json packages/a/package.json "},
    {{{"package.json", "{}"}, {"npm-shrinkwrap.json", NPM}, {"package-lock.json", "{"}},
     NULL,
     "npm",
     ".",
     "npm-shrinkwrap.json package.json "},
    {{{"package.json", "{}"}, {"yarn.lock", YARN1}, {".yarnrc", "yarn-path x"}},
     NULL,
     "yarn-1",
     ".",
     "package.json yarn.lock "},
    {{{"package.json", "{}"},
      {"yarn.lock", BERRY},
      {".yarnrc.yml", "yarnPath: x\n"},
      {".yarn/releases/x", ""}},
     NULL,
     "yarn-4.13",
     ".",
     ".yarnrc.yml package.json yarn.lock "},
    {{{"package.json", "{\"packageManager\":\"yarn@4.9.0+sha512.0\"}"},
      {"yarn.lock", "__metadata:\n  version: 10\n  cacheKey: 10\n"},
      {"package-lock.json", NPM}},
     NULL,
     "yarn-4",
     ".",
     ".yarnrc.yml package.json yarn.lock "},
    {{{"package.json", "{}"}, {"yarn.lock", "__metadata:\n  version: 6\n  cacheKey: 8\n"}},
     NULL,
     "yarn-3",
     ".",
     ".yarnrc.yml package.json yarn.lock "},
    {{{"package.json", "{}"}, {"pnpm-lock.yaml", PNPM}, {".pnpmfile.cjs", ""}},
     NULL,
     "pnpm-10",
     ".",
     "package.json pnpm-lock.yaml "},
    {{{"package.json", "{\"packageManager\":\"pnpm@9.15.0\"}"},
      {"pnpm-lock.yaml", PNPM},
      {"pnpm-workspace.yaml", "packages:\n  - 'p/*'\nstoreDir: /x\n"}},
     NULL,
     "pnpm-9",
     ".",
     "package.json pnpm-lock.yaml pnpm-workspace.yaml "},
    {{{"package.json", "{}"}, {"pnpm-lock.yaml", "lockfileVersion: '6.0'\n"}},
     NULL,
     "pnpm-9",
     ".",
     "package.json pnpm-lock.yaml "},
    {{{"package.json", "{\"pnpm\":{\"patchedDependencies\":{\"a@1\":\"patches/a.patch\"}}}"},
      {"pnpm-lock.yaml", PNPM "patchedDependencies:\n  a@1:\n    path: patches/a.patch\n"},
      {"patches/a.patch", "x"},
      {"patches/b.patch", "x"}},
     NULL,
     "pnpm-10",
     ".",
     "package.json patches/a.patch pnpm-lock.yaml "},
    {{{"package.json", "{}"}, {"package-lock.json", NPM}, {"apps/m/package.json", "{}"}},
     "apps/m",
     "npm",
     ".",
     "apps/m/package.json package-lock.json package.json "},
    /* An app with a lockfile of its own, in a source that has another. */
    {{{"package.json", "{}"},
      {"pnpm-lock.yaml", PNPM},
      {"apps/m/package.json", "{}"},
      {"apps/m/package-lock.json", NPM}},
     "apps/m",
     "npm",
     "apps/m",
     "apps/m/package-lock.json apps/m/package.json "},
};

static void each_source_has_its_manager(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
        const struct pass *p = &passes[i];
        struct world w;
        world_open(&w, p->file);
        int r = box_verify(w.app, p->app ? p->app : ".", w.install, &w.found, &w.refusal);
        if (r != 0)
            fail_msg("row %zu: %s %s", i, w.refusal.name, w.refusal.text);
        assert_string_equal(w.found.program, p->program);
        assert_string_equal(w.found.root, p->root);
        assert_files(w.install, p->files);
        world_close(&w);
    }
    print_message("%zu sources\n", ARRAY_LEN(passes));
}

/* ---- refusals ---- */

#define PATCHING "{\"scripts\":{\"postinstall\":\"patch-package\"}}"

static const struct refused {
    struct file file[FILES_MAX];
    const char *app, *error, *says;
} refusals[] = {
    {{{"package-lock.json", NPM}}, NULL, "PACKAGE_JSON_INVALID", "no package.json at the top"},
    {{{"package.json", ""}, {"package-lock.json", NPM}}, NULL, "PACKAGE_JSON_INVALID", "line 1"},
    {{{"package.json", "[]"}, {"package-lock.json", NPM}}, NULL, "PACKAGE_JSON_INVALID", "object"},
    {{{"package.json", "{\"name\":"}}, NULL, "PACKAGE_JSON_INVALID", "line 1"},
    {{{"package.json", "{}"}}, "apps/m", "PACKAGE_JSON_INVALID", "apps/m"},
    {{{"package.json", "{}"}}, "../x", "PACKAGE_JSON_INVALID", "../x"},
    {{{"package.json", "{}"}}, NULL, "LOCKFILE_MISSING", "yarn.lock or pnpm-lock.yaml at the top"},
    {{{"a/package.json", "{}"}}, "a", "LOCKFILE_MISSING", "or in a"},
    {{{"package.json", "{\"packageManager\":\"yarn@1.22.0\"}"}, {"package-lock.json", NPM}},
     NULL,
     "LOCKFILE_MISSING",
     "yarn.lock"},
    {{{"package.json", "{}"}, {"package-lock.json", "{"}}, NULL, "LOCKFILE_INVALID", "line 1"},
    {{{"package.json", "{}"}, {"package-lock.json", NPM}, {"yarn.lock", YARN1}},
     NULL,
     "LOCKFILE_AMBIGUOUS",
     "package-lock.json and yarn.lock"},
    {{{"package.json", "{}"}, {"bun.lock", "{}"}, {"yarn.lock", YARN1}},
     NULL,
     "LOCKFILE_AMBIGUOUS",
     "yarn.lock and bun.lock"},
    {{{"package.json", "{}"}, {"bun.lockb", ""}}, NULL, "MANAGER_UNKNOWN", "`bun`"},
    {{{"package.json", "{\"packageManager\":\"cargo@1\"}"}, {"yarn.lock", YARN1}},
     NULL,
     "MANAGER_UNKNOWN",
     "`cargo`"},
    {{{"package.json", "{\"packageManager\":\"yarn@4.0.0\"}"}, {"yarn.lock", YARN1}},
     NULL,
     "LOCKFILE_INVALID",
     "written by Yarn 1"},
    {{{"package.json", "{\"packageManager\":\"yarn@1.22.0\"}"}, {"yarn.lock", BERRY}},
     NULL,
     "LOCKFILE_INVALID",
     "written by Yarn 2"},
    {{{"package.json", "{\"dependencies\":{\"evil\":\"file:../evil\"}}"}, {"yarn.lock", YARN1}},
     NULL,
     "LOCKFILE_SOURCE",
     "`evil` (asked for by package.json)"},
    {{{"package.json", PATCHING}, {"package-lock.json", NPM}, {"patches/@s+a+1.0.0.patch", ""}},
     NULL,
     "PACKAGE_NEEDS_SCRIPT",
     "`@s/a` is changed by patches/@s+a+1.0.0.patch"},
    {{{"package.json", "{\"scripts\":{\"prepare\":\"x && patch-package --patch-dir=fix\"}}"},
      {"package-lock.json", NPM},
      {"fix/react-native+0.86.3+001+x.patch", ""}},
     NULL,
     "PACKAGE_NEEDS_SCRIPT",
     "`react-native`"},
    {{{"package.json", "{}"}, {"yarn.lock", BERRY}, {".yarnrc.yml", "nodeLinker: pnp\n"}},
     NULL,
     "MANAGER_SETTING",
     "nodeLinker: pnp"},
    {{{"package.json", "{}"}, {"yarn.lock", BERRY}, {".yarnrc.yml", "{yarnPath: x}\n"}},
     NULL,
     "MANAGER_SETTING",
     "line of its own"},
    {{{"package.json", "{}"},
      {"yarn.lock", BERRY},
      {".yarnrc.yml", "nmMode: classic\nnpmAuthToken: s3cret\n"}},
     NULL,
     "NPMRC_SECRET",
     ".yarnrc.yml line 2: `npmAuthToken` holds a secret"},
    {{{"package.json", "{}"},
      {"yarn.lock", BERRY},
      {".yarnrc.yml", "npmRegistryServer: http://r.example/\n"}},
     NULL,
     "NPMRC_INVALID",
     ".yarnrc.yml line 1: `npmRegistryServer`"},
    /* A line for YAML that is none for whoever counts newlines. */
    {{{"package.json", "{}"},
      {"yarn.lock", BERRY},
      {".yarnrc.yml", "nmMode: classic # \xe2\x80\xa8nmMode: x\nyarnPath: x\n"}},
     NULL,
     "MANAGER_SETTING",
     "plain text"},
    {{{"package.json", "{}"},
      {"pnpm-lock.yaml", PNPM},
      {"pnpm-workspace.yaml", "configDependencies:\n  x: 1.0.0+sha512-A\n"}},
     NULL,
     "MANAGER_SETTING",
     "configDependencies"},
    {{{"package.json", "{\"pnpm\":{\"configDependencies\":{\"x\":\"1\"}}}"},
      {"pnpm-lock.yaml", PNPM}},
     NULL,
     "MANAGER_SETTING",
     "configDependencies"},
    {{{"package.json", "{}"},
      {"pnpm-lock.yaml", PNPM "patchedDependencies:\n  a@1:\n    path: .pnpmfile.cjs\n"},
      {".pnpmfile.cjs", ""}},
     NULL,
     "MANAGER_SETTING",
     "`.pnpmfile.cjs`"},
    {{{"package.json", "{}"},
      {"pnpm-lock.yaml", PNPM "patchedDependencies:\n  a@1:\n    path: ../x.patch\n"}},
     NULL,
     "MANAGER_SETTING",
     "`../x.patch`"},
};

static void what_is_missing_or_broken_has_its_name(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refused *c = &refusals[i];
        struct world w;
        world_open(&w, c->file);
        int r = box_verify(w.app, c->app ? c->app : ".", w.install, &w.found, &w.refusal);
        if (r != BOX_REFUSED || strcmp(w.refusal.name, c->error) != 0 ||
            !strstr(w.refusal.text, c->says))
            fail_msg("row %zu: %d %s %s", i, r, w.refusal.name, w.refusal.text);
        world_close(&w);
    }
    print_message("%zu sources refused\n", ARRAY_LEN(refusals));
}

/* Yarn's file beside another manager's lockfile is nobody's business, whatever it says. */
static void the_file_of_another_manager_is_not_read(void **state)
{
    static const struct file files[][FILES_MAX] = {
        {{"package.json", "{}"}, {"package-lock.json", NPM}, {".yarnrc.yml", "npmAuthToken: x\n"}},
        {{"package.json", "{}"}, {"yarn.lock", YARN1}, {".yarnrc.yml", "npmAuthToken: x\n"}},
        {{"package.json", "{}"}, {"pnpm-lock.yaml", PNPM}, {".yarnrc.yml", "a: {\n"}}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct world w;
        world_open(&w, files[i]);
        assert_int_equal(box_verify(w.app, ".", w.install, &w.found, &w.refusal), 0);
        world_close(&w);
    }
}

static void scripts_without_patches_do_not_matter(void **state)
{
    static const struct file files[FILES_MAX] = {
        {"package.json", PATCHING}, {"package-lock.json", NPM}, {"patches/README.md", ""}};
    struct world w;
    world_open(&w, files);
    assert_int_equal(box_verify(w.app, ".", w.install, &w.found, &w.refusal), 0);
    world_close(&w);
}

static void a_linked_package_file_is_not_followed(void **state)
{
    static const struct file files[FILES_MAX] = {{"package-lock.json", NPM}};
    struct world w;
    char path[PATH_MAX];
    world_open(&w, files);
    put(w.top, "elsewhere", "{}");
    snprintf(path, sizeof path, "%s/package.json", w.app);
    assert_int_equal(symlink("../elsewhere", path), 0);
    assert_int_equal(box_verify(w.app, ".", w.install, &w.found, &w.refusal), BOX_REFUSED);
    assert_string_equal(w.refusal.name, "PACKAGE_JSON_INVALID");
    world_close(&w);
}

/* ---- settings ---- */

static void settings_are_cut_to_the_list(void **state)
{
    static const struct file files[FILES_MAX] = {
        {"package.json", "{}"},
        {"yarn.lock", BERRY},
        {".yarnrc.yml", "# ours\nyarnPath: .yarn/releases/x.cjs\nnmHoistingLimits: workspaces\n"
                        "plugins:\n  - path: x\n    spec: y\npackageExtensions:\n  \"a@*\":\n"
                        "    dependencies:\n      b: \"1\"\nnpmRegistryServer: https://r.example\n"
                        "npmScopes:\n  s:\n    npmAuthToken: ${TOKEN}\n    npmPublishRegistry: x\n"
                        "enableScripts: true"}};
    struct world w;
    AUTO_FREE char *text = NULL;
    size_t n;
    char path[PATH_MAX];
    world_open(&w, files);
    assert_int_equal(box_verify(w.app, ".", w.install, &w.found, &w.refusal), 0);
    assert_int_equal(w.found.left_out, 4); /* registries and tokens are not: the agent has them */
    snprintf(path, sizeof path, "%s/.yarnrc.yml", w.install);
    assert_int_equal(file_read(path, 4096, &text, &n), 0);
    assert_string_equal(text, "nmHoistingLimits: workspaces\npackageExtensions:\n  \"a@*\":\n"
                              "    dependencies:\n      b: \"1\"\n\nnodeLinker: node-modules\n"
                              "compressionLevel: 0\n");
    world_close(&w);
}

/* ---- the hash ---- */

static void hash_of(const struct file *files, uint8_t ret[BOX_HASH_BYTES])
{
    struct world w;
    world_open(&w, files);
    assert_int_equal(box_verify(w.app, ".", w.install, &w.found, &w.refusal), 0);
    memcpy(ret, w.found.deps_sha256, BOX_HASH_BYTES);
    world_close(&w);
}

/* Everything that changes what an install gives changes the hash, and nothing else does. */
static void the_hash_follows_what_a_manager_sees(void **state)
{
    static const struct file all[][FILES_MAX] = {
        {{"package.json", "{}"}, {"yarn.lock", BERRY}, {"p/package.json", "{}"}},
        {{"package.json", "{}"}, {"yarn.lock", BERRY}, {"p/package.json", "{}"}, {"x.js", "1"}},
        {{"package.json", "{ }"}, {"yarn.lock", BERRY}, {"p/package.json", "{}"}},
        {{"package.json", "{}"}, {"yarn.lock", BERRY "\n"}, {"p/package.json", "{}"}},
        {{"package.json", "{}"}, {"yarn.lock", BERRY}, {"p/package.json", "{ }"}},
        {{"package.json", "{}"}, {"yarn.lock", BERRY}, {"q/package.json", "{}"}},
        {{"package.json", "{}"},
         {"yarn.lock", BERRY},
         {"p/package.json", "{}"},
         {".yarnrc.yml", "nmHoistingLimits: workspaces\n"}},
    };
    uint8_t hash[ARRAY_LEN(all)][BOX_HASH_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        hash_of(all[i], hash[i]);
    assert_memory_equal(hash[0], hash[1], BOX_HASH_BYTES);
    for (size_t i = 2; i < ARRAY_LEN(all); i++)
        assert_memory_not_equal(hash[0], hash[i], BOX_HASH_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_source_has_its_manager),
        cmocka_unit_test(what_is_missing_or_broken_has_its_name),
        cmocka_unit_test(the_file_of_another_manager_is_not_read),
        cmocka_unit_test(scripts_without_patches_do_not_matter),
        cmocka_unit_test(a_linked_package_file_is_not_followed),
        cmocka_unit_test(settings_are_cut_to_the_list),
        cmocka_unit_test(the_hash_follows_what_a_manager_sees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
