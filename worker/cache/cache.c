/* cache.c: the folder, its key and its lock, and the names of entries.
 *
 * Names are keyed hashes, so that a listing of the folder does not tell which lockfiles or bundles
 * an account has to somebody who knows some. A key that is lost or damaged is made anew: no entry
 * is found under its old name then, and all of them go as the least recently used. */
#include "cache.h"

#include "cache_parts.h"

#include <base/clock.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { LOCK_TRIES = 250, LOCK_TRY_MS = 20 };
enum { KEY_OF_NAMES = 1, KEY_OF_SEALS = 2 };

#define DAY_MS (24ull * 60 * 60 * 1000)

static const struct {
    const char *name;
    uint64_t age_ms_max; /* packages that a registry withdrew must not live on for long */
} kinds[CACHE_KINDS] = {
    [CACHE_MODULES] = {"modules", DAY_MS},
    [CACHE_LAYER] = {"layer", 0},
    [CACHE_BYTECODE] = {"bytecode", 0},
    [CACHE_HEAT] = {"heat", DAY_MS},
};

const char *cache_kind_name(enum cache_kind kind)
{
    return kinds[kind].name;
}

uint64_t cache_kind_age_ms_max(enum cache_kind kind)
{
    return kinds[kind].age_ms_max;
}

/* Not for ever: who holds it may have been stopped by a signal, and a build must not wait for that.
 */
int cache_lock(const struct cache *c, int *ret_fd)
{
    AUTO_FD fd = openat(c->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_raise(-errno);
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_raise(-errno);
        if (i == LOCK_TRIES)
            return CACHE_BUSY;
        poll(NULL, 0, LOCK_TRY_MS);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* ---- opening ---- */

__attribute__((format(printf, 2, 3))) static int refuse(char why[CACHE_WHY_MAX], const char *format,
                                                        ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why, CACHE_WHY_MAX, format, ap);
    va_end(ap);
    return CACHE_UNUSABLE;
}

/* Nobody else may put anything into it, nor read what is in it. */
static int folder_take(const char *path, struct cache *c, char why[CACHE_WHY_MAX])
{
    char real[PATH_MAX];
    struct stat st;
    struct statvfs fs;
    int r = dir_make(path, 0700);
    if (r < 0)
        return refuse(why, "%.160s cannot be made: %s", path, strerror(-r));
    if (!realpath(path, real) || strlen(real) + CACHE_ENTRY_PATH_MAX >= sizeof c->path)
        return refuse(why, "%.160s: the path is too long", path);
    memcpy(c->path, real, strlen(real) + 1);
    c->fd = open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->fd < 0 || fstat(c->fd, &st) < 0)
        return refuse(why, "%.160s cannot be opened: %s", path, strerror(errno));
    if (st.st_uid != geteuid())
        return refuse(why, "%.160s belongs to another user", path);
    if (fstatvfs(c->fd, &fs) < 0 || fs.f_flag & ST_NOEXEC)
        return refuse(why, "%.160s is mounted noexec, and node_modules hold programs", path);
    if (fchmod(c->fd, 0700) < 0)
        return refuse(why, "%.160s cannot be made private: %s", path, strerror(errno));
    return 0;
}

static int folders_make(const struct cache *c)
{
    int r = mkdirat(c->fd, "staging", 0700);
    for (size_t i = 0; i < CACHE_KINDS && (r == 0 || errno == EEXIST); i++)
        r = mkdirat(c->fd, kinds[i].name, 0700);
    return r == 0 || errno == EEXIST ? 0 : err_raise(-errno);
}

static int key_read(const char *path, uint8_t key[CACHE_KEY_BYTES])
{
    char *text = NULL;
    size_t n = 0;
    int r = file_read_secret(path, CACHE_KEY_BYTES, &text, &n);
    if (r < 0)
        return r;
    bool is_whole = n == CACHE_KEY_BYTES;
    if (is_whole)
        memcpy(key, text, CACHE_KEY_BYTES);
    sodium_memzero(text, n);
    free(text);
    return is_whole ? 0 : -EINVAL;
}

static int keys_take(struct cache *c)
{
    static const char context[crypto_kdf_CONTEXTBYTES] = {'r', 'o', 't', 'a', 'h', 'e', 'a', 't'};
    char path[CACHE_PATH_MAX + 8];
    uint8_t key[CACHE_KEY_BYTES];
    snprintf(path, sizeof path, "%s/key", c->path);
    int r = key_read(path, key);
    if (r < 0) {
        randombytes_buf(key, sizeof key);
        r = file_write(path, 0600, key, sizeof key);
    }
    if (r == 0) {
        crypto_kdf_derive_from_key(c->name_key, sizeof c->name_key, KEY_OF_NAMES, context, key);
        crypto_kdf_derive_from_key(c->seal_key, sizeof c->seal_key, KEY_OF_SEALS, context, key);
    }
    sodium_memzero(key, sizeof key);
    return r < 0 ? err_pass(r) : 0;
}

static int fill_in(struct cache *c)
{
    AUTO_FD lock = -1;
    int r = cache_lock(c, &lock);
    if (r == 0)
        r = folders_make(c);
    if (r == 0)
        r = keys_take(c);
    if (r == 0)
        r = cache_make_room(c, 0);
    if (r == CACHE_LARGE)
        r = 0; /* the bound was lowered, and what is in use must stay for now */
    return r < 0 ? err_pass(r) : r;
}

int cache_open(const char *path, uint64_t bytes_max, uint64_t (*now_ms)(void),
               struct cache *ret_cache, char why[CACHE_WHY_MAX])
{
    struct cache c = {.fd = -1, .bytes_max = bytes_max, .now_ms = now_ms ? now_ms : clock_wall_ms};
    int r = folder_take(path, &c, why);
    if (r == 0)
        r = fill_in(&c);
    if (r == CACHE_BUSY)
        r = refuse(why, "another worker has held %.160s/lock for seconds", path);
    if (r < 0)
        r = refuse(why, "%.160s cannot be used: %s", path, strerror(-r));
    if (r != 0) {
        cache_close(&c);
        return r;
    }
    *ret_cache = c;
    return 0;
}

void cache_close(struct cache *c)
{
    if (c->fd >= 0)
        close(c->fd);
    sodium_memzero(c, sizeof *c);
    c->fd = -1;
}

/* ---- names ---- */

void cache_name_begin(const struct cache *c, enum cache_kind kind, struct cache_namer *n)
{
    crypto_generichash_init(&n->state, c->name_key, sizeof c->name_key, CACHE_KEY_BYTES);
    cache_name_text(n, kinds[kind].name);
}

void cache_name_add(struct cache_namer *n, const void *p, size_t bytes)
{
    uint64_t length = bytes;
    crypto_generichash_update(&n->state, (const uint8_t *)&length, sizeof length);
    crypto_generichash_update(&n->state, p, bytes);
}

void cache_name_text(struct cache_namer *n, const char *text)
{
    cache_name_add(n, text, strlen(text));
}

void cache_name_end(struct cache_namer *n, struct cache_name *ret_name)
{
    uint8_t hash[CACHE_KEY_BYTES];
    crypto_generichash_final(&n->state, hash, sizeof hash);
    sodium_bin2hex(ret_name->hex, sizeof ret_name->hex, hash, sizeof hash);
}

void cache_entry_path(enum cache_kind kind, const char *name, char path[CACHE_ENTRY_PATH_MAX])
{
    snprintf(path, CACHE_ENTRY_PATH_MAX, "%s/%.100s", kinds[kind].name, name);
}

void cache_staging_path(char path[CACHE_ENTRY_PATH_MAX])
{
    uint8_t random[16];
    char hex[2 * sizeof random + 1];
    randombytes_buf(random, sizeof random);
    snprintf(path, CACHE_ENTRY_PATH_MAX, "staging/%s",
             sodium_bin2hex(hex, sizeof hex, random, sizeof random));
}
