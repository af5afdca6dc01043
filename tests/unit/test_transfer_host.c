/* test_transfer_host.c: a host that fails again and again is left alone, for longer each time, and
 * asked again as soon as something was answered. */
#undef NDEBUG
#include "transfer_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void eight_faults_close_a_host_for_longer_each_time(void **state)
{
    (void)state;
    static const uint64_t waits[] = {5000, 10000, 20000, 40000, 60000, 60000, 60000};
    uint64_t now = 1000000;
    for (int i = 1; i < HOST_FAULTS; i++) {
        transfer_host_fault("one", now);
        assert_int_equal(transfer_host_wait_ms("one", now), 0);
    }
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        transfer_host_fault("one", now);
        assert_int_equal(transfer_host_wait_ms("one", now), waits[i]);
        assert_int_equal(transfer_host_wait_ms("one", now + waits[i] - 1), 1);
        assert_int_equal(transfer_host_wait_ms("other", now), 0);
        now += waits[i];
        assert_int_equal(transfer_host_wait_ms("one", now), 0); /* one may try */
    }
    transfer_host_good("one");
    transfer_host_fault("one", now);
    assert_int_equal(transfer_host_wait_ms("one", now), 0);
    transfer_host_good("one");
}

static void the_host_heard_of_longest_ago_makes_room(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < HOST_FAULTS; i++)
        transfer_host_fault("first", 1);
    assert_true(transfer_host_wait_ms("first", 1) > 0);
    for (int i = 0; i < HOSTS_KNOWN; i++) {
        snprintf(name, sizeof name, "host%d", i);
        transfer_host_fault(name, 2);
    }
    assert_int_equal(transfer_host_wait_ms("first", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_faults_close_a_host_for_longer_each_time),
        cmocka_unit_test(the_host_heard_of_longest_ago_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
