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
#include <stdlib.h>
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
        assert_int_equal(strlen(text), SOURCE_UPLOAD_LEN);
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

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static void test_a_git_source_has_its_parts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *url, *ref, *host;
        uint16_t port;
        bool is_commit;
    } rows[] = {
        {"git:https://github.com/o/app.git@main", "https://github.com/o/app.git", "main",
         "github.com", 443, false},
        {"git:https://git.example.org:8443/~me/a_b.c@v1.2.3-rc+4",
         "https://git.example.org:8443/~me/a_b.c", "v1.2.3-rc+4", "git.example.org", 8443, false},
        {"git:https://127.0.0.1:3000/a@feature/x", "https://127.0.0.1:3000/a", "feature/x",
         "127.0.0.1", 3000, false},
        {"git:https://h.example/a@" COMMIT, "https://h.example/a", COMMIT, "h.example", 443, true},
        {"git:https://h.example/a@refs/heads/main", "https://h.example/a", "refs/heads/main",
         "h.example", 443, false},
        {"git:https://h.example/a@0123456789ABCDEF0123456789ABCDEF01234567", "https://h.example/a",
         "0123456789ABCDEF0123456789ABCDEF01234567", "h.example", 443, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct source_ref ref;
        char text[SOURCE_TEXT_MAX + 1];
        if (source_ref_parse(span_str(rows[i].text), &ref) != 0)
            fail_msg("%s was refused", rows[i].text);
        assert_int_equal(ref.kind, SOURCE_GIT);
        assert_string_equal(ref.url, rows[i].url);
        assert_string_equal(ref.ref, rows[i].ref);
        assert_string_equal(ref.host.name, rows[i].host);
        assert_int_equal(ref.host.port, rows[i].port);
        assert_int_equal(ref.is_commit, rows[i].is_commit);
        assert_string_equal(source_ref_text(&ref, text), rows[i].text);
    }
}

/* The last '@' separates, and no part of a text is the text of another source by accident: each
 * shorter one is refused, or prints as itself. */
static void test_a_git_source_cut_short_is_another_or_none(void **state)
{
    (void)state;
    static const char whole[] = "git:https://h.example:8443/o/app.git@v1.0/x";
    unsigned others = 0;
    for (size_t n = 1; n < sizeof whole - 1; n++) {
        struct source_ref ref;
        char text[SOURCE_TEXT_MAX + 1];
        char *part = strndup(whole, n); /* so that a reader past the end is seen */
        if (source_ref_parse(span_of(part, n), &ref) == 0) {
            assert_string_equal(source_ref_text(&ref, text), part);
            others++;
        }
        free(part);
    }
    printf("%zu cuts: %u are sources of their own, the rest refused\n", sizeof whole - 2, others);
    assert_int_equal(others, 3); /* the refs v, v1 and v1.0 */
}

static void test_a_git_source_has_bounds(void **state)
{
    (void)state;
    struct source_ref ref;
    char text[SOURCE_TEXT_MAX + 8];
    static const char head[] = "git:https://h.example/";
    for (int over = 0; over < 2; over++) {
        size_t path = SOURCE_URL_MAX - (sizeof head - 1 - 4) + (size_t)over;
        size_t n = (size_t)snprintf(text, sizeof text, "%s", head);
        memset(text + n, 'a', path);
        snprintf(text + n + path, sizeof text - n - path, "@m");
        assert_int_equal(source_ref_parse(span_str(text), &ref), over ? SOURCE_UNREADABLE : 0);
        n = (size_t)snprintf(text, sizeof text, "%sa@", head);
        memset(text + n, 'b', SOURCE_GIT_REF_MAX + (size_t)over);
        text[n + SOURCE_GIT_REF_MAX + (size_t)over] = 0;
        assert_int_equal(source_ref_parse(span_str(text), &ref), over ? SOURCE_UNREADABLE : 0);
    }
}

/* A row of the store has no NUL behind its text. */
static void test_nothing_behind_the_text_is_read(void **state)
{
    (void)state;
    struct source_ref ref;
    assert_int_equal(source_ref_parse(span_of("upload:" HASH "ff", SOURCE_UPLOAD_LEN), &ref), 0);
    assert_int_equal(ref.sha256[31], 0xef);
    assert_int_equal(source_ref_parse(span_of("upload:" HASH, SOURCE_UPLOAD_LEN - 1), &ref),
                     SOURCE_UNREADABLE);
}

static const char *const no_sources[] = {
    "upload:",
    "upload:abc",
    "upload:00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef0",
    "upload:00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef ",
    " upload:00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef",
    "Upload:00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef",
    "upload 00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef",
    "upload:00112233445566778899AABBCCDDEEFF0123456789abcdef0123456789abcdef", /* capitals */
    "upload:00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdeg",
    "upload:00112233445566778899aabbccddeeff 123456789abcdef0123456789abcdef",
    "upload:$(id)",
    HASH,
    "dir:/home/app",
    "git:",
    "git:https://example.org/app",
    "git:https://example.org/app@",
    "git:https://example.org@main",
    "git:https://example.org/@main",
    "git:https://example.org/a//b@main",
    "git:https://example.org/a/@main",
    "git:https://example.org/a/../b@main",
    "git:https://example.org/.git@main",
    "git:https://example.org/-x/b@main",
    "git:https://example.org/a b@main",
    "git:https://example.org/a?x=1@main",
    "git:https://example.org/a#x@main",
    "git:https://example.org/a%2e@main",
    "git:https://example.org/a\\b@main",
    "git:https://example.org/a\n@main",
    "git:https://user@example.org/a@main",
    "git:https://user:secret@example.org/a@main",
    "git:https://Example.org/a@main", /* a second spelling */
    "git:https://example.org./a@main",
    "git:https://example..org/a@main",
    "git:https://-example.org/a@main",
    "git:https://[::1]/a@main",
    "git:https://127.1/a@main", /* an address in disguise */
    "git:https://0x7f000001.0/a@main",
    "git:https://2130706433/a@main",
    "git:https://example.org:443/a@main",
    "git:https://example.org:0/a@main",
    "git:https://example.org:0443/a@main",
    "git:https://example.org:65536/a@main",
    "git:https://example.org:/a@main",
    "git:http://example.org/a@main",
    "git:ssh://example.org/a@main",
    "git:git://example.org/a@main",
    "git:file:///etc@main",
    "git:ext::sh -c id@main",
    "git:git@example.org:a/b@main",
    "git:https://example.org/a@-x",
    "git:https://example.org/a@--upload-pack=id",
    "git:https://example.org/a@x..y",
    "git:https://example.org/a@x:y",
    "git:https://example.org/a@+x",
    "git:https://example.org/a@x^1",
    "git:https://example.org/a@x~1",
    "git:https://example.org/a@x.lock",
    "git:https://example.org/a@x.",
    "git:https://example.org/a@x/",
    "git:https://example.org/a@.x",
    "git:https://example.org/a@x/.y",
    "git:https://example.org/a@x y",
    "Git:https://example.org/a@main",
};

static void test_what_only_looks_like_a_source_is_refused(void **state)
{
    (void)state;
    int n = (int)(sizeof no_sources / sizeof *no_sources);
    for (int i = 0; i < n; i++) {
        struct source_ref ref = {.kind = SOURCE_UPLOAD, .sha256 = {0x5a}};
        if (source_ref_parse(span_str(no_sources[i]), &ref) != SOURCE_UNREADABLE)
            fail_msg("\"%s\" was taken for a source", no_sources[i]);
        assert_true(ref.kind == SOURCE_UPLOAD && ref.sha256[0] == 0x5a); /* untouched */
    }
    char with_nul[] = "upload:" HASH;
    struct source_ref ref;
    with_nul[20] = '\0';
    assert_int_equal(source_ref_parse(span_of(with_nul, SOURCE_UPLOAD_LEN), &ref),
                     SOURCE_UNREADABLE);
    printf("%d texts that are no source refused\n", n + 1);
}

/* The app's token goes where this says yes. */
static void test_a_repository_is_known_by_its_address(void **state)
{
    static const struct {
        const char *url, *repository;
        bool is_of;
    } rows[] = {
        {"https://h.example/o/app", "https://h.example/o/app", true},
        {"https://h.example/o/app.git", "https://h.example/o/app", true},
        {"https://h.example/o/app", "https://h.example/o/app.git", true},
        {"https://h.example/o/app", "HTTPS://H.Example/o/app.git//", true},
        {"https://h.example/o/app", "https://h.example:443/o/app/", true},
        {"https://h.example:8443/o/app", "https://h.example:8443/o/app", true},
        {"https://h.example:8443/o/app", "https://h.example/o/app", false},
        {"https://h.example/o/app", "https://h.example/o/App", false},
        {"https://h.example/o/app", "https://h.example/o/app2", false},
        {"https://h.example/o/app", "https://h.example/o/ap", false},
        {"https://h.example/o/app", "https://h.example/o", false},
        {"https://h.example/o/app", "https://h.example/", false},
        {"https://h.example/o/app", "https://h.example", false},
        {"https://h.example/o/app", "https://other.example/o/app", false},
        {"https://h.example/o/app", "https://h.example.other.example/o/app", false},
        {"https://h.example/o/app", "http://h.example/o/app", false},
        {"https://h.example/o/app", "https://me@h.example/o/app", false},
        {"https://h.example/o/app", "https://h.example/o/app?x", false},
        {"https://h.example/o/app", "https://h.example/o/app.git.git", false},
        {"https://h.example/o/app", "https://h.example//o/app", false},
        {"https://h.example/o/app", " https://h.example/o/app", false},
        {"https://h.example/o/app", "git@h.example:o/app.git", false},
        {"https://h.example/o/app", "h.example/o/app", false},
        {"https://h.example/o/app", "", false},
    };
    (void)state;
    size_t n = sizeof rows / sizeof *rows;
    for (size_t i = 0; i < n; i++) {
        char text[SOURCE_TEXT_MAX + 1];
        struct source_ref ref;
        snprintf(text, sizeof text, "git:%s@main", rows[i].url);
        assert_int_equal(source_ref_parse(span_str(text), &ref), 0);
        char *exact = strndup(rows[i].repository, strlen(rows[i].repository));
        if (source_ref_is_of(&ref, span_of(exact, strlen(exact))) != rows[i].is_of)
            fail_msg("%s and %s", rows[i].url, rows[i].repository);
        free(exact);
    }
    char too_long[SOURCE_URL_MAX + 2];
    struct source_ref upload, ref;
    memset(too_long, 'a', sizeof too_long);
    assert_int_equal(source_ref_parse(span_str("upload:" HASH), &upload), 0);
    assert_int_equal(source_ref_parse(span_str("git:https://h.example/a@main"), &ref), 0);
    assert_false(source_ref_is_of(&upload, span_str("https://h.example/a")));
    assert_false(source_ref_is_of(&ref, span_of(too_long, sizeof too_long)));
    printf("%zu addresses compared\n", n);
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
        cmocka_unit_test(test_a_git_source_has_its_parts),
        cmocka_unit_test(test_a_git_source_cut_short_is_another_or_none),
        cmocka_unit_test(test_a_git_source_has_bounds),
        cmocka_unit_test(test_nothing_behind_the_text_is_read),
        cmocka_unit_test(test_what_only_looks_like_a_source_is_refused),
        cmocka_unit_test(test_a_repository_is_known_by_its_address),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
