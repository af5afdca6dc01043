/* artifacts_walk.c: all stored objects, for the sweep that removes those nothing refers to. A crash
 * between the move of an upload and the commit of its job leaves such an object behind. Young ones
 * are passed over: their commit may be on its way. */
#include "edge/artifacts_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
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

static bool is_old(DIR *d, const char *name, uint64_t now_ms)
{
    struct stat st;
    if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return (uint64_t)st.st_mtim.tv_sec * 1000 + INCOMING_AGE_MS_MAX < now_ms;
}

static int walk_account(DIR *d, Rota__ObjectKind kind, const char *account, uint64_t now_ms,
                        artifacts_visit *visit, void *arg)
{
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        struct artifact_id id = {.kind = kind, .account = account};
        size_t n = 0;
        if (strlen(e->d_name) != SHA256_HEX_LEN ||
            sodium_hex2bin(id.sha256, sizeof id.sha256, e->d_name, SHA256_HEX_LEN, NULL, &n,
                           NULL) ||
            n != sizeof id.sha256 || !is_old(d, e->d_name, now_ms))
            continue;
        r = visit(arg, &id);
    }
    return r;
}

static int walk_class(DIR *d, Rota__ObjectKind kind, uint64_t now_ms, artifacts_visit *visit,
                      void *arg)
{
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        DIR *account = e->d_name[0] == '.' ? NULL : folder_open(dirfd(d), e->d_name);
        if (!account)
            continue;
        r = walk_account(account, kind, e->d_name, now_ms, visit, arg);
        closedir(account);
    }
    return r;
}

int artifacts_walk(struct artifacts *a, uint64_t now_ms, artifacts_visit *visit, void *arg)
{
    int r = 0;
    for (int kind = ROTA__OBJECT_KIND__SOURCE; r == 0 && kind <= ROTA__OBJECT_KIND__BUILD_LOG;
         kind++) {
        DIR *d = folder_open(a->root_fd, artifact_class((Rota__ObjectKind)kind));
        if (!d)
            return err_raise(-errno);
        r = walk_class(d, (Rota__ObjectKind)kind, now_ms, visit, arg);
        closedir(d);
    }
    return r < 0 ? err_pass(r) : 0;
}
