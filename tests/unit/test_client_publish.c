/* test_client_publish.c: shows that rota_publish_all() splits what is too much for one message,
 * that a bad job fails alone, and that addresses which cannot work are refused at once. */
#undef NDEBUG
#include "client_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- publishing many ---- */

struct shop {
    unsigned messages, jobs, most_jobs, without_key;
    size_t most_bytes;
    enum error_code refuse_from; /* the second message fails as a whole with this */
};

static bool shop_answer(void *arg, const Rota__Request *request, Rota__Reply *reply)
{
    static Rota__PublishManyResult result;
    static Rota__PublishOutcome outcome[1000], *list[1000];
    static Rota__PublishResult accepted[1000];
    static char names[1000][32];
    static Rota__Error error;
    struct shop *shop = arg;
    assert_int_equal(request->op_case, ROTA__REQUEST__OP_PUBLISH_MANY);
    const Rota__PublishMany *many = request->publish_many;
    size_t bytes = rota__publish_many__get_packed_size(many);
    shop->most_bytes = bytes > shop->most_bytes ? bytes : shop->most_bytes;
    shop->most_jobs =
        many->n_publish > shop->most_jobs ? (unsigned)many->n_publish : shop->most_jobs;
    if (shop->messages++ == 1 && shop->refuse_from) {
        error_fill(shop->refuse_from, NULL, &error);
        reply->error = &error;
        return true;
    }
    rota__publish_many_result__init(&result);
    for (size_t i = 0; i < many->n_publish; i++) {
        shop->without_key += strlen(many->publish[i]->idempotency_key) != 26;
        rota__publish_outcome__init(&outcome[i]);
        rota__publish_result__init(&accepted[i]);
        snprintf(names[i], sizeof names[i], "job_%s", many->publish[i]->app);
        accepted[i].job = names[i];
        outcome[i].accepted = &accepted[i];
        list[i] = &outcome[i];
        shop->jobs++;
    }
    result.n_outcome = many->n_publish;
    result.outcome = list;
    reply->result_case = ROTA__REPLY__RESULT_PUBLISH_MANY;
    reply->publish_many = &result;
    return true;
}

enum { JOBS = 2500, BAD = 1234, MESSAGE_BYTES = 204800 };
static Rota__Publish publishes[JOBS], *publish_list[JOBS];
static char apps[JOBS][80];
static struct rota_publish_outcome outcomes[JOBS];

static void publishes_fill(size_t spec_bytes)
{
    static uint8_t spec[16 * 1024];
    memset(spec, ' ', sizeof spec);
    for (int i = 0; i < JOBS; i++) {
        rota__publish__init(&publishes[i]);
        snprintf(apps[i], sizeof apps[i], "app%d", i);
        publishes[i].app = apps[i];
        publishes[i].spec = (ProtobufCBinaryData){spec_bytes, spec};
        publish_list[i] = &publishes[i];
        memset(&outcomes[i], 'x', sizeof outcomes[i]);
    }
}

static unsigned outcomes_good(void)
{
    unsigned good = 0;
    for (int i = 0; i < JOBS; i++) {
        char want[40];
        snprintf(want, sizeof want, "job_app%d", i);
        good += strcmp(outcomes[i].job, want) == 0 && !outcomes[i].error[0];
    }
    return good;
}

static void test_publish_all_splits_and_a_bad_job_fails_alone(void **state)
{
    (void)state;
    struct shop shop = {0};
    struct echo *e = echo_new(rig_url, shop_answer, &shop);
    struct rota_client *client = client_open(0);
    publishes_fill(10);
    memset(apps[BAD], 'a', 79); /* 79 characters: longer than an app's name may be */
    assert_int_equal(rota_publish_all(client, publish_list, JOBS, outcomes), 0);
    assert_int_equal(outcomes_good(), JOBS - 1);
    assert_string_equal(outcomes[BAD].error, "FIELD_TOO_LONG");
    assert_string_equal(outcomes[BAD].job, "");
    assert_int_equal(shop.jobs, JOBS - 1);
    assert_int_equal(shop.messages, 3);
    assert_int_equal(shop.most_jobs, 1000);
    assert_int_equal(shop.without_key, 0);
    printf("%d small jobs in %u messages, at most %zu bytes\n", JOBS, shop.messages,
           shop.most_bytes);
    shop = (struct shop){0};
    publishes_fill(4000);
    assert_int_equal(rota_publish_all(client, publish_list, JOBS, outcomes), 0);
    assert_int_equal(outcomes_good(), JOBS);
    assert_true(shop.most_bytes <= MESSAGE_BYTES && shop.messages >= JOBS * 4000 / MESSAGE_BYTES);
    printf("%d jobs of 4 KB in %u messages, at most %zu bytes\n", JOBS, shop.messages,
           shop.most_bytes);
    rota_client_free(client);
    echo_free(e);
}

static void test_publish_all_says_so_when_a_message_fails_as_a_whole(void **state)
{
    (void)state;
    struct shop shop = {.refuse_from = E_KEY_REVOKED};
    struct echo *e = echo_new(rig_url, shop_answer, &shop);
    struct rota_client *client = client_open(0);
    publishes_fill(10);
    assert_int_equal(rota_publish_all(client, publish_list, JOBS, outcomes), 0);
    assert_int_equal(outcomes_good(), 1000);
    for (int i = 1000; i < JOBS; i++)
        assert_string_equal(outcomes[i].error, "KEY_REVOKED");
    assert_int_equal(shop.messages, 2); /* the third would meet the same */
    rota_client_free(client);
    echo_free(e);
}

/* ---- small things ---- */

static void test_idempotency_keys_rise_and_differ(void **state)
{
    (void)state;
    char last[27] = "", key[27];
    for (int i = 0; i < 100000; i++) {
        rota_idempotency_key(key);
        assert_int_equal(strlen(key), 26);
        assert_true(strcmp(key, last) > 0);
        memcpy(last, key, sizeof last);
    }
}

static void test_unusable_addresses_are_refused_at_once(void **state)
{
    (void)state;
    static const struct rota_client_config bad[] = {
        {.url = NULL},
        {.url = ""},
        {.url = "http://127.0.0.1:1"},
        {.url = "inproc://x"},
        {.url = "tcp://127.0.0.1:notaport"},
        {.url = "tcp://127.0.0.1"},
        {.url = "ipc://"},
        {.url = "tls+tcp://127.0.0.1:7000"}, /* no CA */
        {.url = "tls+tcp://127.0.0.1:7000", .tls_ca_file = "/dev/null"},
        {.url = "tls+tcp://127.0.0.1:7000", .tls_ca_file = "/no/such/file"},
    };
    int n = (int)(sizeof bad / sizeof *bad);
    for (int i = 0; i < n; i++) {
        struct rota_client *client = NULL;
        int r = rota_client_new(&bad[i], &client);
        if (r != -EINVAL)
            fail_msg("%s: %d", bad[i].url ? bad[i].url : "(none)", r);
        assert_null(client);
    }
    assert_null(rota_client_free(NULL));
    assert_null(rota_reply_free(NULL));
    printf("%d addresses refused\n", n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish_all_splits_and_a_bad_job_fails_alone),
        cmocka_unit_test(test_publish_all_says_so_when_a_message_fails_as_a_whole),
        cmocka_unit_test(test_idempotency_keys_rise_and_differ),
        cmocka_unit_test(test_unusable_addresses_are_refused_at_once),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
