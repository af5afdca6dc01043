/* disk.c: facts from statfs, sysfs and a walk of the tree. */
#include "disk.h"
#include "../unit/folder.h"

#include <base/auto.h>
#include <errno.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

enum { FLUSHES_FIELD = 16, WALK_FDS = 16, STAT_LINE_MAX = 512 };

bool disk_is_real(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC;
}

static uint64_t field_read(FILE *file, unsigned number)
{
    unsigned long long value = 0;
    for (unsigned i = 0; i < number; i++)
        if (fscanf(file, "%llu", &value) != 1)
            return 0;
    return value;
}

uint64_t disk_flushes(const char *path)
{
    struct stat st;
    char name[64];
    if (stat(path, &st) < 0)
        return 0;
    snprintf(name, sizeof name, "/sys/dev/block/%u:%u/stat", major(st.st_dev), minor(st.st_dev));
    FILE *file = fopen(name, "re");
    if (!file)
        return 0;
    uint64_t flushes = field_read(file, FLUSHES_FIELD);
    fclose(file);
    return flushes;
}

/* nftw() hands its callback no argument; only one thread walks. */
static uint64_t walk_bytes;

static int bytes_visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
    walk_bytes += (uint64_t)st->st_blocks * 512;
    return 0;
}

uint64_t disk_bytes(const char *path)
{
    walk_bytes = 0;
    return nftw(path, bytes_visit, WALK_FDS, FTW_PHYS) == 0 ? walk_bytes : 0;
}

int disk_remove(const char *path)
{
    return folder_remove(path) == 0 ? 0 : err_raise(-errno);
}
