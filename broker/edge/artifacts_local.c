/* artifacts_local.c: folders and stored files. What is uploaded and not yet checked: incoming.c.
 *
 * All work is relative to a descriptor of the root, so the store keeps working when the path above
 * it is renamed. Objects are 0600 in folders of 0700: they belong to accounts, and only the
 * broker's own user hands them out. */
#include "edge/artifacts_local.h"

#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static int folder_make(int root_fd, const char *name, mode_t mode)
{
    if (mkdirat(root_fd, name, mode) == 0)
        return fchmodat(root_fd, name, mode, 0) < 0 ? err_raise(-errno) : 0;
    return errno == EEXIST ? 0 : err_raise(-errno);
}

/* ---- the marker ---- */

/* Does any class have an account's folder? */
static bool holds_objects(int root_fd)
{
    bool holds = false;
    for (int kind = 1; !holds && artifact_class((Rota__ObjectKind)kind); kind++) {
        int fd = openat(root_fd, artifact_class((Rota__ObjectKind)kind),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        if (!d && fd >= 0)
            close(fd);
        for (struct dirent *e; d && !holds && (e = readdir(d));)
            holds = e->d_name[0] != '.';
        if (d)
            closedir(d);
    }
    return holds;
}

/* 0, ARTIFACTS_ENVIRONMENT, ARTIFACTS_MISSING. */
static int marker_read(int root_fd, const char *environment)
{
    char text[MARKER_BYTES_MAX + 1];
    size_t n;
    AUTO_FD fd = openat(root_fd, MARKER_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ARTIFACTS_MISSING : err_raise(-errno);
    int r = read_all(fd, text, sizeof text, &n);
    return r < 0 ? err_pass(r) : marker_judge(text, n, environment);
}

static int marker_check(struct local *l, const char *environment, bool adopts)
{
    char path[PATH_MAX + sizeof MARKER_NAME + 1], text[MARKER_BYTES_MAX + 1];
    int r = marker_read(l->root_fd, environment);
    if (r != ARTIFACTS_MISSING)
        return r;
    if (!adopts && holds_objects(l->root_fd))
        return marker_judge("", 0, environment);
    snprintf(path, sizeof path, "%s/%s", l->root, MARKER_NAME);
    int n = snprintf(text, sizeof text, "%s\n", environment);
    r = file_write(path, 0600, text, (size_t)n);
    return r < 0 ? err_pass(r) : 0;
}

/* ---- open and free ---- */

/* Group members may pass through to an invitation they know, and see no other. */
static int root_init(struct local *l, const char *dir, const char *environment, bool adopts)
{
    int r = dir_make(dir, 0750);
    if (r < 0)
        return err_pass(r);
    if (!realpath(dir, l->root))
        return err_raise(-errno);
    l->root_fd = open(l->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->root_fd < 0)
        return err_raise(-errno);
    r = marker_check(l, environment, adopts);
    if (r != 0)
        return r;
    r = folder_make(l->root_fd, "incoming", 0710);
    for (int kind = 1; r == 0 && artifact_class((Rota__ObjectKind)kind); kind++)
        r = folder_make(l->root_fd, artifact_class((Rota__ObjectKind)kind), 0700);
    return r < 0 ? err_pass(r) : 0;
}

static struct artifacts *local_free(struct artifacts *a)
{
    struct local *l = local_of(a);
    if (l->root_fd >= 0)
        close(l->root_fd);
    free(l);
    return NULL;
}

static unsigned local_full_percent(struct artifacts *a)
{
    struct statvfs st;
    if (fstatvfs(local_of(a)->root_fd, &st) < 0 || !st.f_blocks)
        return 0;
    /* As df counts: of what others than root may use. */
    uint64_t used = st.f_blocks - st.f_bfree, all = used + st.f_bavail;
    return all ? (unsigned)((used * 100 + all - 1) / all) : 100;
}

/* ---- names ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~/", c));
}

void local_url(const struct local *l, const char *name, char url[ARTIFACT_URL_MAX])
{
    static const char hex[] = "0123456789ABCDEF";
    char path[PATH_MAX + OBJECT_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", l->root, name);
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

static int local_object_url(struct artifacts *a, const struct artifact_id *id, uint64_t now_ms,
                            char url[ARTIFACT_URL_MAX])
{
    char name[OBJECT_NAME_MAX];
    (void)now_ms;
    artifact_name(id, name);
    local_url(local_of(a), name, url);
    return 0;
}

int local_folders(struct local *l, const struct artifact_id *id)
{
    char name[OBJECT_NAME_MAX];
    const char *class = artifact_class(id->kind);
    snprintf(name, sizeof name, "%s/%s", class, id->account);
    int r = folder_make(l->root_fd, name, 0700);
    return r < 0 ? err_pass(r) : local_sync(l, class);
}

int local_sync(struct local *l, const char *name)
{
    AUTO_FD fd = openat(l->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_raise(-errno);
    return 0;
}

/* ---- stored objects ---- */

static int object_open(struct local *l, const struct artifact_id *id, int *ret_fd)
{
    char name[OBJECT_NAME_MAX];
    artifact_name(id, name);
    int fd = openat(l->root_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ARTIFACTS_MISSING : err_raise(-errno);
    *ret_fd = fd;
    return 0;
}

static int local_find(struct artifacts *a, const struct artifact_id *id, uint64_t *ret_size)
{
    char name[OBJECT_NAME_MAX];
    struct stat st;
    artifact_name(id, name);
    if (fstatat(local_of(a)->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? ARTIFACTS_MISSING : err_raise(-errno);
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int local_read(struct artifacts *a, const struct artifact_id *id, uint64_t offset, void *p,
                      size_t n, size_t *ret_n)
{
    AUTO_FD fd = -1;
    int r = object_open(local_of(a), id, &fd);
    if (r)
        return r;
    ssize_t got = pread(fd, p, n, (off_t)offset);
    if (got < 0)
        return err_raise(-errno);
    *ret_n = (size_t)got;
    return 0;
}

static int local_drop(struct artifacts *a, const struct artifact_id *id)
{
    char name[OBJECT_NAME_MAX];
    artifact_name(id, name);
    if (unlinkat(local_of(a)->root_fd, name, 0) < 0 && errno != ENOENT)
        return err_raise(-errno);
    return 0;
}

static const struct artifacts_ops ops = {
    .free = local_free,
    .full_percent = local_full_percent,
    .invite = local_invite,
    .find = local_find,
    .take = local_take,
    .url = local_object_url,
    .read = local_read,
    .drop = local_drop,
    .sweep_incoming = local_sweep_incoming,
    .walk_some = local_walk_some,
};

int artifacts_open_local(const char *dir, const char *environment, bool adopts,
                         struct artifacts **ret_artifacts)
{
    struct local *l = calloc(1, sizeof *l);
    if (!l)
        return err_raise(-ENOMEM);
    l->base.ops = &ops;
    l->root_fd = -1;
    int r = root_init(l, dir, environment, adopts);
    if (r == 0)
        *ret_artifacts = &l->base;
    else
        local_free(&l->base);
    return r < 0 ? err_pass(r) : r;
}
