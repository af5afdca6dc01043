/* test_email.c: which texts are e-mail addresses here. Why it matters: the address is a member's
 * name; one that two programs read differently is two members, or nobody. */
#undef NDEBUG
#include "email.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* NULL: refused. */
static const struct {
    const char *text, *read;
} cases[] = {
    {"ann@example.org", "ann@example.org"},
    {"Ann.Lee@EXAMPLE.Org", "Ann.Lee@example.org"},
    {"a@b.co", "a@b.co"},
    {"ci+rota@mail.example.co.uk", "ci+rota@mail.example.co.uk"},
    {"!#$%&'*+/=?^_`{|}~-@x.y", "!#$%&'*+/=?^_`{|}~-@x.y"},
    {"0@1.2a", "0@1.2a"},
    {"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
    {"", NULL},
    {"@", NULL},
    {"ann", NULL},
    {"ann@", NULL},
    {"@example.org", NULL},
    {"ann@localhost", NULL},
    {"ann@@example.org", NULL},
    {"ann@example.org@example.org", NULL},
    {".ann@example.org", NULL},
    {"ann.@example.org", NULL},
    {"an..n@example.org", NULL},
    {"ann lee@example.org", NULL},
    {"\"ann\"@example.org", NULL},
    {"ann(home)@example.org", NULL},
    {"ann@[192.0.2.1]", NULL},
    {"ann@192.0.2.1", NULL},
    {"ann@example.org.", NULL},
    {"ann@.example.org", NULL},
    {"ann@example..org", NULL},
    {"ann@-example.org", NULL},
    {"ann@example-.org", NULL},
    {"ann@exam_ple.org", NULL},
    {"ann@example.org\n", NULL},
    {"ann@example.org ", NULL},
    {" ann@example.org", NULL},
    {"ann,bob@example.org", NULL},
    {"<ann@example.org>", NULL},
    {"ann@b\xc3\xbc"
     "cher.example",
     NULL},
    {"\xc3\xa4nn@example.org", NULL},
    {"ann\x7f@example.org", NULL},
};

static void an_address_is_read_or_refused(void **state)
{
    (void)state;
    char email[EMAIL_LEN_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        email[0] = '?';
        email[1] = '\0';
        bool is_email = email_read(cases[i].text, email);
        if (is_email != (cases[i].read != NULL))
            fail_msg("\"%s\" was %s", cases[i].text, is_email ? "read" : "refused");
        assert_string_equal(email, is_email ? cases[i].read : "?");
    }
    printf("%zu texts\n", sizeof cases / sizeof *cases);
}

/* local: 64; label: 63; all: 254. */
static void each_part_has_its_length(void **state)
{
    (void)state;
    char text[400], email[EMAIL_LEN_MAX + 1];
    for (int local = 63; local <= 65; local++) {
        snprintf(text, sizeof text, "%0*d@example.org", local, 0);
        assert_int_equal(email_read(text, email), local <= 64);
    }
    for (int label = 62; label <= 64; label++) {
        snprintf(text, sizeof text, "a@%0*d.org", label, 0);
        assert_int_equal(email_read(text, email), label <= 63);
    }
    for (int last = 59; last <= 63; last++) {
        snprintf(text, sizeof text, "a@%063d.%063d.%063d.%0*da", 0, 0, 0, last - 1, 0);
        assert_int_equal(email_read(text, email), strlen(text) <= EMAIL_LEN_MAX);
    }
    assert_true(strlen(text) > EMAIL_LEN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read_or_refused),
        cmocka_unit_test(each_part_has_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
