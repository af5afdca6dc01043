/* test_passing.c: which refusals a worker waits out with what it has built in its hands.
 *
 * Why it matters: a refused finish gives the job back, and all of the build's work is lost. So what
 * a start of the broker or a free disk mends is waited for, also where clients are told not to
 * repeat; and what stays so is not. */
#undef NDEBUG
#include <agent_parts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool passes(enum error_code code)
{
    Rota__Error error = ROTA__ERROR__INIT;
    error.name = (char *)(uintptr_t)error_row(code)->name;
    return is_passing(&error);
}

static void what_an_operator_mends_is_waited_for(void **state)
{
    static const enum error_code codes[] = {E_STORE_UNAVAILABLE, E_ENVIRONMENT_MISMATCH,
                                            E_STORE_FULL, E_DRAINING, E_UNAVAILABLE};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (!passes(codes[i]))
            fail_msg("%s ends the job", error_row(codes[i])->name);
    assert_false(error_row(E_ENVIRONMENT_MISMATCH)->retryable); /* a client is not to repeat it */
}

static void what_stays_so_is_an_answer(void **state)
{
    static const enum error_code codes[] = {E_LEASE_LOST,  E_CANCELLED,         E_OBJECT_MISMATCH,
                                            E_KEY_REVOKED, E_WRONG_ENVIRONMENT, E_STORAGE_QUOTA};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (passes(codes[i]))
            fail_msg("%s is waited for", error_row(codes[i])->name);
    Rota__Error newer = ROTA__ERROR__INIT;
    newer.name = (char *)"A_NAME_OF_A_LATER_BROKER";
    assert_false(is_passing(&newer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_an_operator_mends_is_waited_for),
                                       cmocka_unit_test(what_stays_so_is_an_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
