/* test_limits.c: shows that limits.def bounds every field of every request-side message, that each
 * row holds at its bound and refuses beyond it, and that the forms know right from wrong.
 *
 * Why it matters: a field without a row is a field that a stranger may fill without bound. */
#undef NDEBUG
#include "form.h"
#include "rota.pb-c.h"
#include "wire_rig.h"

#include <assert.h>
#include <base/id.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { WAIT_MS = 10 * 60 * 1000, WEEK_MS = 7 * 24 * 3600 * 1000 };

struct row {
    const ProtobufCMessageDescriptor *type;
    const char *field;
    uint64_t most;
    enum form form;
};
static const struct row rows[] = {
#define LIMIT(message, field, most, form)                                                          \
    {&rota__##message##__descriptor, #field, most, FORM_##form},
#include "limits.def"
#undef LIMIT
};
enum { ROWS = sizeof rows / sizeof *rows };

static const struct row *row_of(const ProtobufCMessageDescriptor *type, const char *field)
{
    for (int i = 0; i < ROWS; i++)
        if (rows[i].type == type && strcmp(rows[i].field, field) == 0)
            return &rows[i];
    return NULL;
}

/* ---- the table against the schema ---- */

static int fields_seen, messages_seen;
static const ProtobufCMessageDescriptor *seen[128];

static bool form_fits_type(enum form form, ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return form == FORM_PART;
    case PROTOBUF_C_TYPE_ENUM:
        return form == FORM_TIER || form == FORM_ROLE || form == FORM_WORD;
    case PROTOBUF_C_TYPE_BOOL:
        return form == FORM_SWITCH;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
        return form == FORM_NUMBER;
    case PROTOBUF_C_TYPE_BYTES:
        return form == FORM_ANY || form == FORM_EXACT;
    case PROTOBUF_C_TYPE_STRING:
        return form >= FORM_TEXT && form <= FORM_JOB;
    default:
        return false; /* wire.c knows numbers as varints only */
    }
}

static void walk(const ProtobufCMessageDescriptor *type)
{
    for (int i = 0; i < messages_seen; i++)
        if (seen[i] == type)
            return;
    assert_true(messages_seen < 128);
    seen[messages_seen++] = type;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        const struct row *row = row_of(type, f->name);
        if (!row)
            fail_msg("limits.def has no row for %s.%s", type->short_name, f->name);
        assert(row); /* fail_msg() does not return, which not every reader knows */
        if (!form_fits_type(row->form, f->type))
            fail_msg("%s.%s: the form does not fit the type", type->short_name, f->name);
        if (f->type == PROTOBUF_C_TYPE_UINT32)
            assert_true(row->most <= UINT32_MAX);
        fields_seen++;
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            walk(f->descriptor);
    }
}

static void test_every_field_of_a_request_has_a_row(void **state)
{
    (void)state;
    walk(&rota__request__descriptor);
    for (int i = 0; i < ROWS; i++) {
        if (!protobuf_c_message_descriptor_get_field_by_name(rows[i].type, rows[i].field))
            fail_msg("limits.def names %s.%s, the schema does not", rows[i].type->short_name,
                     rows[i].field);
        for (int k = 0; k < i; k++)
            assert_false(rows[k].type == rows[i].type && !strcmp(rows[k].field, rows[i].field));
    }
    assert_int_equal(fields_seen, ROWS);
    printf("%d messages, %d fields, %d rows\n", messages_seen, fields_seen, (int)ROWS);
}

/* ---- every row at its bound and beyond ---- */

static size_t sample(const struct row *row, char *to, size_t want)
{
    if (row->form == FORM_JOB) {
        memcpy(to, job_text, 30);
        memset(to + 30, 'a', want > 30 ? want - 30 : 0);
        return want;
    }
    if (row->form == FORM_ADDRESS && want == row->most) {
        static const char address[] = "2001:db8::192.0.2.1";
        memcpy(to, address, sizeof address - 1);
        return sizeof address - 1;
    }
    memset(to, 'a', want);
    return want;
}

static enum error_code over_code(const struct row *row)
{
    const struct form_row *form = form_row(row->form);
    return form->is_length_own ? form->code : E_FIELD_TOO_LONG;
}

static void assert_names(const struct wire_fault *fault, const char *field)
{
    if (strncmp(fault->text, field, strlen(field)) != 0)
        fail_msg("\"%s\" does not name %s", fault->text, field);
}

static void try_number(const struct row *row, const ProtobufCFieldDescriptor *f, int *tried)
{
    static struct wire_bytes b;
    struct wire_fault fault;
    uint64_t most = row->most;
    enum error_code over = E_FIELD_INVALID;
    if (f->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *words = f->descriptor;
        most = (uint64_t)words->values[words->n_values - 1].value;
        over = form_row(row->form)->code;
    }
    b.n = 0;
    put_number(&b, f->id, most);
    assert_int_equal(check(row->type, &b, &fault), E_OK);
    ++*tried;
    if (most == UINT64_MAX)
        return;
    b.n = 0;
    put_number(&b, f->id, most + 1);
    assert_int_equal(check(row->type, &b, &fault), over);
    assert_names(&fault, row->field);
    b.n = 0;
    put_number(&b, f->id, UINT64_MAX);
    assert_int_equal(check(row->type, &b, &fault), over);
}

static void try_run(const struct row *row, const ProtobufCFieldDescriptor *f, int *tried)
{
    static struct wire_bytes b;
    static char text[64 * 1024];
    struct wire_fault fault;
    bool is_list = f->label == PROTOBUF_C_LABEL_REPEATED;
    size_t most = is_list ? form_row(row->form)->item_bytes_max : (size_t)row->most;
    b.n = 0;
    put_run(&b, f->id, text, sample(row, text, most));
    assert_int_equal(check(row->type, &b, &fault), E_OK);
    b.n = 0;
    put_run(&b, f->id, text, sample(row, text, most + 1));
    assert_int_equal(check(row->type, &b, &fault), over_code(row));
    assert_names(&fault, row->field);
    b.n = 0; /* an empty text is "not set", an empty name in a list is none */
    put_run(&b, f->id, text, 0);
    assert_int_equal(check(row->type, &b, &fault), is_list ? form_row(row->form)->code : E_OK);
    ++*tried;
}

static void try_list(const struct row *row, const ProtobufCFieldDescriptor *f, int *tried)
{
    static struct wire_bytes b;
    struct wire_fault fault;
    b.n = 0;
    char text[JOB_ID_TEXT_LEN] = "a";
    size_t n = f->type == PROTOBUF_C_TYPE_MESSAGE ? 0 : 1;
    if (row->form == FORM_JOB)
        n = sample(row, text, JOB_ID_TEXT_LEN);
    for (uint64_t i = 0; i < row->most; i++)
        put_run(&b, f->id, text, n);
    assert_int_equal(check(row->type, &b, &fault), E_OK);
    put_run(&b, f->id, text, n);
    assert_int_equal(check(row->type, &b, &fault), E_TOO_MANY);
    assert_names(&fault, row->field);
    ++*tried;
}

static void test_each_row_holds_at_its_bound_and_refuses_beyond(void **state)
{
    (void)state;
    int numbers = 0, runs = 0, lists = 0;
    for (int i = 0; i < ROWS; i++) {
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field_by_name(rows[i].type, rows[i].field);
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            try_list(&rows[i], f, &lists);
        if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES)
            try_run(&rows[i], f, &runs);
        else if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            try_number(&rows[i], f, &numbers);
    }
    assert_true(numbers > 90 && runs > 100 && lists >= 9);
    printf("%d numbers, %d texts and bytes, %d lists tried\n", numbers, runs, lists);
}

/* ---- forms ---- */

static const struct form_case {
    enum form form;
    bool fits;
    const char *text;
    size_t n; /* 0: strlen */
} form_cases[] = {
    {FORM_LINE, true, "Ünïcødé app 日本 🚀", 0},
    {FORM_LINE, true, "$(rm -rf /); `id` | cat > x & \"'\\", 0},
    {FORM_LINE, false, "two\nlines", 0},
    {FORM_LINE, false, "esc\x1b[31m", 0},
    {FORM_LINE, false, "nul\0inside", 10},
    {FORM_LINE, false,
     "\xc2\x9b"
     "31m",
     0}, /* C1: an escape sequence of its own */
    {FORM_LINE, false,
     "a\xe2\x80\xae"
     "b",
     0},                                       /* turns the direction of writing */
    {FORM_LINE, false, "\xc0\xaf", 0},         /* overlong */
    {FORM_LINE, false, "\xed\xa0\x80", 0},     /* surrogate */
    {FORM_LINE, false, "\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
    {FORM_LINE, false, "\xe2\x82", 0},         /* cut */
    {FORM_LINE, false, "\xff", 0},
    {FORM_TEXT, true, "two\nlines\tand a tab\r\n", 0},
    {FORM_TEXT, false, "bell\a", 0},
    {FORM_NAME, true, "worker-1.host_a:4@b", 0},
    {FORM_NAME, false, ".hidden", 0},
    {FORM_NAME, false, "-flag", 0},
    {FORM_NAME, false, "a/b", 0},
    {FORM_NAME, false, "a b", 0},
    {FORM_NAME, false, "a;b", 0},
    {FORM_CLASS, true, "abcdefghijklmnopqrstuvwxyz-23456", 0},   /* 32 */
    {FORM_CLASS, false, "abcdefghijklmnopqrstuvwxyz-234567", 0}, /* 33 */
    {FORM_CLASS, false, "a b", 0},
    {FORM_CLASS, false, "-task", 0},
    {FORM_ACCOUNT, true, "Acme_Corp-1", 0},
    {FORM_ACCOUNT, false, "acme.corp", 0},
    {FORM_ACCOUNT, false, "acme corp", 0},
    {FORM_ACCOUNT, false, "acmé", 0},
    {FORM_FILE, true, "index.android.bundle.hbc", 0},
    {FORM_FILE, false, "..", 0},
    {FORM_FILE, false, ".", 0},
    {FORM_FILE, false, "a/../b", 0},
    {FORM_HEX, true, "0123456789abcdef", 0},
    {FORM_HEX, false, "0123456789ABCDEF", 0},
    {FORM_ADDRESS, true, "192.0.2.7", 0},
    {FORM_ADDRESS, true, "::1", 0},
    {FORM_ADDRESS, false, "localhost", 0},
    {FORM_ADDRESS, false, "192.0.2.7; id", 0},
    {FORM_JOB, true, job_text, 0},
    {FORM_JOB, false, "job_01jd4m9qk2v3x7y8z0abcdefgi", 0}, /* i is no digit */
    {FORM_JOB, false, "job_81jd4m9qk2v3x7y8z0abcdefgh", 0}, /* more than 128 bits */
    {FORM_JOB, false, "task01jd4m9qk2v3x7y8z0abcdefgh", 0},
    {FORM_JOB, false, "job_", 0},
};

static void test_forms_know_right_from_wrong(void **state)
{
    (void)state;
    int n = (int)(sizeof form_cases / sizeof *form_cases);
    for (int i = 0; i < n; i++) {
        const struct form_case *c = &form_cases[i];
        size_t len = c->n ? c->n : strlen(c->text);
        if (form_row(c->form)->fits((const uint8_t *)c->text, len) != c->fits)
            fail_msg("case %d: \"%s\"", i, c->text);
    }
    printf("%d forms tried\n", n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_a_request_has_a_row),
        cmocka_unit_test(test_each_row_holds_at_its_bound_and_refuses_beyond),
        cmocka_unit_test(test_forms_know_right_from_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
