/* test_wire.c: shows that broken, cut, doubled, nested and mutated requests are refused with their
 * place named, and that whatever passes can be unpacked.
 *
 * Why it matters: wire_check() is the only thing that looks at a stranger's bytes before memory is
 * taken for them. */
#undef NDEBUG
#include "rota.pb-c.h"
#include "wire_rig.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- faults of framing ---- */

static void test_an_unknown_field_is_named(void **state)
{
    (void)state;
    static struct wire_bytes inner, b;
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
    static struct wire_bytes job, many, b;
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
    static struct wire_bytes b;
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
        static struct wire_bytes b;
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
    static struct wire_bytes in, out;
    struct wire_fault fault;
    out.n = 0;
    for (int depth = 0; depth < 10000;
         depth++) { /* finish_and_lease inside itself, over and over */
        memcpy(in.p, out.p, out.n);
        in.n = out.n;
        if (in.n > WIRE_ROOM - 16)
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
    static struct wire_bytes b;
    struct wire_fault fault;
    b.n = request_sample(b.p, WIRE_ROOM, 0);
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
    static struct wire_bytes b;
    struct wire_fault fault;
    int passed = 0, refused[ERROR_CODE_COUNT] = {0}, kinds = 0;
    enum { ROUNDS = 200000 };
    for (int i = 0; i < ROUNDS; i++) {
        b.n = request_sample(b.p, WIRE_ROOM, i & 1);
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
    static struct wire_bytes b;
    uint32_t tag;
    uint64_t id;
    b.n = request_sample(b.p, WIRE_ROOM, 0);
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
