/* verify.c: what a package manager gets to see. An install with the whole source beside it would
 * read the app's own configuration and run the programs that it names; with package.json files, a
 * lockfile that was judged, settings from a list and patches alone it cannot. */
#include "box.h"
#include "digest.h"
#include "manager.h"
#include "package.h"
#include "path.h"
#include "pinned.h"
#include "settings.h"
#include "tree.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOCKFILE_BYTES_MAX = 64 << 20,
    SEEN_BYTES_MAX = 128 << 20,
    PATCH_BYTES_MAX = 4 << 20,
    PACKAGES_MAX = 5000
};

struct verify {
    const char *source, *app, *to;
    char folder[PACKAGE_PATH_MAX],
        into[PACKAGE_PATH_MAX]; /* of the workspace: there, and in `to` */
    struct manager manager;
    struct lock lock;
    struct verified found;
    struct box_refusal *refusal;
    unsigned packages; /* package.json files */
};

/* ---- copying ---- */

static int file_put(const char *to, const char *name, const char *text, size_t n)
{
    char path[PACKAGE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", to, name);
    *strrchr(path, '/') = 0;
    int r = dir_make(path, 0755);
    if (r < 0)
        return err_pass(r);
    snprintf(path, sizeof path, "%s/%s", to, name);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? err_raise(-errno) : write_all(fd, text, n);
}

static int file_copy(const char *from, const char *to, const char *name, size_t max)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = package_text(from, name, max, &text, &n);
    return r < 0 ? r : file_put(to, name, text, n);
}

static int package_copy(void *arg, const char *path, const struct stat *st)
{
    struct verify *v = arg;
    if (S_ISDIR(st->st_mode))
        return path_has_part(path, "node_modules") ? TREE_SKIP : TREE_GO_ON;
    if (!S_ISREG(st->st_mode) || strcmp(path_last(path), "package.json") != 0 ||
        st->st_size > PACKAGE_BYTES_MAX || ++v->packages > PACKAGES_MAX)
        return TREE_GO_ON;
    int r = file_copy(v->folder, v->into, path, PACKAGE_BYTES_MAX);
    return r < 0 ? err_pass(r) : TREE_GO_ON;
}

/* Below .yarn/patches/, or with an ending that no manager takes for a program. */
static bool is_patch(const char *path)
{
    size_t n = strlen(path);
    return path_is_inside(path) && !path_has_part(path, "node_modules") &&
           (strncmp(path, ".yarn/patches/", 14) == 0 ||
            (n > 6 && strcmp(path + n - 6, ".patch") == 0) ||
            (n > 5 && strcmp(path + n - 5, ".diff") == 0));
}

static int patches_copy(struct verify *v)
{
    for (size_t i = 0; i < v->lock.patches.n; i++) {
        const char *path = v->lock.patches.v[i];
        int r = is_patch(path) ? file_copy(v->folder, v->into, path, PATCH_BYTES_MAX) : -EINVAL;
        if (r == -EINVAL || r == -ENOENT || r == -ENOTDIR || r == -EFBIG)
            return BOX_REFUSE(v->refusal, MANAGER_SETTING,
                              "the patch `%s` is no file of the source that ends with .patch",
                              path);
        if (r < 0)
            return err_pass(r);
    }
    return 0;
}

/* ---- judging ---- */

static int package_judge(struct verify *v, const char *place, json_t **ret_package)
{
    json_t *package = NULL;
    int r = package_read(v->source, place, &package, v->refusal);
    if (r == 0)
        r = package_wishes(strcmp(place, ".") == 0 ? "package.json" : place, package, v->refusal);
    if (r == 0)
        r = package_scripts(v->source, place, package, v->refusal);
    if (r == 0)
        *ret_package = package;
    else
        json_decref(package);
    return r < 0 ? err_pass(r) : r;
}

static int lockfile_judge(struct verify *v, const char *text, size_t n)
{
    char path[PACKAGE_PATH_MAX];
    int r = manager_reader(&v->manager, text, v->refusal);
    if (r != 0)
        return r;
    snprintf(path, sizeof path, "%.4000s/%s", v->into, v->manager.lockfile);
    FILE *to = fopen(path, "wxe");
    if (!to)
        return err_raise(-errno);
    r = v->manager.read(text, n, to, &v->lock, v->refusal);
    if (fclose(to) != 0 && r == 0)
        r = err_raise(-errno);
    if (r != 0)
        unlink(path); /* nothing of a lockfile that was refused is left to be used */
    return r < 0 ? err_pass(r) : r;
}

static int lockfile_take(struct verify *v)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = package_text(v->folder, v->manager.lockfile, LOCKFILE_BYTES_MAX, &text, &n);
    if (r < 0 || strlen(text) != n)
        return BOX_REFUSE(v->refusal, LOCKFILE_INVALID, "%s is no text of at most %d MiB",
                          v->manager.lockfile, LOCKFILE_BYTES_MAX >> 20);
    digest_text(text, n, v->found.lockfile_sha256);
    return lockfile_judge(v, text, n);
}

static int workspace_take(struct verify *v, json_t *package)
{
    char root[MANAGER_PATH_MAX];
    memcpy(root, v->manager.root, sizeof root);
    int r = manager_find(v->source, root, package, &v->manager, v->refusal);
    if (r == 0)
        r = dir_make(v->into, 0755);
    if (r == 0)
        r = lockfile_take(v);
    if (r == 0)
        r = settings_copy(v->folder, v->into, &v->manager, package, &v->lock, &v->found.left_out,
                          v->refusal);
    if (r == 0)
        r = patches_copy(v);
    if (r == 0)
        r = tree_walk(v->folder, package_copy, v);
    if (r == 0 && v->manager.read == lock_yarn)
        r = pinned_judge(v->into, package, &v->lock.pins, v->refusal);
    return r < 0 ? err_pass(r) : r;
}

static int app_judge(struct verify *v)
{
    json_t *app = NULL, *root = NULL;
    int r = package_judge(v, v->app, &app);
    if (r == 0)
        r = manager_root(v->source, v->app, v->manager.root, v->refusal);
    if (r == 0) {
        bool is_top = strcmp(v->manager.root, ".") == 0;
        snprintf(v->folder, sizeof v->folder, "%s%s%s", v->source, is_top ? "" : "/",
                 is_top ? "" : v->manager.root);
        snprintf(v->into, sizeof v->into, "%s%s%s", v->to, is_top ? "" : "/",
                 is_top ? "" : v->manager.root);
        r = strcmp(v->app, v->manager.root) == 0 ? 0 : package_judge(v, v->manager.root, &root);
    }
    if (r == 0) {
        const char *node =
            json_string_value(json_object_get(json_object_get(app, "engines"), "node"));
        snprintf(v->found.engines, sizeof v->found.engines, "%s", node ? node : "");
        r = workspace_take(v, root ? root : app);
    }
    json_decref(app);
    json_decref(root);
    return r < 0 ? err_pass(r) : r;
}

static int found_fill(struct verify *v)
{
    struct verified *f = &v->found;
    snprintf(f->manager, sizeof f->manager, "%s", v->manager.name);
    snprintf(f->program, sizeof f->program, "%s", manager_program(&v->manager, &v->lock));
    snprintf(f->lockfile, sizeof f->lockfile, "%s", v->manager.lockfile);
    snprintf(f->root, sizeof f->root, "%s", v->manager.root);
    f->packages = v->lock.packages;
    f->unpinned = v->lock.unpinned;
    return digest_folder(v->to, f->program, SEEN_BYTES_MAX, f->deps_sha256);
}

void lock_deinit(struct lock *lock)
{
    names_deinit(&lock->patches);
    pins_deinit(&lock->pins);
}

int box_verify(const char *source, const char *app, const char *to, struct verified *ret_verified,
               struct box_refusal *ret_refusal)
{
    struct verify v = {.source = source, .app = app, .to = to, .refusal = ret_refusal};
    if (strcmp(app, ".") != 0 && (!path_is_inside(app) || strlen(app) >= BOX_PATH_MAX))
        return BOX_REFUSE(ret_refusal, PACKAGE_JSON_INVALID, "`%s` is no folder of the source",
                          app);
    int r = app_judge(&v);
    if (r == 0)
        r = found_fill(&v);
    lock_deinit(&v.lock);
    if (r == 0)
        *ret_verified = v.found;
    return r < 0 ? err_pass(r) : r;
}
