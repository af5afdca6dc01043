/* test_life.c: what an account keeps with the broker besides its jobs, and how all of it ends:
 * presets, schedules, variables, retention by count and by age, and erasure without a trace. */
#include "engine_acts.h"

#include "engine/life.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS };
static const uint64_t day_ms = 24ull * HOUR_MS;

static Rota__Reply *preset_set(struct engine_kit *k, const char *name, Rota__Publish *q,
                               bool remove)
{
    Rota__Preset preset = ROTA__PRESET__INIT;
    Rota__PresetSet op = ROTA__PRESET_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    preset.name = (char *)name;
    preset.publish = q;
    op.preset = &preset;
    op.remove = remove;
    request.op_case = ROTA__REQUEST__OP_PRESET_SET;
    request.preset_set = &op;
    return kit_call(k, &request, NULL);
}

static void a_publish_takes_from_its_preset_what_it_does_not_say(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char plain[CALL_JOB_BYTES], first[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of(), use = ROTA__PUBLISH__INIT;
    q.priority = 1;
    assert_string_equal(kit_error(preset_set(k, "urgent", &q, false)), "");
    use.preset = (char *)"nope";
    assert_string_equal(kit_error(call_publish(k, &use)), "PRESET_UNKNOWN");
    q = call_publish_of();
    call_published(k, &q, plain);
    use.preset = (char *)"urgent";
    use.idempotency_key = (char *)"k";
    call_published(k, &use, first);
    q.priority = 9;
    assert_string_equal(kit_error(preset_set(k, "urgent", &q, false)), "");
    assert_true(call_publish(k, &use)->publish->replayed); /* the same body, whatever the preset */
    assert_true(kit_lease(k, "w", &l));
    assert_string_equal(l.job, first);
    q.idempotency_key = (char *)"one job's own";
    assert_string_equal(kit_error(preset_set(k, "bad", &q, false)), "PRESET_INVALID");
    assert_string_equal(kit_error(preset_set(k, "urgent", NULL, true)), "");
    assert_string_equal(kit_error(preset_set(k, "urgent", NULL, true)), "PRESET_UNKNOWN");
    assert_int_equal(kit_rows(k, TABLE_PRESET), 0);
    kit_check(k);
}

static void an_account_has_a_hundred_presets_at_most(void **state)
{
    struct engine_kit *k = *state;
    Rota__Publish q = call_publish_of();
    char name[16];
    for (int i = 0; i < 101; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_string_equal(kit_error(preset_set(k, name, &q, false)),
                            i < 100 ? "" : "PRESET_LIMIT");
    }
    assert_string_equal(kit_error(preset_set(k, "p7", &q, false)), ""); /* it is there already */
    assert_int_equal(kit_rows(k, TABLE_PRESET), 100);
}

static Rota__Reply *schedule_set(struct engine_kit *k, const char *cron, const char *source,
                                 bool remove)
{
    Rota__Publish q = call_publish_of();
    Rota__Schedule schedule = ROTA__SCHEDULE__INIT;
    Rota__ScheduleSet op = ROTA__SCHEDULE_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.source = (char *)source;
    schedule.name = (char *)"nightly";
    schedule.cron = (char *)cron;
    schedule.publish = &q;
    op.schedule = &schedule;
    op.remove = remove;
    request.op_case = ROTA__REQUEST__OP_SCHEDULE_SET;
    request.schedule_set = &op;
    return kit_call(k, &request, NULL);
}

/* Every hour for a day, with restarts; then the broker sleeps for three days and makes up for it
 * once. */
static void a_schedule_publishes_at_its_times(void **state)
{
    struct engine_kit *k = *state;
    kit_publish(k, "", NULL); /* makes the app */
    k->now.wall_ms = k->now.wall_ms / day_ms * day_ms + 30ull * MINUTE_MS;
    assert_string_equal(kit_error(schedule_set(k, "0 * * * *", "", false)), "");
    for (int minute = 0; minute < 24 * 60; minute++) {
        kit_pass(k, MINUTE_MS);
        if (minute % 500 == 499)
            engine_kit_restart(k);
    }
    assert_int_equal(kit_rows(k, TABLE_JOB), 1 + 24);
    kit_pass(k, 3 * day_ms);
    assert_int_equal(kit_rows(k, TABLE_JOB), 1 + 25);
    kit_check(k);
    assert_string_equal(kit_error(schedule_set(k, "@daily", "", false)), "");
    kit_pass(k, 2ull * HOUR_MS);
    assert_int_equal(kit_rows(k, TABLE_JOB), 1 + 25); /* its old times are gone */
    assert_string_equal(kit_error(schedule_set(k, "", "", true)), "");
    kit_pass(k, 3 * day_ms);
    assert_int_equal(kit_rows(k, TABLE_JOB), 1 + 25);
    assert_int_equal(kit_rows(k, TABLE_SCHEDULE) + kit_rows(k, TABLE_SCHEDULE_DUE), 0);
    printf("24 of 24 hours, 1 for 3 days asleep, none after its removal\n");
}

static void a_schedule_that_cannot_be_is_refused(void **state)
{
    struct engine_kit *k = *state;
    char upload[80] = "upload:";
    memset(upload + 7, 'a', 64);
    assert_string_equal(kit_error(schedule_set(k, "0 0 30 2 *", "", false)), "CRON_INVALID");
    assert_string_equal(kit_error(schedule_set(k, "every day", "", false)), "CRON_INVALID");
    assert_string_equal(kit_error(schedule_set(k, "@daily", upload, false)), "SCHEDULE_INVALID");
    assert_string_equal(kit_error(schedule_set(k, "@daily", "", true)), "SCHEDULE_UNKNOWN");
    assert_int_equal(kit_rows(k, TABLE_SCHEDULE), 0);
}

static Rota__Reply *var_set(struct engine_kit *k, const char *name, const char *value, bool remove)
{
    Rota__VarSet op = ROTA__VAR_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    op.app = (char *)"app";
    op.name = (char *)name;
    op.value = (ProtobufCBinaryData){strlen(value), (uint8_t *)(uintptr_t)value};
    op.remove = remove;
    request.op_case = ROTA__REQUEST__OP_VAR_SET;
    request.var_set = &op;
    return kit_call(k, &request, NULL);
}

static void variables_belong_to_an_app(void **state)
{
    struct engine_kit *k = *state;
    static const char *const bad[] = {"",     "lower",      "1ST",      "A-B",
                                      "PATH", "LD_PRELOAD", "ROTA_JOB", "NODE_OPTIONS"};
    assert_string_equal(kit_error(var_set(k, "API_URL", "x", false)), "APP_UNKNOWN");
    kit_publish(k, "", NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_string_equal(kit_error(var_set(k, bad[i], "x", false)), "VAR_INVALID");
    assert_string_equal(kit_error(var_set(k, "API_URL", "x", false)), "");
    assert_string_equal(kit_error(var_set(k, "API_URL", "y", false)), "");
    assert_int_equal(kit_rows(k, TABLE_APP_VAR), 1);
    assert_string_equal(kit_error(var_set(k, "API_URL", "", true)), "");
    assert_string_equal(kit_error(var_set(k, "API_URL", "", true)), "VAR_INVALID");
    kit_check(k);
}

/* ---- retention ---- */

static void finish_one(struct engine_kit *k, Rota__Outcome outcome)
{
    struct kit_lease l;
    assert_true(kit_lease(k, "w", &l));
    kit_finish(k, &l, outcome);
}

/* Runs turns until nothing is left to do. */
static void quiesce(struct engine_kit *k)
{
    for (int i = 0; i < 400; i++) {
        kit_pass(k, 60); /* the listing is folded when it is quiet */
        if (engine_idle_ms(k->engine, k->now, 1000) > 500)
            return;
    }
    fail_msg("the engine never comes to rest");
}

static void an_account_keeps_its_newest_ended_jobs(void **state)
{
    struct engine_kit *k = *state;
    char waiting[CALL_JOB_BYTES];
    k->engine->config.kept_succeeded = 50;
    k->engine->config.kept_failed = 20;
    Rota__Publish late = call_publish_of();
    late.hold = true;
    call_published(k, &late, waiting);
    for (int i = 0; i < 300; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        kit_publish(k, "", key);
        finish_one(k, i % 3 ? ROTA__OUTCOME__OUTCOME_SUCCEEDED : ROTA__OUTCOME__OUTCOME_FAILED);
    }
    quiesce(k);
    uint64_t done = kit_rows(k, TABLE_DONE);
    assert_true(done >= 70 && done <= 70 + 64); /* a slack before an account is walked */
    assert_int_equal(kit_rows(k, TABLE_JOB), done + 1);
    assert_int_equal(kit_rows(k, TABLE_IDEM), done);
    assert_int_equal(kit_rows(k, TABLE_JOB_OF), 3 * done + 2); /* account, app, finished */
    kit_state(k, waiting, ROTA__STATE__HELD);
    kit_check(k);
    printf("300 ended, %llu kept\n", (unsigned long long)done);
}

static void old_jobs_go_by_their_age(void **state)
{
    struct engine_kit *k = *state;
    for (int i = 0; i < 100; i++) {
        kit_publish(k, "", NULL);
        finish_one(k, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
        kit_pass(k, day_ms);
    }
    quiesce(k);
    uint64_t left = kit_rows(k, TABLE_JOB);
    assert_in_range(left, 89, 90); /* the 90th is a matter of milliseconds */
    assert_int_equal(kit_rows(k, TABLE_DONE), left);
    assert_int_equal(kit_rows(k, TABLE_JOB_OF), 3 * left);
    engine_kit_restart(k);
    kit_check(k);
}

/* ---- erasure ---- */

static Rota__Reply *erase(struct engine_kit *k, const char *account, const char *confirm)
{
    Rota__AccountErase op = ROTA__ACCOUNT_ERASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    op.account = (char *)account;
    op.confirm = (char *)confirm;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_ERASE;
    request.account_erase = &op;
    return kit_call(k, &request, NULL);
}

/* Rows that name the account by its number at the head of their key. */
static uint64_t rows_of(struct engine_kit *k, enum table table, uint64_t account)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct key_buf b;
    struct span key, value;
    uint64_t n = 0;
    assert_int_equal(cursor_open(txn, table, &cursor), 0);
    int r = cursor_seek(cursor, key_u64(&b, account), &key, &value);
    for (; r == 0 && memcmp(key.p, b.b, 8) == 0; r = cursor_next(cursor, &key, &value))
        n++;
    return n;
}

static void an_erased_account_leaves_nothing(void **state)
{
    struct engine_kit *k = *state;
    static const enum table tables[] = {TABLE_ACCOUNT, TABLE_TALLY,  TABLE_APP,     TABLE_USAGE,
                                        TABLE_GRANT,   TABLE_MEMBER, TABLE_PRESET,  TABLE_SCHEDULE,
                                        TABLE_APP_VAR, TABLE_KEY_OF, TABLE_ADDRESS, TABLE_ERASE};
    struct kit_lease l;
    kit_account(k, "gone", ROTA__TIER__P0, 0);
    kit_publish(k, "", NULL);
    uint64_t others = kit_rows(k, TABLE_JOB);
    for (int i = 0; i < 200; i++)
        kit_publish(k, "gone", NULL);
    for (int i = 0; i < 30; i++)
        finish_one(k, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    assert_true(kit_lease(k, "w", &l)); /* runs while the account goes */
    assert_string_equal(kit_error(erase(k, "gone", "gonne")), "CONFIRM_MISMATCH");
    assert_string_equal(kit_error(erase(k, "local", "local")), "NOT_ALLOWED");
    assert_string_equal(kit_error(erase(k, "gone", "gone")), "");
    assert_string_equal(kit_error(kit_publish(k, "gone", NULL)), "ACCOUNT_ERASING");
    for (int i = 0; i < 5; i++)
        kit_pass(k, 60);
    engine_kit_restart(k);
    for (int i = 0; i < 20; i++)
        kit_pass(k, 60);
    call_give_back(k, &l, false); /* its worker let go */
    uint64_t account = 2;
    int turns = 0;
    for (; rows_of(k, TABLE_ERASE, account); turns++) {
        assert_true(turns < 300);
        kit_pass(k, 60);
    }
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        assert_int_equal(rows_of(k, tables[i], account), 0);
    assert_string_equal(kit_error(kit_publish(k, "gone", NULL)), "ACCOUNT_UNKNOWN");
    assert_true(kit_rows(k, TABLE_JOB) <= others);
    quiesce(k);
    engine_kit_restart(k);
    kit_check(k);
    printf("200 jobs and their account gone in %d turns more\n", turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_publish_takes_from_its_preset_what_it_does_not_say),
        ENGINE_CASE(an_account_has_a_hundred_presets_at_most),
        ENGINE_CASE(a_schedule_publishes_at_its_times),
        ENGINE_CASE(a_schedule_that_cannot_be_is_refused),
        ENGINE_CASE(variables_belong_to_an_app),
        ENGINE_CASE(an_account_keeps_its_newest_ended_jobs),
        ENGINE_CASE(old_jobs_go_by_their_age),
        ENGINE_CASE(an_erased_account_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
