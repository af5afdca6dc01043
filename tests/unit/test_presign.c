/* test_presign.c: the signature is AWS's own, by the example that AWS publishes; and what would
 * need an escape in a path, or does not fit, is refused rather than signed wrongly. */
#undef NDEBUG
#include "edge/presign.h"

#include <base/auto.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct presign_key example_key = {
    .id = "AKIAIOSFODNN7EXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

/* "Authenticating Requests: Using Query Parameters": a GET of test.txt, on 24 May 2013. */
static struct presign example(void)
{
    return (struct presign){.method = "GET",
                            .endpoint = "https://examplebucket.s3.amazonaws.com",
                            .region = "us-east-1",
                            .path = "/test.txt",
                            .now_ms = 1369353600000,
                            .expires_s = 86400};
}

static void the_published_example_is_signed_as_published(void **state)
{
    (void)state;
    char url[PRESIGN_URL_MAX];
    struct presign p = example();
    assert_int_equal(presign_url(&p, &example_key, url), 0);
    assert_string_equal(
        url, "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
             "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
             "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
             "&X-Amz-Signature="
             "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void signature_of(const struct presign *p, const struct presign_key *key, char ret[65])
{
    char url[PRESIGN_URL_MAX];
    assert_int_equal(presign_url(p, key, url), 0);
    const char *at = strstr(url, "X-Amz-Signature=");
    assert_non_null(at);
    snprintf(ret, 65, "%s", at + strlen("X-Amz-Signature="));
    assert_int_equal(strlen(ret), 64);
}

/* Each part changed alone gives another signature. */
static void every_part_is_under_the_signature(void **state)
{
    (void)state;
    static const struct presign_pair size = {"content-length", "17"},
                                     other = {"content-length", "18"}, part = {"prefix", "bundle/"};
    struct presign changed[9];
    struct presign_key key = example_key;
    char first[65], seen[ARRAY_LEN(changed) + 2][65];
    for (size_t i = 0; i < ARRAY_LEN(changed); i++)
        changed[i] = example();
    changed[0].method = "PUT";
    changed[1].endpoint = "https://other.s3.amazonaws.com";
    changed[2].region = "eu-west-1";
    changed[3].path = "/test.txs";
    changed[4].now_ms += 1000;
    changed[5].expires_s--;
    changed[6].header = &size;
    changed[6].header_n = 1;
    changed[7].header = &other;
    changed[7].header_n = 1;
    changed[8].query = &part;
    changed[8].query_n = 1;
    struct presign p = example();
    signature_of(&p, &example_key, first);
    memcpy(seen[0], first, sizeof first);
    for (size_t i = 0; i < ARRAY_LEN(changed); i++)
        signature_of(&changed[i], &example_key, seen[i + 1]);
    key.secret[0] ^= 1;
    signature_of(&p, &key, seen[ARRAY_LEN(changed) + 1]);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        for (size_t k = i + 1; k < ARRAY_LEN(seen); k++)
            assert_string_not_equal(seen[i], seen[k]);
    printf("presign: %zu changes of one part, %zu different signatures\n", ARRAY_LEN(seen) - 1,
           ARRAY_LEN(seen));
}

static void headers_stand_in_order_with_host_among_them(void **state)
{
    (void)state;
    static const struct presign_pair header[] = {{"content-length", "17"},
                                                 {"x-amz-content-sha256", "00"}};
    char url[PRESIGN_URL_MAX];
    struct presign p = example();
    p.header = header;
    p.header_n = ARRAY_LEN(header);
    assert_int_equal(presign_url(&p, &example_key, url), 0);
    assert_non_null(
        strstr(url, "X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-content-sha256&"));
}

static void the_query_is_sorted_and_escaped_and_a_lent_key_says_so(void **state)
{
    (void)state;
    static const struct presign_pair query[] = {{"prefix", "a b/c+d"}, {"list-type", "2"}};
    char url[PRESIGN_URL_MAX];
    struct presign p = example();
    struct presign_key key = example_key;
    snprintf(key.token, sizeof key.token, "lent/key=");
    p.query = query;
    p.query_n = ARRAY_LEN(query);
    assert_int_equal(presign_url(&p, &key, url), 0);
    assert_non_null(strstr(url, "&X-Amz-Security-Token=lent%2Fkey%3D&X-Amz-SignedHeaders=host"
                                "&list-type=2&prefix=a%20b%2Fc%2Bd&X-Amz-Signature="));
}

static void what_is_not_of_its_form_is_refused(void **state)
{
    (void)state;
    static const struct presign_pair broken = {"content-length", "1\r\nx: y"};
    static const char *const paths[] = {"",        "test",  "/a b",  "/a%20b",    "/../x",
                                        "/a/../b", "/a//b", "/a?b",  "/a#b",      "/a\nb",
                                        "/a/.b",   "/~a",   "/a(b)", "/\xc3\xa4", "/a/./b"};
    static const char *const endpoints[] = {"ftp://host",  "host",        "https://", "https://a/b",
                                            "https://u@h", "https://h?q", ""};
    char url[PRESIGN_URL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++, n++) {
        struct presign p = example();
        p.path = paths[i];
        assert_int_equal(presign_url(&p, &example_key, url), PRESIGN_REFUSED);
    }
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++, n++) {
        struct presign p = example();
        p.endpoint = endpoints[i];
        assert_int_equal(presign_url(&p, &example_key, url), PRESIGN_REFUSED);
    }
    struct presign bad[5];
    struct presign_key none = {.id = "x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = example();
    bad[0].expires_s = 0;
    bad[1].expires_s = PRESIGN_EXPIRES_S_MAX + 1;
    bad[2].header = &broken;
    bad[2].header_n = 1;
    bad[3].region = "";
    bad[4].query_n = PRESIGN_PAIRS_MAX + 1;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++, n++)
        assert_int_equal(presign_url(&bad[i], &example_key, url), PRESIGN_REFUSED);
    struct presign p = example();
    assert_int_equal(presign_url(&p, &none, url), PRESIGN_REFUSED);
    printf("presign: %zu of %zu malformed requests refused\n", n + 1, n + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_is_signed_as_published),
        cmocka_unit_test(every_part_is_under_the_signature),
        cmocka_unit_test(headers_stand_in_order_with_host_among_them),
        cmocka_unit_test(the_query_is_sorted_and_escaped_and_a_lent_key_says_so),
        cmocka_unit_test(what_is_not_of_its_form_is_refused),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
