/* incoming.c: uploads, from the invitation to the checked object.
 *
 * An invitation is a folder incoming/PREFIX-TIME-TOKEN: PREFIX is a hash of what is expected, so
 * that the upload is found again after a restart without a table of its own; TIME is when it was
 * given; TOKEN is random, so that nobody else can name the place. No key stands behind it, so
 * rotating keys ends no invitation. What came later than an hour after TIME is refused, and so is
 * one whose TIME is still to come, because a clock was set back; each with CLOCK_SKEW_MS_MAX to
 * spare. When an object came is the kernel's word (its ctime), which its owner cannot set. An
 * object is checked through one open descriptor. A file of our own user is then renamed; a file of
 * another user is copied first and the copy is checked, because its owner could still write to it.
 * The object and its folder are on the disk before anybody hears that it is there.     */
#include "edge/artifacts_local.h"
#include "sign.h"

#include <base/clock.h>
#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { PREFIX_LEN = 16, TIME_LEN = 10, TOKEN_BYTES = 16, COPY_BYTES = 64 << 10 };
enum { ROOM_BYTES_MAX = 128 << 20, ROOM_PART = 32 };

static void incoming_prefix(const struct artifact_id *id, char prefix[PREFIX_LEN + 1])
{
    char name[OBJECT_NAME_MAX];
    uint8_t hash[crypto_generichash_BYTES];
    artifact_name(id, name);
    crypto_generichash(hash, sizeof hash, (const uint8_t *)name, strlen(name), NULL, 0);
    sodium_bin2hex(prefix, PREFIX_LEN + 1, hash, PREFIX_LEN / 2);
}

/* Often the database lies on the same disk, and it refuses publishes on one that is full: uploads
 * leave a part of it free, more than publishes do. */
static bool has_room(const struct local *a, uint64_t size)
{
    struct statvfs st;
    if (fstatvfs(a->root_fd, &st) < 0)
        return true; /* the upload will find out */
    uint64_t all = st.f_blocks * st.f_frsize, left = st.f_bavail * st.f_frsize;
    uint64_t keep = all / ROOM_PART < ROOM_BYTES_MAX ? all / ROOM_PART : ROOM_BYTES_MAX;
    return left >= keep && left - keep >= size;
}

int local_invite(struct artifacts *store, const struct artifact_id *id, uint64_t size,
                 uint64_t now_ms, char url[ARTIFACT_URL_MAX])
{
    struct local *a = local_of(store);
    char name[INCOMING_NAME_MAX + 16], prefix[PREFIX_LEN + 1], hex[2 * TOKEN_BYTES + 1];
    uint8_t token[TOKEN_BYTES];
    if (atomic_load(&a->incoming_n) >= INCOMING_MAX)
        return ARTIFACTS_TOO_MANY;
    if (!has_room(a, size))
        return ARTIFACTS_FULL;
    randombytes_buf(token, sizeof token);
    sodium_bin2hex(hex, sizeof hex, token, sizeof token);
    incoming_prefix(id, prefix);
    int n = snprintf(name, sizeof name, "incoming/%s-%0*llx-%s", prefix, TIME_LEN,
                     (unsigned long long)(now_ms / 1000), hex);
    if (mkdirat(a->root_fd, name, 0770) < 0 || fchmodat(a->root_fd, name, 0770, 0) < 0)
        return err_raise(-errno);
    atomic_fetch_add(&a->incoming_n, 1);
    snprintf(name + n, sizeof name - (size_t)n, "/object");
    local_url(a, name, url);
    return 0;
}

/* Removes an invitation and whatever a writer left in it. */
static void incoming_drop(struct local *a, const char *dir)
{
    char path[INCOMING_NAME_MAX + 300];
    snprintf(path, sizeof path, "incoming/%s", dir);
    int fd = openat(a->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    if (unlinkat(a->root_fd, path, AT_REMOVEDIR) < 0)
        return;
    unsigned n = atomic_load(&a->incoming_n); /* a sweep may have counted without it */
    while (n && !atomic_compare_exchange_weak(&a->incoming_n, &n, n - 1))
        ;
}

/* When it was given; 0: by a rotad that did not say. */
static uint64_t given_ms(const char *dir)
{
    if (strlen(dir) != PREFIX_LEN + 1 + TIME_LEN + 1 + 2 * TOKEN_BYTES)
        return 0;
    return strtoull(dir + PREFIX_LEN + 1, NULL, 16) * 1000;
}

static uint64_t ms_of(struct timespec t)
{
    return t.tv_sec > 0 ? (uint64_t)t.tv_sec * 1000 : 0;
}

static bool is_ahead(uint64_t at_ms, uint64_t now_ms)
{
    return at_ms > now_ms + CLOCK_SKEW_MS_MAX;
}

static int time_check(const char *dir, const struct stat *st)
{
    uint64_t given = given_ms(dir);
    if (!given)
        return 0;
    if (is_ahead(given, clock_wall_ms()))
        return ARTIFACTS_AHEAD;
    return is_ahead(ms_of(st->st_ctim), given + INCOMING_AGE_MS_MAX) ? ARTIFACTS_LATE : 0;
}

/* Is the open file what was announced? */
static int file_check(int fd, const struct artifact_id *id, const struct artifact_check *check,
                      uint64_t *ret_size)
{
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    int r = hash_file(fd, sha256, blake2b, &size);
    if (r < 0)
        return err_pass(r);
    if (memcmp(sha256, id->sha256, sizeof sha256) != 0)
        return ARTIFACTS_MISMATCH;
    if (check->blake2b && memcmp(blake2b, check->blake2b, sizeof blake2b) != 0)
        return ARTIFACTS_MISMATCH;
    *ret_size = size;
    return 0;
}

/* Cheap questions before the file is read. */
static int stat_check(int fd, const struct artifact_check *check, struct stat *ret_st)
{
    if (fstat(fd, ret_st) < 0)
        return err_raise(-errno);
    uint64_t size = (uint64_t)ret_st->st_size;
    if (!S_ISREG(ret_st->st_mode) || (check->size != UINT64_MAX && size != check->size))
        return ARTIFACTS_MISMATCH;
    return size > check->size_max ? ARTIFACTS_TOO_LARGE : 0;
}

static int file_copy(int from, int to)
{
    uint8_t buf[COPY_BYTES];
    size_t got = COPY_BYTES;
    if (lseek(from, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    for (int r; got == COPY_BYTES;) {
        r = read_all(from, buf, COPY_BYTES, &got);
        if (r == 0)
            r = write_all(to, buf, got);
        if (r < 0)
            return err_pass(r);
    }
    return 0;
}

/* Gives the checked file its name. `path` is the upload, `name` the object, both relative to the
 * root. */
static int file_rename(struct local *a, const struct artifact_id *id, int fd, const char *path)
{
    char name[OBJECT_NAME_MAX];
    artifact_name(id, name);
    if (fchmod(fd, 0600) < 0 || fsync(fd) < 0)
        return err_raise(-errno);
    int r = local_folders(a, id);
    if (r < 0)
        return err_pass(r);
    if (renameat(a->root_fd, path, a->root_fd, name) < 0)
        return err_raise(-errno);
    *strrchr(name, '/') = '\0';
    return local_sync(a, name);
}

/* A file that another user owns: the broker's own copy is what gets checked and named. */
static int foreign_take(struct local *a, const struct artifact_id *id,
                        const struct artifact_check *check, const char *dir, int from,
                        uint64_t *ret_size)
{
    char path[INCOMING_NAME_MAX + 300];
    snprintf(path, sizeof path, "incoming/%s/.copy", dir);
    unlinkat(a->root_fd, path, 0);
    AUTO_FD to = openat(a->root_fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return err_raise(-errno);
    int r = file_copy(from, to);
    if (r == 0)
        r = file_check(to, id, check, ret_size);
    return r ? r : file_rename(a, id, to, path);
}

/* Tries one invitation. */
static int incoming_try(struct local *a, const struct artifact_id *id,
                        const struct artifact_check *check, const char *dir, uint64_t *ret_size)
{
    char path[INCOMING_NAME_MAX + 300];
    struct stat st;
    snprintf(path, sizeof path, "incoming/%s/object", dir);
    AUTO_FD fd = openat(a->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ARTIFACTS_MISSING
                               : (errno == ELOOP ? ARTIFACTS_MISMATCH : err_raise(-errno));
    int r = stat_check(fd, check, &st);
    if (r == 0)
        r = time_check(dir, &st);
    if (r == ARTIFACTS_TOO_LARGE)
        *ret_size = (uint64_t)st.st_size;
    if (r)
        return r;
    if (st.st_uid != geteuid() || st.st_nlink != 1)
        return foreign_take(a, id, check, dir, fd, ret_size);
    r = file_check(fd, id, check, ret_size);
    return r ? r : file_rename(a, id, fd, path);
}

/* NULL: errno says why. */
static DIR *incoming_open(struct local *a)
{
    int fd = openat(a->root_fd, "incoming", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

int local_take(struct artifacts *store, const struct artifact_id *id,
               const struct artifact_check *check, uint64_t *ret_size)
{
    struct local *a = local_of(store);
    char prefix[PREFIX_LEN + 1];
    int r, result = ARTIFACTS_MISSING;
    DIR *d = incoming_open(a);
    if (!d)
        return err_raise(-errno);
    incoming_prefix(id, prefix);
    for (struct dirent *e; result != 0 && (e = readdir(d));) {
        if (strncmp(e->d_name, prefix, PREFIX_LEN) != 0)
            continue;
        r = incoming_try(a, id, check, e->d_name, ret_size);
        if (r < 0 && result > 0)
            result = r;
        if (r >= 0 && r != ARTIFACTS_MISSING) {
            result = r;
            incoming_drop(a, e->d_name);
        }
    }
    closedir(d);
    return result < 0 ? err_pass(result) : result;
}

/* How old an invitation is, or when something came, how old that is and how old it may get. One
 * that is ahead of us is over as well, or it would stay until the clock has come so far again; so
 * the owner of a file that says it comes from a far day gains nothing. */
static bool is_over(struct local *a, const char *dir, uint64_t now_ms, uint64_t age_ms)
{
    char path[INCOMING_NAME_MAX + 300];
    struct stat st;
    snprintf(path, sizeof path, "incoming/%s/object", dir);
    if (is_ahead(given_ms(dir), now_ms))
        return true;
    if (fstatat(a->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        *strrchr(path, '/') = '\0';
        age_ms = age_ms < INCOMING_AGE_MS_MAX ? age_ms : INCOMING_AGE_MS_MAX;
        if (fstatat(a->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return false;
    }
    uint64_t came_ms = ms_of(st.st_mtim), changed_ms = ms_of(st.st_ctim);
    came_ms = came_ms < changed_ms ? came_ms : changed_ms;
    return is_ahead(came_ms, now_ms) || came_ms + age_ms < now_ms;
}

int local_sweep_incoming(struct artifacts *store, uint64_t now_ms, uint64_t age_ms)
{
    struct local *a = local_of(store);
    unsigned n = 0;
    DIR *d = incoming_open(a);
    if (!d)
        return err_raise(-errno);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        if (is_over(a, e->d_name, now_ms, age_ms))
            incoming_drop(a, e->d_name);
        else
            n++;
    }
    closedir(d);
    atomic_store(&a->incoming_n, n);
    return 0;
}
