/* seal.c: libsodium's secretstream over descriptors, one chunk in memory at a time.
 *
 * The header is ours, not the library's random one: a state made by init_pull() from key and
 * header is the state that init_push() makes of them, which a unit test holds against the library.
 * A chunk is known to be the last only when there is nothing behind it, so sealing reads one chunk
 * ahead. */
#include "seal.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <sodium.h>

static const char magic[] = "rota-seal-1\n";

enum { SEALED_CHUNK_BYTES = SEAL_CHUNK_BYTES + SEAL_CHUNK_EXTRA };
_Static_assert(sizeof magic - 1 == SEAL_MAGIC_LEN, "as the header says");
_Static_assert(SEAL_KEY_BYTES == crypto_secretstream_xchacha20poly1305_KEYBYTES &&
                   SEAL_HEADER_BYTES == crypto_secretstream_xchacha20poly1305_HEADERBYTES &&
                   SEAL_CHUNK_EXTRA == crypto_secretstream_xchacha20poly1305_ABYTES,
               "as libsodium has them");

/* Locked memory: it holds keys and pieces of somebody's source. */
struct bench {
    crypto_secretstream_xchacha20poly1305_state state;
    crypto_hash_sha256_state sha;
    uint8_t plain[2][SEAL_CHUNK_BYTES];
    uint8_t sealed[SEALED_CHUNK_BYTES + 1]; /* one more, to see whether something follows */
};

static struct bench *bench_new(void)
{
    return sodium_malloc(sizeof(struct bench));
}

static struct bench *bench_free(struct bench *b)
{
    sodium_free(b); /* wipes */
    return NULL;
}
DEFINE_FREEP(bench)

void seal_derive(struct span secret, const uint8_t sha256[32], struct seal *ret_seal)
{
    uint8_t short_secret[crypto_generichash_KEYBYTES], out[SEAL_KEY_BYTES + SEAL_HEADER_BYTES];
    crypto_generichash_state h;
    crypto_generichash(short_secret, sizeof short_secret, secret.p, secret.n, NULL, 0);
    crypto_generichash_init(&h, short_secret, sizeof short_secret, sizeof out);
    crypto_generichash_update(&h, (const uint8_t *)magic, SEAL_MAGIC_LEN);
    crypto_generichash_update(&h, sha256, 32);
    crypto_generichash_final(&h, out, sizeof out);
    memcpy(ret_seal->key, out, SEAL_KEY_BYTES);
    memcpy(ret_seal->header, out + SEAL_KEY_BYTES, SEAL_HEADER_BYTES);
    memcpy(ret_seal->sha256, sha256, 32);
    sodium_memzero(short_secret, sizeof short_secret);
    sodium_memzero(out, sizeof out);
    sodium_memzero(&h, sizeof h);
}

bool seal_begins(const void *p, size_t n)
{
    return n >= SEAL_MAGIC_LEN && memcmp(p, magic, SEAL_MAGIC_LEN) == 0;
}

uint64_t seal_bytes(uint64_t archive_bytes)
{
    uint64_t chunks = (archive_bytes + SEAL_CHUNK_BYTES - 1) / SEAL_CHUNK_BYTES;
    return SEAL_MAGIC_LEN + SEAL_HEADER_BYTES + archive_bytes +
           (chunks ? chunks : 1) * SEAL_CHUNK_EXTRA;
}

/* ---- sealing ---- */

static int chunk_seal(struct bench *b, const uint8_t *plain, size_t n, bool is_last, int to)
{
    crypto_secretstream_xchacha20poly1305_push(
        &b->state, b->sealed, NULL, plain, n, NULL, 0,
        is_last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
    int r = write_all(to, b->sealed, n + SEAL_CHUNK_EXTRA);
    return r < 0 ? err_pass(r) : 0;
}

static int head_write(const struct seal *s, int to)
{
    int r = write_all(to, magic, SEAL_MAGIC_LEN);
    if (r == 0)
        r = write_all(to, s->header, SEAL_HEADER_BYTES);
    return r < 0 ? err_pass(r) : 0;
}

static bool is_as_hashed(struct bench *b, const struct seal *s)
{
    uint8_t sha256[32];
    crypto_hash_sha256_final(&b->sha, sha256);
    return sodium_memcmp(sha256, s->sha256, sizeof sha256) == 0;
}

static int chunks_seal(struct bench *b, const struct seal *s, int from, int to)
{
    size_t had = 0;
    int r = read_all(from, b->plain[0], SEAL_CHUNK_BYTES, &had);
    for (unsigned at = 0; r == 0; at ^= 1) {
        size_t next = 0;
        crypto_hash_sha256_update(&b->sha, b->plain[at], had);
        if (had == SEAL_CHUNK_BYTES)
            r = read_all(from, b->plain[at ^ 1], SEAL_CHUNK_BYTES, &next);
        if (r < 0)
            break;
        bool is_last = next == 0;
        if (is_last && !is_as_hashed(b, s))
            return SEAL_CHANGED;
        r = chunk_seal(b, b->plain[at], had, is_last, to);
        if (is_last)
            break;
        had = next;
    }
    return r < 0 ? err_pass(r) : 0;
}

int seal_fd(const struct seal *s, int from, int to)
{
    AUTO(bench) b = bench_new();
    if (!b)
        return err_raise(-ENOMEM);
    crypto_hash_sha256_init(&b->sha);
    if (crypto_secretstream_xchacha20poly1305_init_pull(&b->state, s->header, s->key) != 0)
        return err_raise(-EINVAL);
    int r = head_write(s, to);
    return r < 0 ? err_pass(r) : chunks_seal(b, s, from, to);
}

/* ---- opening ---- */

/* One chunk that was read with the byte behind it, if there is one. */
static int chunk_open(struct bench *b, size_t got, int to)
{
    unsigned long long n = 0;
    unsigned char tag = 0;
    bool is_last = got <= SEALED_CHUNK_BYTES;
    size_t sealed_n = is_last ? got : SEALED_CHUNK_BYTES;
    if (sealed_n < SEAL_CHUNK_EXTRA ||
        crypto_secretstream_xchacha20poly1305_pull(&b->state, b->plain[0], &n, &tag, b->sealed,
                                                   sealed_n, NULL, 0) != 0 ||
        is_last != (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL))
        return SEAL_BROKEN;
    int r = write_all(to, b->plain[0], (size_t)n);
    return r < 0 ? err_pass(r) : 0;
}

static int chunks_open(struct bench *b, int from, int to)
{
    size_t got = 0;
    int r = read_all(from, b->sealed, sizeof b->sealed, &got);
    while (r == 0) {
        r = chunk_open(b, got, to);
        if (r != 0 || got <= SEALED_CHUNK_BYTES)
            return r;
        b->sealed[0] = b->sealed[SEALED_CHUNK_BYTES];
        r = read_all(from, b->sealed + 1, sizeof b->sealed - 1, &got);
        got++;
    }
    return err_pass(r);
}

int seal_open_fd(const uint8_t key[SEAL_KEY_BYTES], int from, int to)
{
    uint8_t head[SEAL_MAGIC_LEN + SEAL_HEADER_BYTES];
    size_t n = 0;
    AUTO(bench) b = bench_new();
    if (!b)
        return err_raise(-ENOMEM);
    int r = read_all(from, head, sizeof head, &n);
    if (r < 0)
        return err_pass(r);
    if (!seal_begins(head, n))
        return SEAL_NONE;
    if (n < sizeof head ||
        crypto_secretstream_xchacha20poly1305_init_pull(&b->state, head + SEAL_MAGIC_LEN, key) != 0)
        return SEAL_BROKEN;
    return chunks_open(b, from, to);
}
