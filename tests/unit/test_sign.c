/* test_sign.c: shows that a statement has one text only and that its signature fits nothing else.
 *
 * Why it matters: a phone runs what this signature vouches for. One changed byte, another key, or a
 * text that could be read two ways must all fail. */
#undef NDEBUG
#include "sign.h"

#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/rota-sign-XXXXXX";
static uint8_t public_key[32], secret_key[64];

static struct statement sample(void)
{
    struct statement s = {.environment = "production",
                          .job = "job_01jd4m9qk2v3x7y8z0abcdefgh",
                          .account = "acme",
                          .app = "shop",
                          .platform = "ios",
                          .kind = "bundle",
                          .size = 12345};
    memset(s.sha256, 0xab, 32);
    memset(s.blake2b, 0x0c, 32);
    sign_key_id(public_key, s.key_id);
    return s;
}

#define AB8 "abababababababab"
#define C8  "0c0c0c0c0c0c0c0c"

static void test_the_text_is_the_canonical_one(void **state)
{
    (void)state;
    struct statement s = sample();
    char text[STATEMENT_LEN_MAX];
    memcpy(s.key_id, "0123456789abcdef", 17);
    assert_int_equal(statement_text(&s, text), 0);
    assert_string_equal(
        text, "{\"environment\":\"production\",\"job\":\"job_01jd4m9qk2v3x7y8z0abcdefgh\","
              "\"account\":\"acme\",\"app\":\"shop\",\"platform\":\"ios\",\"kind\":\"bundle\","
              "\"size\":12345,\"sha256\":\"" AB8 AB8 AB8 AB8 "\",\"blake2b\":\"" C8 C8 C8 C8
              "\",\"key_id\":\"0123456789abcdef\"}");
}

static void test_a_name_cannot_forge_a_member(void **state)
{
    (void)state;
    struct statement s = sample();
    char text[STATEMENT_LEN_MAX];
    s.app = "x\",\"platform\":\"android\\\n\x01Ü";
    assert_int_equal(statement_text(&s, text), 0);
    assert_non_null(strstr(
        text,
        "\"app\":\"x\\\",\\\"platform\\\":\\\"android\\\\\\u000a\\u0001Ü\",\"platform\":\"ios\""));
}

static void test_missing_members_and_endless_ones_are_refused(void **state)
{
    (void)state;
    char text[STATEMENT_LEN_MAX], many[STATEMENT_LEN_MAX + 1];
    struct statement s = sample();
    const char **members[] = {&s.environment, &s.job, &s.account, &s.app, &s.platform, &s.kind};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        s = sample();
        *members[i] = i & 1 ? "" : NULL;
        assert_int_equal(statement_text(&s, text), SIGN_STATEMENT);
    }
    s = sample();
    s.key_id[0] = 0;
    assert_int_equal(statement_text(&s, text), SIGN_STATEMENT);
    s = sample();
    assert_int_equal(statement_text(&s, text), 0);
    size_t room = STATEMENT_LEN_MAX - 1 - strlen(text);
    memset(many, 'a', sizeof many);
    many[strlen(s.app) + room] = 0;
    s.app = many;
    assert_int_equal(statement_text(&s, text), 0); /* the last byte is used */
    assert_int_equal(strlen(text), STATEMENT_LEN_MAX - 1);
    many[strlen(many)] = 'a';
    many[4 + room + 1] = 0;
    assert_int_equal(statement_text(&s, text), SIGN_STATEMENT);
}

static void test_any_change_breaks_the_signature(void **state)
{
    (void)state;
    struct statement s = sample();
    char text[STATEMENT_LEN_MAX];
    uint8_t signature[SIGN_BYTES], other_public[32], other_secret[64];
    assert_int_equal(statement_text(&s, text), 0);
    sign_statement(secret_key, text, signature);
    assert_int_equal(sign_verify(public_key, text, signature), 0);
    int tried = 0;
    for (size_t i = 0; text[i]; i++, tried++) {
        text[i] ^= 1;
        assert_int_equal(sign_verify(public_key, text, signature), SIGN_INVALID);
        text[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof signature; i++, tried++) {
        signature[i] ^= 0x40;
        assert_int_equal(sign_verify(public_key, text, signature), SIGN_INVALID);
        signature[i] ^= 0x40;
    }
    crypto_sign_keypair(other_public, other_secret);
    assert_int_equal(sign_verify(other_public, text, signature), SIGN_INVALID);
    assert_int_equal(sign_verify(public_key, text, signature), 0);
    printf("%d single changes refused\n", tried);
}

static void test_the_signed_bytes_begin_with_their_purpose(void **state)
{
    (void)state;
    uint8_t signature[SIGN_BYTES];
    static const char text[] = "{}", bytes[] = "rota statement v1\n{}";
    sign_statement(secret_key, text, signature);
    assert_int_equal(crypto_sign_verify_detached(signature, (const uint8_t *)bytes,
                                                 sizeof bytes - 1, public_key),
                     0);
    crypto_sign_detached(signature, NULL, (const uint8_t *)text, 2, secret_key);
    assert_int_equal(sign_verify(public_key, text, signature), SIGN_INVALID);
}

static void test_a_file_has_the_hashes_that_others_compute(void **state)
{
    (void)state;
    char path[64], hex[65];
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    snprintf(path, sizeof path, "%s/f", folder);
    assert_int_equal(file_write(path, 0600, "abc", 3), 0);
    AUTO_FD fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 2, SEEK_SET), 2); /* it hashes from the beginning all the same */
    assert_int_equal(hash_file(fd, sha256, blake2b, &size), 0);
    assert_int_equal(size, 3);
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, sha256, 32),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, blake2b, 32),
                        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    assert_int_equal(hash_file(-1, sha256, blake2b, &size), -EBADF);
    unlink(path);
}

static void test_a_large_file_is_hashed_in_parts(void **state)
{
    (void)state;
    enum { BYTES = 700001 };
    char path[64];
    uint8_t sha256[32], blake2b[32], want[32], *big = malloc(BYTES);
    uint64_t size;
    assert_non_null(big);
    randombytes_buf(big, BYTES);
    snprintf(path, sizeof path, "%s/big", folder);
    assert_int_equal(file_write(path, 0600, big, BYTES), 0);
    AUTO_FD fd = open(path, O_RDONLY);
    assert_int_equal(hash_file(fd, sha256, blake2b, &size), 0);
    assert_int_equal(size, BYTES);
    crypto_hash_sha256(want, big, BYTES);
    assert_memory_equal(sha256, want, 32);
    crypto_generichash(want, 32, big, BYTES, NULL, 0);
    assert_memory_equal(blake2b, want, 32);
    free(big);
    unlink(path);
}

static void test_the_public_key_file_is_one_line(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\n", "AAAA\n",
                                      "not base64 at all ........................\n"};
    char path[64], *text;
    uint8_t key[32];
    size_t n;
    snprintf(path, sizeof path, "%s/sign.pub", folder);
    assert_int_equal(sign_public_read(path, key), -ENOENT);
    assert_int_equal(sign_public_write(path, public_key), 0);
    assert_int_equal(file_read(path, 100, &text, &n), 0);
    assert_int_equal(n, 44);
    assert_int_equal(text[43], '\n');
    free(text);
    assert_int_equal(sign_public_read(path, key), 0);
    assert_memory_equal(key, public_key, 32);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(file_write(path, 0644, bad[i], strlen(bad[i])), 0);
        assert_int_equal(sign_public_read(path, key), -EINVAL);
    }
    unlink(path);
}

static void test_the_key_id_is_the_head_of_a_hash(void **state)
{
    (void)state;
    uint8_t key[32] = {0};
    char id[SIGN_KEY_ID_LEN + 1];
    sign_key_id(key, id); /* SHA-256 of 32 zero bytes begins so */
    assert_string_equal(id, "66687aadf862bd77");
}

static int group_setup(void **state)
{
    (void)state;
    if (sodium_init() < 0 || !mkdtemp(folder))
        return 1;
    return crypto_sign_keypair(public_key, secret_key);
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left something, a temporary file for one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_text_is_the_canonical_one),
        cmocka_unit_test(test_a_name_cannot_forge_a_member),
        cmocka_unit_test(test_missing_members_and_endless_ones_are_refused),
        cmocka_unit_test(test_any_change_breaks_the_signature),
        cmocka_unit_test(test_the_signed_bytes_begin_with_their_purpose),
        cmocka_unit_test(test_a_file_has_the_hashes_that_others_compute),
        cmocka_unit_test(test_a_large_file_is_hashed_in_parts),
        cmocka_unit_test(test_the_public_key_file_is_one_line),
        cmocka_unit_test(test_the_key_id_is_the_head_of_a_hash),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
