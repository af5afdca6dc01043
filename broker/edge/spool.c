/* spool.c: one file per job: a header with the count of all bytes ever written, then a ring.
 *
 * Byte number i of the log stands at i modulo the ring's size, so appending never moves anything,
 * and the header alone says which part is still there. The ring is written before the header: a
 * crash between the two loses the last piece and shows nothing wrong. Nothing is flushed: these are
 * last words for a reader, not promises. */
#include "edge/spool.h"

#include <base/bytes.h>
#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->is_lost = true)
#include <uthash.h>

enum { HEADER_BYTES = 16 };
static const char magic[8] = "rotalog1";

struct spool_item {
    struct job_id job;
    uint64_t size, spoke_ms;
    bool is_lost;
    UT_hash_handle hh; /* in the order of the last word: the first is silent for longest */
};

struct spool {
    pthread_mutex_t lock;
    int dir_fd;
    struct spool_item *items;
};

static struct spool_item *item_find(struct spool *s, struct job_id job)
{
    struct spool_item *item = NULL;
    HASH_FIND(hh, s->items, &job, sizeof job, item);
    return item;
}

static void item_drop(struct spool *s, struct spool_item *item)
{
    char name[JOB_ID_TEXT_LEN + 1];
    unlinkat(s->dir_fd, job_id_text(item->job, name), 0);
    HASH_DEL(s->items, item);
    free(item);
}

/* Puts the item behind all others. NULL without memory: it is gone then. */
/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
static struct spool_item *item_add(struct spool *s, struct spool_item *item)
{
    item->is_lost = false;
    HASH_ADD(hh, s->items, job, sizeof item->job, item);
    if (!item->is_lost)
        return item;
    free(item);
    return NULL;
}

static struct spool_item *item_touch(struct spool *s, struct job_id job)
{
    struct spool_item *item = item_find(s, job);
    if (item) {
        HASH_DEL(s->items, item);
        return item_add(s, item);
    }
    if (HASH_COUNT(s->items) >= SPOOL_JOBS_MAX)
        item_drop(s, s->items);
    item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->job = job;
    return item_add(s, item);
}

static int pwrite_all(int fd, const void *p, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t w = pwrite(fd, (const char *)p + done, n - done, (off_t)(at + done));
        if (w < 0 && errno != EINTR)
            return err_raise(-errno);
        done += w > 0 ? (size_t)w : 0;
    }
    return 0;
}

/* Writes or reads at byte number `at` of the log, across the ring's end. */
static int ring_write(int fd, uint64_t at, const char *p, size_t n)
{
    size_t place = (size_t)(at % SPOOL_JOB_BYTES_MAX);
    size_t first = n < SPOOL_JOB_BYTES_MAX - place ? n : SPOOL_JOB_BYTES_MAX - place;
    int r = pwrite_all(fd, p, first, HEADER_BYTES + place);
    return r == 0 && first < n ? pwrite_all(fd, p + first, n - first, HEADER_BYTES) : r;
}

static int pread_all(int fd, void *p, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)p + done, n - done, (off_t)(at + done));
        if (got == 0)
            return err_raise(-EIO);
        if (got < 0 && errno != EINTR)
            return err_raise(-errno);
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int ring_read(int fd, uint64_t at, char *p, size_t n)
{
    size_t place = (size_t)(at % SPOOL_JOB_BYTES_MAX);
    size_t first = n < SPOOL_JOB_BYTES_MAX - place ? n : SPOOL_JOB_BYTES_MAX - place;
    int r = pread_all(fd, p, first, HEADER_BYTES + place);
    return r == 0 && first < n ? pread_all(fd, p + first, n - first, HEADER_BYTES) : r;
}

static int header_write(int fd, uint64_t size)
{
    uint8_t header[HEADER_BYTES];
    memcpy(header, magic, sizeof magic);
    put_be64(header + sizeof magic, size);
    return pwrite_all(fd, header, sizeof header, 0);
}

static int file_open(struct spool *s, struct job_id job, int flags)
{
    char name[JOB_ID_TEXT_LEN + 1];
    int fd = openat(s->dir_fd, job_id_text(job, name), flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? err_raise(-errno) : fd;
}

static int append_locked(struct spool *s, struct job_id job, uint64_t now_ms, const void *p,
                         size_t n, uint64_t *ret_size)
{
    struct spool_item *item = item_touch(s, job);
    if (!item)
        return err_raise(-ENOMEM);
    AUTO_FD fd = file_open(s, job, O_RDWR | O_CREAT);
    if (fd < 0)
        return err_pass(fd);
    int r = ring_write(fd, item->size, p, n);
    if (r == 0)
        r = header_write(fd, item->size + n);
    if (r < 0)
        return err_pass(r);
    item->size += n;
    item->spoke_ms = now_ms;
    *ret_size = item->size;
    return 0;
}

int spool_append(struct spool *s, struct job_id job, uint64_t now_ms, const void *p, size_t n,
                 uint64_t *ret_size)
{
    if (n > SPOOL_JOB_BYTES_MAX)
        return err_raise(-EINVAL);
    pthread_mutex_lock(&s->lock);
    int r = append_locked(s, job, now_ms, p, n, ret_size);
    pthread_mutex_unlock(&s->lock);
    return r;
}

static int read_locked(struct spool *s, struct job_id job, uint64_t offset, void *p, size_t max,
                       struct spool_piece *ret_piece)
{
    const struct spool_item *item = item_find(s, job);
    struct spool_piece piece = {.offset = offset, .size = item ? item->size : 0};
    uint64_t first = piece.size > SPOOL_JOB_BYTES_MAX ? piece.size - SPOOL_JOB_BYTES_MAX : 0;
    if (piece.offset < first)
        piece.offset = first;
    if (piece.offset > piece.size)
        piece.offset = piece.size;
    uint64_t left = piece.size - piece.offset;
    piece.n = left < max ? (size_t)left : max;
    if (piece.n) {
        AUTO_FD fd = file_open(s, job, O_RDONLY);
        if (fd < 0)
            return err_pass(fd);
        int r = ring_read(fd, piece.offset, p, piece.n);
        if (r < 0)
            return err_pass(r);
    }
    *ret_piece = piece;
    return 0;
}

int spool_read(struct spool *s, struct job_id job, uint64_t offset, void *p, size_t max,
               struct spool_piece *ret_piece)
{
    pthread_mutex_lock(&s->lock);
    int r = read_locked(s, job, offset, p, max, ret_piece);
    pthread_mutex_unlock(&s->lock);
    return r;
}

void spool_sweep(struct spool *s, uint64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    while (s->items && s->items->spoke_ms + SPOOL_AGE_MS_MAX < now_ms)
        item_drop(s, s->items);
    pthread_mutex_unlock(&s->lock);
}

/* One file that an earlier run left; what is none of ours goes. */
static int file_adopt(struct spool *s, const char *name, uint64_t now_ms)
{
    uint8_t header[HEADER_BYTES];
    struct job_id job;
    AUTO_FD fd = openat(s->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || job_id_parse(name, &job) != 0 || pread_all(fd, header, sizeof header, 0) < 0 ||
        memcmp(header, magic, sizeof magic) != 0) {
        unlinkat(s->dir_fd, name, 0);
        return 0;
    }
    struct spool_item *item = item_touch(s, job);
    if (!item)
        return err_raise(-ENOMEM);
    item->size = get_be64(header + sizeof magic);
    item->spoke_ms = now_ms;
    return 0;
}

static int files_adopt(struct spool *s, uint64_t now_ms)
{
    int fd = fcntl(s->dir_fd, F_DUPFD_CLOEXEC, 0), r = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        r = err_raise(-errno);
        if (fd >= 0)
            close(fd);
        return r;
    }
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (e->d_name[0] != '.')
            r = file_adopt(s, e->d_name, now_ms);
    closedir(d);
    return r;
}

int spool_open(const char *dir, uint64_t now_ms, struct spool **ret_spool)
{
    AUTO(spool) s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&s->lock, NULL);
    s->dir_fd = -1;
    int r = dir_make(dir, 0700);
    if (r < 0)
        return err_pass(r);
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return err_raise(-errno);
    r = files_adopt(s, now_ms);
    if (r < 0)
        return err_pass(r);
    *ret_spool = TAKE(s);
    return 0;
}

struct spool *spool_free(struct spool *s)
{
    if (!s)
        return NULL;
    struct spool_item *item = s->items, *next;
    HASH_CLEAR(hh, s->items);
    for (; item; item = next) {
        next = item->hh.next;
        free(item);
    }
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}
