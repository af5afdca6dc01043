/* seal_file.c: header, then for each file its chunks, the last of each tagged PUSH (FINAL for the
 * last file). A chunk is its length in the clear, which the reader bounds, and the sealed bytes. */
#include "seal_file.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK = 64 * 1024,
    SEALED = CHUNK + crypto_secretstream_xchacha20poly1305_ABYTES,
    HEADER = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    TAG_MORE = crypto_secretstream_xchacha20poly1305_TAG_MESSAGE,
    TAG_FILE = crypto_secretstream_xchacha20poly1305_TAG_PUSH,
    TAG_LAST = crypto_secretstream_xchacha20poly1305_TAG_FINAL
};

struct sealing {
    crypto_secretstream_xchacha20poly1305_state state;
    const char *name;
    int fd;
    uint64_t bytes;
    uint8_t plain[CHUNK], sealed[SEALED];
};

static struct sealing *sealing_free(struct sealing *s)
{
    if (s)
        sodium_memzero(s, sizeof *s);
    free(s);
    return NULL;
}
DEFINE_FREEP(sealing)

static int chunk_write(struct sealing *s, size_t n, uint8_t tag)
{
    unsigned long long sealed_n = 0;
    crypto_secretstream_xchacha20poly1305_push(&s->state, s->sealed, &sealed_n, s->plain, n,
                                               (const uint8_t *)s->name, strlen(s->name), tag);
    const uint32_t length = (uint32_t)sealed_n;
    int r = write_all(s->fd, &length, sizeof length);
    if (r == 0)
        r = write_all(s->fd, s->sealed, sealed_n);
    s->bytes += sizeof length + sealed_n;
    return r < 0 ? err_pass(r) : 0;
}

/* A file ends with a chunk that is not full, be it an empty one. */
static int file_write_sealed(struct sealing *s, int from, bool is_last)
{
    if (lseek(from, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    size_t n = CHUNK;
    int r = 0;
    while (r == 0 && n == CHUNK) {
        r = read_all(from, s->plain, CHUNK, &n);
        if (r == 0)
            r = chunk_write(s, n, n == CHUNK ? TAG_MORE : is_last ? TAG_LAST : TAG_FILE);
    }
    return r < 0 ? err_pass(r) : 0;
}

int seal_files(const uint8_t key[32], const char *name, const int *from, size_t n, int to,
               uint64_t *ret_bytes)
{
    uint8_t header[HEADER];
    AUTO(sealing) s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    s->name = name;
    s->fd = to;
    crypto_secretstream_xchacha20poly1305_init_push(&s->state, header, key);
    int r = write_all(to, header, sizeof header);
    s->bytes = sizeof header;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = file_write_sealed(s, from[i], i + 1 == n);
    if (r < 0)
        return err_pass(r);
    *ret_bytes = s->bytes;
    return 0;
}

static int chunk_read(struct sealing *s, size_t *ret_n, uint8_t *ret_tag)
{
    uint32_t length = 0;
    size_t n = 0;
    unsigned long long plain_n = 0;
    int r = read_all(s->fd, &length, sizeof length, &n);
    if (r < 0)
        return err_pass(r);
    if (n != sizeof length || length > SEALED)
        return SEAL_FILE_BROKEN;
    r = read_all(s->fd, s->sealed, length, &n);
    if (r < 0)
        return err_pass(r);
    if (n != length || crypto_secretstream_xchacha20poly1305_pull(
                           &s->state, s->plain, &plain_n, ret_tag, s->sealed, n,
                           (const uint8_t *)s->name, strlen(s->name)) != 0)
        return SEAL_FILE_BROKEN;
    *ret_n = plain_n;
    return 0;
}

static int file_read_sealed(struct sealing *s, int to, bool is_last)
{
    size_t n = 0;
    uint8_t tag = TAG_MORE;
    int r = 0;
    while (r == 0 && tag == TAG_MORE) {
        r = chunk_read(s, &n, &tag);
        if (r == 0)
            r = write_all(to, s->plain, n);
    }
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    return tag == (is_last ? TAG_LAST : TAG_FILE) ? 0 : SEAL_FILE_BROKEN;
}

int unseal_files(const uint8_t key[32], const char *name, int from, const int *to, size_t n)
{
    uint8_t header[HEADER];
    size_t got = 0;
    AUTO(sealing) s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    s->name = name;
    s->fd = from;
    int r = read_all(from, header, sizeof header, &got);
    if (r < 0)
        return err_pass(r);
    if (got != sizeof header ||
        crypto_secretstream_xchacha20poly1305_init_pull(&s->state, header, key) != 0)
        return SEAL_FILE_BROKEN;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = file_read_sealed(s, to[i], i + 1 == n);
    return r < 0 ? err_pass(r) : r;
}
