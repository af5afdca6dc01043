/* test_key_acts.c: keys in use: they expire, are revoked, are good for one app, run out of
 * requests, and none of it lets anything through in between. */
#include "key_kit.h"

#include "engine/query.h"

/* ---- time and rate ---- */

static void a_key_ends_at_its_time_also_when_it_is_in_the_cache(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    struct kit_key key =
        kit_key(k, &(struct kit_wish){.account = "acme", .expires_ms = k->now.wall_ms + 1000});
    for (int i = 0; i < 3; i++) /* cached by now */
        assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    k->now.wall_ms = key.expires_ms - 2; /* each turn takes a millisecond */
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "KEY_EXPIRED");
    engine_kit_restart(k);
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "KEY_EXPIRED");
    assert_int_equal(kit_rows(k, TABLE_JOB), 4);
}

static const char *error_text(struct engine_kit *k)
{
    const Rota__Reply *reply = kit_reply(k, k->request_id);
    return reply && reply->error ? reply->error->text : "";
}

static void a_rate_holds_over_restarts_and_says_when_the_next_is_free(void **state)
{
    struct engine_kit *k = *state;
    unsigned accepted = 0, refused = 0;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    struct kit_key key = kit_key(k, &(struct kit_wish){.account = "acme"});
    for (int i = 0; i < 300; i++) {
        const char *error = kit_publish_as(k, key.credential, "shop");
        accepted += *error == '\0';
        refused += strcmp(error, "RATE_LIMITED") == 0;
    }
    assert_int_equal(accepted + refused, 300);
    assert_in_range(accepted, 100, 101); /* 300 turns take 300 ms */
    assert_int_equal(kit_rows(k, TABLE_JOB), accepted);
    assert_non_null(strstr(error_text(k), "100 requests a minute"));
    assert_non_null(strstr(error_text(k), "free at 2026-09-21T"));
    assert_true(kit_reply(k, k->request_id)->error->retryable);
    kit_pass(k, 11000); /* written down by now */
    engine_kit_restart(k);
    accepted = 0;
    for (int i = 0; i < 300; i++)
        accepted += *kit_publish_as(k, key.credential, "shop") == '\0';
    assert_in_range(accepted, 18, 20); /* what 11 seconds filled, not a hundred anew */
    k->now.wall_ms += 60000;
    k->now.boot_ms += 60000;
    accepted = 0;
    for (int i = 0; i < 300; i++)
        accepted += *kit_publish_as(k, key.credential, "shop") == '\0';
    assert_in_range(accepted, 100, 101);
}

/* A request that is put off (its source is looked at), or applied again after its turn was undone,
 * is still one request. */
static void a_request_that_is_looked_at_again_counts_once(void **state)
{
    struct engine_kit *k = *state;
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char source[80] = "upload:";
    memset(source + 7, 'a', 64);
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    struct kit_key key = kit_key(k, &(struct kit_wish){.account = "acme"});
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = (char *)"shop";
    publish.class_ = (char *)"task";
    publish.source = source;
    struct inbound *in = kit_request(k, &request, key.credential), copy;
    effects_reset(&k->fx);
    assert_int_equal(engine_turn(k->engine, k->now, in, &k->fx), 0);
    assert_true(in->wants_vetting && in->is_counted);
    in->wants_vetting = false;
    in->is_vetted = true;
    copy = *in;
    effects_reset(&k->fx);
    assert_int_equal(engine_turn(k->engine, k->now, in, &k->fx), 0);
    assert_string_equal(kit_error(kit_reply(k, copy.to.request_id)), "");
    free(in);
    assert_int_equal(kit_key_usage(k, key.serial).requests, 1);
}

/* ---- one app ---- */

static const char *list_as(struct engine_kit *k, const struct kit_key *key, const char *app,
                           size_t *ret_n)
{
    Rota__List list = ROTA__LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply reply = ROTA__REPLY__INIT;
    struct arena *arena = NULL;
    struct principal who;
    AUTO(txn) txn = kit_snapshot(k->store);
    request.op_case = ROTA__REQUEST__OP_LIST;
    request.list = &list;
    request.environment = (char *)"development";
    request.credential = (char *)key->credential;
    list.app = (char *)app;
    struct auth_call call = {
        .request = &request, .op = op_row(request.op_case), .wall_ms = k->now.wall_ms};
    enum error_code e = auth_check(k->auth, txn, &call, &who);
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    struct query q = {.txn = txn,
                      .board = k->board,
                      .store = k->store,
                      .arena = arena,
                      .auth = k->auth,
                      .who = &who,
                      .request = &request,
                      .reply = &reply,
                      .environment = "development"};
    if (e == E_OK)
        e = query_answer(&q);
    *ret_n = e == E_OK ? reply.list->n_job : 0;
    arena_free(arena);
    return e == E_OK ? "" : error_row(e)->name;
}

static const char *cancel_as(struct engine_kit *k, const char *as, const char *job)
{
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &cancel;
    cancel.job = (char *)job;
    return kit_error(kit_call(k, &request, as));
}

static void a_key_for_one_app_sees_and_touches_nothing_of_another(void **state)
{
    struct engine_kit *k = *state;
    char till[40];
    size_t n;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    kit_app(k, NULL, "acme", "till");
    struct kit_key any = kit_key_of(k, "acme", "build:create build:read");
    struct kit_key shop =
        kit_key(k, &(struct kit_wish){.account = "acme",
                                      .app = "shop",
                                      .has_rate = true,
                                      .scopes = "build:create build:read build:control "
                                                "app:read app:write"});
    assert_string_equal(kit_publish_as(k, any.credential, "till"), "");
    snprintf(till, sizeof till, "%s", kit_job);
    assert_string_equal(kit_publish_as(k, shop.credential, "till"), "KEY_APP");
    assert_non_null(strstr(error_text(k), "good for app \"shop\" only"));
    assert_string_equal(kit_publish_as(k, shop.credential, "shop"), "");
    assert_string_equal(list_as(k, &shop, "", &n), "");
    assert_int_equal(n, 1);
    assert_string_equal(list_as(k, &shop, "shop", &n), "");
    assert_int_equal(n, 1);
    assert_string_equal(list_as(k, &shop, "till", &n), "KEY_APP");
    assert_string_equal(list_as(k, &any, "", &n), "");
    assert_int_equal(n, 2);
    assert_string_equal(cancel_as(k, shop.credential, till), "KEY_APP");
    assert_string_equal(cancel_as(k, shop.credential, kit_job), "");
    assert_string_equal(kit_app(k, shop.credential, "", "shop"), "");
    assert_string_equal(kit_app(k, shop.credential, "", "third"), "KEY_APP");
    kit_pass(k, 100); /* folded: the listing goes another way */
    assert_string_equal(list_as(k, &shop, "", &n), "");
    assert_int_equal(n, 1);
    kit_check(k);
}

/* ---- revoking ---- */

static void an_account_revokes_its_own_keys_alone(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_account(k, "other", ROTA__TIER__P1, 0);
    struct kit_key boss = kit_key_of(k, "acme", "key:write key:read");
    struct kit_key mine = kit_key_of(k, "acme", "build:create");
    struct kit_key theirs = kit_key_of(k, "other", "build:create");
    assert_string_equal(kit_revoke(k, boss.credential, theirs.serial), "KEY_UNKNOWN");
    assert_string_equal(kit_revoke(k, boss.credential, 1), "KEY_UNKNOWN"); /* the operator's */
    assert_string_equal(kit_revoke(k, boss.credential, 4711), "KEY_UNKNOWN");
    assert_string_equal(kit_revoke(k, mine.credential, boss.serial), "SCOPE_MISSING");
    assert_string_equal(kit_revoke(k, boss.credential, mine.serial), "");
    assert_string_equal(kit_publish_as(k, mine.credential, "shop"), "KEY_REVOKED");
    assert_string_equal(kit_publish_as(k, theirs.credential, "shop"), "APP_UNKNOWN");
    assert_string_equal(kit_revoke(k, boss.credential, boss.serial), ""); /* its own */
    assert_string_equal(kit_revoke(k, boss.credential, boss.serial), "KEY_REVOKED");
    kit_check(k);
}

/* An admin must not end an owner's session by ending his key. */
static void an_admin_does_not_revoke_an_owners_key(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_member_set(k, NULL, "acme", "olga@example.org", ROTA__MEMBER_ROLE__OWNER);
    kit_member_set(k, NULL, "acme", "adam@example.org", ROTA__MEMBER_ROLE__ADMIN);
    struct kit_key owner = kit_key(
        k,
        &(struct kit_wish){.account = "acme", .member = "olga@example.org", .scopes = "key:write"});
    struct kit_key admin = kit_key(
        k,
        &(struct kit_wish){.account = "acme", .member = "adam@example.org", .scopes = "key:write"});
    assert_string_equal(kit_revoke(k, admin.credential, owner.serial), "NOT_ALLOWED");
    assert_string_equal(kit_revoke(k, owner.credential, admin.serial), "");
}

/* More keys than one turn used to have room for. */
static void forty_keys_revoked_in_one_turn_open_nothing_behind_it(void **state)
{
    struct engine_kit *k = *state;
    enum { KEYS = 40 };
    struct kit_key key[KEYS];
    struct inbound *list = NULL, **end = &list;
    uint64_t first;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    for (int i = 0; i < KEYS; i++) {
        key[i] = kit_key_of(k, "acme", "build:create");
        assert_string_equal(kit_publish_as(k, key[i].credential, "shop"), ""); /* cached */
    }
    first = k->request_id + 1;
    for (int i = 0; i < KEYS; i++) {
        Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
        Rota__Publish publish = ROTA__PUBLISH__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        request.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
        request.key_revoke = &revoke;
        revoke.serial = key[i].serial;
        *end = kit_request(k, &request, NULL);
        end = &(*end)->next;
        rota__request__init(&request);
        request.op_case = ROTA__REQUEST__OP_PUBLISH;
        request.publish = &publish;
        publish.app = (char *)"shop";
        publish.class_ = (char *)"task";
        *end = kit_request(k, &request, key[i].credential);
        end = &(*end)->next;
    }
    kit_turn(k, list);
    for (uint64_t id = first; id <= k->request_id; id += 2) {
        assert_string_equal(kit_error(kit_reply(k, id)), "");
        assert_string_equal(kit_error(kit_reply(k, id + 1)), "KEY_REVOKED");
    }
    assert_true(k->fx.keys_changed);
    assert_int_equal(kit_rows(k, TABLE_JOB), KEYS);
    kit_check(k);
}

/* A turn that is undone takes nothing from the key; only its cache is not trusted any more. */
static void a_revoke_that_was_undone_leaves_the_key_in_force(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    struct kit_key key = kit_key_of(k, "acme", "build:create");
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    auth_distrust(k->auth, key.serial); /* all that is left of such a turn */
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "");
    assert_string_equal(kit_revoke(k, NULL, key.serial), "");
    assert_string_equal(kit_publish_as(k, key.credential, "shop"), "KEY_REVOKED");
}

/* A reader that looks with an older snapshot must not bring an old row back into the cache. */
static void an_older_snapshot_does_not_bring_a_revoked_key_back(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    struct kit_key key = kit_key_of(k, "acme", "build:create build:read");
    AUTO(txn) before = kit_snapshot(k->store);
    assert_string_equal(kit_revoke(k, NULL, key.serial), "");
    Rota__Request request = ROTA__REQUEST__INIT;
    struct principal who;
    request.environment = (char *)"development";
    request.credential = key.credential;
    struct auth_call call = {
        .request = &request, .op = op_row(ROTA__REQUEST__OP_LIST), .wall_ms = k->now.wall_ms};
    assert_int_equal(auth_check(k->auth, before, &call, &who), E_OK); /* it began before */
    AUTO(txn) after = kit_snapshot(k->store);
    assert_int_equal(auth_check(k->auth, after, &call, &who), E_KEY_REVOKED);
}

/* ---- what it set up ---- */

static void schedule_hourly(struct engine_kit *k, const char *as, const char *name)
{
    Rota__ScheduleSet op = ROTA__SCHEDULE_SET__INIT;
    Rota__Schedule schedule = ROTA__SCHEDULE__INIT;
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    publish.app = (char *)"shop";
    publish.class_ = (char *)"task";
    schedule.account = (char *)"acme";
    schedule.name = (char *)name;
    schedule.cron = (char *)"0 * * * *";
    schedule.publish = &publish;
    op.schedule = &schedule;
    request.op_case = ROTA__REQUEST__OP_SCHEDULE_SET;
    request.schedule_set = &op;
    assert_string_equal(kit_error(kit_call(k, &request, as)), "");
}

static const char *schedule_error(struct engine_kit *k, const char *name)
{
    static char text[40];
    struct schedule_row row;
    struct key_buf b;
    AUTO(txn) txn = kit_snapshot(k->store);
    uint64_t account = 2; /* the first that was made after local */
    assert_int_equal(row_get(txn, &schedule_row_type, key_named(&b, account, span_str(name)), &row),
                     0);
    snprintf(text, sizeof text, "%.*s", (int)row.last_error.n, (const char *)row.last_error.p);
    return text;
}

/* Else a leaked key would publish on after it was revoked. */
static void a_schedule_ends_with_the_key_that_set_it(void **state)
{
    struct engine_kit *k = *state;
    const uint64_t hour_ms = 3600000;
    kit_account(k, "acme", ROTA__TIER__P0, 0);
    kit_app(k, NULL, "acme", "shop");
    struct kit_key taken = kit_key(k, &(struct kit_wish){.account = "acme"});
    struct kit_key short_lived = kit_key(
        k, &(struct kit_wish){.account = "acme", .expires_ms = k->now.wall_ms + 2 * hour_ms});
    struct kit_key few = kit_key(k, &(struct kit_wish){.account = "acme", .builds_month = 1});
    schedule_hourly(k, taken.credential, "taken");
    schedule_hourly(k, short_lived.credential, "short");
    schedule_hourly(k, few.credential, "few");
    kit_pass(k, hour_ms);
    assert_int_equal(kit_rows(k, TABLE_JOB), 3);
    assert_string_equal(kit_revoke(k, NULL, taken.serial), "");
    kit_pass(k, 2 * hour_ms);
    assert_int_equal(kit_rows(k, TABLE_JOB), 3);
    assert_string_equal(schedule_error(k, "taken"), "KEY_REVOKED");
    assert_string_equal(schedule_error(k, "short"), "KEY_EXPIRED");
    assert_string_equal(schedule_error(k, "few"), "KEY_QUOTA");
    schedule_hourly(k, NULL, "taken"); /* the operator takes it over */
    kit_pass(k, hour_ms);
    assert_int_equal(kit_rows(k, TABLE_JOB), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_key_ends_at_its_time_also_when_it_is_in_the_cache),
        ENGINE_CASE(a_rate_holds_over_restarts_and_says_when_the_next_is_free),
        ENGINE_CASE(a_request_that_is_looked_at_again_counts_once),
        ENGINE_CASE(a_key_for_one_app_sees_and_touches_nothing_of_another),
        ENGINE_CASE(an_account_revokes_its_own_keys_alone),
        ENGINE_CASE(an_admin_does_not_revoke_an_owners_key),
        ENGINE_CASE(forty_keys_revoked_in_one_turn_open_nothing_behind_it),
        ENGINE_CASE(a_revoke_that_was_undone_leaves_the_key_in_force),
        ENGINE_CASE(an_older_snapshot_does_not_bring_a_revoked_key_back),
        ENGINE_CASE(a_schedule_ends_with_the_key_that_set_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
