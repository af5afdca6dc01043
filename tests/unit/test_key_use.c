/* test_key_use.c: what a key has done is counted, survives, and bounds it. Why it matters: a quota
 * that a crash can reset is no quota, and one that counts what was given back is too small. */
#include "key_kit.h"

#include "sched/month.h"

static void begin_account(struct engine_kit *k)
{
    kit_account(k, "acme", ROTA__TIER__P0, 50);
    assert_string_equal(kit_app(k, NULL, "acme", "shop"), "");
}

static const char *error_text(struct engine_kit *k)
{
    const Rota__Reply *reply = kit_reply(k, k->request_id);
    return reply && reply->error ? reply->error->text : "";
}

/* ---- the quota ---- */

static void a_quota_is_exact_over_kills_and_begins_anew_with_the_month(void **state)
{
    struct engine_kit *k = *state;
    begin_account(k);
    struct kit_key key =
        kit_key(k, &(struct kit_wish){.account = "acme", .builds_month = 10, .has_rate = true});
    struct kit_key free_key = kit_key_of(k, "acme", "build:create");
    for (int i = 0; i < 10; i++) {
        assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
        engine_kit_restart(k); /* as by kill -9 */
    }
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "KEY_QUOTA");
    assert_non_null(strstr(error_text(k), "quota of 10 builds"));
    assert_non_null(strstr(error_text(k), "resets 2026-10-01T00:00Z"));
    assert_string_equal(kit_publish_as(k, free_key.credential, "shop"), ""); /* not the account's */
    assert_int_equal(kit_rows(k, TABLE_JOB), 11);
    struct kit_usage u = kit_key_usage(k, key.serial);
    assert_int_equal(u.builds, 10);
    assert_int_equal(u.builds_used, 10);
    k->now.wall_ms = month_start_ms(month_of(k->now.wall_ms) + 1u) - 2;
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "KEY_QUOTA");
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    u = kit_key_usage(k, key.serial);
    assert_int_equal(u.builds, 11);
    assert_int_equal(u.builds_used, 1);
    kit_check(k);
}

static void what_never_ran_is_given_back(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char job[40];
    begin_account(k);
    struct kit_key key =
        kit_key(k, &(struct kit_wish){.account = "acme", .builds_month = 2, .has_rate = true});
    for (int i = 0; i < 20; i++) { /* cancelled before its start */
        assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
        assert_string_equal(kit_error(kit_cancel(k, kit_job)), "");
        if (i % 5 == 0)
            engine_kit_restart(k);
    }
    assert_int_equal(kit_key_usage(k, key.serial).builds_used, 0);
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    snprintf(job, sizeof job, "%s", kit_job);
    assert_true(kit_lease(k, "w", &l));
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED)), "");
    assert_int_equal(kit_key_usage(k, key.serial).builds_used, 1); /* the user's own fault counts */
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "KEY_QUOTA");
    kit_check(k);
}

/* A build that is given back and then tried again is taken again. */
static void what_is_tried_again_is_taken_again(void **state)
{
    struct engine_kit *k = *state;
    Rota__Retry retry = ROTA__RETRY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    begin_account(k);
    struct kit_key key =
        kit_key(k, &(struct kit_wish){.account = "acme", .builds_month = 5, .has_rate = true});
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    assert_string_equal(kit_error(kit_cancel(k, kit_job)), "");
    struct kit_usage u = kit_key_usage(k, key.serial);
    assert_int_equal(u.builds_used, 0);
    assert_int_equal(u.count[ROTA__STATE__CANCELLED], 1);
    request.op_case = ROTA__REQUEST__OP_RETRY;
    request.retry = &retry;
    retry.job = kit_job;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    u = kit_key_usage(k, key.serial);
    assert_int_equal(u.builds_used, 1);
    assert_int_equal(u.builds, 1);
    assert_int_equal(u.count[ROTA__STATE__CANCELLED], 0);
    kit_check(k);
}

static void a_refused_publish_and_a_replay_take_nothing(void **state)
{
    struct engine_kit *k = *state;
    begin_account(k);
    struct kit_key key =
        kit_key(k, &(struct kit_wish){.account = "acme", .builds_month = 1, .has_rate = true});
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = (char *)"shop";
    publish.class_ = (char *)"task";
    publish.priority = 10;
    for (int i = 0; i < 5; i++)
        assert_string_equal(kit_error(kit_call(k, &request, key.credential)), "FIELD_INVALID");
    assert_string_equal(kit_publish_as(k, key.credential, "none"), "APP_UNKNOWN");
    assert_int_equal(kit_key_usage(k, key.serial).builds_used, 0);
    publish.priority = 0;
    publish.idempotency_key = (char *)"again";
    for (int i = 0; i < 5; i++) { /* also when the quota is used up by then */
        Rota__Reply *reply = kit_call(k, &request, key.credential);
        assert_string_equal(kit_error(reply), "");
        assert_int_equal(reply->publish->replayed, i > 0);
    }
    assert_int_equal(kit_key_usage(k, key.serial).builds_used, 1);
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "KEY_QUOTA");
    kit_check(k);
}

/* ---- what is written now and then ---- */

static void counts_are_written_in_slices_and_survive_within_ten_seconds(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    begin_account(k);
    kit_pass(k, 20000);
    struct kit_key key = kit_key_of(k, "acme", "build:create");
    kit_pass(k, 20000);
    for (int i = 0; i < 5; i++)
        assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    assert_true(kit_lease(k, "w", &l));
    kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    struct kit_usage u = kit_key_usage(k, key.serial); /* at once, for who asks */
    assert_int_equal(u.requests, 5);
    assert_int_equal(u.builds, 5);
    assert_int_equal(u.count[ROTA__STATE__SUCCEEDED], 1);
    struct key_use_row row = kit_key_use_row(k, key.serial);
    assert_true(row.requests < 5); /* not each request is a write */
    assert_true(engine_idle_ms(k->engine, k->now, 60000) <= 10000); /* nobody else would wake it */
    kit_pass(k, 10000);
    row = kit_key_use_row(k, key.serial);
    assert_int_equal(row.requests, 5);
    assert_int_equal(row.builds, 5);
    assert_int_equal(row.succeeded, 1);
    assert_int_equal(row.last_used_ms, u.last_used_ms);
    engine_kit_restart(k);
    u = kit_key_usage(k, key.serial);
    assert_int_equal(u.requests, 5);
    assert_int_equal(u.builds, 5);
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    assert_int_equal(kit_key_usage(k, key.serial).requests, 6); /* goes on from there */
    kit_check(k);
}

static void a_clean_shutdown_writes_all(void **state)
{
    struct engine_kit *k = *state;
    enum { KEYS = 1300 }; /* more than two slices */
    static struct kit_key key[KEYS];
    begin_account(k);
    for (int i = 0; i < KEYS; i++) {
        key[i] = kit_key_of(k, "acme", "build:create");
        assert_string_equal(kit_publish_as(k, key[i].credential, "shop"), "");
    }
    assert_true(auth_uses_waiting(k->auth) > 0);
    effects_reset(&k->fx);
    assert_int_equal(engine_save(k->engine, k->now, &k->fx), 0);
    assert_int_equal(auth_uses_waiting(k->auth), 0);
    engine_kit_restart(k);
    for (int i = 0; i < KEYS; i++) {
        struct key_use_row row = kit_key_use_row(k, key[i].serial);
        assert_int_equal(row.requests, 1);
        assert_int_equal(row.builds, 1);
    }
    kit_check(k);
    printf("%d keys written at the end\n", KEYS);
}

/* An idle broker with nobody asking has nothing to write. */
static void a_quiet_broker_writes_nothing(void **state)
{
    struct engine_kit *k = *state;
    struct store_usage before, after;
    begin_account(k);
    for (int i = 0; i < 10; i++)
        kit_pass(k, 60000);
    assert_int_equal(store_usage(k->store, &before), 0);
    for (int i = 0; i < 50; i++)
        kit_pass(k, 1000);
    assert_int_equal(store_usage(k->store, &after), 0);
    assert_int_equal(after.writes, before.writes);
    assert_true(engine_idle_ms(k->engine, k->now, 1000) > 1);
}

/* ---- the end of a key ---- */

static void a_key_that_is_forgotten_is_not_written_again(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    begin_account(k);
    struct kit_key key =
        kit_key(k, &(struct kit_wish){.account = "acme", .builds_month = 9, .has_rate = true});
    struct kit_key lazy = kit_key_of(k, "acme", "build:create");
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    assert_string_equal(kit_publish_as(k, lazy.credential, "shop"), "");
    for (int i = 0; i < 1100; i++) {
        struct kit_key filler = kit_key_of(k, "acme", "build:create");
        assert_string_equal(kit_revoke(k, NULL,
                                       i == 0   ? key.serial
                                       : i == 1 ? lazy.serial
                                                : filler.serial),
                            "");
    }
    assert_int_equal(kit_key_use_row(k, key.serial).builds, 0); /* gone with its key */
    kit_check(k);
    while (kit_lease(k, "w", &l)) /* their jobs end all the same, and count for nobody */
        kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    kit_pass(k, 20000);
    assert_int_equal(kit_key_use_row(k, key.serial).succeeded, 0);
    assert_int_equal(kit_key_use_row(k, lazy.serial).requests, 0);
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_quota_is_exact_over_kills_and_begins_anew_with_the_month),
        ENGINE_CASE(what_never_ran_is_given_back),
        ENGINE_CASE(what_is_tried_again_is_taken_again),
        ENGINE_CASE(a_refused_publish_and_a_replay_take_nothing),
        ENGINE_CASE(counts_are_written_in_slices_and_survive_within_ten_seconds),
        ENGINE_CASE(a_clean_shutdown_writes_all),
        ENGINE_CASE(a_quiet_broker_writes_nothing),
        ENGINE_CASE(a_key_that_is_forgotten_is_not_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
