/* test_s3_list.c: a page of a listing gives its objects and where the next begins; a page that is
 * cut, strange or hostile gives what is whole in it and never reads beyond its end. */
#undef NDEBUG
#include "edge/s3_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As Ceph writes it, with two objects of which one name holds nothing of ours. */
static const char page_text[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult "
    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>bundle/</Prefix>"
    "<MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated><NextContinuationToken>bundle/a/0f</"
    "NextContinuationToken><Contents><Key>bundle/a/0e</Key><LastModified>2026-11-20T15:38:15.226Z</"
    "LastModified><ETag>&quot;4d&quot;</ETag><Size>11000</Size></Contents><Contents><Key>bundle/a/"
    "0f"
    "</Key><LastModified>1970-01-01T00:01:40Z</LastModified></Contents><KeyCount>2</KeyCount>"
    "</ListBucketResult>";

static void a_page_gives_its_objects_and_the_next_page(void **state)
{
    (void)state;
    struct s3_page page = {page_text, page_text};
    struct s3_listed listed;
    char token[S3_TOKEN_MAX];
    assert_true(s3_page_is_one(&page));
    assert_true(s3_page_next(&page, &listed));
    assert_string_equal(listed.name, "bundle/a/0e");
    assert_int_equal(listed.modified_ms, 1795189095000);
    assert_true(s3_page_next(&page, &listed));
    assert_string_equal(listed.name, "bundle/a/0f");
    assert_int_equal(listed.modified_ms, 100000);
    assert_false(s3_page_next(&page, &listed));
    assert_true(s3_page_more(&page, token));
    assert_string_equal(token, "bundle/a/0f");
}

/* Each beginning of the page, in memory that ends where it ends. */
static void a_cut_page_gives_what_is_whole(void **state)
{
    (void)state;
    unsigned objects = 0, ends = 0;
    for (size_t n = 0; n < sizeof page_text; n++) {
        struct s3_listed listed;
        char token[S3_TOKEN_MAX], *text = malloc(n + 1);
        assert_non_null(text);
        memcpy(text, page_text, n);
        text[n] = '\0';
        struct s3_page page = {text, text};
        while (s3_page_next(&page, &listed))
            objects++;
        ends += s3_page_more(&page, token);
        assert_true(!s3_page_is_one(&page) || n == sizeof page_text - 1);
        free(text);
    }
    printf("%zu cuts: %u objects, %u tokens\n", sizeof page_text, objects, ends);
    assert_true(objects > 0 && ends > 0);
}

static void what_does_not_fit_is_passed_over(void **state)
{
    (void)state;
    static const char form[] = "<ListBucketResult><Contents><Key>%s</Key><LastModified>%s"
                               "</LastModified></Contents><Contents><Key>good</Key><LastModified>"
                               "2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>";
    char longest[S3_NAME_MAX + 1], text[2048];
    memset(longest, 'a', S3_NAME_MAX);
    longest[S3_NAME_MAX] = '\0';
    const char *const rows[][2] = {{longest, "2026-01-01T00:00:00Z"},
                                   {"x", "yesterday"},
                                   {"x", ""},
                                   {"x", "1960-01-01T00:00:00Z"},
                                   {"<Key>nested</Key>", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct s3_listed listed;
        snprintf(text, sizeof text, form, rows[i][0], rows[i][1]);
        struct s3_page page = {text, text};
        assert_true(s3_page_next(&page, &listed));
        assert_string_equal(listed.name, "good");
        assert_false(s3_page_next(&page, &listed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_gives_its_objects_and_the_next_page),
        cmocka_unit_test(a_cut_page_gives_what_is_whole),
        cmocka_unit_test(what_does_not_fit_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
