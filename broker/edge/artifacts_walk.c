/* artifacts_walk.c: all stored objects, for the sweep that removes those nothing refers to. A crash
 * between the move of an upload and the commit of its job leaves such an object behind. Young ones
 * are passed over: their commit may be on its way. */
#include "edge/artifacts_local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static DIR *folder_open(int at_fd, const char *name)
{
    int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

static bool is_old(DIR *d, const char *name, const struct artifacts_walk *walk)
{
    struct stat st;
    if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return (uint64_t)st.st_mtim.tv_sec * 1000 + walk->age_ms < walk->now_ms;
}

static int walk_account(DIR *d, Rota__ObjectKind kind, const char *account,
                        const struct artifacts_walk *walk)
{
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        struct artifact_id id = {.kind = kind, .account = account};
        if (artifact_hash_parse(e->d_name, strlen(e->d_name), id.sha256) &&
            is_old(d, e->d_name, walk))
            r = walk->visit(walk->arg, &id);
    }
    return r;
}

static int walk_class(DIR *d, Rota__ObjectKind kind, const struct artifacts_walk *walk)
{
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        DIR *account = e->d_name[0] == '.' ? NULL : folder_open(dirfd(d), e->d_name);
        if (!account)
            continue;
        r = walk_account(account, kind, e->d_name, walk);
        closedir(account);
    }
    return r;
}

/* A class at a time. */
int local_walk_some(struct artifacts *a, const struct artifacts_walk *walk,
                    struct artifacts_place *place)
{
    const char *class = artifact_class((Rota__ObjectKind)++place->kind);
    place->is_end = !artifact_class((Rota__ObjectKind)(place->kind + 1));
    DIR *d = class ? folder_open(local_of(a)->root_fd, class) : NULL;
    if (!d)
        return err_raise(-errno);
    int r = walk_class(d, (Rota__ObjectKind)place->kind, walk);
    closedir(d);
    return r < 0 ? err_pass(r) : 0;
}
