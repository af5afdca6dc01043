/* test_client.c: shows that librota keeps its word against a real nng peer over ipc: what it
 * repeats, and that every call ends.
 *
 * Why it matters: programs lean on it for everything that can go wrong between them and the broker.
 * A repeat must happen for the right errors, at the right times, and never double a job. */
#undef NDEBUG
#include "client_rig.h"

#include <base/clock.h>
#include <errno.h>
#include <nng/supplemental/util/platform.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- repeats ---- */

static void test_a_retryable_error_is_repeated_five_times_with_doubled_pauses(void **state)
{
    (void)state;
    struct script s = {.fail_first = 100, .code = E_OVERLOADED};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), "OVERLOADED");
    assert_int_equal(script_tries(e, &s), 6);
    printf("tries at ms:");
    for (unsigned i = 0; i < 6; i++)
        printf(" %llu", (unsigned long long)(s.at_ms[i] - s.at_ms[0]));
    printf("\n");
    for (unsigned i = 1; i < 6; i++) {
        uint64_t gap = s.at_ms[i] - s.at_ms[i - 1], want = (uint64_t)BASE_MS << (i - 1);
        assert_true(gap + 1 >= want);
        assert_true(gap < want * 2 + 200);
    }
    rota_client_free(client);
    echo_free(e);
}

static void test_an_error_that_a_repeat_cannot_heal_is_not_repeated(void **state)
{
    (void)state;
    struct script s = {.fail_first = 100, .code = E_JOB_UNKNOWN};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), "JOB_UNKNOWN");
    assert_int_equal(script_tries(e, &s), 1);
    rota_client_free(client);
    echo_free(e);
}

static void test_no_retry_means_none(void **state)
{
    (void)state;
    struct script s = {.fail_first = 100, .code = E_OVERLOADED};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client_config config = {.url = rig_url,
                                        .environment = "test",
                                        .credential = "rota_test_secret",
                                        .retries_max = ROTA_NO_RETRY};
    struct rota_client *client;
    char name[40];
    assert_int_equal(rota_client_new(&config, &client), 0);
    assert_string_equal(ping_name(client, 0, name), "OVERLOADED");
    assert_int_equal(script_tries(e, &s), 1);
    rota_client_free(client);
    echo_free(e);
}

static void test_a_pause_never_goes_past_the_deadline(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), ""); /* connected */
    script_put(e, &s, (struct script){.fail_first = 100, .code = E_OVERLOADED});
    rota_client_tune(client, 200, 20000);
    uint64_t from_ms = clock_boot_ms();
    assert_string_equal(ping_name(client, 1000, name), "OVERLOADED");
    assert_true(clock_boot_ms() - from_ms < 1000);
    assert_int_equal(script_tries(e, &s), 3); /* at 0, 200 and 600 ms; 1400 would be too late */
    rota_client_free(client);
    echo_free(e);
}

static void test_repeats_of_publish_and_lease_carry_the_same_key_and_nonce(void **state)
{
    (void)state;
    struct script s = {.fail_first = 2, .code = E_STORE_FAULT};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    static const uint8_t zero[16];
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    assert_null(reply->error);
    rota_reply_free(reply);
    assert_int_equal(script_tries(e, &s), 3);
    assert_int_equal(strlen(s.key[0]), 26);
    assert_string_equal(s.key[0], s.key[1]);
    assert_string_equal(s.key[0], s.key[2]);
    assert_string_equal(publish.idempotency_key, ""); /* the caller's message is as it was */
    script_put(e, &s, (struct script){.fail_first = 2, .code = E_STORE_FAULT});
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    rota_reply_free(reply);
    assert_int_equal(script_tries(e, &s), 3);
    assert_memory_not_equal(s.nonce[0], zero, 16);
    assert_memory_equal(s.nonce[0], s.nonce[1], 16);
    assert_memory_equal(s.nonce[0], s.nonce[2], 16);
    assert_int_equal(lease.nonce.len, 0);
    rota_client_free(client);
    echo_free(e);
}

static void test_a_key_is_not_created_twice_when_the_answer_was_lost(void **state)
{
    (void)state;
    struct script s = {.fail_first = 2, .code = E_OVERLOADED};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    assert_null(reply->error); /* refused twice without effect: repeated */
    rota_reply_free(reply);
    assert_int_equal(script_tries(e, &s), 3);
    script_put(e, &s, (struct script){.fail_first = 1, .code = E_UNAVAILABLE});
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    assert_string_equal(reply->error->name, "UNAVAILABLE");
    rota_reply_free(reply);
    assert_int_equal(script_tries(e, &s), 1);
    rota_client_free(client);
    echo_free(e);
}

/* ---- silence, absence, return ---- */

static void test_a_silent_broker_gives_timeout_at_the_deadline(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), ""); /* connected */
    script_put(e, &s, (struct script){.is_mute = true});
    uint64_t from_ms = clock_boot_ms();
    assert_string_equal(ping_name(client, 150, name), "TIMEOUT");
    uint64_t took_ms = clock_boot_ms() - from_ms;
    assert_true(took_ms >= 149 && took_ms < 600);
    assert_int_equal(script_tries(e, &s), 1);
    printf("ended after %llu ms of 150\n", (unsigned long long)took_ms);
    rota_client_free(client);
    echo_free(e);
}

static void test_an_absent_broker_gives_unavailable_at_the_deadline(void **state)
{
    (void)state;
    struct rota_client *client = client_open(0);
    char name[40];
    uint64_t from_ms = clock_boot_ms();
    assert_string_equal(ping_name(client, 150, name), "UNAVAILABLE");
    uint64_t took_ms = clock_boot_ms() - from_ms;
    assert_true(took_ms >= 149 && took_ms < 600);
    rota_client_free(client);
}

static void test_a_pipe_that_stays_silent_is_given_up(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    rota_client_tune(client, BASE_MS, 1500);
    assert_string_equal(ping_name(client, 0, name), "");
    script_put(e, &s, (struct script){.is_mute = true});
    assert_string_equal(ping_name(client, 100, name), "TIMEOUT"); /* not silent for long enough */
    assert_int_equal(echo_pipes(e), 1);
    assert_string_equal(ping_name(client, 1600, name), "TIMEOUT");
    wait_count(echo_pipes, e, 2);
    script_put(e, &s, (struct script){.is_mute = false});
    assert_string_equal(ping_name(client, 10000, name), "");
    rota_client_free(client);
    echo_free(e);
}

static void test_a_call_survives_the_restart_of_the_broker(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct pinger p = {.client = client_open(0), .name = "none"};
    pthread_t thread;
    echo_hold(e);
    assert_int_equal(pthread_create(&thread, NULL, ping_thread, &p), 0);
    wait_count(echo_held, e, 1); /* the broker has it, and dies with it */
    echo_down(e);
    nng_msleep(300);
    echo_release(e);
    uint64_t from_ms = clock_boot_ms();
    echo_up(e);
    pthread_join(thread, NULL);
    assert_string_equal(p.name, "");
    assert_true(echo_requests(e) >= 2);
    printf("answered %llu ms after the return\n", (unsigned long long)(clock_boot_ms() - from_ms));
    rota_client_free(p.client);
    echo_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_retryable_error_is_repeated_five_times_with_doubled_pauses),
        cmocka_unit_test(test_an_error_that_a_repeat_cannot_heal_is_not_repeated),
        cmocka_unit_test(test_no_retry_means_none),
        cmocka_unit_test(test_a_pause_never_goes_past_the_deadline),
        cmocka_unit_test(test_repeats_of_publish_and_lease_carry_the_same_key_and_nonce),
        cmocka_unit_test(test_a_key_is_not_created_twice_when_the_answer_was_lost),
        cmocka_unit_test(test_a_silent_broker_gives_timeout_at_the_deadline),
        cmocka_unit_test(test_an_absent_broker_gives_unavailable_at_the_deadline),
        cmocka_unit_test(test_a_pipe_that_stays_silent_is_given_up),
        cmocka_unit_test(test_a_call_survives_the_restart_of_the_broker),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
