/* test_verify.c shows that a bundle is trusted only when every byte is the signed one: each file,
 * the statement, the signature and the key are tampered with in turn. It matters because this is
 * the last check before code runs on people's phones. */
#undef NDEBUG
#include "cli/bundle.h"
#include "cli/verify.h"
#include "text.h"

#include <base/auto.h>
#include <base/file.h>
#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static uint8_t public_key[SIGN_PUBLIC_BYTES], secret_key[SIGN_SECRET_BYTES];
static uint8_t other_public[SIGN_PUBLIC_BYTES], other_secret[SIGN_SECRET_BYTES];

static void file_make(const char *name, const void *bytes, size_t n)
{
    AUTO_FREE char *path = x_printf("%s/%s", folder, name);
    assert_int_equal(file_write(path, 0644, bytes, n), 0);
}

static char *file_take(const char *name, size_t *ret_n)
{
    AUTO_FREE char *path = x_printf("%s/%s", folder, name);
    char *text = NULL;
    assert_int_equal(file_read(path, 1 << 20, &text, ret_n), 0);
    return text;
}

static void hex(const uint8_t *bytes, size_t n, char *text)
{
    sodium_bin2hex(text, 2 * n + 1, bytes, n);
}

static struct statement facts_of(const char *name)
{
    struct statement s = {"test", "job_01", "acme", "shop", "android", "bundle", .size = 0};
    AUTO_FREE char *path = x_printf("%s/%s", folder, name);
    AUTO_FD fd = open(path, O_RDONLY);
    assert_int_equal(hash_file(fd, s.sha256, s.blake2b, &s.size), 0);
    return s;
}

static void statement_make(struct statement *s, const uint8_t secret[], const uint8_t public[])
{
    char text[STATEMENT_LEN_MAX], signed_hex[2 * SIGN_BYTES + 1];
    uint8_t signature[SIGN_BYTES];
    sign_key_id(public, s->key_id);
    assert_int_equal(statement_text(s, text), 0);
    sign_statement(secret, text, signature);
    hex(signature, sizeof signature, signed_hex);
    file_make(BUNDLE_STATEMENT, text, strlen(text));
    file_make(BUNDLE_SIGNATURE, signed_hex, strlen(signed_hex));
}

static char *row_text(const char *kind, const char *name)
{
    struct statement s = facts_of(name);
    char sha256[65], blake2b[65];
    hex(s.sha256, 32, sha256);
    hex(s.blake2b, 32, blake2b);
    return x_printf(
        "{\"kind\":\"%s\",\"name\":\"%s\",\"size\":%llu,\"sha256\":\"%s\",\"blake2b\":\"%s\"}",
        kind, name, (unsigned long long)s.size, sha256, blake2b);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rota-verify-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    file_make("index.hbc", "bundle bytes", 12);
    file_make("index.map", "{}", 2);
    AUTO_FREE char *bundle = row_text("bundle", "index.hbc"), *map = row_text("map", "index.map");
    AUTO_FREE char *list = x_printf("[%s,%s]", bundle, map);
    file_make(BUNDLE_ARTIFACTS, list, strlen(list));
    struct statement s = facts_of("index.hbc");
    statement_make(&s, secret_key, public_key);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The first fault, E_OK when there is none. */
static enum error_code verify(const uint8_t key[SIGN_PUBLIC_BYTES])
{
    struct verify_result result;
    char failed[256] = "";
    assert_int_equal(verify_folder(folder, key, &result, failed), 0);
    enum error_code code = result.n_faults ? result.fault[0].code : E_OK;
    if (!result.n_faults)
        assert_int_equal(result.checked, 2);
    verify_deinit(&result);
    return code;
}

static void what_was_signed_is_trusted(void **state)
{
    (void)state;
    assert_int_equal(verify(public_key), E_OK);
}

/* Every bit of the file flipped in turn, in place; every one must be seen. */
static unsigned flip_all(const char *name)
{
    size_t n = 0;
    unsigned seen = 0;
    AUTO_FREE char *good = file_take(name, &n), *path = x_printf("%s/%s", folder, name);
    AUTO_FD fd = open(path, O_WRONLY);
    for (size_t i = 0; i < n * 8; i++, seen++) {
        char bad = (char)(good[i / 8] ^ 1 << i % 8);
        /* Upper-case hex digits name the same signature. */
        bool is_same = !strcmp(name, BUNDLE_SIGNATURE) && isxdigit((unsigned char)bad) &&
                       tolower((unsigned char)bad) == good[i / 8];
        assert_int_equal(pwrite(fd, &bad, 1, (off_t)(i / 8)), 1);
        assert_int_equal(verify(public_key) == E_OK, is_same);
        assert_int_equal(pwrite(fd, &good[i / 8], 1, (off_t)(i / 8)), 1);
    }
    assert_int_equal(verify(public_key), E_OK);
    return seen;
}

static void one_flipped_bit_anywhere_is_seen(void **state)
{
    (void)state;
    printf("%u bits of the bundle\n", flip_all("index.hbc"));
    printf("%u bits of the map\n", flip_all("index.map"));
    printf("%u bits of the statement\n", flip_all(BUNDLE_STATEMENT));
    printf("%u bits of the signature\n", flip_all(BUNDLE_SIGNATURE));
}

static void another_key_is_not_trusted(void **state)
{
    (void)state;
    assert_int_equal(verify(other_public), E_SIGNATURE_INVALID);
}

static void a_statement_signed_by_another_key_is_not_trusted(void **state)
{
    (void)state;
    struct statement s = facts_of("index.hbc");
    statement_make(&s, other_secret, other_public);
    assert_int_equal(verify(public_key), E_SIGNATURE_INVALID);
}

static void a_statement_that_names_another_key_is_not_trusted(void **state)
{
    (void)state;
    struct statement s = facts_of("index.hbc");
    statement_make(&s, secret_key, other_public);
    assert_int_equal(verify(public_key), E_STATEMENT_INVALID);
}

static void a_signed_statement_about_other_bytes_is_not_trusted(void **state)
{
    (void)state;
    struct statement s = facts_of("index.map");
    statement_make(&s, secret_key, public_key);
    assert_int_equal(verify(public_key), E_OBJECT_MISMATCH);
}

static void the_same_facts_in_another_form_are_not_trusted(void **state)
{
    size_t n = 0;
    (void)state;
    AUTO_FREE char *good = file_take(BUNDLE_STATEMENT, &n);
    AUTO_FREE char *spaced = x_printf(" %s", good),
                   *more = x_printf("%.*s,\"x\":1}", (int)n - 1, good);
    AUTO_FREE char *tail = x_printf("%s\n", good);
    file_make(BUNDLE_STATEMENT, spaced, strlen(spaced));
    assert_int_equal(verify(public_key), E_STATEMENT_INVALID);
    file_make(BUNDLE_STATEMENT, more, strlen(more));
    assert_int_equal(verify(public_key), E_STATEMENT_INVALID);
    file_make(BUNDLE_STATEMENT, tail, strlen(tail));
    assert_int_equal(verify(public_key), E_STATEMENT_INVALID);
    file_make(BUNDLE_STATEMENT, good, n + 1); /* a zero byte behind it */
    assert_int_equal(verify(public_key), E_STATEMENT_INVALID);
}

static void a_list_cannot_point_away_from_the_signed_bytes(void **state)
{
    static const char *const lists[] = {"",
                                        "[]",
                                        "{}",
                                        "[1]",
                                        "[{\"kind\":\"bundle\",\"name\":\"../index.hbc\"}]",
                                        "[{\"kind\":\"bundle\",\"name\":\"/etc/passwd\"}]",
                                        "[{\"kind\":\"bundle\",\"name\":\"index.map\"}]",
                                        "[{\"kind\":\"map\",\"name\":\"index.hbc\"}]",
                                        "[{\"kind\":\"bundle\"}]",
                                        "[{\"kind\":\"bundle\",\"name\":\"absent\"}]"};
    unsigned refused = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++, refused++) {
        file_make(BUNDLE_ARTIFACTS, lists[i], strlen(lists[i]));
        assert_int_not_equal(verify(public_key), E_OK);
    }
    printf("%u of %zu lists refused\n", refused, ARRAY_LEN(lists));
}

static void a_missing_part_is_named(void **state)
{
    static const char *const parts[] = {BUNDLE_ARTIFACTS, BUNDLE_STATEMENT, BUNDLE_SIGNATURE,
                                        "index.hbc", "index.map"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t n = 0;
        AUTO_FREE char *kept = file_take(parts[i], &n);
        AUTO_FREE char *path = x_printf("%s/%s", folder, parts[i]);
        unlink(path);
        struct verify_result result;
        char failed[256];
        assert_int_equal(verify_folder(folder, public_key, &result, failed), 0);
        assert_true(result.n_faults > 0);
        assert_non_null(strstr(result.fault[0].text, parts[i]));
        verify_deinit(&result);
        file_make(parts[i], kept, n);
    }
    assert_int_equal(verify(public_key), E_OK);
}

static int keys_make(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    crypto_sign_keypair(public_key, secret_key);
    crypto_sign_keypair(other_public, other_secret);
    return 0;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_was_signed_is_trusted),
        IN_FOLDER(one_flipped_bit_anywhere_is_seen),
        IN_FOLDER(another_key_is_not_trusted),
        IN_FOLDER(a_statement_signed_by_another_key_is_not_trusted),
        IN_FOLDER(a_statement_that_names_another_key_is_not_trusted),
        IN_FOLDER(a_signed_statement_about_other_bytes_is_not_trusted),
        IN_FOLDER(the_same_facts_in_another_form_are_not_trusted),
        IN_FOLDER(a_list_cannot_point_away_from_the_signed_bytes),
        IN_FOLDER(a_missing_part_is_named),
    };
    return cmocka_run_group_tests(tests, keys_make, NULL);
}
