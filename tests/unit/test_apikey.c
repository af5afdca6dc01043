/* test_apikey.c: shows the form of a key, that no two are alike, and that what is kept of one
 * depends on the key of the hash: a stolen database must not tell which guess is right. */
#undef NDEBUG
#include "apikey.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 2000 };

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, APIKEY_TEXT_LEN);
}

static void test_a_key_has_its_form_and_comes_once(void **state)
{
    (void)state;
    static char keys[KEYS][APIKEY_TEXT_LEN + 1];
    for (int i = 0; i < KEYS; i++) {
        apikey_make(i & 1, keys[i]);
        assert_int_equal(strlen(keys[i]), APIKEY_TEXT_LEN);
        assert_memory_equal(keys[i], i & 1 ? "rota_live_" : "rota_test_", 10);
        assert_int_equal(strspn(keys[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789-_"),
                         APIKEY_TEXT_LEN);
        assert_true(apikey_is_wellformed(keys[i]));
    }
    qsort(keys, KEYS, sizeof keys[0], by_text);
    for (int i = 1; i < KEYS; i++)
        assert_string_not_equal(keys[i - 1], keys[i]);
    printf("%d keys, all different\n", KEYS);
}

static void test_what_is_no_key_is_known(void **state)
{
    (void)state;
    char key[APIKEY_TEXT_LEN + 8], bad[APIKEY_TEXT_LEN + 8];
    apikey_make(true, key);
    static const struct {
        int at;
        char put;
    } cases[] = {{0, 'x'},  {9, '-'},  {5, 'x'}, {20, '+'},
                 {20, '='}, {52, ' '}, {52, 0},  {30, '\n'}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(bad, key, APIKEY_TEXT_LEN + 1);
        bad[cases[i].at] = cases[i].put;
        assert_false(apikey_is_wellformed(bad));
    }
    memcpy(bad, key, APIKEY_TEXT_LEN);
    memcpy(bad + APIKEY_TEXT_LEN, "A", 2);
    assert_false(apikey_is_wellformed(bad));
    assert_false(apikey_is_wellformed(""));
}

static void test_the_hash_is_keyed_and_repeats(void **state)
{
    (void)state;
    uint8_t key_a[32] = {1}, key_b[32] = {2}, a[32], again[32], b[32], other[32];
    apikey_hash(key_a, "rota_live_one", a);
    apikey_hash(key_a, "rota_live_one", again);
    apikey_hash(key_b, "rota_live_one", b);
    apikey_hash(key_a, "rota_live_onf", other);
    assert_memory_equal(a, again, 32);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a, other, 32);
    /* BLAKE2b-256 of "abc" with the key 00 01 .. 1f, from an implementation that is not libsodium.
     */
    static const char want[] = "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f";
    char hex[65];
    for (uint8_t i = 0; i < 32; i++)
        key_a[i] = i;
    apikey_hash(key_a, "abc", a);
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, a, sizeof a), want);
}

static int group_setup(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_has_its_form_and_comes_once),
        cmocka_unit_test(test_what_is_no_key_is_known),
        cmocka_unit_test(test_the_hash_is_keyed_and_repeats),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
