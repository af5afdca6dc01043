/* verify.c: what npm gets to see. An install with the whole source beside it would read the app's
 * .npmrc and whatever else npm comes to look for; with package.json files and the lockfile alone it
 * cannot. */
#include "box.h"
#include "path.h"
#include "tree.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { PACKAGE_BYTES_MAX = 4 << 20, LOCKFILE_BYTES_MAX = 64 << 20, PACKAGES_MAX = 5000 };
enum { PATH_BYTES = 4096 };

struct copying {
    const char *from, *to;
    unsigned packages;
};

static void path_join(char path[PATH_BYTES], const char *folder, const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

/* The text of a regular file of the app; its last name is never a link. */
static int text_read(const char *folder, const char *name, size_t max, char **ret_text,
                     size_t *ret_n)
{
    char path[PATH_BYTES];
    struct stat st;
    path_join(path, folder, name);
    if (lstat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -ENOENT;
    return file_read(path, max, ret_text, ret_n);
}

static int copy_file(const char *from, const char *to, const char *name, size_t max)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = text_read(from, name, max, &text, &n);
    if (r < 0)
        return err_raise(r);
    char path[PATH_BYTES];
    path_join(path, to, name);
    *strrchr(path, '/') = 0;
    r = dir_make(path, 0755);
    if (r < 0)
        return err_pass(r);
    path_join(path, to, name);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_raise(-errno);
    return write_all(fd, text, n);
}

static int copy_package(void *arg, const char *path, const struct stat *st)
{
    struct copying *c = arg;
    if (S_ISDIR(st->st_mode))
        return path_has_part(path, "node_modules") ? TREE_SKIP : TREE_GO_ON;
    if (!S_ISREG(st->st_mode) || strcmp(path_last(path), "package.json") != 0 ||
        st->st_size > PACKAGE_BYTES_MAX || ++c->packages > PACKAGES_MAX)
        return TREE_GO_ON;
    int r = copy_file(c->from, c->to, path, PACKAGE_BYTES_MAX);
    return r < 0 ? err_pass(r) : TREE_GO_ON;
}

static int check_package(const char *app, struct box_refusal *ret)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = text_read(app, "package.json", PACKAGE_BYTES_MAX, &text, &n);
    if (r < 0)
        return BOX_REFUSE(ret, PACKAGE_JSON_INVALID,
                          r == -ENOENT ? "there is no package.json at the top of the source"
                                       : "package.json cannot be read");
    json_error_t why;
    json_t *root = json_loadb(text, n, 0, &why);
    bool is_object = json_is_object(root);
    json_decref(root);
    if (!root)
        return BOX_REFUSE(ret, PACKAGE_JSON_INVALID, "package.json line %d: %s", why.line,
                          why.text);
    return is_object ? 0 : BOX_REFUSE(ret, PACKAGE_JSON_INVALID, "package.json is no JSON object");
}

static int check_lockfile(const char *app, uint64_t *ret_packages, struct box_refusal *ret)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = text_read(app, "package-lock.json", LOCKFILE_BYTES_MAX, &text, &n);
    if (r == -ENOENT)
        return BOX_REFUSE(ret, LOCKFILE_MISSING,
                          "there is no package-lock.json at the top of the source");
    if (r < 0)
        return BOX_REFUSE(ret, LOCKFILE_INVALID, "package-lock.json cannot be read");
    return box_lockfile_check(text, n, ret_packages, ret);
}

int box_verify(const char *app, const char *to, uint64_t *ret_packages,
               struct box_refusal *ret_refusal)
{
    int r = check_package(app, ret_refusal);
    if (r == 0)
        r = check_lockfile(app, ret_packages, ret_refusal);
    if (r != 0)
        return r;
    r = copy_file(app, to, "package-lock.json", LOCKFILE_BYTES_MAX);
    if (r < 0)
        return err_pass(r);
    struct copying c = {.from = app, .to = to};
    r = tree_walk(app, copy_package, &c);
    return r < 0 ? err_pass(r) : 0;
}
