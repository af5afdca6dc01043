/* artifacts.c: names, folders and stored objects. What is uploaded and not yet checked: incoming.c.
 *
 * All work is relative to a descriptor of the root, so the store keeps working when the path above
 * it is renamed. Objects are 0600 in folders of 0700: they belong to accounts, and only the
 * broker's own user hands them out. */
#include "edge/artifacts_impl.h"

#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const classes[] = {
    [ROTA__OBJECT_KIND__SOURCE] = "source", [ROTA__OBJECT_KIND__BUNDLE] = "bundle",
    [ROTA__OBJECT_KIND__ASSETS] = "assets", [ROTA__OBJECT_KIND__MAP] = "map",
    [ROTA__OBJECT_KIND__BUILD_LOG] = "log",
};

const char *artifact_class(Rota__ObjectKind kind)
{
    return (size_t)kind < ARRAY_LEN(classes) ? classes[kind] : NULL;
}

static int folder_make(int root_fd, const char *name, mode_t mode)
{
    if (mkdirat(root_fd, name, mode) == 0)
        return fchmodat(root_fd, name, mode, 0) < 0 ? err_raise(-errno) : 0;
    return errno == EEXIST ? 0 : err_raise(-errno);
}

/* Group members may pass through to an invitation they know, and see no other. */
static int root_init(struct artifacts *a, const char *dir)
{
    int r = dir_make(dir, 0750);
    if (r < 0)
        return err_pass(r);
    if (!realpath(dir, a->root))
        return err_raise(-errno);
    a->root_fd = open(a->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a->root_fd < 0)
        return err_raise(-errno);
    r = folder_make(a->root_fd, "incoming", 0710);
    for (size_t k = 1; r == 0 && k < ARRAY_LEN(classes); k++)
        r = folder_make(a->root_fd, classes[k], 0700);
    return r < 0 ? err_pass(r) : 0;
}

int artifacts_open(const char *dir, struct artifacts **ret_artifacts)
{
    struct artifacts *a = calloc(1, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    a->root_fd = -1;
    int r = root_init(a, dir);
    if (r == 0)
        *ret_artifacts = a;
    else
        artifacts_free(a);
    return r < 0 ? err_pass(r) : 0;
}

struct artifacts *artifacts_free(struct artifacts *a)
{
    if (a && a->root_fd >= 0)
        close(a->root_fd);
    free(a);
    return NULL;
}

void artifact_name(const struct artifact_id *id, char name[OBJECT_NAME_MAX])
{
    char hex[SHA256_HEX_LEN + 1];
    sodium_bin2hex(hex, sizeof hex, id->sha256, sizeof id->sha256);
    snprintf(name, OBJECT_NAME_MAX, "%s/%s/%s", artifact_class(id->kind), id->account, hex);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~/", c));
}

void artifact_file_url(const struct artifacts *a, const char *name, char url[ARTIFACT_URL_MAX])
{
    static const char hex[] = "0123456789ABCDEF";
    char path[PATH_MAX + OBJECT_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", a->root, name);
    size_t at = (size_t)snprintf(url, ARTIFACT_URL_MAX, "file://");
    for (const char *c = path; *c && at + 4 < ARTIFACT_URL_MAX; c++) {
        if (is_plain(*c)) {
            url[at++] = *c;
            continue;
        }
        url[at++] = '%';
        url[at++] = hex[(uint8_t)*c >> 4];
        url[at++] = hex[(uint8_t)*c & 15];
    }
    url[at] = '\0';
}

void artifacts_url(struct artifacts *a, const struct artifact_id *id, char url[ARTIFACT_URL_MAX])
{
    char name[OBJECT_NAME_MAX];
    artifact_name(id, name);
    artifact_file_url(a, name, url);
}

int artifact_folders(struct artifacts *a, const struct artifact_id *id)
{
    char name[OBJECT_NAME_MAX];
    const char *class = artifact_class(id->kind);
    snprintf(name, sizeof name, "%s/%s", class, id->account);
    int r = folder_make(a->root_fd, name, 0700);
    return r < 0 ? err_pass(r) : artifact_sync(a, class);
}

int artifact_sync(struct artifacts *a, const char *name)
{
    AUTO_FD fd = openat(a->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_raise(-errno);
    return 0;
}

static int object_open(struct artifacts *a, const struct artifact_id *id, int *ret_fd)
{
    char name[OBJECT_NAME_MAX];
    artifact_name(id, name);
    int fd = openat(a->root_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ARTIFACTS_MISSING : err_raise(-errno);
    *ret_fd = fd;
    return 0;
}

int artifacts_find(struct artifacts *a, const struct artifact_id *id, uint64_t *ret_size)
{
    char name[OBJECT_NAME_MAX];
    struct stat st;
    artifact_name(id, name);
    if (fstatat(a->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? ARTIFACTS_MISSING : err_raise(-errno);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

int artifacts_read(struct artifacts *a, const struct artifact_id *id, uint64_t offset, void *p,
                   size_t n, size_t *ret_n)
{
    AUTO_FD fd = -1;
    int r = object_open(a, id, &fd);
    if (r)
        return r;
    ssize_t got = pread(fd, p, n, (off_t)offset);
    if (got < 0)
        return err_raise(-errno);
    *ret_n = (size_t)got;
    return 0;
}

int artifacts_drop(struct artifacts *a, const struct artifact_id *id)
{
    char name[OBJECT_NAME_MAX];
    artifact_name(id, name);
    if (unlinkat(a->root_fd, name, 0) < 0 && errno != ENOENT)
        return err_raise(-errno);
    return 0;
}
