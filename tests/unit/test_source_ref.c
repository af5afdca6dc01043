/* test_source_ref.c: a source has one text and a text one source, and nothing that only looks like
 * one is taken for it.
 *
 * Why it matters: broker, worker and command read the same text. If one of them read more into it
 * than another, a job would be accepted that no worker can fetch, or a stored source would never be
 * let go. */
#undef NDEBUG
#include "source_ref.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HASH "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"

enum { ROUNDS = 1000 };

static void test_what_was_printed_is_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        char text[SOURCE_TEXT_MAX + 1], again[SOURCE_TEXT_MAX + 1];
        struct source_ref ref = {.kind = SOURCE_UPLOAD}, seen = {.kind = SOURCE_NONE};
        randombytes_buf(ref.sha256, sizeof ref.sha256);
        assert_ptr_equal(source_ref_text(&ref, text), text);
        assert_int_equal(strlen(text), SOURCE_TEXT_MAX);
        assert_int_equal(source_ref_parse(span_str(text), &seen), 0);
        assert_int_equal(seen.kind, SOURCE_UPLOAD);
        assert_memory_equal(seen.sha256, ref.sha256, sizeof ref.sha256);
        assert_string_equal(source_ref_text(&seen, again), text);
    }
    printf("%d sources printed and read back\n", ROUNDS);
}

static void test_the_text_is_the_one_of_the_protocol(void **state)
{
    (void)state;
    char text[SOURCE_TEXT_MAX + 1];
    struct source_ref ref;
    assert_int_equal(source_ref_parse(span_str("upload:" HASH), &ref), 0);
    assert_int_equal(ref.sha256[1], 0x11);
    assert_int_equal(ref.sha256[31], 0xef);
    assert_string_equal(source_ref_text(&ref, text), "upload:" HASH);
}

static void test_no_text_is_no_source(void **state)
{
    (void)state;
    char text[SOURCE_TEXT_MAX + 1] = "before";
    struct source_ref ref = {.kind = SOURCE_UPLOAD};
    assert_int_equal(source_ref_parse(span_of(NULL, 0), &ref), 0);
    assert_int_equal(ref.kind, SOURCE_NONE);
    assert_string_equal(source_ref_text(&ref, text), "");
}

/* A row of the store has no NUL behind its text. */
static void test_nothing_behind_the_text_is_read(void **state)
{
    (void)state;
    struct source_ref ref;
    assert_int_equal(source_ref_parse(span_of("upload:" HASH "ff", SOURCE_TEXT_MAX), &ref), 0);
    assert_int_equal(ref.sha256[31], 0xef);
    assert_int_equal(source_ref_parse(span_of("upload:" HASH, SOURCE_TEXT_MAX - 1), &ref),
                     SOURCE_UNREADABLE);
}

static void test_what_only_looks_like_a_source_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "upload:",
        "upload:abc",
        "upload:" HASH "0",
        "upload:" HASH " ",
        " upload:" HASH,
        "Upload:" HASH,
        "upload " HASH,
        "upload:00112233445566778899AABBCCDDEEFF0123456789abcdef0123456789abcdef", /* capitals */
        "upload:00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdeg",
        "upload:00112233445566778899aabbccddeeff 123456789abcdef0123456789abcdef",
        "upload:$(id)",
        HASH,
        "dir:/home/app",
        "git:https://example.org/app@main",
    };
    int n = (int)(sizeof cases / sizeof *cases);
    for (int i = 0; i < n; i++) {
        struct source_ref ref = {.kind = SOURCE_UPLOAD, .sha256 = {0x5a}};
        if (source_ref_parse(span_str(cases[i]), &ref) != SOURCE_UNREADABLE)
            fail_msg("\"%s\" was taken for a source", cases[i]);
        assert_true(ref.kind == SOURCE_UPLOAD && ref.sha256[0] == 0x5a); /* untouched */
    }
    char with_nul[] = "upload:" HASH;
    struct source_ref ref;
    with_nul[20] = '\0';
    assert_int_equal(source_ref_parse(span_of(with_nul, SOURCE_TEXT_MAX), &ref), SOURCE_UNREADABLE);
    printf("%d texts that are no source refused\n", n + 1);
}

static int group_setup(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_printed_is_read_back),
        cmocka_unit_test(test_the_text_is_the_one_of_the_protocol),
        cmocka_unit_test(test_no_text_is_no_source),
        cmocka_unit_test(test_nothing_behind_the_text_is_read),
        cmocka_unit_test(test_what_only_looks_like_a_source_is_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
