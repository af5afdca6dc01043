/* source_keys.c: a head, then slots of 64 bytes: job, key, and random bytes to fill it up, so that
 * no slot stands across two sectors. A slot whose job is all zero is free; what is in it then is
 * random, or never was a key.
 *
 * The table in memory has an entry a slot: the job, and the next slot of the same bucket or of the
 * free ones. It doubles with the file, up to SOURCE_KEYS_MAX. Job ids end in random bytes, which
 * choose the bucket. */
#include "edge/source_keys.h"

#include <assert.h>
#include <base/bytes.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { HEAD_BYTES = 64, SLOT_BYTES = 64, KEY_AT = 16, SLOTS_FIRST = 256 };
#define NO_SLOT UINT32_MAX
static const uint8_t head[HEAD_BYTES] = "rota source keys 1\n";

struct slot {
    struct job_id job;
    uint32_t next;
};

struct source_keys {
    pthread_mutex_t lock;
    char path[PATH_MAX];
    int fd; /* -1: there is no file yet; the first reservation makes it */
    struct slot *slot;
    uint32_t *bucket; /* n of each */
    uint32_t n;
    uint32_t free;
    size_t free_n, reserved;
    bool is_dirty;
};

static const struct job_id no_job;

static int refuse(const char *path, const char *why)
{
    log_error("keys.refused", "path=%s why=\"%s\" hint=\"restore it from where it was kept\"", path,
              why);
    return SOURCE_KEYS_REFUSED;
}

static off_t place_of(uint32_t i)
{
    return HEAD_BYTES + (off_t)i * SLOT_BYTES;
}

static uint32_t *bucket_of(const struct source_keys *k, struct job_id job)
{
    return &k->bucket[get_be32(job.b + sizeof job.b - 4) % k->n];
}

static uint32_t find(const struct source_keys *k, struct job_id job)
{
    uint32_t i = k->n ? *bucket_of(k, job) : NO_SLOT;
    while (i != NO_SLOT && job_id_cmp(k->slot[i].job, job) != 0)
        i = k->slot[i].next;
    return i;
}

/* Into its bucket, or to the free ones. */
static void link_in(struct source_keys *k, uint32_t i)
{
    bool is_free = job_id_cmp(k->slot[i].job, no_job) == 0;
    uint32_t *first = is_free ? &k->free : bucket_of(k, k->slot[i].job);
    k->slot[i].next = *first;
    *first = i;
    k->free_n += is_free;
}

static void link_out(struct source_keys *k, uint32_t i)
{
    uint32_t *at = bucket_of(k, k->slot[i].job);
    while (*at != i)
        at = &k->slot[*at].next;
    *at = k->slot[i].next;
}

/* A table for n slots; those beyond the present ones are free. */
static int table_grow(struct source_keys *k, uint32_t n)
{
    struct slot *slot = calloc(n, sizeof *slot);
    uint32_t *bucket = malloc(n * sizeof *bucket);
    if (!slot || !bucket) {
        free(slot);
        free(bucket);
        return err_raise(-ENOMEM);
    }
    if (k->n)
        memcpy(slot, k->slot, k->n * sizeof *slot);
    memset(bucket, 0xff, n * sizeof *bucket);
    free(k->slot);
    free(k->bucket);
    k->slot = slot;
    k->bucket = bucket;
    k->n = n;
    k->free = NO_SLOT;
    k->free_n = 0;
    for (uint32_t i = n; i-- > 0;)
        link_in(k, i);
    return 0;
}

/* ---- opening ---- */

static int slots_read(struct source_keys *k, uint32_t n)
{
    uint8_t b[SLOT_BYTES];
    k->slot = calloc(n ? n : 1, sizeof *k->slot);
    if (!k->slot)
        return err_raise(-ENOMEM);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < n; i++) {
        if (pread(k->fd, b, sizeof b, place_of(i)) != sizeof b)
            r = -EIO;
        memcpy(k->slot[i].job.b, b, sizeof k->slot[i].job.b);
    }
    sodium_memzero(b, sizeof b);
    k->n = n;
    return r < 0 ? err_raise(r) : 0;
}

static int load(struct source_keys *k)
{
    struct stat st;
    uint8_t seen[HEAD_BYTES];
    if (fstat(k->fd, &st) < 0)
        return err_raise(-errno);
    if (st.st_mode & 077)
        return refuse(k->path, "group or others may read it");
    if (st.st_size < HEAD_BYTES) /* made, and nothing in it was ever used */
        return pwrite(k->fd, head, sizeof head, 0) == sizeof head && fdatasync(k->fd) == 0
                   ? 0
                   : err_raise(-EIO);
    uint64_t n = (uint64_t)(st.st_size - HEAD_BYTES) / SLOT_BYTES;
    if (pread(k->fd, seen, sizeof seen, 0) != HEAD_BYTES || memcmp(seen, head, sizeof head) != 0 ||
        n > SOURCE_KEYS_MAX)
        return refuse(k->path, "it is no file of source keys");
    int r = slots_read(k, (uint32_t)n);
    if (r == 0 && n)
        r = table_grow(k, (uint32_t)n);
    return r < 0 ? err_pass(r) : 0;
}

int source_keys_open(const char *data_dir, struct source_keys **ret_keys)
{
    AUTO(source_keys) k = calloc(1, sizeof *k);
    if (!k)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&k->lock, NULL);
    k->free = NO_SLOT;
    snprintf(k->path, sizeof k->path, "%s/keys/source.keys", data_dir);
    k->fd = open(k->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (k->fd < 0 && errno != ENOENT)
        return err_raise(-errno);
    int r = k->fd < 0 ? 0 : load(k);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    *ret_keys = TAKE(k);
    return 0;
}

struct source_keys *source_keys_free(struct source_keys *k)
{
    if (!k)
        return NULL;
    if (k->fd >= 0)
        close(k->fd);
    free(k->slot);
    free(k->bucket);
    pthread_mutex_destroy(&k->lock);
    free(k);
    return NULL;
}

/* ---- growing ---- */

/* With its name on the disk, so that no key is lost with it. */
static int file_make(struct source_keys *k)
{
    char folder[PATH_MAX];
    if (k->fd >= 0)
        return 0;
    snprintf(folder, sizeof folder, "%s", k->path);
    *strrchr(folder, '/') = '\0';
    AUTO_FD dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD fd = open(k->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || dir < 0)
        return err_raise(-errno);
    if (pwrite(fd, head, sizeof head, 0) != sizeof head || fdatasync(fd) < 0 || fsync(dir) < 0) {
        int r = err_raise(-errno);
        unlink(k->path); /* the next reservation tries again */
        return r;
    }
    k->fd = TAKE_FD(fd);
    return 0;
}

static int grow(struct source_keys *k)
{
    uint32_t n = k->n ? 2 * k->n : SLOTS_FIRST;
    if (n > SOURCE_KEYS_MAX)
        n = SOURCE_KEYS_MAX;
    if (k->n >= n)
        return SOURCE_KEYS_FULL;
    int r = file_make(k);
    if (r < 0)
        return err_pass(r);
    r = posix_fallocate(k->fd, place_of(k->n), (off_t)(n - k->n) * SLOT_BYTES);
    if (r != 0 || fdatasync(k->fd) < 0)
        return err_raise(r ? -r : -errno);
    return table_grow(k, n);
}

int source_keys_reserve(struct source_keys *k)
{
    pthread_mutex_lock(&k->lock);
    int r = k->reserved < k->free_n ? 0 : grow(k);
    k->reserved += r == 0;
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_pass(r) : r;
}

void source_keys_unreserve(struct source_keys *k, size_t n)
{
    pthread_mutex_lock(&k->lock);
    assert(k->reserved >= n);
    k->reserved -= n;
    pthread_mutex_unlock(&k->lock);
}

/* ---- slots ---- */

static int slot_write(struct source_keys *k, uint32_t i, struct job_id job, const uint8_t *key)
{
    uint8_t b[SLOT_BYTES];
    randombytes_buf(b, sizeof b);
    memcpy(b, job.b, sizeof job.b);
    if (key)
        memcpy(b + KEY_AT, key, SEAL_KEY_BYTES);
    int r = pwrite(k->fd, b, sizeof b, place_of(i)) == sizeof b ? 0 : errno ? -errno : -EIO;
    sodium_memzero(b, sizeof b);
    k->is_dirty = true;
    return r < 0 ? err_raise(r) : 0;
}

static int put(struct source_keys *k, struct job_id job, const uint8_t *key)
{
    uint32_t i = k->free;
    if (i == NO_SLOT)
        return err_raise(-ENOSPC); /* nothing was reserved */
    int r = slot_write(k, i, job, key);
    if (r < 0)
        return err_pass(r);
    k->free = k->slot[i].next;
    k->free_n--;
    k->slot[i].job = job;
    link_in(k, i);
    return 0;
}

int source_keys_put(struct source_keys *k, struct job_id job, const uint8_t key[SEAL_KEY_BYTES])
{
    assert(job_id_cmp(job, no_job) != 0);
    pthread_mutex_lock(&k->lock);
    int r = put(k, job, key);
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_pass(r) : 0;
}

/* Holding the lock. */
static int destroy_at(struct source_keys *k, uint32_t i)
{
    int r = slot_write(k, i, no_job, NULL);
    if (r < 0)
        return err_pass(r);
    link_out(k, i);
    k->slot[i].job = no_job;
    link_in(k, i);
    return 0;
}

int source_keys_destroy(struct source_keys *k, struct job_id job)
{
    pthread_mutex_lock(&k->lock);
    uint32_t i = find(k, job);
    int r = i == NO_SLOT ? 0 : destroy_at(k, i);
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_pass(r) : 0;
}

int source_keys_flush(struct source_keys *k)
{
    pthread_mutex_lock(&k->lock);
    int r = k->is_dirty && fdatasync(k->fd) < 0 ? -errno : 0;
    k->is_dirty = k->is_dirty && r < 0;
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_raise(r) : 0;
}

int source_keys_get(struct source_keys *k, struct job_id job, uint8_t ret_key[SEAL_KEY_BYTES])
{
    pthread_mutex_lock(&k->lock);
    uint32_t i = find(k, job);
    int r = i == NO_SLOT ? SOURCE_KEYS_MISSING : 0;
    if (r == 0 && pread(k->fd, ret_key, SEAL_KEY_BYTES, place_of(i) + KEY_AT) != SEAL_KEY_BYTES)
        r = errno ? -errno : -EIO;
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_raise(r) : r;
}

int source_keys_sweep(struct source_keys *k, source_keys_is_gone *is_gone, void *arg,
                      size_t *ret_gone)
{
    int r = 0;
    size_t gone = 0;
    pthread_mutex_lock(&k->lock);
    for (uint32_t i = 0; i < k->n && r == 0; i++) {
        struct job_id job = k->slot[i].job;
        if (job_id_cmp(job, no_job) == 0 || !is_gone(arg, job))
            continue;
        r = destroy_at(k, i);
        gone += r == 0;
    }
    pthread_mutex_unlock(&k->lock);
    if (r == 0)
        r = source_keys_flush(k);
    *ret_gone = gone;
    return r < 0 ? err_pass(r) : 0;
}
