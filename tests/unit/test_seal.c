/* test_seal.c: a sealed source opens with its key alone and only whole; every other form of it is
 * noticed, and the same archive sealed twice is the same object.
 *
 * Why it matters: what waits on the broker's disk is somebody's source. Whoever reads the disk must
 * learn nothing from it, and whoever writes to it must not be able to slip in other code. */
#undef NDEBUG
#include "seal.h"

#include <base/auto.h>
#include <base/file.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { CHUNK = SEAL_CHUNK_BYTES, CHUNKS = 5, ARCHIVE = 4 * CHUNK + 1000, HEAD = 36 };

static const char secret[] = "rota_test_0123456789012345678901234567890123456789012";

static uint8_t *archive_of(size_t n)
{
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    randombytes_buf(p, n);
    return p;
}

static int file_of(const void *p, size_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, p, n), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* All of a file; the caller frees. */
static uint8_t *bytes_of(int fd, size_t *ret_n)
{
    off_t size = lseek(fd, 0, SEEK_END);
    uint8_t *p = malloc((size_t)size + 1);
    assert_non_null(p);
    assert_int_equal(pread(fd, p, (size_t)size, 0), size);
    *ret_n = (size_t)size;
    return p;
}

static void key_of(const void *p, size_t n, struct seal *ret_seal)
{
    uint8_t sha256[32];
    crypto_hash_sha256(sha256, p, n);
    seal_derive(span_str(secret), sha256, ret_seal);
}

static uint8_t *sealed_of(const struct seal *s, const void *p, size_t n, size_t *ret_n)
{
    AUTO_FD from = file_of(p, n);
    AUTO_FD to = file_of("", 0);
    assert_int_equal(seal_fd(s, from, to), 0);
    return bytes_of(to, ret_n);
}

/* The outcome; what came out stays in *ret_out when it is wanted. */
static int opened(const uint8_t *key, const void *sealed, size_t n, uint8_t **ret_out,
                  size_t *ret_out_n)
{
    AUTO_FD from = file_of(sealed, n);
    AUTO_FD to = file_of("", 0);
    int r = seal_open_fd(key, from, to);
    if (ret_out)
        *ret_out = bytes_of(to, ret_out_n);
    return r;
}

static void test_what_was_sealed_opens_at_every_size(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2ull * CHUNK, ARCHIVE};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct seal s;
        size_t n, out_n;
        AUTO_FREE uint8_t *plain = archive_of(sizes[i]);
        key_of(plain, sizes[i], &s);
        AUTO_FREE uint8_t *sealed = sealed_of(&s, plain, sizes[i], &n);
        AUTO_FREE uint8_t *out = NULL;
        assert_int_equal(n, seal_bytes(sizes[i]));
        assert_true(seal_begins(sealed, n));
        assert_int_equal(opened(s.key, sealed, n, &out, &out_n), 0);
        assert_int_equal(out_n, sizes[i]);
        assert_memory_equal(out, plain, out_n);
    }
    printf("%zu of %zu sizes open again, among them none and whole chunks\n", ARRAY_LEN(sizes),
           ARRAY_LEN(sizes));
}

/* What anybody gets who takes the library and the page of the protocol. */
static void test_the_form_is_libsodiums(void **state)
{
    (void)state;
    enum { N = CHUNK + 77 };
    crypto_secretstream_xchacha20poly1305_state st;
    uint8_t key[SEAL_KEY_BYTES], *out = NULL;
    size_t out_n;
    AUTO_FREE uint8_t *plain = archive_of(N);
    AUTO_FREE uint8_t *sealed = malloc(seal_bytes(N));
    crypto_secretstream_xchacha20poly1305_keygen(key);
    memcpy(sealed, "rota-seal-1\n", 12);
    crypto_secretstream_xchacha20poly1305_init_push(&st, sealed + 12, key);
    crypto_secretstream_xchacha20poly1305_push(&st, sealed + HEAD, NULL, plain, CHUNK, NULL, 0, 0);
    crypto_secretstream_xchacha20poly1305_push(&st, sealed + HEAD + CHUNK + 17, NULL, plain + CHUNK,
                                               77, NULL, 0,
                                               crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    assert_int_equal(opened(key, sealed, seal_bytes(N), &out, &out_n), 0);
    assert_int_equal(out_n, N);
    assert_memory_equal(out, plain, N);
    free(out);
    /* The end must be said: the same bytes without the tag. */
    crypto_secretstream_xchacha20poly1305_init_push(&st, sealed + 12, key);
    crypto_secretstream_xchacha20poly1305_push(&st, sealed + HEAD, NULL, plain, 99, NULL, 0, 0);
    assert_int_equal(opened(key, sealed, HEAD + 99 + 17, NULL, NULL), SEAL_BROKEN);
}

static void test_the_same_archive_is_the_same_object(void **state)
{
    (void)state;
    struct seal s, again, other_archive, other_secret;
    size_t n, again_n;
    uint8_t sha256[32];
    AUTO_FREE uint8_t *plain = archive_of(ARCHIVE);
    key_of(plain, ARCHIVE, &s);
    AUTO_FREE uint8_t *first = sealed_of(&s, plain, ARCHIVE, &n);
    key_of(plain, ARCHIVE, &again);
    AUTO_FREE uint8_t *second = sealed_of(&again, plain, ARCHIVE, &again_n);
    assert_int_equal(n, again_n);
    assert_memory_equal(first, second, n);
    key_of(plain, ARCHIVE - 1, &other_archive);
    crypto_hash_sha256(sha256, plain, ARCHIVE);
    seal_derive(span_str("another secret"), sha256, &other_secret);
    assert_memory_not_equal(s.key, other_archive.key, sizeof s.key);
    assert_memory_not_equal(s.header, other_archive.header, sizeof s.header);
    assert_memory_not_equal(s.key, other_secret.key, sizeof s.key);
    for (size_t at = 0; at + 16 <= ARCHIVE; at += 1000)
        assert_null(memmem(first, n, plain + at, 16));
}

/* A key that met two archives would be worth nothing. */
static void test_an_archive_that_changes_is_not_sealed(void **state)
{
    (void)state;
    struct seal s;
    size_t n;
    AUTO_FREE uint8_t *plain = archive_of(ARCHIVE);
    key_of(plain, ARCHIVE, &s);
    plain[3ull * CHUNK] ^= 1;
    AUTO_FD from = file_of(plain, ARCHIVE);
    AUTO_FD to = file_of("", 0);
    assert_int_equal(seal_fd(&s, from, to), SEAL_CHANGED);
    AUTO_FREE uint8_t *half = bytes_of(to, &n);
    assert_int_equal(opened(s.key, half, n, NULL, NULL), SEAL_BROKEN);
}

static void test_every_tampering_is_noticed(void **state)
{
    (void)state;
    struct seal s;
    size_t n;
    unsigned tried = 0, noticed = 0;
    AUTO_FREE uint8_t *plain = archive_of(ARCHIVE);
    key_of(plain, ARCHIVE, &s);
    AUTO_FREE uint8_t *sealed = sealed_of(&s, plain, ARCHIVE, &n);
    const size_t step = CHUNK + SEAL_CHUNK_EXTRA;
    for (size_t at = SEAL_MAGIC_LEN; at < HEAD; at++, tried++) { /* each byte of the header */
        sealed[at] ^= 1;
        noticed += opened(s.key, sealed, n, NULL, NULL) == SEAL_BROKEN;
        sealed[at] ^= 1;
    }
    for (size_t c = 0; c < CHUNKS; c++) { /* tag, text and proof of each chunk */
        size_t begin = HEAD + c * step, end = c + 1 < CHUNKS ? begin + step : n;
        const size_t at[] = {begin, begin + 1, (begin + end) / 2, end - 17, end - 1};
        for (size_t i = 0; i < ARRAY_LEN(at); i++, tried++) {
            sealed[at[i]] ^= 0x40;
            noticed += opened(s.key, sealed, n, NULL, NULL) == SEAL_BROKEN;
            sealed[at[i]] ^= 0x40;
        }
    }
    assert_int_equal(opened(s.key, sealed, n, NULL, NULL), 0);
    printf("%u of %u tamperings noticed\n", noticed, tried);
    assert_int_equal(noticed, tried);
}

static void test_what_is_cut_longer_or_out_of_order_is_noticed(void **state)
{
    (void)state;
    struct seal s;
    size_t n, step = CHUNK + SEAL_CHUNK_EXTRA;
    unsigned tried = 0, noticed = 0;
    AUTO_FREE uint8_t *plain = archive_of(ARCHIVE);
    key_of(plain, ARCHIVE, &s);
    AUTO_FREE uint8_t *sealed = sealed_of(&s, plain, ARCHIVE, &n);
    AUTO_FREE uint8_t *other = malloc(n + step);
    for (size_t c = 0; c <= CHUNKS; c++) { /* before, at and behind each border */
        size_t border = HEAD + c * step < n ? HEAD + c * step : n - 1;
        for (size_t cut = border - 1; cut <= border + 1 && cut < n; cut++, tried++)
            noticed += opened(s.key, sealed, cut, NULL, NULL) == SEAL_BROKEN;
    }
    memcpy(other, sealed, n);
    other[n] = 0; /* one byte more */
    noticed += opened(s.key, other, n + 1, NULL, NULL) == SEAL_BROKEN;
    memcpy(other + HEAD, sealed + HEAD + step, step); /* two chunks change places */
    memcpy(other + HEAD + step, sealed + HEAD, step);
    noticed += opened(s.key, other, n, NULL, NULL) == SEAL_BROKEN;
    memcpy(other, sealed, n); /* one chunk twice */
    memcpy(other + HEAD + step, sealed + HEAD, n - HEAD);
    noticed += opened(s.key, other, n + step, NULL, NULL) == SEAL_BROKEN;
    memcpy(other, sealed, HEAD); /* one left out */
    memcpy(other + HEAD, sealed + HEAD + step, n - HEAD - step);
    noticed += opened(s.key, other, n - step, NULL, NULL) == SEAL_BROKEN;
    memcpy(other, sealed, n); /* and something behind the end */
    memcpy(other + n, sealed + HEAD, step);
    noticed += opened(s.key, other, n + step, NULL, NULL) == SEAL_BROKEN;
    tried += 5;
    printf("%u of %u cut, longer or out of order noticed\n", noticed, tried);
    assert_int_equal(noticed, tried);
}

static void test_another_key_opens_nothing(void **state)
{
    (void)state;
    struct seal s;
    size_t n, out_n;
    uint8_t *out = NULL;
    AUTO_FREE uint8_t *plain = archive_of(ARCHIVE);
    key_of(plain, ARCHIVE, &s);
    AUTO_FREE uint8_t *sealed = sealed_of(&s, plain, ARCHIVE, &n);
    for (size_t bit = 0; bit < 8ull * SEAL_KEY_BYTES; bit += 17) {
        s.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(opened(s.key, sealed, n, &out, &out_n), SEAL_BROKEN);
        assert_int_equal(out_n, 0);
        free(out);
        s.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_what_is_not_sealed_is_told_apart(void **state)
{
    (void)state;
    static const char *const plain[] = {"", "rota-seal-1", "rota-seal-2\n and more",
                                        "\x1f\x8b\x08"};
    uint8_t key[SEAL_KEY_BYTES] = {1};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        assert_false(seal_begins(plain[i], strlen(plain[i])));
        assert_int_equal(opened(key, plain[i], strlen(plain[i]), NULL, NULL), SEAL_NONE);
    }
    assert_int_equal(opened(key, "rota-seal-1\n short", 18, NULL, NULL), SEAL_BROKEN);
}

int main(void)
{
    if (sodium_init() < 0)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_sealed_opens_at_every_size),
        cmocka_unit_test(test_the_form_is_libsodiums),
        cmocka_unit_test(test_the_same_archive_is_the_same_object),
        cmocka_unit_test(test_an_archive_that_changes_is_not_sealed),
        cmocka_unit_test(test_every_tampering_is_noticed),
        cmocka_unit_test(test_what_is_cut_longer_or_out_of_order_is_noticed),
        cmocka_unit_test(test_another_key_opens_nothing),
        cmocka_unit_test(test_what_is_not_sealed_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
