/* cache_entry.c: one entry: used, filled, published.
 *
 * Between finding an entry and locking it somebody may throw it out; so after the lock is held the
 * entry must still stand in its place. Folders are flushed to the disk before they get there: what
 * a power cut tore must not come back under a good name. Files are sealed, and notice by
 * themselves. */
#include "cache.h"
#include "cache_parts.h"

#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { HEAD_TEXT_MAX = 96 };

int cache_entry_open(const struct cache *c, const char *path)
{
    char file[CACHE_ENTRY_PATH_MAX + 8];
    snprintf(file, sizeof file, "%s/entry", path);
    return openat(c->fd, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

bool cache_head_read(int fd, struct cache_head *ret_head, char *note)
{
    char text[HEAD_TEXT_MAX + CACHE_NOTE_MAX + 1];
    ssize_t n = pread(fd, text, note ? sizeof text - 1 : HEAD_TEXT_MAX, 0);
    if (n <= 0)
        return false;
    text[n] = 0;
    int used = 0;
    if (sscanf(text, "rota 1 %" SCNu64 " %" SCNu64 "%n", &ret_head->bytes, &ret_head->made_ms,
               &used) != 2 ||
        text[used] != '\n')
        return false;
    if (note)
        snprintf(note, CACHE_NOTE_MAX + 1, "%s", text + used + 1);
    return true;
}

int cache_head_write(int fd, const struct cache_head *head, const char *note)
{
    if (note && strlen(note) > CACHE_NOTE_MAX)
        return err_raise(-E2BIG);
    int n = dprintf(fd, "rota 1 %" PRIu64 " %" PRIu64 "\n%s", head->bytes, head->made_ms,
                    note ? note : "");
    return n < 0 ? err_raise(-errno) : 0;
}

bool cache_is_old(const struct cache *c, enum cache_kind kind, const struct cache_head *head)
{
    uint64_t most = cache_kind_age_ms_max(kind), now = c->now_ms();
    return most && now > head->made_ms && now - head->made_ms > most;
}

static int stamp(const struct cache *c, int fd)
{
    uint64_t now = c->now_ms();
    struct timespec t = {.tv_sec = (time_t)(now / 1000), .tv_nsec = (long)(now % 1000) * 1000000};
    const struct timespec times[2] = {t, t};
    return futimens(fd, times) < 0 ? err_raise(-errno) : 0;
}

/* ---- using ---- */

/* `fd` is the file of the entry that stands at `path` now. */
static bool is_in_place(const struct cache *c, const char *path, int fd)
{
    char file[CACHE_ENTRY_PATH_MAX + 8];
    struct stat mine, there;
    snprintf(file, sizeof file, "%s/entry", path);
    return fstat(fd, &mine) == 0 && fstatat(c->fd, file, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

int cache_use(const struct cache *c, enum cache_kind kind, const struct cache_name *name,
              struct cache_use **ret_use)
{
    char path[CACHE_ENTRY_PATH_MAX];
    struct cache_head head;
    if (c->fd < 0)
        return CACHE_MISS;
    AUTO(cache_use) u = calloc(1, sizeof *u);
    if (!u)
        return err_raise(-ENOMEM);
    cache_entry_path(kind, name->hex, path);
    u->lock_fd = cache_entry_open(c, path);
    if (u->lock_fd < 0)
        return errno == ENOENT ? CACHE_MISS : err_raise(-errno);
    if (flock(u->lock_fd, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? CACHE_MISS : err_raise(-errno);
    if (!is_in_place(c, path, u->lock_fd) || !cache_head_read(u->lock_fd, &head, u->note) ||
        cache_is_old(c, kind, &head))
        return CACHE_MISS;
    int r = stamp(c, u->lock_fd);
    if (r < 0)
        return err_pass(r);
    snprintf(u->data, sizeof u->data, "%.340s/%s/data", c->path, path);
    u->bytes = head.bytes;
    u->made_ms = head.made_ms;
    *ret_use = TAKE(u);
    return 0;
}

struct cache_use *cache_use_free(struct cache_use *u)
{
    if (u && u->lock_fd >= 0)
        close(u->lock_fd);
    free(u);
    return NULL;
}

void cache_remove(const struct cache *c, enum cache_kind kind, const struct cache_name *name)
{
    char path[CACHE_ENTRY_PATH_MAX];
    AUTO_FD lock = -1;
    cache_entry_path(kind, name->hex, path);
    if (cache_lock(c, &lock) == 0)
        cache_throw_out(c, path);
}

/* ---- filling ---- */

/* The store is locked meanwhile: a sweep must not take a folder without its lock for a leftover. */
static int place_make(struct cache_fill *f, const char *path)
{
    const struct cache *c = f->cache;
    char file[CACHE_ENTRY_PATH_MAX + 8];
    if (mkdirat(c->fd, path, 0700) < 0)
        return err_raise(-errno);
    snprintf(file, sizeof file, "%s/entry", path);
    f->lock_fd = openat(c->fd, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->lock_fd < 0 || flock(f->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_raise(-errno);
    return 0;
}

static int data_make(const struct cache_fill *f, uid_t owner)
{
    if (f->kind == CACHE_BYTECODE)
        return 0;
    if (mkdir(f->data, 0755) < 0)
        return err_raise(-errno);
    return chown(f->data, owner, (gid_t)-1) < 0 ? err_raise(-errno) : 0;
}

int cache_fill_begin(const struct cache *c, enum cache_kind kind, uid_t owner,
                     struct cache_fill **ret_fill)
{
    char path[CACHE_ENTRY_PATH_MAX];
    AUTO_FD lock = -1;
    AUTO(cache_fill) f = calloc(1, sizeof *f);
    if (!f)
        return err_raise(-ENOMEM);
    *f = (struct cache_fill){.cache = c, .kind = kind, .lock_fd = -1};
    cache_staging_path(path);
    snprintf(f->folder, sizeof f->folder, "%s", path);
    snprintf(f->data, sizeof f->data, "%.340s/%s/data", c->path, path);
    int r = cache_lock(c, &lock);
    if (r == 0)
        r = place_make(f, path);
    if (r == 0)
        r = data_make(f, owner);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    *ret_fill = TAKE(f);
    return 0;
}

/* Our own lock goes last: until then no sweep meddles. */
struct cache_fill *cache_fill_free(struct cache_fill *f)
{
    if (!f)
        return NULL;
    if (!f->is_published && f->folder[0])
        cache_tree_delete(f->cache, f->folder);
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    free(f);
    return NULL;
}

/* One that is there and good stays, unless it shall be replaced. */
static int place_free(const struct cache_fill *f, const char *path, bool replaces)
{
    struct cache_head head;
    AUTO_FD fd = cache_entry_open(f->cache, path);
    bool is_good =
        fd >= 0 && cache_head_read(fd, &head, NULL) && !cache_is_old(f->cache, f->kind, &head);
    if (is_good && !replaces)
        return CACHE_HAVE;
    if (faccessat(f->cache->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        cache_throw_out(f->cache, path);
    return 0;
}

static int place_take(struct cache_fill *f, const char *path, uint64_t bytes, bool replaces)
{
    AUTO_FD lock = -1;
    int r = cache_lock(f->cache, &lock);
    if (r == 0)
        r = place_free(f, path, replaces);
    if (r == 0)
        r = cache_make_room(f->cache, bytes);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    if (renameat(f->cache->fd, f->folder, f->cache->fd, path) < 0)
        return err_raise(-errno);
    f->is_published = true;
    return 0;
}

static int settle_on_disk(const struct cache_fill *f)
{
    if (f->kind == CACHE_BYTECODE)
        return 0;
    return syncfs(f->lock_fd) < 0 ? err_raise(-errno) : 0;
}

int cache_publish(struct cache_fill *f, const struct cache_name *name, uint64_t bytes,
                  const char *note, bool replaces)
{
    char path[CACHE_ENTRY_PATH_MAX];
    const struct cache_head head = {.bytes = bytes, .made_ms = f->cache->now_ms()};
    if (bytes > f->cache->bytes_max)
        return CACHE_LARGE;
    cache_entry_path(f->kind, name->hex, path);
    int r = cache_head_write(f->lock_fd, &head, note);
    if (r == 0)
        r = stamp(f->cache, f->lock_fd);
    if (r == 0)
        r = settle_on_disk(f);
    if (r == 0)
        r = place_take(f, path, bytes, replaces);
    return r < 0 ? err_pass(r) : r;
}
