/* ahead.c: blocks of the disk that are the database's before it needs them.
 *
 * A finish must fit when somebody else has taken the last byte of the disk. So the file has blocks
 * behind its last page, at least the reserve, set aside by fallocate() and never given back: a page
 * that is written there, or over a page that is free again, needs no block of anybody. The size of
 * the file stays what it was, so backups do not grow. At the opening the whole file is gone over
 * once, for holes that a copy of it may have. The file of LMDB's locks is mapped and made with
 * holes: a hole that finds no block when a reader first writes there would be a SIGBUS, so it gets
 * its blocks before LMDB opens it.
 *
 * On a file system without fallocate() there is nothing ahead, and room.c looks at the free bytes
 * alone. On one that copies what it overwrites (btrfs, ZFS) blocks ahead are a help and no
 * certainty; txn.c lives through a commit that finds no room (docs/adr/0023-full-disks.md). */
#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>

enum {
    AHEAD_TRY_MS = 1000,         /* between two tries while the disk is full */
    LOCK_FILE_BYTES = 64 << 10,  /* above what STORE_READERS_MAX readers take */
    MARGIN_LEAST_BYTES = 1 << 20 /* so little free is a full disk, however small the reserve */
};

uint64_t ahead_margin(const struct store *s)
{
    return s->reserve_bytes / 4;
}

/* Blocks for [from, to) without a change of the size. */
static int blocks_take(int fd, uint64_t from, uint64_t to)
{
    int r;
    do
        r = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from));
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

int ahead_lock_file(const char *dir)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock.mdb", dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_raise(-ENAMETOOLONG);
    AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_raise(-errno);
    int r = blocks_take(fd, 0, LOCK_FILE_BYTES);
    return r == -ENOSPC || r == -EDQUOT ? err_raise(-ENOSPC) : 0;
}

uint64_t ahead_bytes(const struct store *s, uint64_t end_bytes)
{
    return s->ahead.to_bytes > end_bytes ? s->ahead.to_bytes - end_bytes : 0;
}

void ahead_keep(struct store *s, int fd, uint64_t end_bytes, uint64_t now_ms)
{
    struct ahead *a = &s->ahead;
    if (a->is_off || !s->reserve_bytes || ahead_bytes(s, end_bytes) >= s->reserve_bytes)
        return;
    if (a->tried_ms && now_ms - a->tried_ms < AHEAD_TRY_MS)
        return;
    uint64_t to = end_bytes + s->reserve_bytes + ahead_margin(s);
    int r = blocks_take(fd, a->to_bytes, to);
    a->is_off = r < 0 && r != -ENOSPC && r != -EDQUOT;
    a->tried_ms = r < 0 ? now_ms : 0;
    if (r == 0)
        a->to_bytes = to;
}

bool ahead_is_spent(struct store *s)
{
    mdb_filehandle_t fd;
    struct statvfs vfs;
    if (LMDB(mdb_env_get_fd(s->env, &fd)) != 0 || fstatvfs(fd, &vfs) < 0)
        return false;
    uint64_t margin = ahead_margin(s);
    return (uint64_t)vfs.f_bavail * vfs.f_frsize <
           (margin > MARGIN_LEAST_BYTES ? margin : MARGIN_LEAST_BYTES);
}
