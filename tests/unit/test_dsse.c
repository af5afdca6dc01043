/* test_dsse.c: shows that an envelope has one text, that its signature covers type and payload as
 * DSSE says, and that nothing else passes for it. It matters because the envelope is what others
 * will check with tools of their own: the encoding must be the published one to the byte. */
#undef NDEBUG
#include "dsse.h"

#include <base/auto.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FORM_MAX = 2000 };

static uint8_t public_key[32], secret_key[64], other_public[32], other_secret[64];
static const char payload[] = "{\"_type\":\"https://in-toto.io/Statement/v1\",\"x\":[1,2,3]}";

static void sample(char text[DSSE_TEXT_MAX + 1])
{
    assert_int_equal(dsse_sign(secret_key, DSSE_TYPE_INTOTO, payload, strlen(payload), text), 0);
}

/* 0 when the text is an envelope that the key has signed under its own id. */
static int trusted(const char *text, size_t n)
{
    char id[SIGN_KEY_ID_LEN + 1];
    AUTO_FREE struct dsse *e = malloc(sizeof *e);
    assert_non_null(e);
    sign_key_id(public_key, id);
    int r = dsse_read(text, n, e);
    if (r == 0)
        r = dsse_verify(e, public_key);
    return r == 0 && strcmp(e->key_id, id) != 0 ? DSSE_INVALID : r;
}

/* The example of the DSSE protocol's own page. */
static void the_encoding_is_the_published_one(void **state)
{
    (void)state;
    static const char want[] = "DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    uint8_t pae[100];
    size_t n = 0;
    assert_int_equal(
        dsse_pae("http://example.com/HelloWorld", "hello world", 11, pae, sizeof pae, &n), 0);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(pae, want, n);
    assert_int_equal(dsse_pae("http://example.com/HelloWorld", "hello world", 11, pae, n, &n), 0);
    assert_int_equal(dsse_pae("http://example.com/HelloWorld", "hello world", 11, pae, n - 1, &n),
                     DSSE_TOO_LONG);
    assert_int_equal(dsse_pae("", "", 0, pae, sizeof pae, &n), 0);
    assert_int_equal(n, strlen("DSSEv1 0  0 "));
}

static void what_is_signed_is_the_encoding(void **state)
{
    (void)state;
    static const char head[] = "DSSEv1 28 application/vnd.in-toto+json ";
    char text[DSSE_TEXT_MAX + 1], bytes[200];
    AUTO_FREE struct dsse *e = malloc(sizeof *e);
    sample(text);
    assert_int_equal(dsse_read(text, strlen(text), e), 0);
    assert_string_equal(e->type, "application/vnd.in-toto+json");
    assert_int_equal(e->n, strlen(payload));
    assert_memory_equal(e->payload, payload, e->n);
    int n = snprintf(bytes, sizeof bytes, "%s%zu %s", head, strlen(payload), payload);
    assert_int_equal(crypto_sign_verify_detached(e->signature, (const uint8_t *)bytes,
                                                 (unsigned long long)n, public_key),
                     0);
    assert_int_equal(dsse_verify(e, other_public), DSSE_INVALID);
    assert_int_not_equal(sign_verify(public_key, payload, e->signature), 0);
}

static void every_truncation_and_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    char text[DSSE_TEXT_MAX + 1];
    sample(text);
    size_t n = strlen(text), cut = 0, flipped = 0;
    assert_int_equal(trusted(text, n), 0);
    for (size_t i = 0; i < n; i++, cut++)
        assert_int_not_equal(trusted(text, i), 0);
    for (size_t i = 0; i < 8 * n; i++, flipped++) {
        ((uint8_t *)text)[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(trusted(text, n), 0);
        ((uint8_t *)text)[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(trusted(text, n + 1), DSSE_FORM); /* the NUL is none of it */
    assert_int_equal(trusted(text, n), 0);
    printf("%zu truncations and %zu flipped bits refused\n", cut, flipped);
}

/* "@" stands for the payload, "#" for the key id, "$" for the signature. */
static void form_fill(const char *form, const char *p64, const char *id, const char *s64,
                      char made[FORM_MAX])
{
    size_t at = 0;
    for (; *form; form++) {
        const char *part = *form == '@' ? p64 : *form == '#' ? id : *form == '$' ? s64 : NULL;
        int n = part ? snprintf(made + at, FORM_MAX - at, "%s", part)
                     : snprintf(made + at, FORM_MAX - at, "%c", *form);
        at += (size_t)n;
        assert_true(at < FORM_MAX);
    }
}

static void no_other_form_of_the_same_envelope_is_read(void **state)
{
    (void)state;
    char text[DSSE_TEXT_MAX + 1], p64[400], s64[100], id[SIGN_KEY_ID_LEN + 1], made[FORM_MAX];
    AUTO_FREE struct dsse *e = malloc(sizeof *e);
    sample(text);
    assert_int_equal(dsse_read(text, strlen(text), e), 0);
    sodium_bin2base64(p64, sizeof p64, e->payload, e->n, sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2base64(s64, sizeof s64, e->signature, sizeof e->signature,
                      sodium_base64_VARIANT_ORIGINAL);
    sign_key_id(public_key, id);
#define P "\"payload\":\"@\""
#define T "\"payloadType\":\"application/vnd.in-toto+json\""
#define S "\"signatures\":[{\"keyid\":\"#\",\"sig\":\"$\"}]"
    static const char *const forms[] = {
        "{" P "," T "," S "}", /* the good one */
        "{" T "," P "," S "}",
        "{" P "," P "," T "," S "}",
        "{" P "," T "," S "," S "}",
        "{" P "," T ", " S "}",
        " {" P "," T "," S "}",
        "{" P "," T "," S "}\n",
        "{" P "," T "," S ",\"x\":1}",
        "{" P "," T ",\"signatures\":[]}",
        "{" P "," T ",\"signatures\":[{\"sig\":\"$\",\"keyid\":\"#\"}]}",
        "{" P "," T ",\"signatures\":[{\"sig\":\"$\"}]}",
        "{\"payload\":\"@=\"," T "," S "}",
        "{\"payload\":\"\"," T "," S "}",
        "{" P ",\"payloadType\":\"text/plain\"," S "}",
    };
#undef P
#undef T
#undef S
    size_t refused = 0;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        form_fill(forms[i], p64, id, s64, made);
        int r = trusted(made, strlen(made));
        assert_int_equal(r == 0, i == 0);
        refused += r != 0;
    }
    printf("%zu of %zu other forms refused\n", refused, ARRAY_LEN(forms) - 1);
}

static void the_longest_payload_fits_and_a_longer_one_is_refused(void **state)
{
    (void)state;
    static char big[DSSE_PAYLOAD_MAX + 2];
    char text[DSSE_TEXT_MAX + 1];
    memset(big, 'x', sizeof big);
    assert_int_equal(dsse_sign(secret_key, DSSE_TYPE_INTOTO, big, DSSE_PAYLOAD_MAX, text), 0);
    assert_true(strlen(text) <= DSSE_TEXT_MAX);
    assert_int_equal(trusted(text, strlen(text)), 0);
    assert_int_equal(dsse_sign(secret_key, DSSE_TYPE_INTOTO, big, DSSE_PAYLOAD_MAX + 1, text),
                     DSSE_TOO_LONG);
    for (size_t n = 0; n < 4; n++) { /* each padding */
        assert_int_equal(dsse_sign(secret_key, DSSE_TYPE_INTOTO, big, n, text), 0);
        assert_int_equal(trusted(text, strlen(text)), 0);
    }
}

static int group_setup(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return 1;
    crypto_sign_keypair(other_public, other_secret);
    return crypto_sign_keypair(public_key, secret_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoding_is_the_published_one),
        cmocka_unit_test(what_is_signed_is_the_encoding),
        cmocka_unit_test(every_truncation_and_every_flipped_bit_is_refused),
        cmocka_unit_test(no_other_form_of_the_same_envelope_is_read),
        cmocka_unit_test(the_longest_payload_fits_and_a_longer_one_is_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
