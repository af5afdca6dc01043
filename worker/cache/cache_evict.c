/* cache_evict.c: who goes when room is needed. Sizes stand in the entries' own files, so the sum
 * costs one small read an entry and no walk through trees. What goes is first renamed into
 * staging/, so that an entry is either whole or not there, also when we are killed half-way. */
#include "cache.h"
#include "cache_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { ENTRIES_MAX = 100000 };

struct found {
    char path[CACHE_ENTRY_PATH_MAX];
    uint64_t bytes, used_ms;
    bool is_old; /* or no entry at all */
};

struct listing {
    struct found *entry;
    size_t n, room;
    uint64_t bytes;
};

/* ---- deleting ---- */

void cache_tree_delete(const struct cache *c, const char *path)
{
    char full[CACHE_PATH_MAX];
    snprintf(full, sizeof full, "%.340s/%s", c->path, path);
    char *const roots[] = {full, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (!fts)
        return;
    for (FTSENT *e; (e = fts_read(fts));)
        if (e->fts_info == FTS_DP)
            rmdir(e->fts_path);
        else if (e->fts_info != FTS_D)
            unlink(e->fts_path);
    fts_close(fts);
}

void cache_throw_out(const struct cache *c, const char *path)
{
    char away[CACHE_ENTRY_PATH_MAX];
    cache_staging_path(away);
    if (renameat(c->fd, path, c->fd, away) < 0)
        return;
    AUTO_FD fd = cache_entry_open(c, away);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        cache_tree_delete(c, away);
}

/* ---- looking ---- */

typedef int folder_visit(const struct cache *c, void *arg, const char *path);

static int folder_each(const struct cache *c, const char *folder, folder_visit *visit, void *arg)
{
    int fd = openat(c->fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int fault = errno;
        if (fd >= 0)
            close(fd);
        return err_raise(-fault);
    }
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        char path[CACHE_ENTRY_PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.' && n > 0 && (size_t)n < sizeof path)
            r = visit(c, arg, path);
    }
    closedir(d);
    return r;
}

struct listing_of {
    struct listing *l;
    enum cache_kind kind;
};

static int found_add(const struct cache *c, void *arg, const char *path)
{
    const struct listing_of *of = arg;
    struct listing *l = of->l;
    struct cache_head head = {0};
    struct stat st = {0};
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        struct found *more = room > ENTRIES_MAX ? NULL : realloc(l->entry, room * sizeof *more);
        if (!more)
            return err_raise(-ENOMEM);
        l->entry = more;
        l->room = room;
    }
    AUTO_FD fd = cache_entry_open(c, path);
    bool is_entry = fd >= 0 && fstat(fd, &st) == 0 && cache_head_read(fd, &head, NULL);
    struct found *f = &l->entry[l->n++];
    *f = (struct found){.bytes = head.bytes,
                        .used_ms = (uint64_t)st.st_mtim.tv_sec * 1000 +
                                   (uint64_t)st.st_mtim.tv_nsec / 1000000,
                        .is_old = !is_entry || cache_is_old(c, of->kind, &head)};
    snprintf(f->path, sizeof f->path, "%s", path);
    l->bytes += f->bytes;
    return 0;
}

static int by_use(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->is_old != y->is_old)
        return x->is_old ? -1 : 1;
    return x->used_ms < y->used_ms ? -1 : x->used_ms > y->used_ms;
}

static int list(const struct cache *c, struct listing *ret)
{
    int r = 0;
    for (enum cache_kind kind = 0; r == 0 && kind < CACHE_KINDS; kind++) {
        struct listing_of of = {.l = ret, .kind = kind};
        r = folder_each(c, cache_kind_name(kind), found_add, &of);
    }
    if (r == 0 && ret->n > 0)
        qsort(ret->entry, ret->n, sizeof *ret->entry, by_use);
    return r < 0 ? err_pass(r) : 0;
}

int cache_sum(const struct cache *c, size_t *ret_entries, uint64_t *ret_bytes)
{
    struct listing l = {0};
    int r = list(c, &l);
    free(l.entry);
    if (r < 0)
        return err_pass(r);
    *ret_entries = l.n;
    *ret_bytes = l.bytes;
    return 0;
}

/* ---- making room ---- */

/* What is being made or still used has its lock. */
static int leftover_delete(const struct cache *c, void *arg, const char *path)
{
    (void)arg;
    AUTO_FD fd = cache_entry_open(c, path);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        cache_tree_delete(c, path);
    return 0;
}

/* false: it is in use. */
static bool evict(const struct cache *c, const char *path)
{
    AUTO_FD fd = cache_entry_open(c, path);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        return false;
    char away[CACHE_ENTRY_PATH_MAX];
    cache_staging_path(away);
    if (renameat(c->fd, path, c->fd, away) < 0)
        return false;
    cache_tree_delete(c, away);
    return true;
}

int cache_make_room(const struct cache *c, uint64_t bytes)
{
    struct listing l = {0};
    int r = folder_each(c, "staging", leftover_delete, NULL);
    if (r == 0)
        r = list(c, &l);
    for (size_t i = 0; r == 0 && i < l.n; i++) {
        const struct found *f = &l.entry[i];
        if (!f->is_old && l.bytes + bytes <= c->bytes_max)
            break;
        if (evict(c, f->path))
            l.bytes -= f->bytes;
    }
    free(l.entry);
    if (r < 0)
        return err_pass(r);
    return l.bytes + bytes <= c->bytes_max ? 0 : CACHE_LARGE;
}
