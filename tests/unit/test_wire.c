/* test_wire.c: shows that the bounds of limits.def stand between the socket and the unpacker.
 *
 * Why it matters: wire_check() is the only thing that looks at a stranger's bytes before memory is
 * taken for them. Every field of every request-side message must have a row; each row is tried at
 * its bound and beyond it; and whatever wire_check() lets through, protobuf-c must be able to
 * unpack. */
#undef NDEBUG
#include "form.h"
#include "rota.pb-c.h"
#include "wire.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WAIT_MS = 10 * 60 * 1000, WEEK_MS = 7 * 24 * 3600 * 1000, ROOM = 256 * 1024 };

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

/* ---- writing wire bytes by hand ---- */

struct bytes {
    size_t n;
    uint8_t p[ROOM];
};

static void put_varint(struct bytes *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        b->p[b->n++] = (uint8_t)(v | 0x80);
    b->p[b->n++] = (uint8_t)v;
    assert(b->n < ROOM);
}

static void put_number(struct bytes *b, uint32_t number, uint64_t v)
{
    put_varint(b, number << 3);
    put_varint(b, v);
}

static void put_run(struct bytes *b, uint32_t number, const void *p, size_t n)
{
    put_varint(b, number << 3 | 2);
    put_varint(b, n);
    assert(b->n + n < ROOM);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

/* Checks a copy that ends where the allocation ends, so that ASan sees a byte read too far. */
static enum error_code check(const ProtobufCMessageDescriptor *type, const struct bytes *b,
                             struct wire_fault *fault)
{
    uint8_t *exact = malloc(b->n ? b->n : 1);
    assert_non_null(exact);
    memcpy(exact, b->p, b->n);
    *fault = (struct wire_fault){.code = E_OK};
    bool fits = wire_check(type, exact, b->n, fault);
    if (fits) {
        ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, b->n, exact);
        assert_non_null(m); /* what we let through, protobuf-c takes */
        protobuf_c_message_free_unpacked(m, NULL);
        fault->code = E_OK;
    } else {
        assert_int_not_equal(fault->code, E_OK);
        assert_true(fault->text[0] != 0);
        assert_non_null(memchr(fault->text, 0, sizeof fault->text));
    }
    free(exact);
    return fault->code;
}

static const struct row *row_of(const ProtobufCMessageDescriptor *type, const char *field)
{
    for (int i = 0; i < ROWS; i++)
        if (rows[i].type == type && strcmp(rows[i].field, field) == 0)
            return &rows[i];
    return NULL;
}

/* ---- the table against the schema ---- */

static int fields_seen, messages_seen;
static const ProtobufCMessageDescriptor *seen[64];

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
    assert_true(messages_seen < 64);
    seen[messages_seen++] = type;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        const struct row *row = row_of(type, f->name);
        if (!row)
            fail_msg("limits.def has no row for %s.%s", type->short_name, f->name);
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

static const char job_text[] = "job_01jd4m9qk2v3x7y8z0abcdefgh";

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
    static struct bytes b;
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
    static struct bytes b;
    static char text[64 * 1024];
    struct wire_fault fault;
    bool is_list = f->label == PROTOBUF_C_LABEL_REPEATED;
    size_t most = is_list ? NAME_LEN_MAX : (size_t)row->most;
    b.n = 0;
    put_run(&b, f->id, text, sample(row, text, most));
    assert_int_equal(check(row->type, &b, &fault), E_OK);
    b.n = 0;
    put_run(&b, f->id, text, sample(row, text, most + 1));
    assert_int_equal(check(row->type, &b, &fault), over_code(row));
    assert_names(&fault, row->field);
    b.n = 0; /* an empty text is "not set", an empty name in a list is none */
    put_run(&b, f->id, text, 0);
    assert_int_equal(check(row->type, &b, &fault), is_list ? E_FIELD_INVALID : E_OK);
    ++*tried;
}

static void try_list(const struct row *row, const ProtobufCFieldDescriptor *f, int *tried)
{
    static struct bytes b;
    struct wire_fault fault;
    b.n = 0;
    size_t n = f->type == PROTOBUF_C_TYPE_MESSAGE ? 0 : 1;
    for (uint64_t i = 0; i < row->most; i++)
        put_run(&b, f->id, "a", n);
    assert_int_equal(check(row->type, &b, &fault), E_OK);
    put_run(&b, f->id, "a", n);
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
    assert_true(numbers > 30 && runs > 40 && lists == 7);
    printf("%d numbers, %d texts and bytes, %d lists tried\n", numbers, runs, lists);
}

/* ---- forms ---- */

static void test_forms_know_right_from_wrong(void **state)
{
    (void)state;
    static const struct {
        enum form form;
        bool fits;
        const char *text;
        size_t n; /* 0: strlen */
    } cases[] = {
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
    int n = (int)(sizeof cases / sizeof *cases);
    for (int i = 0; i < n; i++) {
        size_t len = cases[i].n ? cases[i].n : strlen(cases[i].text);
        if (form_row(cases[i].form)->fits((const uint8_t *)cases[i].text, len) != cases[i].fits)
            fail_msg("case %d: \"%s\"", i, cases[i].text);
    }
    printf("%d forms tried\n", n);
}

/* ---- faults of framing ---- */

static void test_an_unknown_field_is_named(void **state)
{
    (void)state;
    static struct bytes inner, b;
    struct wire_fault fault;
    inner.n = 0;
    put_run(&inner, 2, "app", 3);
    put_number(&inner, 61, 7);
    b.n = 0;
    put_run(&b, 17, inner.p, inner.n);
    assert_int_equal(check(&rota__request__descriptor, &b, &fault), E_FIELD_UNKNOWN);
    assert_string_equal(fault.text, "publish: Publish has no field 61");
    b.n = 0;
    put_number(&b, 5000, 1);
    assert_int_equal(check(&rota__request__descriptor, &b, &fault), E_FIELD_UNKNOWN);
    assert_string_equal(fault.text, "Request has no field 5000");
}

static void test_a_fault_deep_inside_is_spelled_with_its_path(void **state)
{
    (void)state;
    static struct bytes job, many, b;
    struct wire_fault fault;
    char app[70];
    memset(app, 'x', sizeof app);
    many.n = b.n = 0;
    for (int i = 0; i < 3; i++) {
        job.n = 0;
        put_run(&job, 2, app, i == 2 ? 70 : 64);
        put_run(&many, 1, job.p, job.n);
    }
    put_run(&b, 18, many.p, many.n);
    assert_int_equal(check(&rota__request__descriptor, &b, &fault), E_FIELD_TOO_LONG);
    assert_string_equal(fault.text, "publish_many.publish[2].app: 70 bytes, at most 64");
}

static void test_what_stands_twice_is_refused(void **state)
{
    (void)state;
    static struct bytes b;
    struct wire_fault fault;
    b.n = 0; /* protobuf would merge two publish_many and so double what was counted */
    put_run(&b, 18, "", 0);
    put_run(&b, 18, "", 0);
    assert_int_equal(check(&rota__request__descriptor, &b, &fault), E_MALFORMED);
    b.n = 0; /* two operations in one request */
    put_run(&b, 16, "", 0);
    put_run(&b, 29, "", 0);
    assert_int_equal(check(&rota__request__descriptor, &b, &fault), E_MALFORMED);
    b.n = 0; /* two members of another oneof */
    put_number(&b, 3, 10);
    put_number(&b, 4, 1);
    assert_int_equal(check(&rota__account_set__descriptor, &b, &fault), E_MALFORMED);
    b.n = 0; /* members of different oneofs may stand together */
    put_number(&b, 2, 1);
    put_number(&b, 3, 10);
    put_number(&b, 5, 2);
    assert_int_equal(check(&rota__account_set__descriptor, &b, &fault), E_OK);
}

static void test_broken_framing_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        {"\x00", 1},                                              /* field 0 */
        {"\x08", 1},                                              /* a tag, no value */
        {"\x9a\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x68", 12}, /* a length too long */
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11},     /* 65 bits */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* a number too long */
        {"\x12\x05"
         "abc",
         5},                                                  /* announces more */
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* far more */
        {"\x80\x80\x80\x80\x80\x01\x01", 7},                  /* a tag too long */
        {"\x0b\x0c", 2},                                      /* a group */
        {"\x09"
         "12345678",
         9},             /* a fixed64 */
        {"\x0a\x00", 2}, /* number as a run */
        {"\x10\x01", 2}, /* run as a number */
    };
    struct wire_fault fault;
    int n = (int)(sizeof cases / sizeof *cases);
    for (int i = 0; i < n; i++) {
        static struct bytes b;
        b.n = cases[i].n;
        memcpy(b.p, cases[i].bytes, b.n);
        enum error_code code = check(&rota__request__descriptor, &b, &fault);
        if (code != E_MALFORMED)
            fail_msg("case %d: %s", i, code ? fault.text : "let through");
    }
    printf("%d broken framings tried\n", n);
}

static void test_deep_nesting_ends_at_the_schema(void **state)
{
    (void)state;
    static struct bytes in, out;
    struct wire_fault fault;
    out.n = 0;
    for (int depth = 0; depth < 10000;
         depth++) { /* finish_and_lease inside itself, over and over */
        memcpy(in.p, out.p, out.n);
        in.n = out.n;
        if (in.n > ROOM - 16)
            break;
        out.n = 0;
        put_run(&out, 21, in.p, in.n);
    }
    assert_int_equal(check(&rota__request__descriptor, &out, &fault), E_FIELD_UNKNOWN);
    printf("nested in %zu bytes\n", out.n);
}

/* ---- whole requests ---- */

/* One request with many things inside: what the mutations start from. */
static size_t request_sample(uint8_t *to, size_t room, int which)
{
    uint8_t nonce[16] = "0123456789abcde", hash[32] = "hash";
    Rota__LeaseRef ref = ROTA__LEASE_REF__INIT;
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__FinishAndLease both = ROTA__FINISH_AND_LEASE__INIT;
    Rota__Artifact artifact = ROTA__ARTIFACT__INIT, *artifacts[] = {&artifact, &artifact};
    Rota__Error error = ROTA__ERROR__INIT;
    Rota__Request r = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)"bundle", (char *)"task"};
    ref.job = (char *)job_text;
    ref.epoch = 3;
    ref.token = 77;
    artifact.kind = ROTA__OBJECT_KIND__BUNDLE;
    artifact.sha256 = artifact.blake2b = (ProtobufCBinaryData){32, hash};
    artifact.size = 1 << 20;
    artifact.name = (char *)"index.hbc";
    error.name = (char *)"BUNDLE_SYNTAX";
    error.text = (char *)"App.tsx:3:7\nunexpected token";
    finish.lease = &ref;
    finish.outcome = ROTA__OUTCOME__OUTCOME_FAILED;
    finish.error = &error;
    finish.n_artifact = 2;
    finish.artifact = artifacts;
    lease.worker = (char *)"w1";
    lease.pool = (char *)"bundle";
    lease.n_class_ = 2;
    lease.class_ = classes;
    lease.wait_ms = 30000;
    lease.nonce = (ProtobufCBinaryData){16, nonce};
    both.finish = &finish;
    both.lease = &lease;
    r.request_id = 12345;
    r.credential = (char *)"rota_test_0123456789";
    r.environment = (char *)"test";
    r.op_case = which ? ROTA__REQUEST__OP_LEASE : ROTA__REQUEST__OP_FINISH_AND_LEASE;
    if (which)
        r.lease = &lease;
    else
        r.finish_and_lease = &both;
    assert(rota__request__get_packed_size(&r) <= room);
    return rota__request__pack(&r, to);
}

static void test_a_whole_request_passes_and_every_cut_of_it_is_seen(void **state)
{
    (void)state;
    static struct bytes b;
    struct wire_fault fault;
    b.n = request_sample(b.p, ROOM, 0);
    assert_int_equal(check(&rota__request__descriptor, &b, &fault), E_OK);
    int refused = 0, whole = 0;
    for (size_t n = b.n, cut = 0; cut < n; cut++) {
        b.n = cut;
        enum error_code code = check(&rota__request__descriptor, &b, &fault);
        if (code == E_OK)
            whole++; /* cut between two fields of the envelope */
        else
            refused += code == E_MALFORMED;
        b.n = n;
    }
    assert_int_equal(refused + whole, (int)b.n);
    assert_int_equal(whole, 4); /* nothing, and after id, credential, environment */
    printf("%zu bytes, %d cuts refused, %d between fields\n", b.n, refused, whole);
}

static uint64_t random_state = 42;

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static void test_whatever_passes_can_be_unpacked(void **state)
{
    (void)state;
    static struct bytes b;
    struct wire_fault fault;
    int passed = 0, refused[ERROR_CODE_COUNT] = {0}, kinds = 0;
    enum { ROUNDS = 200000 };
    for (int i = 0; i < ROUNDS; i++) {
        b.n = request_sample(b.p, ROOM, i & 1);
        for (uint32_t k = random_next() % 4 + 1; k; k--)
            b.p[random_next() % b.n] = (uint8_t)random_next();
        enum error_code code = check(&rota__request__descriptor, &b, &fault);
        passed += code == E_OK;
        refused[code]++;
    }
    for (int code = 1; code < ERROR_CODE_COUNT; code++)
        kinds += refused[code] > 0;
    assert_true(passed > 0 && passed < ROUNDS);
    assert_true(kinds >= 5);
    printf("%d mutated requests: %d passed and were unpacked, %d kinds of refusal\n", ROUNDS,
           passed, kinds);
}

static void test_peek_reads_the_operation_and_the_id(void **state)
{
    (void)state;
    static struct bytes b;
    uint32_t tag;
    uint64_t id;
    b.n = request_sample(b.p, ROOM, 0);
    wire_peek(b.p, b.n, &tag, &id);
    assert_int_equal(tag, ROTA__REQUEST__OP_FINISH_AND_LEASE);
    assert_int_equal(id, 12345);
    wire_peek("", 0, &tag, &id);
    assert_int_equal(tag, 0);
    assert_int_equal(id, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_a_request_has_a_row),
        cmocka_unit_test(test_each_row_holds_at_its_bound_and_refuses_beyond),
        cmocka_unit_test(test_forms_know_right_from_wrong),
        cmocka_unit_test(test_an_unknown_field_is_named),
        cmocka_unit_test(test_a_fault_deep_inside_is_spelled_with_its_path),
        cmocka_unit_test(test_what_stands_twice_is_refused),
        cmocka_unit_test(test_broken_framing_is_malformed),
        cmocka_unit_test(test_deep_nesting_ends_at_the_schema),
        cmocka_unit_test(test_a_whole_request_passes_and_every_cut_of_it_is_seen),
        cmocka_unit_test(test_whatever_passes_can_be_unpacked),
        cmocka_unit_test(test_peek_reads_the_operation_and_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
