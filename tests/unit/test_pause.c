/* test_pause.c: what is paused waits, everybody else goes on as the rotation says, and it ends when
 * it was to end: by the operator, by the clock, by a clock that steps, and across restarts. */
#include "pause_kit.h"

#include "sched/rotation.h"

static const char *const tiers[] = {"P0", "P1", "P2", "P3"};
static const char *const accounts[] = {"a0", "a1", "a2", "a3"};
static const struct kit_place tasks = {"", {"task"}, 1};

/* An account in each tier, without a cap that shows; that of P0 gets seven times the jobs. */
static void fill(struct engine_kit *k, unsigned jobs)
{
    for (unsigned i = 0; i < 4; i++) {
        kit_account(k, accounts[i], (Rota__Tier)i, 1000);
        kit_publish_class(k, accounts[i], "task", 0, i ? jobs : 7 * jobs);
    }
}

static unsigned next_tier(struct engine_kit *k)
{
    struct kit_run run;
    assert_true(kit_run(k, &tasks, &run));
    return run.lease.tier;
}

static bool is_empty(struct engine_kit *k)
{
    struct kit_run run;
    return !kit_run(k, &tasks, &run);
}

static const struct {
    Rota__PauseScope scope;
    const char *name;
} things[] = {
    {ROTA__PAUSE_SCOPE__PAUSE_POOL, "task"},
    {ROTA__PAUSE_SCOPE__PAUSE_TIER, "P2"},
    {ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a2"},
    {ROTA__PAUSE_SCOPE__PAUSE_CLASS, "task"},
};
enum { THINGS = sizeof things / sizeof *things };

/* One job of a2 (P2) in pool task: each of the things stops it. */
static void one_job(struct engine_kit *k)
{
    kit_account(k, "a2", ROTA__TIER__P2, 1000);
    kit_publish_class(k, "a2", "task", 0, 1);
}

/* ---- the rotation ---- */

/* The most other dispatches before a tier that can be served is served (SCHEDULING, G4). */
static const unsigned worst[] = {1, 11, 10, 9};

static void a_paused_tier_waits_and_comes_back_by_the_rule(void **state)
{
    struct engine_kit *k = *state;
    unsigned longest = 0;
    fill(k, 50);
    for (unsigned round = 0; round < 24; round++) {
        unsigned t = round % 4, others = 0, served = 0;
        kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, tiers[t], 0);
        for (unsigned i = 0; i < 3 + round / 4; i++)
            assert_int_not_equal(next_tier(k), t);
        kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, tiers[t]);
        while (next_tier(k) != t)
            others++;
        assert_true(others <= worst[t]);
        longest = others > longest ? others : longest;
        for (unsigned i = 0; i < 3 && t; i++)
            served += next_tier(k) == t;
        assert_true(served == 0); /* no credit from the pause: one turn, not two */
    }
    kit_check(k);
    print_message("tiers paused and resumed 24 times; longest wait after it: %u\n", longest);
}

/* Without P1 the rest is served as three tiers are: 5:1:1 (G2). */
static void the_others_go_on_as_if_it_were_empty(void **state)
{
    struct engine_kit *k = *state;
    unsigned count[4] = {0};
    fill(k, 12);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P1", 0);
    for (unsigned i = 0; i < 70; i++)
        count[next_tier(k)]++;
    assert_int_equal(count[0], 50);
    assert_int_equal(count[1], 0);
    assert_int_equal(count[2], 10);
    assert_int_equal(count[3], 10);
}

static void a_paused_pool_hands_out_nothing(void **state)
{
    struct engine_kit *k = *state;
    one_job(k);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_POOL, "task", 0);
    assert_true(is_empty(k));
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_POOL, "task");
    next_tier(k);
    assert_true(is_empty(k));
}

static void a_paused_account_may_publish_and_its_jobs_wait(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    for (unsigned i = 0; i < 4; i++) {
        kit_account(k, accounts[i], (Rota__Tier)i, 1000);
        kit_publish_class(k, accounts[i], "task", 0, 1);
    }
    kit_account(k, "idle", ROTA__TIER__P0, 0); /* without a job: no account of the rings */
    engine_kit_restart(k);                     /* and not in RAM */
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "idle", 0);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a0", 0);
    engine_kit_restart(k);
    kit_publish_class(k, "idle", "task", 0, 1);
    kit_publish_class(k, "a0", "task", 0, 1);
    for (unsigned i = 1; i < 4; i++)
        assert_true(kit_run(k, &tasks, &run) && run.lease.tier > 0);
    assert_true(is_empty(k));
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "idle");
    assert_true(kit_run(k, &tasks, &run));
    assert_string_equal(run.lease.account, "idle");
    assert_true(is_empty(k));
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a0");
    for (unsigned i = 0; i < 2; i++)
        assert_true(kit_run(k, &tasks, &run) && strcmp(run.lease.account, "a0") == 0);
    assert_true(is_empty(k));
    kit_check(k);
}

/* ---- the end ---- */

static void a_pause_ends_at_its_time_and_not_before(void **state)
{
    struct engine_kit *k = *state;
    for (unsigned i = 0; i < THINGS; i++) {
        one_job(k);
        kit_paused(k, things[i].scope, things[i].name, k->now.wall_ms + 60000);
        kit_idle(k);
        kit_pass(k, 50000);
        assert_true(is_empty(k));
        assert_in_range(engine_idle_ms(k->engine, k->now, 600000), 2, 10000); /* it will wake */
        kit_pass(k, 10000);
        next_tier(k);
        assert_int_equal(kit_rows(k, TABLE_PAUSE), 0);
        kit_check(k);
    }
}

static void a_clock_that_steps_is_obeyed(void **state)
{
    struct engine_kit *k = *state;
    for (unsigned i = 0; i < THINGS; i++) {
        one_job(k);
        kit_paused(k, things[i].scope, things[i].name, k->now.wall_ms + 3600000);
        k->now.wall_ms += 7200000; /* forth: at once, whatever the other clock says */
        next_tier(k);
        one_job(k);
        kit_paused(k, things[i].scope, things[i].name, k->now.wall_ms + 3600000);
        k->now.wall_ms -= 14400000; /* back: it is further away now */
        kit_pass(k, 3600000);
        assert_true(is_empty(k));
        k->now.wall_ms += 14400000;
        next_tier(k);
        assert_int_equal(kit_rows(k, TABLE_PAUSE), 0);
        kit_check(k);
    }
}

static void a_later_pause_replaces_the_earlier(void **state)
{
    struct engine_kit *k = *state;
    for (unsigned i = 0; i < THINGS; i++) {
        uint64_t until_ms = k->now.wall_ms + 60000;
        one_job(k);
        kit_paused(k, things[i].scope, things[i].name, until_ms);
        kit_paused(k, things[i].scope, things[i].name, 0); /* without an end */
        assert_int_equal(kit_rows(k, TABLE_PAUSE), 1);
        kit_pass(k, 120000);
        assert_true(is_empty(k));
        kit_paused(k, things[i].scope, things[i].name, until_ms + 600000);
        kit_paused(k, things[i].scope, things[i].name, until_ms + 300000); /* sooner */
        kit_pass(k, 300000);
        next_tier(k);
        assert_int_equal(kit_rows(k, TABLE_PAUSE), 0);
        kit_resumed(k, things[i].scope, things[i].name); /* twice does no harm */
        kit_check(k);
    }
}

static void a_restart_changes_nothing(void **state)
{
    struct engine_kit *k = *state;
    for (unsigned i = 0; i < 2 * THINGS; i++) {
        bool has_end = i >= THINGS;
        unsigned n = i % THINGS;
        one_job(k);
        kit_paused(k, things[n].scope, things[n].name, has_end ? k->now.wall_ms + 60000 : 0);
        engine_kit_restart(k);
        assert_true(is_empty(k));
        kit_check(k);
        engine_kit_restart(k);
        if (has_end)
            k->now.wall_ms += 60000; /* it ended while nobody ran */
        else
            kit_resumed(k, things[n].scope, things[n].name);
        engine_kit_restart(k);
        next_tier(k);
        assert_int_equal(kit_rows(k, TABLE_PAUSE), 0);
        kit_check(k);
    }
}

static void many_pauses_end_in_slices(void **state)
{
    struct engine_kit *k = *state;
    char name[16];
    enum { MANY = 200 };
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "m%03u", i);
        kit_account(k, name, ROTA__TIER__P1, 1);
        kit_publish_class(k, name, "task", 0, 1);
        kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, name, k->now.wall_ms + 600000);
    }
    assert_true(is_empty(k));
    kit_pass(k, 700000);
    assert_true(kit_rows(k, TABLE_PAUSE) > 0); /* one turn does not end them all */
    kit_idle(k);
    assert_int_equal(kit_rows(k, TABLE_PAUSE), 0);
    for (unsigned i = 0; i < MANY; i++)
        next_tier(k);
    kit_check(k);
}

/* ---- refusals ---- */

static void what_cannot_be_paused_is_refused_without_a_trace(void **state)
{
    struct engine_kit *k = *state;
    uint64_t past_ms = k->now.wall_ms - 1;
    static const struct {
        Rota__PauseScope scope;
        const char *name, *reason;
        bool is_past;
        const char *error;
    } bad[] = {
        {ROTA__PAUSE_SCOPE__PAUSE_NONE, "task", "r", false, "FIELD_MISSING"},
        {ROTA__PAUSE_SCOPE__PAUSE_POOL, "", "r", false, "FIELD_MISSING"},
        {ROTA__PAUSE_SCOPE__PAUSE_POOL, "nowhere", "r", false, "PAUSE_UNKNOWN"},
        {ROTA__PAUSE_SCOPE__PAUSE_TIER, "P4", "r", false, "PAUSE_UNKNOWN"},
        {ROTA__PAUSE_SCOPE__PAUSE_TIER, "P", "r", false, "PAUSE_UNKNOWN"},
        {ROTA__PAUSE_SCOPE__PAUSE_TIER, "P00", "r", false, "PAUSE_UNKNOWN"},
        {ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "nobody", "r", false, "PAUSE_UNKNOWN"},
        {ROTA__PAUSE_SCOPE__PAUSE_CLASS, "nothing", "r", false, "PAUSE_UNKNOWN"},
        {ROTA__PAUSE_SCOPE__PAUSE_TIER, "P0", "", false, "REASON_NEEDED"},
        {ROTA__PAUSE_SCOPE__PAUSE_TIER, "P0", "r", true, "UNTIL_INVALID"},
    };
    uint64_t seq = kit_seq(k), trail = k->engine->cache.hot.trail_seq;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Rota__Reply *reply =
            kit_pause(k, bad[i].scope, bad[i].name, bad[i].reason, bad[i].is_past ? past_ms : 0);
        assert_string_equal(kit_error(reply), bad[i].error);
    }
    assert_int_equal(kit_seq(k), seq);
    assert_int_equal(k->engine->cache.hot.trail_seq, trail);
    assert_int_equal(kit_rows(k, TABLE_PAUSE), 0);
}

/* ---- what is shown ---- */

/* Of the accounts that wait each is counted once: barred, at its cap, or neither. */
static void totals_stay_exact(void **state)
{
    struct engine_kit *k = *state;
    struct board_totals totals;
    struct kit_run run;
    const struct board_tier *p1 = &totals.tier[1];
    kit_account(k, "a", ROTA__TIER__P1, 1);
    kit_account(k, "b", ROTA__TIER__P1, 1);
    kit_publish_class(k, "a", "task", 0, 3);
    kit_publish_class(k, "b", "task", 0, 3);
    assert_true(kit_run(k, &tasks, &run)); /* a is at its cap now */
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "b", 0);
    for (unsigned i = 0; i < 2; i++, engine_kit_restart(k)) {
        board_totals(k->board, &totals);
        assert_int_equal(p1->accounts, 2);
        assert_int_equal(p1->at_cap, 1);
        assert_int_equal(p1->barred, 1);
    }
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a",
               0); /* barred, and no longer counted twice */
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P1", 0);
    board_totals(k->board, &totals);
    assert_int_equal(p1->at_cap, 0);
    assert_int_equal(p1->barred, 2);
    assert_int_equal(p1->bars, ROTA__BAR__BAR_PAUSED);
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a");
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "b");
    board_totals(k->board, &totals);
    assert_int_equal(p1->at_cap, 1);
    assert_int_equal(p1->barred, 0);
}

struct bars_seen {
    unsigned n;
    struct {
        char scope[8];
        uint32_t bars;
    } seen[8];
};

static void see_bars(void *arg, const Rota__Event *event)
{
    struct bars_seen *s = arg;
    if (event->kind != ROTA__EVENT_KIND__EVENT_BARS)
        return;
    assert_true(s->n < 8);
    snprintf(s->seen[s->n].scope, sizeof s->seen[0].scope, "%s", event->scope);
    s->seen[s->n++].bars = event->bars;
}

static void each_change_stands_in_the_log_once(void **state)
{
    struct engine_kit *k = *state;
    static const char *const scopes[] = {"pool", "tier", "account"};
    one_job(k);
    for (unsigned i = 0; i < 3; i++) {
        struct bars_seen s = {0};
        uint64_t seq = kit_seq(k);
        kit_paused(k, things[i].scope, things[i].name, 0);
        kit_paused(k, things[i].scope, things[i].name, k->now.wall_ms + 60000); /* no change */
        kit_resumed(k, things[i].scope, things[i].name);
        kit_resumed(k, things[i].scope, things[i].name);
        kit_events(k, seq, see_bars, &s);
        assert_int_equal(s.n, 2);
        assert_string_equal(s.seen[0].scope, scopes[i]);
        assert_int_equal(s.seen[0].bars, ROTA__BAR__BAR_PAUSED);
        assert_int_equal(s.seen[1].bars, 0);
    }
}

static void the_list_names_each_pause(void **state)
{
    struct engine_kit *k = *state;
    Rota__PauseList q = ROTA__PAUSE_LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct kit_answer a;
    char cursor[80] = "";
    request.op_case = ROTA__REQUEST__OP_PAUSE_LIST;
    request.pause_list = &q;
    one_job(k);
    for (unsigned i = 0; i < THINGS; i++)
        kit_paused(k, things[i].scope, things[i].name, i % 2 ? k->now.wall_ms + 60000 : 0);
    q.limit = 1;
    for (unsigned i = 0; i < THINGS; i++) {
        q.cursor = cursor;
        kit_ask(k, &request, &a);
        assert_int_equal(a.code, E_OK);
        assert_int_equal(a.reply.pause_list->n_pause, 1);
        const Rota__Pause *p = a.reply.pause_list->pause[0];
        assert_int_equal(p->scope, things[i].scope);
        assert_string_equal(p->name, things[i].name);
        assert_string_equal(p->reason, "for a test");
        assert_int_equal(strlen(p->by), KEY_PREFIX_MAX);
        assert_int_equal(p->until_ms != 0, i % 2);
        snprintf(cursor, sizeof cursor, "%s", a.reply.pause_list->next_cursor);
        assert_int_equal(cursor[0] == '\0', i == THINGS - 1);
        kit_answer_end(&a);
    }
    static const char *const bad[] = {"0:x", "5:x", "1", "1:", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        q.cursor = (char *)bad[i];
        kit_ask(k, &request, &a);
        assert_int_equal(a.code, E_CURSOR_INVALID);
        kit_answer_end(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_paused_tier_waits_and_comes_back_by_the_rule),
        ENGINE_CASE(the_others_go_on_as_if_it_were_empty),
        ENGINE_CASE(a_paused_pool_hands_out_nothing),
        ENGINE_CASE(a_paused_account_may_publish_and_its_jobs_wait),
        ENGINE_CASE(a_pause_ends_at_its_time_and_not_before),
        ENGINE_CASE(a_clock_that_steps_is_obeyed),
        ENGINE_CASE(a_later_pause_replaces_the_earlier),
        ENGINE_CASE(a_restart_changes_nothing),
        ENGINE_CASE(many_pauses_end_in_slices),
        ENGINE_CASE(what_cannot_be_paused_is_refused_without_a_trace),
        ENGINE_CASE(totals_stay_exact),
        ENGINE_CASE(each_change_stands_in_the_log_once),
        ENGINE_CASE(the_list_names_each_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
