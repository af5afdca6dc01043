/* test_trail.c: each act of an operator leaves one entry, in the turn of the act; what is refused
 * leaves none; nothing secret is in it; and it goes after 400 days. */
#include "pause_kit.h"

enum { DAY_MS = 86400000 };

static Rota__TrailListResult *trail(struct engine_kit *k, uint64_t from, uint32_t limit,
                                    struct kit_answer *ret_answer)
{
    Rota__TrailList q = ROTA__TRAIL_LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_TRAIL_LIST;
    request.trail_list = &q;
    q.from = from;
    q.limit = limit;
    kit_ask(k, &request, ret_answer);
    assert_int_equal(ret_answer->code, E_OK);
    return ret_answer->reply.trail_list;
}

/* The newest entry is this one. */
static void newest_is(struct engine_kit *k, const char *op, const char *target, const char *detail)
{
    struct kit_answer a;
    const Rota__TrailListResult *list = trail(k, 0, 1, &a);
    assert_int_equal(list->n_entry, 1);
    const Rota__TrailEntry *e = list->entry[0];
    assert_string_equal(e->op, op);
    assert_string_equal(e->target, target);
    assert_non_null(strstr(e->detail, detail));
    assert_string_equal(e->account, "local");
    assert_int_equal(strncmp(e->key_prefix, k->credential, KEY_PREFIX_MAX), 0);
    assert_int_equal(strlen(e->key_prefix), KEY_PREFIX_MAX);
    assert_int_equal(e->at_ms, k->now.wall_ms);
    assert_int_equal(e->seq, k->engine->cache.hot.trail_seq);
    kit_answer_end(&a);
}

static void job_new(struct engine_kit *k, const char *account, char ret[40])
{
    Rota__Reply *reply = kit_publish(k, account, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(ret, 40, "%s", reply->publish->job);
}

/* ---- who did what ---- */

static Rota__Reply *job_act(struct engine_kit *k, Rota__Request__OpCase op, const char *job,
                            const char *as)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Hold hold = ROTA__HOLD__INIT;
    Rota__JobRelease release = ROTA__JOB_RELEASE__INIT;
    Rota__Retry retry = ROTA__RETRY__INIT;
    Rota__Move move = ROTA__MOVE__INIT;
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    cancel.job = hold.job = release.job = retry.job = move.job = (char *)job;
    cancel.reason = hold.reason = (char *)"look here";
    move.priority = 2;
    request.op_case = op;
    switch (op) {
    case ROTA__REQUEST__OP_HOLD:
        request.hold = &hold;
        break;
    case ROTA__REQUEST__OP_JOB_RELEASE:
        request.job_release = &release;
        break;
    case ROTA__REQUEST__OP_RETRY:
        request.retry = &retry;
        break;
    case ROTA__REQUEST__OP_MOVE:
        request.move = &move;
        break;
    default:
        request.cancel = &cancel;
    }
    return kit_call(k, &request, as);
}

static const struct {
    Rota__Request__OpCase op;
    const char *name, *detail;
} job_acts[] = {{ROTA__REQUEST__OP_MOVE, "move", "priority 2"},
                {ROTA__REQUEST__OP_HOLD, "hold", "look here"},
                {ROTA__REQUEST__OP_JOB_RELEASE, "job_release", ""},
                {ROTA__REQUEST__OP_CANCEL, "cancel", "look here"},
                {ROTA__REQUEST__OP_RETRY, "retry", ""}};

static void each_act_on_a_job_is_noted_once(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    job_new(k, "", job);
    uint64_t before = k->engine->cache.hot.trail_seq;
    for (size_t i = 0; i < sizeof job_acts / sizeof *job_acts; i++) {
        assert_string_equal(kit_error(job_act(k, job_acts[i].op, job, NULL)), "");
        newest_is(k, job_acts[i].name, job, job_acts[i].detail);
        assert_int_equal(k->engine->cache.hot.trail_seq, before + i + 1);
        assert_string_equal(kit_error(job_act(k, ROTA__REQUEST__OP_RETRY, "job_x", NULL)),
                            "JOB_ID_INVALID");
        assert_int_equal(k->engine->cache.hot.trail_seq, before + i + 1);
    }
    kit_check(k);
}

static void account_key(struct engine_kit *k, const char *account, char ret[64])
{
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *scopes[] = {(char *)"build:control"};
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    create.account = (char *)account;
    create.name = (char *)"ci";
    create.role = ROTA__ROLE__ACCOUNT;
    create.scope = scopes;
    create.n_scope = 1;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(ret, 64, "%s", reply->key_create->credential);
}

static void an_accounts_own_acts_are_not(void **state)
{
    struct engine_kit *k = *state;
    char job[40], key[64];
    kit_account(k, "acme", ROTA__TIER__P1, 3);
    newest_is(k, "account_set", "acme", "");
    job_new(k, "acme", job);
    account_key(k, "acme", key);
    uint64_t before = k->engine->cache.hot.trail_seq;
    assert_string_equal(kit_error(job_act(k, ROTA__REQUEST__OP_HOLD, job, key)), "");
    assert_string_equal(kit_error(job_act(k, ROTA__REQUEST__OP_CANCEL, job, key)), "");
    assert_int_equal(k->engine->cache.hot.trail_seq, before);
}

static void keys_are_noted_without_their_secret(void **state)
{
    struct engine_kit *k = *state;
    Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char key[64], prefix[KEY_PREFIX_MAX + 1];
    account_key(k, "", key);
    snprintf(prefix, sizeof prefix, "%.12s", key);
    newest_is(k, "key_create", prefix, "key ");
    request.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
    request.key_revoke = &revoke;
    revoke.prefix = prefix;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    newest_is(k, "key_revoke", prefix, "key ");
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct span at, value;
    unsigned rows = 0;
    assert_int_equal(cursor_open(txn, TABLE_TRAIL, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &at, &value); r == 0;
         r = cursor_next(cursor, &at, &value), rows++) {
        assert_null(memmem(value.p, value.n, key + KEY_PREFIX_MAX, strlen(key) - KEY_PREFIX_MAX));
        assert_null(memmem(value.p, value.n, k->credential + KEY_PREFIX_MAX,
                           strlen(k->credential) - KEY_PREFIX_MAX));
    }
    assert_true(rows >= 2);
}

static void pauses_heat_and_apps_are_noted(void **state)
{
    struct engine_kit *k = *state;
    Rota__Heat heat = ROTA__HEAT__INIT;
    Rota__AppSet app = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P3", 0);
    newest_is(k, "pause_set", "P3", "tier: paused, reason \"for a test\"");
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P3");
    newest_is(k, "pause_set", "P3", "tier: resumed");
    uint64_t before = k->engine->cache.hot.trail_seq;
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P3"); /* nothing happened */
    assert_int_equal(k->engine->cache.hot.trail_seq, before);
    request.op_case = ROTA__REQUEST__OP_HEAT;
    request.heat = &heat;
    heat.pool = (char *)"task";
    heat.slots = 2;
    heat.for_ms = 60000;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    newest_is(k, "heat", "task", "2 slots for 60 s");
    request.op_case = ROTA__REQUEST__OP_APP_SET;
    request.app_set = &app;
    app.app = (char *)"shop";
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    newest_is(k, "app_set", "shop", "local");
}

/* A reason as long as the wire lets through, in characters of three bytes: the entry ends with a
 * whole one. */
static void a_long_detail_is_cut_at_a_character(void **state)
{
    struct engine_kit *k = *state;
    char reason[1024] = "";
    struct kit_answer a;
    for (unsigned i = 0; i < 300; i++)
        strncat(reason, "€", sizeof reason - strlen(reason) - 1);
    assert_string_equal(kit_error(kit_pause(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P0", reason, 0)),
                        "");
    const char *detail = trail(k, 0, 1, &a)->entry[0]->detail;
    size_t n = strlen(detail);
    assert_true(n > 500 && n <= 512);
    assert_memory_equal(detail + n - 3, "€", 3);
    kit_answer_end(&a);
}

/* ---- reading ---- */

static void notes(struct engine_kit *k, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        (i % 2 ? kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P1")
               : kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P1", 0));
}

static void it_is_read_from_the_end_or_from_a_number(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer a;
    Rota__TrailListResult *list = trail(k, 0, 10, &a);
    assert_int_equal(list->n_entry, 0);
    assert_int_equal(list->next, 1);
    kit_answer_end(&a);
    notes(k, 130);
    engine_kit_restart(k);
    notes(k, 2);
    list = trail(k, 0, 0, &a); /* the newest hundred, oldest first */
    assert_int_equal(list->n_entry, 100);
    assert_int_equal(list->entry[0]->seq, 33);
    assert_int_equal(list->entry[99]->seq, 132);
    assert_int_equal(list->next, 133);
    kit_answer_end(&a);
    uint64_t from = 1, seen = 0;
    for (;;) {
        list = trail(k, from, 50, &a);
        for (size_t i = 0; i < list->n_entry; i++)
            assert_int_equal(list->entry[i]->seq, ++seen);
        from = list->next;
        bool is_end = list->n_entry == 0;
        kit_answer_end(&a);
        if (is_end)
            break;
    }
    assert_int_equal(seen, 132);
}

/* ---- the end ---- */

static void it_goes_after_400_days_in_slices(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer a;
    notes(k, 300);
    kit_pass(k, 200ull * DAY_MS);
    notes(k, 10);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), 310);
    kit_pass(k, 200ull * DAY_MS);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), 310 - 256); /* a slice a turn */
    kit_turn(k, NULL);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), 10);
    kit_turn(k, NULL);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), 10);
    Rota__TrailListResult *list = trail(k, 1, 5, &a);
    assert_int_equal(list->n_entry, 5);
    assert_int_equal(list->entry[0]->seq, 301);
    kit_answer_end(&a);
    kit_pass(k, 201ull * DAY_MS);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), 0);
    list = trail(k, 0, 5, &a); /* all gone: the numbers go on */
    assert_int_equal(list->n_entry, 0);
    kit_answer_end(&a);
    notes(k, 1);
    list = trail(k, 0, 5, &a);
    assert_int_equal(list->entry[0]->seq, 311);
    kit_answer_end(&a);
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(each_act_on_a_job_is_noted_once),
        ENGINE_CASE(an_accounts_own_acts_are_not),
        ENGINE_CASE(keys_are_noted_without_their_secret),
        ENGINE_CASE(pauses_heat_and_apps_are_noted),
        ENGINE_CASE(a_long_detail_is_cut_at_a_character),
        ENGINE_CASE(it_is_read_from_the_end_or_from_a_number),
        ENGINE_CASE(it_goes_after_400_days_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
