/* test_why_states.c: what `why` says of jobs that somebody holds back, or that are not ready:
 * pauses, reviews, delays, dependencies, backoff, running and ended jobs. Each is brought about on
 * a real engine. */
#include "why_kit.h"

#include "engine/job.h"

/* ---- pauses ---- */

static void a_pause_says_who_and_until_when(void **state)
{
    struct engine_kit *k = *state;
    static const struct {
        Rota__PauseScope scope;
        const char *name;
    } pauses[] = {
        {ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a"},
        {ROTA__PAUSE_SCOPE__PAUSE_POOL, "task"},
        {ROTA__PAUSE_SCOPE__PAUSE_TIER, "P1"},
        {ROTA__PAUSE_SCOPE__PAUSE_CLASS, "task"},
    };
    struct kit_answer answer;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P1, 0);
    why_worker(k, "w", 1, false);
    why_publish(k, "a", 0, job);
    for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
        uint64_t until_ms = k->now.wall_ms + 3600000;
        kit_paused(k, pauses[i].scope, pauses[i].name, until_ms);
        Rota__WhyResult *why = why_is(k, job, "PAUSED", &answer);
        assert_int_equal(why->free_at_ms, until_ms);
        assert_true(why->since_ms > 0 && why->since_ms <= k->now.wall_ms);
        assert_true(why->by[0] != '\0');
        assert_false(why->has_bound);
        kit_answer_end(&answer);
        kit_resumed(k, pauses[i].scope, pauses[i].name);
        why_says(k, job, "NEXT");
    }
}

/* A bar that no request of these tests sets. */
static void bar_set(struct engine_kit *k, uint64_t number, Rota__Bar bar, bool on)
{
    AUTO(txn) txn = NULL;
    struct account *a;
    struct cache *c = &k->engine->cache;
    assert_int_equal(store_begin(k->store, &txn), 0);
    struct turn t = {
        .engine = k->engine, .cache = c, .undo = c->undo, .txn = txn, .fx = &k->fx, .now = k->now};
    assert_int_equal(cache_account(c, txn, number, &a), 0);
    assert_int_equal(account_bar(&t, a, bar, on), 0);
    assert_int_equal(cache_flush(c, txn), 0);
    assert_int_equal(store_commit(&txn), 0);
    cache_committed(c);
}

static void a_review_and_an_erasure_are_reasons(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P1, 0); /* number 2: "local" is the first */
    why_worker(k, "w", 1, false);
    why_publish(k, "a", 0, job);
    bar_set(k, 2, ROTA__BAR__BAR_REVIEW, true);
    why_says(k, job, "HELD_FOR_REVIEW");
    bar_set(k, 2, ROTA__BAR__BAR_BLOCKED, true);
    why_says(k, job, "BLOCKED");
    bar_set(k, 2, ROTA__BAR__BAR_BLOCKED, false);
    bar_set(k, 2, ROTA__BAR__BAR_REVIEW, false);
    bar_set(k, 2, ROTA__BAR__BAR_ERASING, true);
    why_says(k, job, "ERASING");
    bar_set(k, 2, ROTA__BAR__BAR_ERASING, false);
    why_says(k, job, "NEXT");
}

/* ---- what is not ready ---- */

static void publish_as(struct engine_kit *k, Rota__Publish *publish, char ret_job[40])
{
    Rota__Request request = ROTA__REQUEST__INIT;
    publish->account = (char *)"a";
    publish->app = publish->class_ = (char *)"task";
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = publish;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(ret_job, 40, "%s", reply->publish->job);
}

static void delays_holds_and_dependencies_have_their_words(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    Rota__Publish later = ROTA__PUBLISH__INIT, held = later, child = later;
    char parent[40], job[40], *after = parent;
    kit_account(k, "a", ROTA__TIER__P1, 0);
    why_worker(k, "w", 1, false);
    later.run_at_ms = k->now.wall_ms + 5000;
    publish_as(k, &later, job);
    Rota__WhyResult *why = why_is(k, job, "DELAYED", &answer);
    assert_int_equal(why->free_at_ms, later.run_at_ms);
    assert_int_equal(why->eta_ms, later.run_at_ms - k->now.wall_ms);
    assert_int_equal(why->state, ROTA__STATE__DELAYED);
    assert_int_equal(why->place, 0);
    kit_answer_end(&answer);
    held.hold = true;
    publish_as(k, &held, job);
    why = why_is(k, job, "HELD", &answer);
    assert_true(why->by[0] && why->since_ms > 0);
    kit_answer_end(&answer);
    why_publish(k, "a", 0, parent);
    child.after = &after;
    child.n_after = 1;
    publish_as(k, &child, job);
    why = why_is(k, job, "DEPENDS_ON", &answer);
    assert_int_equal(why->n_after, 1);
    assert_string_equal(why->after[0], parent);
    kit_answer_end(&answer);
}

static void a_backoff_runs_by_the_brokers_own_clock(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_run run;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P1, 0);
    why_publish(k, "a", 0, job);
    assert_true(kit_lease(k, "w", &run.lease));
    kit_give_back(k, &run, true);
    k->now.wall_ms -= 3600000; /* the wall clock is set back: the backoff does not care */
    kit_pass(k, 1);
    Rota__WhyResult *why = why_is(k, job, "BACKOFF", &answer);
    assert_true(why->free_at_ms > k->now.wall_ms && why->free_at_ms < k->now.wall_ms + 20000);
    assert_int_equal(why->eta_ms, why->free_at_ms - k->now.wall_ms);
    kit_answer_end(&answer);
}

static void running_and_ended_jobs_say_so(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease l;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P1, 0);
    why_publish(k, "a", 0, job);
    assert_true(kit_lease(k, "w", &l));
    Rota__WhyResult *why = why_is(k, job, "RUNNING", &answer);
    assert_int_equal(why->since_ms, k->now.wall_ms);
    assert_int_equal(why->state, ROTA__STATE__LEASED);
    kit_answer_end(&answer);
    assert_string_equal(kit_error(kit_cancel(k, job)), "");
    why_says(k, job, "CANCELLING");
    why_publish(k, "a", 0, job);
    assert_true(kit_lease(k, "w", &l) || true);
    assert_string_equal(kit_error(kit_cancel(k, job)), "");
    kit_pass(k, 2 * k->lease_ms);
    why_says(k, job, "CANCELLED");
    why_publish(k, "a", 0, job);
    assert_true(kit_lease(k, "w", &l));
    assert_string_equal(l.job, job);
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    why_says(k, job, "SUCCEEDED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_pause_says_who_and_until_when),
        ENGINE_CASE(a_review_and_an_erasure_are_reasons),
        ENGINE_CASE(delays_holds_and_dependencies_have_their_words),
        ENGINE_CASE(a_backoff_runs_by_the_brokers_own_clock),
        ENGINE_CASE(running_and_ended_jobs_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
