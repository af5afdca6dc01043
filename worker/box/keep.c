/* keep.c: copies trees into a folder of the cache. Inside the sandbox, because names and contents
 * come from the registry; none of the app's own code has run by then.
 *
 * Only files, folders and symbolic links, with plain modes: an entry must not bring a device, a
 * set-user-id bit or a folder that cannot be deleted. Paths have a bound, because whoever deletes
 * the entry later walks along them. */
#include "box.h"
#include "path.h"
#include "tree.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096, KEPT_PATH_MAX = 1024, COPY_BYTES = 128 * 1024, BLOCK_BYTES = 4096 };

/* Of what an earlier layer had and this build did not need. */
#define OLD_BYTES_MAX (512ull << 20)

struct keeping {
    const char *from, *to;
    bool modules_only;
    uint64_t bytes_max; /* 0: none */
    struct keep_count *count;
};

static void count_add(struct keeping *k, uint64_t bytes)
{
    k->count->entries++;
    k->count->bytes += (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static int data_copy(int from, int to)
{
    static char buf[COPY_BYTES];
    ssize_t n;
    while ((n = read(from, buf, sizeof buf)) > 0) {
        int r = write_all(to, buf, (size_t)n);
        if (r < 0)
            return err_pass(r);
    }
    return n < 0 ? err_raise(-errno) : 0;
}

static int file_copy(struct keeping *k, const char *from, const char *to, const struct stat *st)
{
    AUTO_FD in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return err_raise(-errno);
    AUTO_FD out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       st->st_mode & S_IXUSR ? 0755 : 0644);
    if (out < 0)
        return errno == EEXIST ? 0 : err_raise(-errno);
    int r = data_copy(in, out);
    if (r == 0)
        count_add(k, (uint64_t)st->st_size);
    return r < 0 ? err_pass(r) : 0;
}

static int link_copy(struct keeping *k, const char *from, const char *to)
{
    char target[PATH_BYTES];
    ssize_t n = readlink(from, target, sizeof target - 1);
    if (n < 0)
        return err_raise(-errno);
    target[n] = 0;
    if (symlink(target, to) < 0)
        return errno == EEXIST ? 0 : err_raise(-errno);
    count_add(k, 0);
    return 0;
}

static int folder_copy(struct keeping *k, const char *to)
{
    if (mkdir(to, 0755) < 0)
        return errno == EEXIST ? 0 : err_raise(-errno);
    count_add(k, BLOCK_BYTES);
    return 0;
}

static int keep_one(void *arg, const char *path, const struct stat *st)
{
    struct keeping *k = arg;
    char from[PATH_BYTES], to[PATH_BYTES];
    if (strlen(path) > KEPT_PATH_MAX)
        return err_raise(-ENAMETOOLONG);
    snprintf(from, sizeof from, "%.2000s/%s", k->from, path);
    snprintf(to, sizeof to, "%.2000s/%s", k->to, path);
    if (k->bytes_max && k->count->bytes > k->bytes_max)
        return TREE_SKIP;
    int r = 0;
    if (S_ISDIR(st->st_mode))
        r = folder_copy(k, to);
    else if (k->modules_only && !path_has_part(path, "node_modules"))
        return TREE_GO_ON; /* package.json and lockfile: the app's own */
    else if (S_ISREG(st->st_mode))
        r = file_copy(k, from, to, st);
    else if (S_ISLNK(st->st_mode))
        r = link_copy(k, from, to);
    return r < 0 ? err_pass(r) : TREE_GO_ON;
}

int box_keep(const char *from, const char *to, struct keep_count *ret_count)
{
    *ret_count = (struct keep_count){0};
    struct keeping k = {.from = from, .to = to, .modules_only = true, .count = ret_count};
    int r = tree_walk(from, keep_one, &k);
    return r < 0 ? err_pass(r) : 0;
}

int box_merge(const char *from, const char *old, const char *to, struct keep_count *ret_count)
{
    *ret_count = (struct keep_count){0};
    struct keeping k = {.from = from, .to = to, .count = ret_count};
    int r = tree_walk(from, keep_one, &k);
    struct stat st;
    if (r < 0 || lstat(old, &st) < 0)
        return r < 0 ? err_pass(r) : 0;
    k.from = old;
    k.bytes_max = ret_count->bytes + OLD_BYTES_MAX;
    r = tree_walk(old, keep_one, &k);
    return r < 0 ? err_pass(r) : 0;
}
