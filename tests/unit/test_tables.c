/* test_tables.c: shows that errors.def and ops.def say the same as rota.proto and as themselves.
 *
 * Why it matters: an operation without a row could be called by anybody or by nobody, and an
 * error's name, hint and retryable flag are what every client acts on. */
#undef NDEBUG
#include "errors.h"
#include "ops.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_every_operation_of_the_schema_has_a_row(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *request = &rota__request__descriptor;
    int ops = 0;
    for (unsigned i = 0; i < request->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &request->fields[i];
        const struct op_row *row = op_row(f->id);
        if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
            assert_null(row);
            continue;
        }
        if (!row)
            fail_msg("ops.def has no row for %s", f->name);
        assert(row); /* fail_msg() does not return, which not every reader knows */
        assert_string_equal(row->name, f->name);
        assert_int_equal(row->tag, f->id);
        assert_true(row->roles != 0 && row->lane < OP_LANES);
        const ProtobufCFieldDescriptor *answer =
            protobuf_c_message_descriptor_get_field(&rota__reply__descriptor, f->id);
        assert_non_null(answer);
        assert_string_equal(answer->name, f->name);
        ops++;
    }
    assert_null(op_row(0));
    assert_null(op_row(15));
    assert_null(op_row(1000000));
    assert_null(op_row(UINT32_MAX));
    printf("%d operations\n", ops);
    assert_true(ops >= 28);
}

static void test_roles_are_bits_of_the_role_enum(void **state)
{
    (void)state;
    assert_int_equal(R_O, 1 << ROTA__ROLE__OPERATOR);
    assert_int_equal(R_A, 1 << ROTA__ROLE__ACCOUNT);
    assert_int_equal(R_W, 1 << ROTA__ROLE__WORKER);
    assert_int_equal(R_G, 1 << ROTA__ROLE__GATEWAY);
    assert_true(op_row(ROTA__REQUEST__OP_PING)->roles == R_ANY);
    assert_int_equal(op_row(ROTA__REQUEST__OP_KEY_CREATE)->roles, R_O | R_A);
    assert_false(op_row(ROTA__REQUEST__OP_LEASE)->roles & (R_A | R_G));
    assert_false(op_row(ROTA__REQUEST__OP_PUBLISH)->roles & R_W);
}

static void test_every_error_has_words_and_is_found_by_name(void **state)
{
    (void)state;
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        const struct error_row *row = error_row((enum error_code)code);
        assert_true(row->name[0] && row->text[0] && row->hint[0]);
        assert_true(strlen(row->name) < 40); /* room that callers keep for it */
        assert_int_equal(error_by_name(row->name), code);
        /* A repeat cannot heal what the caller did wrong, or may not do. */
        if (row->class == ERROR_USER || row->class == ERROR_AUTH || row->class == ERROR_STATE)
            assert_false(row->retryable);
    }
    assert_int_equal(error_by_name("NO_SUCH_ERROR"), E_OK);
    assert_int_equal(error_by_name(""), E_OK);
    assert_int_equal(error_by_name(NULL), E_OK);
    printf("%d errors\n", ERROR_CODE_COUNT - 1);
}

static void test_an_error_can_say_the_values(void **state)
{
    (void)state;
    Rota__Error e;
    error_fill(E_STORE_FULL, NULL, &e);
    assert_string_equal(e.name, "STORE_FULL");
    assert_string_equal(e.text, error_row(E_STORE_FULL)->text);
    assert_true(e.retryable);
    error_fill(E_TIER_UNKNOWN, "no such tier: gold", &e);
    assert_string_equal(e.text, "no such tier: gold");
    assert_string_equal(e.hint, error_row(E_TIER_UNKNOWN)->hint);
    assert_false(e.retryable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation_of_the_schema_has_a_row),
        cmocka_unit_test(test_roles_are_bits_of_the_role_enum),
        cmocka_unit_test(test_every_error_has_words_and_is_found_by_name),
        cmocka_unit_test(test_an_error_can_say_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
