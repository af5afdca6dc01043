/* test_breaker_engine.c: a class whose infrastructure fails run after run stops itself, tries with
 * exactly one job, and comes back; whatever restarts in between. */
#include "pause_kit.h"

#include "sched/breaker.h"

#include <assert.h>

enum { P0_RUNNING = 1000 };

static const struct kit_place tasks = {"", {"task"}, 1};
static const struct kit_place pair = {"pair", {"good", "bad"}, 2};

static void begin(struct engine_kit *k, const char *class, unsigned jobs)
{
    struct kit_run run;
    assert_false(kit_run(k, &pair, &run));
    kit_account(k, "a", ROTA__TIER__P0, P0_RUNNING);
    kit_publish_class(k, "a", class, 5, jobs);
}

static struct class *class_named(struct engine_kit *k, const char *name)
{
    return cache_class(&k->engine->cache, name);
}

/* Runs of the place that all meet an infrastructure fault. */
static void run_faults(struct engine_kit *k, const struct kit_place *place, unsigned n)
{
    struct kit_run run;
    for (unsigned i = 0; i < n; i++) {
        assert_true(kit_run(k, place, &run));
        kit_give_back(k, &run, true);
    }
}

static void state_is(struct engine_kit *k, const char *class, enum breaker_state expected)
{
    assert_int_equal(class_named(k, class)->breaker.state, expected);
    kit_check_asides(k);
}

/* ---- open, probe, close ---- */

static void eight_faults_open_and_one_good_probe_closes(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run, runs[64];
    begin(k, "task", 100);
    run_faults(k, &tasks, BREAKER_FAULTS - 1);
    state_is(k, "task", BREAKER_CLOSED);
    run_faults(k, &tasks, 1);
    state_is(k, "task", BREAKER_OPEN);
    assert_false(kit_run(k, &tasks, &run));
    assert_in_range(engine_idle_ms(k->engine, k->now, 600000), 2, BREAKER_OPEN_MS);
    kit_pass(k, BREAKER_OPEN_MS - 1000);
    assert_false(kit_run(k, &tasks, &run));
    kit_pass(k, 1000);
    assert_int_equal(kit_runs(k, &tasks, 64, runs),
                     1); /* 64 asked for: exactly one is let through */
    state_is(k, "task", BREAKER_HALF_OPEN);
    assert_false(kit_run(k, &tasks, &run));
    kit_succeed(k, &runs[0]);
    state_is(k, "task", BREAKER_CLOSED);
    assert_int_equal(kit_runs(k, &tasks, 64, runs), 64);
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 0); /* a class alone in its pool bars it */
}

static void each_failed_probe_doubles_the_time(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    uint64_t open_ms = BREAKER_OPEN_MS;
    unsigned probes = 0;
    begin(k, "task", 40);
    run_faults(k, &tasks, BREAKER_FAULTS);
    for (; probes < 8; probes++) {
        state_is(k, "task", BREAKER_OPEN);
        assert_int_equal(class_named(k, "task")->breaker.open_ms, open_ms);
        kit_pass(k, open_ms - 100);
        assert_false(kit_run(k, &tasks, &run));
        kit_pass(k, 100);
        run_faults(k, &tasks, 1);
        open_ms = open_ms * 2 < BREAKER_OPEN_MS_MAX ? open_ms * 2 : BREAKER_OPEN_MS_MAX;
    }
    assert_int_equal(open_ms, BREAKER_OPEN_MS_MAX);
    print_message("%u probes failed; open for %u s, then 1, 2, 4 … %u min\n", probes,
                  BREAKER_OPEN_MS / 1000, BREAKER_OPEN_MS_MAX / 60000);
}

static void lost_leases_are_faults_and_builds_that_fail_are_not(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run runs[64];
    begin(k, "task", 64);
    assert_int_equal(kit_runs(k, &tasks, 7, runs), 7);
    kit_pass(k, k->lease_ms + 1);
    assert_int_equal(class_named(k, "task")->breaker.faults, 7);
    assert_int_equal(kit_runs(k, &tasks, 1, runs), 1);
    kit_finish(k, &runs[0].lease, ROTA__OUTCOME__OUTCOME_FAILED); /* the user's own fault */
    assert_int_equal(class_named(k, "task")->breaker.faults, 0);
    assert_int_equal(kit_runs(k, &tasks, 8, runs), 8);
    kit_pass(k, k->lease_ms + 1);
    state_is(k, "task", BREAKER_OPEN);
}

/* One attempt, given back by a worker that lacks what the app asks for. */
static void run_lacking(struct engine_kit *k, const char *name)
{
    struct kit_run run;
    Rota__Error error = ROTA__ERROR__INIT;
    Rota__LeaseRelease q = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    assert_true(kit_run(k, &tasks, &run));
    error.name = (char *)name;
    run.lease.ref.job = run.lease.job;
    q.lease = &run.lease.ref;
    q.infrastructure_fault = true;
    q.error = &error;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &q;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->lease_release->state, ROTA__STATE__DELAYED);
}

/* Else one app whose package.json asks for a Node that nobody has would stop all builds. */
static void an_app_that_asks_for_what_is_not_there_closes_nothing(void **state)
{
    struct engine_kit *k = *state;
    begin(k, "task", 64);
    for (unsigned i = 0; i < 2 * BREAKER_FAULTS; i++)
        run_lacking(k, i % 2 ? "NODE_UNAVAILABLE" : "MANAGER_MISSING");
    assert_int_equal(class_named(k, "task")->breaker.faults, 0);
    state_is(k, "task", BREAKER_CLOSED);
    for (unsigned i = 0; i < BREAKER_FAULTS; i++)
        run_lacking(k, "REGISTRY_UNREACHABLE");
    state_is(k, "task", BREAKER_OPEN);
}

static void what_says_nothing_does_not_count(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    begin(k, "task", 64);
    run_faults(k, &tasks, 7);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(kit_run(k, &tasks, &run));
        if (i % 2) {
            kit_give_back(k, &run, false);
        } else {
            kit_cancel(k, run.lease.job);
            kit_give_back(k, &run, false);
        }
        assert_int_equal(class_named(k, "task")->breaker.faults, 7);
    }
    run_faults(k, &tasks, 1);
    kit_pass(k, BREAKER_OPEN_MS);
    assert_true(kit_run(k, &tasks, &run)); /* the probe, put back: another may try at once */
    kit_give_back(k, &run, false);
    state_is(k, "task", BREAKER_OPEN);
    assert_true(kit_run(k, &tasks, &run));
    state_is(k, "task", BREAKER_HALF_OPEN);
}

/* Runs from before the fault end while the probe runs: only the probe's own end counts. */
static void only_the_probe_decides(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run old[2], probe;
    begin(k, "task", 64);
    assert_int_equal(kit_runs(k, &tasks, 2, old), 2);
    run_faults(k, &tasks, BREAKER_FAULTS);
    for (unsigned i = 0; i < 3; i++) { /* they stay alive */
        Rota__Heartbeat beat = ROTA__HEARTBEAT__INIT;
        Rota__JobProgress progress[2], *list[2];
        Rota__Request request = ROTA__REQUEST__INIT;
        char *classes[] = {(char *)"task"};
        for (unsigned n = 0; n < 2; n++) {
            rota__job_progress__init(&progress[n]);
            old[n].lease.ref.job = old[n].lease.job;
            progress[n].lease = &old[n].lease.ref;
            list[n] = &progress[n];
        }
        beat.worker = (char *)"w";
        beat.class_ = classes;
        beat.n_class_ = 1;
        beat.progress = list;
        beat.n_progress = 2;
        request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
        request.heartbeat = &beat;
        kit_call(k, &request, NULL);
        kit_pass(k, BREAKER_OPEN_MS / 3);
    }
    assert_true(kit_run(k, &tasks, &probe));
    kit_succeed(k, &old[0]);
    state_is(k, "task", BREAKER_HALF_OPEN);
    kit_give_back(k, &old[1], true);
    state_is(k, "task", BREAKER_HALF_OPEN);
    kit_succeed(k, &probe);
    state_is(k, "task", BREAKER_CLOSED);
}

/* ---- restarts ---- */

static void every_state_survives_a_restart(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    begin(k, "task", 64);
    run_faults(k, &tasks, 5);
    engine_kit_restart(k);
    assert_int_equal(class_named(k, "task")->breaker.faults, 5);
    run_faults(k, &tasks, 3);
    engine_kit_restart(k);
    state_is(k, "task", BREAKER_OPEN);
    assert_false(kit_run(k, &tasks, &run));
    kit_pass(k, BREAKER_OPEN_MS);
    engine_kit_restart(k);
    assert_true(kit_run(k, &tasks, &run));
    engine_kit_restart(k);
    state_is(k, "task", BREAKER_HALF_OPEN);
    struct kit_run other;
    assert_false(kit_run(k, &tasks, &other));
    kit_give_back(k, &run, true); /* a lease from before the start: its job's row names the class */
    state_is(k, "task", BREAKER_OPEN);
    engine_kit_restart(k);
    assert_int_equal(class_named(k, "task")->breaker.open_ms, 2 * BREAKER_OPEN_MS);
    kit_pass(k, 2ull * BREAKER_OPEN_MS);
    assert_true(kit_run(k, &tasks, &run));
    engine_kit_restart(k);
    kit_succeed(k, &run);
    state_is(k, "task", BREAKER_CLOSED);
    engine_kit_restart(k);
    state_is(k, "task", BREAKER_CLOSED);
    assert_true(kit_run(k, &tasks, &run));
}

/* The probe's worker dies with the broker: its lease runs out, which is a fault. */
static void a_lost_probe_opens_again(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    begin(k, "task", 64);
    run_faults(k, &tasks, BREAKER_FAULTS);
    kit_pass(k, BREAKER_OPEN_MS);
    assert_true(kit_run(k, &tasks, &run));
    engine_kit_restart(k);
    kit_pass(k, k->lease_ms + 1);
    state_is(k, "task", BREAKER_OPEN);
    assert_false(kit_run(k, &tasks, &run));
}

/* ---- beside another class ---- */

static unsigned take(struct engine_kit *k, const char *class, unsigned most)
{
    struct kit_run run;
    unsigned n = 0;
    for (; n < most && kit_run(k, &pair, &run); n++) {
        assert_string_equal(run.class, class);
        kit_succeed(k, &run);
    }
    return n;
}

static void the_other_class_of_the_pool_goes_on(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    begin(k, "bad", 300);
    for (unsigned i = 0; i < BREAKER_FAULTS; i++) {
        assert_true(kit_run(k, &pair, &run));
        kit_give_back(k, &run, true);
    }
    kit_publish_class(k, "a", "good", 9, 20);
    state_is(k, "bad", BREAKER_OPEN);
    assert_int_equal(take(k, "good", 15), 15);
    kit_pass(k, BREAKER_OPEN_MS);
    uint64_t asides = kit_rows(k, TABLE_ASIDE);
    assert_true(asides > 256);
    assert_true(kit_run(k, &pair, &run)); /* the probe: first of its line */
    assert_string_equal(run.class, "bad");
    assert_true(kit_rows(k, TABLE_ASIDE) + 3 >= asides); /* not all came back to be moved again */
    state_is(k, "bad", BREAKER_HALF_OPEN);
    assert_int_equal(take(k, "good", 5), 5);
    kit_succeed(k, &run);
    state_is(k, "bad", BREAKER_CLOSED);
    assert_int_equal(take(k, "bad", 300), 299);
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 0);
    kit_check_asides(k);
}

/* With all jobs of the class set aside one comes back to be the probe, and a second when that is
 * cancelled: the class is never stuck. */
static void there_is_always_a_job_to_try(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    begin(k, "bad", 30);
    kit_publish_class(k, "a", "good", 9, 1);
    for (unsigned i = 0; i < BREAKER_FAULTS; i++) {
        assert_true(kit_run(k, &pair, &run));
        kit_give_back(k, &run, true);
    }
    assert_int_equal(take(k, "good", 2), 1);
    kit_idle(k);
    kit_pass(k, BREAKER_OPEN_MS);
    kit_turn(k, NULL);
    assert_true(kit_rows(k, TABLE_READY) >= 1);
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    char text[JOB_ID_TEXT_LEN + 1];
    struct job_id ids[64];
    unsigned n = 0;
    assert_int_equal(cursor_open(txn, TABLE_READY, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0 && n < 64;
         r = cursor_next(cursor, &key, &value))
        ids[n++] = key_tail_id(key);
    for (unsigned i = 0; i < n; i++)
        assert_string_equal(kit_error(kit_cancel(k, job_id_text(ids[i], text))), "");
    assert_in_range(engine_idle_ms(k->engine, k->now, 600000), 1, 1000);
    kit_pass(k, 1000);
    assert_true(kit_run(k, &pair, &run));
    assert_string_equal(run.class, "bad");
}

/* ---- what is shown ---- */

static void stats_show_the_breaker(void **state)
{
    struct engine_kit *k = *state;
    static const char *const words[] = {"closed", "open", "half-open"};
    struct kit_answer answer;
    struct kit_run run;
    begin(k, "task", 64);
    run_faults(k, &tasks, 3);
    for (unsigned i = 0; i < 3; i++) {
        Rota__StatsResult *stats = kit_stats(k, &answer);
        const Rota__PoolStats *pool = NULL;
        for (size_t n = 0; n < stats->n_pool; n++)
            if (strcmp(stats->pool[n]->pool, "task") == 0)
                pool = stats->pool[n];
        assert_non_null(pool);
        assert(pool); /* for the analyzer, which does not know that a null ends above */
        assert_int_equal(pool->n_class_state, 1);
        const Rota__ClassStats *class = pool->class_state[0];
        assert_string_equal(class->breaker, words[i]);
        assert_int_equal(class->faults, i ? 0 : 3);
        assert_int_equal(pool->bars, i ? ROTA__BAR__BAR_PAUSED : 0);
        assert_false(class->paused);
        if (i == 1)
            assert_in_range(class->open_until_ms, k->now.wall_ms + 1,
                            k->now.wall_ms + BREAKER_OPEN_MS);
        kit_answer_end(&answer);
        if (i == 0) {
            run_faults(k, &tasks, 5);
        } else if (i == 1) {
            kit_pass(k, BREAKER_OPEN_MS);
            assert_true(kit_run(k, &tasks, &run));
        }
    }
}

struct gates {
    char words[200];
};

static void see_gate(void *arg, const Rota__Event *event)
{
    struct gates *g = arg;
    if (event->kind != ROTA__EVENT_KIND__EVENT_BARS || strcmp(event->scope, "class") != 0)
        return;
    size_t n = strlen(g->words);
    assert_string_equal(event->class_, "task");
    snprintf(g->words + n, sizeof g->words - n, "%s=%u ", event->reason, event->bars);
}

static void the_log_tells_each_turn_of_the_gate(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run;
    struct gates g = {""};
    begin(k, "task", 64);
    uint64_t seq = kit_seq(k);
    run_faults(k, &tasks, BREAKER_FAULTS);
    kit_pass(k, BREAKER_OPEN_MS);
    assert_true(kit_run(k, &tasks, &run));
    kit_succeed(k, &run);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "task", 0);
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "task");
    kit_events(k, seq, see_gate, &g);
    assert_string_equal(g.words, "BREAKER_OPEN=1 BREAKER_TRY=0 BREAKER_PROBE=1 =0 PAUSED=1 =0 ");
}

/* Half open, too: the probe that still runs decides nothing any more. */
static void an_operator_closes_it_by_hand(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run run, runs[8];
    begin(k, "task", 64);
    for (unsigned half_open = 0; half_open < 2; half_open++) {
        run_faults(k, &tasks, BREAKER_FAULTS);
        state_is(k, "task", BREAKER_OPEN);
        if (half_open) {
            kit_pass(k, BREAKER_OPEN_MS);
            assert_true(kit_run(k, &tasks, &run));
        }
        const Rota__Reply *reply = kit_resume(k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "task");
        assert_string_equal(reply->pause_set->pause->by, "breaker");
        assert_in_range(reply->pause_set->pause->since_ms, 1, k->now.wall_ms);
        state_is(k, "task", BREAKER_CLOSED);
        if (half_open) {
            kit_give_back(k, &run, true);
            state_is(k, "task", BREAKER_CLOSED);
            assert_int_equal(class_named(k, "task")->breaker.faults, 1);
        }
    }
    assert_int_equal(kit_runs(k, &tasks, 8, runs), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(eight_faults_open_and_one_good_probe_closes),
        ENGINE_CASE(each_failed_probe_doubles_the_time),
        ENGINE_CASE(lost_leases_are_faults_and_builds_that_fail_are_not),
        ENGINE_CASE(an_app_that_asks_for_what_is_not_there_closes_nothing),
        ENGINE_CASE(what_says_nothing_does_not_count),
        ENGINE_CASE(only_the_probe_decides),
        ENGINE_CASE(every_state_survives_a_restart),
        ENGINE_CASE(a_lost_probe_opens_again),
        ENGINE_CASE(the_other_class_of_the_pool_goes_on),
        ENGINE_CASE(there_is_always_a_job_to_try),
        ENGINE_CASE(an_operator_closes_it_by_hand),
        ENGINE_CASE(stats_show_the_breaker),
        ENGINE_CASE(the_log_tells_each_turn_of_the_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
