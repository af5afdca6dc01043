/* app_keys.c: a header, then one record of 48 bytes an app: account, app, random bytes, key. A
 * record with account 0 is free. All of it stands in RAM; a change is written in place and flushed
 * before it counts. XChaCha20-Poly1305 seals, with account, app and name as additional data. */
#include "edge/app_keys.h"

#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 8, RECORD_BYTES = 48, KEY_AT = 16, KEY_BYTES = 32, NAME_MAX_BYTES = 64 };
_Static_assert(APP_SECRET_EXTRA == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
                                       crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "the header says what sealing adds");
static const uint8_t head[HEAD_BYTES] = {'r', 'o', 't', 'a', 'A', 'K', '1', '\n'};

struct app_keys {
    pthread_mutex_t lock;
    char path[PATH_MAX];
    int fd;           /* -1: there is no file yet; the first secret makes it */
    uint8_t *records; /* n of them */
    size_t n;
};

static uint8_t *record(const struct app_keys *k, size_t i)
{
    return k->records + i * RECORD_BYTES;
}

static int refuse(const char *path, const char *why)
{
    log_error("keys.refused", "path=%s why=\"%s\" hint=\"restore it from where it was kept\"", path,
              why);
    return APP_KEYS_REFUSED;
}

static int write_at(int fd, const void *p, size_t n, off_t at)
{
    if (pwrite(fd, p, n, at) != (ssize_t)n)
        return err_raise(errno ? -errno : -EIO);
    return fdatasync(fd) < 0 ? err_raise(-errno) : 0;
}

static int load(struct app_keys *k, const char *path)
{
    struct stat st;
    uint8_t seen[HEAD_BYTES];
    if (fstat(k->fd, &st) < 0)
        return err_raise(-errno);
    if (st.st_mode & 077)
        return refuse(path, "group or others may read it");
    if (st.st_size == 0) /* made, and nothing in it was ever used */
        return write_at(k->fd, head, sizeof head, 0);
    if (st.st_size < HEAD_BYTES || pread(k->fd, seen, sizeof seen, 0) != HEAD_BYTES ||
        memcmp(seen, head, sizeof head) != 0)
        return refuse(path, "it is no file of app keys");
    k->n = (size_t)(st.st_size - HEAD_BYTES) / RECORD_BYTES; /* a torn last record was never used */
    size_t bytes = k->n * RECORD_BYTES;
    k->records = calloc(k->n + 1, RECORD_BYTES);
    if (!k->records)
        return err_raise(-ENOMEM);
    return pread(k->fd, k->records, bytes, HEAD_BYTES) == (ssize_t)bytes ? 0 : err_raise(-EIO);
}

int app_keys_open(const char *data_dir, struct app_keys **ret_keys)
{
    AUTO(app_keys) k = calloc(1, sizeof *k);
    if (!k)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&k->lock, NULL);
    snprintf(k->path, sizeof k->path, "%s/keys/app.keys", data_dir);
    k->fd = open(k->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (k->fd < 0 && errno != ENOENT)
        return err_raise(-errno);
    int r = k->fd < 0 ? 0 : load(k, k->path);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    *ret_keys = TAKE(k);
    return 0;
}

struct app_keys *app_keys_free(struct app_keys *k)
{
    if (!k)
        return NULL;
    if (k->fd >= 0)
        close(k->fd);
    if (k->records)
        sodium_memzero(k->records, k->n * RECORD_BYTES);
    free(k->records);
    pthread_mutex_destroy(&k->lock);
    free(k);
    return NULL;
}

/* The record of an app; account 0: a free one. k->n: none. */
static size_t find(const struct app_keys *k, uint64_t account, uint32_t app)
{
    size_t i = 0;
    while (i < k->n && (get_be64(record(k, i)) != account || get_be32(record(k, i) + 8) != app))
        i++;
    return i;
}

/* With its name on the disk, so that no secret is sealed with a key that a crash takes away. */
static int make_file(struct app_keys *k)
{
    char folder[PATH_MAX];
    if (k->fd >= 0)
        return 0;
    snprintf(folder, sizeof folder, "%s", k->path);
    *strrchr(folder, '/') = '\0';
    k->fd = open(k->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (k->fd < 0)
        return err_raise(-errno);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 || fsync(dir) < 0 ? -errno : 0;
    if (dir >= 0)
        close(dir);
    r = r < 0 ? err_raise(r) : write_at(k->fd, head, sizeof head, 0);
    if (r < 0) { /* the next secret tries again */
        close(k->fd);
        unlink(k->path);
        k->fd = -1;
    }
    return r;
}

static int add(struct app_keys *k, uint64_t account, uint32_t app, size_t *ret_at)
{
    int made = make_file(k);
    if (made < 0)
        return err_pass(made);
    size_t i = find(k, 0, 0);
    if (i == k->n) {
        uint8_t *more = calloc(k->n + 2, RECORD_BYTES);
        if (!more)
            return err_raise(-ENOMEM);
        if (k->n)
            memcpy(more, k->records, k->n * RECORD_BYTES);
        if (k->records)
            sodium_memzero(k->records, k->n * RECORD_BYTES);
        free(k->records);
        k->records = more;
        k->n++;
    }
    uint8_t *p = record(k, i);
    put_be64(p, account);
    put_be32(p + 8, app);
    randombytes_buf(p + 12, RECORD_BYTES - 12);
    int r = write_at(k->fd, p, RECORD_BYTES, (off_t)(HEAD_BYTES + i * RECORD_BYTES));
    if (r < 0) {
        memset(p, 0, RECORD_BYTES);
        return err_pass(r);
    }
    *ret_at = i;
    return 0;
}

struct bound {
    uint8_t b[12 + NAME_MAX_BYTES];
    size_t n;
};

static struct bound bound_of(const struct app_secret *whose)
{
    struct bound ad = {.n = 12};
    size_t n = strnlen(whose->name, NAME_MAX_BYTES);
    put_be64(ad.b, whose->account);
    put_be32(ad.b + 8, whose->app);
    memcpy(ad.b + 12, whose->name, n);
    ad.n += n;
    return ad;
}

int app_keys_seal(struct app_keys *k, const struct app_secret *whose, struct span plain,
                  uint8_t *ret_sealed)
{
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    struct bound ad = bound_of(whose);
    pthread_mutex_lock(&k->lock);
    size_t i = find(k, whose->account, whose->app);
    int r = i < k->n ? 0 : add(k, whose->account, whose->app, &i);
    if (r == 0) {
        randombytes_buf(ret_sealed, NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(ret_sealed + NONCE, NULL, plain.p, plain.n, ad.b,
                                                   ad.n, NULL, ret_sealed, record(k, i) + KEY_AT);
    }
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_pass(r) : 0;
}

int app_keys_unseal(struct app_keys *k, const struct app_secret *whose, struct span sealed,
                    uint8_t *ret_plain)
{
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    struct bound ad = bound_of(whose);
    int r = APP_KEYS_FORGED;
    if (sealed.n < APP_SECRET_EXTRA)
        return r;
    pthread_mutex_lock(&k->lock);
    size_t i = find(k, whose->account, whose->app);
    const uint8_t *p = sealed.p;
    if (i == k->n)
        r = APP_KEYS_MISSING;
    else if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret_plain, NULL, NULL, p + NONCE,
                                                        sealed.n - NONCE, ad.b, ad.n, p,
                                                        record(k, i) + KEY_AT) == 0)
        r = 0;
    pthread_mutex_unlock(&k->lock);
    return r;
}

/* Holding the lock. The key is overwritten before the record is free. */
static int destroy_at(struct app_keys *k, size_t i)
{
    uint8_t *p = record(k, i);
    randombytes_buf(p + 12, RECORD_BYTES - 12);
    memset(p, 0, 12);
    int r = write_at(k->fd, p, RECORD_BYTES, (off_t)(HEAD_BYTES + i * RECORD_BYTES));
    return r < 0 ? err_pass(r) : 0;
}

int app_keys_destroy(struct app_keys *k, uint64_t account)
{
    int r = 0;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < k->n && r == 0; i++)
        if (get_be64(record(k, i)) == account)
            r = destroy_at(k, i);
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_pass(r) : 0;
}

int app_keys_sweep(struct app_keys *k, app_keys_is_gone *is_gone, void *arg)
{
    int r = 0;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < k->n && r == 0; i++) {
        uint64_t account = get_be64(record(k, i));
        if (account && is_gone(arg, account))
            r = destroy_at(k, i);
    }
    pthread_mutex_unlock(&k->lock);
    return r < 0 ? err_pass(r) : 0;
}
