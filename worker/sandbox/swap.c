/* swap.c: /proc/swaps and what /sys/block says of the devices in it. A swap file's device is not
 * asked for: the file system between may be of any kind, so a file counts as a disk in the clear.
 */
#include "swap.h"

#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SWAPS_BYTES_MAX = 64 << 10, TEXT_MAX = 256, STACK_MAX = 8 };

static bool block_text(const struct swap_host *host, const char *name, const char *what,
                       char text[TEXT_MAX])
{
    char path[512];
    AUTO_FREE char *read_text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%.200s/%.100s/%s", host->blocks, name, what);
    if (access(path, R_OK) < 0 || file_read(path, TEXT_MAX - 1, &read_text, &n) < 0)
        return false;
    snprintf(text, TEXT_MAX, "%.*s", (int)strcspn(read_text, "\n"), read_text);
    return true;
}

static bool is_encrypted(const struct swap_host *host, const char *name, int depth);

/* A volume is as good as the worst of what it lies on. */
static bool are_slaves_encrypted(const struct swap_host *host, const char *name, int depth)
{
    char path[512];
    size_t n = 0;
    bool all = true;
    snprintf(path, sizeof path, "%.200s/%.100s/slaves", host->blocks, name);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') {
            n++;
            all = all && is_encrypted(host, e->d_name, depth + 1);
        }
    if (d)
        closedir(d);
    return n && all;
}

static bool is_encrypted(const struct swap_host *host, const char *name, int depth)
{
    char uuid[TEXT_MAX];
    if (depth > STACK_MAX)
        return false;
    if (block_text(host, name, "dm/uuid", uuid) && strncmp(uuid, "CRYPT-", 6) == 0)
        return true;
    return are_slaves_encrypted(host, name, depth);
}

/* Compressed memory, unless it may be written back to a device. */
static bool is_memory(const struct swap_host *host, const char *name)
{
    char backing[TEXT_MAX];
    if (strncmp(name, "zram", 4) != 0)
        return false;
    return !block_text(host, name, "backing_dev", backing) || strcmp(backing, "none") == 0;
}

static bool is_safe(const struct swap_host *host, const char *path)
{
    if (strncmp(path, "/dev/", 5) != 0)
        return false;
    const char *name = strrchr(path, '/') + 1;
    return *name && name[0] != '.' && (is_memory(host, name) || is_encrypted(host, name, 0));
}

int swap_look(const struct swap_host *host, char ret_name[SWAP_NAME_MAX])
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    if (access(host->swaps, R_OK) < 0 && errno == ENOENT)
        return 0; /* a kernel without swap */
    int r = file_read(host->swaps, SWAPS_BYTES_MAX, &text, &n);
    if (r < 0)
        return err_pass(r);
    char *line = strchr(text, '\n'); /* behind the head */
    while (line && *++line) {
        char path[SWAP_NAME_MAX];
        snprintf(path, sizeof path, "%.*s", (int)strcspn(line, " \t\n"), line);
        if (*path && !is_safe(host, path)) {
            memcpy(ret_name, path, sizeof path);
            return SWAP_EXPOSED;
        }
        line = strchr(line, '\n');
    }
    return 0;
}

/* Do the groups of builds keep their processes out of swap? */
static bool is_group_locked(const struct cgroups *g)
{
    char path[CGROUP_PATH_MAX + 64];
    const char *file = g->kind == CGROUP_V2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
    if (g->kind == CGROUP_NONE)
        return false;
    snprintf(path, sizeof path, "%s/%s", g->folder[0], file);
    return access(path, F_OK) == 0;
}

int swap_check(const struct swap_host *host, const struct space_root *root,
               const struct cgroups *groups, char why[SPACE_WHY_MAX])
{
    static const char hint[] = "swapoff it, encrypt it, use zram, or take the risk: --allow-swap";
    char name[SWAP_NAME_MAX];
    int r = swap_look(host, name);
    if (r <= 0)
        return r < 0 ? err_pass(r) : 0;
    if (!root->has_noswap)
        snprintf(why, SPACE_WHY_MAX,
                 "sources could reach the disk by swap on %.60s (noswap for tmpfs needs Linux 6.4 "
                 "and root): %s",
                 name, hint);
    else if (!is_group_locked(groups))
        snprintf(why, SPACE_WHY_MAX,
                 "sources could reach the disk by swap on %.60s (a build's processes are kept out "
                 "of it by a cgroup alone): %s",
                 name, hint);
    else
        return 0;
    return SWAP_EXPOSED;
}

int swap_check_here(const struct space_root *root, const struct cgroups *groups, bool is_allowed,
                    char why[SPACE_WHY_MAX])
{
    static const struct swap_host here = {"/proc/swaps", "/sys/block"};
    int r = is_allowed ? 0 : swap_check(&here, root, groups, why);
    return r < 0 ? err_pass(r) : r;
}
