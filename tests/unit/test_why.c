/* test_why.c: what `why` says of a ready job that nobody holds back: places, the bound of
 * SCHEDULING.md (A2), its form in time, the estimate and the time of the start; workers, caps and
 * rates. Whoever waits decides by these words, so each must be the one that holds. What people and
 * states put in a job's way: test_why_states.c. */
#include "why_kit.h"

enum { RUN_MS_MAX = 30 * 60 * 1000 + 10000 }; /* the longest timeout of the table, and the grace */

/* ---- its turn ---- */

static void the_head_of_the_queue_is_next(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P3, 0);
    why_publish(k, "a", 0, job);
    why_worker(k, "w", 4, false);
    Rota__WhyResult *why = why_is(k, job, "NEXT", &answer);
    assert_int_equal(why->place, 1);
    assert_int_equal(why->ring_place, 1);
    assert_int_equal(why->ring_size, 1);
    assert_int_equal(why->ahead, 0);
    assert_true(why->has_bound);
    assert_int_equal(why->bound, 1 * (9 + 1) - 1);
    assert_int_equal(why->estimate, 0);
    assert_int_equal(why->worst_ms, (10 + 3) / 4 * RUN_MS_MAX);
    assert_int_equal(why->eta_ms, 1); /* a slot is free */
    kit_answer_end(&answer);
}

/* j x (B + 1) - 1, for the third account of each tier. */
static void a_head_job_has_the_bound_of_the_formula(void **state)
{
    struct engine_kit *k = *state;
    static const unsigned b[] = {1, 11, 10, 9};
    char jobs[4][3][40], name[16];
    why_worker(k, "w", 2, false);
    for (unsigned t = 0; t < 4; t++)
        for (unsigned i = 0; i < 3; i++) {
            snprintf(name, sizeof name, "t%u-%u", t, i);
            kit_account(k, name, (Rota__Tier)t, 0);
            why_publish(k, name, 0, jobs[t][i]);
        }
    for (unsigned t = 0; t < 4; t++)
        for (unsigned i = 0; i < 3; i++) {
            struct kit_answer answer;
            Rota__WhyResult *why = why_ask(k, jobs[t][i], &answer);
            assert_string_equal(why->reason, t == 0 && i == 0 ? "NEXT" : "WAIT_TURN");
            assert_true(why->has_bound);
            assert_int_equal(why->ring_place, i + 1);
            assert_int_equal(why->ring_size, 3);
            assert_int_equal(why->bound, (i + 1) * (b[t] + 1) - 1);
            assert_int_equal(why->worst_ms, (why->bound + 1 + 1) / 2 * RUN_MS_MAX);
            kit_answer_end(&answer);
        }
    printf("12 bounds, each as the formula has it\n");
}

static void later_jobs_have_an_estimate_and_their_place(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    char first[40], second[40], urgent[40];
    kit_account(k, "a", ROTA__TIER__P2, 5);
    kit_account(k, "b", ROTA__TIER__P2, 5);
    why_worker(k, "w", 2, false);
    why_publish(k, "a", 0, first);
    why_publish(k, "b", 0, second);
    why_publish(k, "a", 0, second);
    Rota__WhyResult *why = why_is(k, second, "WAIT_TURN", &answer);
    assert_int_equal(why->place, 2);
    assert_false(why->has_bound);
    assert_int_equal(why->bound, 0);
    assert_int_equal(why->estimate, (1 * 2 + 1) * (10 + 1) - 1); /* i 2, A 2, j 1 */
    assert_int_equal(why->worst_ms, 0);
    assert_int_equal(why->ahead, 2); /* one of its own, one of b's */
    kit_answer_end(&answer);
    why_publish(k, "a", 1, urgent); /* its own owner puts one before it */
    why = why_ask(k, second, &answer);
    assert_int_equal(why->place, 3);
    kit_answer_end(&answer);
    why = why_ask(k, first, &answer);
    assert_int_equal(why->place, 2);
    assert_false(why->has_bound);
    kit_answer_end(&answer);
}

/* What it says comes before is what does come before. */
static void what_is_ahead_comes_first_and_nothing_else(void **state)
{
    struct engine_kit *k = *state;
    enum { JOBS = 24 };
    char jobs[JOBS][40], name[16];
    uint64_t ahead[JOBS];
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "a%u", i);
        kit_account(k, name, (Rota__Tier)(i % 4), 100);
    }
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(name, sizeof name, "a%u", i % 8);
        why_publish(k, name, 0, jobs[i]);
    }
    for (unsigned i = 0; i < JOBS; i++) {
        struct kit_answer answer;
        ahead[i] = why_ask(k, jobs[i], &answer)->ahead;
        kit_answer_end(&answer);
    }
    for (unsigned n = 0; n < JOBS; n++) {
        struct kit_lease l;
        unsigned i = 0;
        assert_true(kit_lease(k, "w", &l));
        while (strcmp(jobs[i], l.job) != 0)
            i++;
        assert_int_equal(ahead[i], n);
    }
    printf("%d jobs of 8 accounts in 4 tiers began in the order that was said\n", JOBS);
}

/* ---- workers ---- */

static void status_says(struct engine_kit *k, const char *job, const char *reason,
                        uint64_t since_ms)
{
    Rota__Status q = ROTA__STATUS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct kit_answer answer;
    q.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_STATUS;
    request.status = &q;
    kit_ask(k, &request, &answer);
    assert_int_equal(answer.code, E_OK);
    const Rota__Job *seen = answer.reply.status->job;
    assert_string_equal(seen->reason, reason);
    assert_int_equal(seen->since_ms, since_ms);
    kit_answer_end(&answer);
}

static void a_pool_says_what_its_workers_do(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P1, 0);
    why_publish(k, "a", 0, job);
    Rota__WhyResult *why = why_is(k, job, "NO_WORKER", &answer);
    assert_true(why->has_bound); /* in dispatches; in time nothing can be said */
    assert_int_equal(why->worst_ms, 0);
    assert_int_equal(why->eta_ms, 0);
    kit_answer_end(&answer);
    why_worker(k, "w", 2, true);
    why_says(k, job, "DRAINING");
    why_worker(k, "w", 2, false);
    why_says(k, job, "NEXT");
    uint64_t seen_ms = k->now.wall_ms;
    kit_pass(k, 3 * k->lease_ms); /* silent for too long */
    why = why_is(k, job, "WORKER_STARTING", &answer);
    assert_int_equal(why->since_ms, seen_ms);
    kit_answer_end(&answer);
    kit_pass(k, 600000);
    why_says(k, job, "NO_WORKER");
    Rota__Heat heat = ROTA__HEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    heat.pool = (char *)"task";
    heat.slots = 3;
    heat.for_ms = 60000;
    request.op_case = ROTA__REQUEST__OP_HEAT;
    request.heat = &heat;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    why_says(k, job, "WORKER_STARTING");
    status_says(k, job, "WORKER_STARTING", seen_ms); /* distinct from a turn that has not come */
    kit_pass(k, 60001);
    why_says(k, job, "NO_WORKER"); /* the heat is over */
    status_says(k, job, "", 0);
    board_wake(k->board, 2, k->now.wall_ms); /* a command was run that starts one */
    kit_pass(k, 4000);
    why = why_is(k, job, "WORKER_STARTING", &answer);
    assert_non_null(strstr(why->text, "was sent for 4 s ago"));
    assert_int_equal(why->since_ms, seen_ms);
    kit_answer_end(&answer);
    why_worker(k, "w", 2, false);
    status_says(k, job, "", 0);
    kit_pass(k, 3 * k->lease_ms + 600000);
    why_says(k, job, "NO_WORKER"); /* it came, and nobody was sent for since */
}

/* ---- limits ---- */

static void an_account_at_its_cap_names_what_runs(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease l;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P1, 2);
    why_worker(k, "w", 8, false);
    why_publish_many(k, "a", 3);
    assert_true(kit_lease(k, "w", &l));
    assert_true(kit_lease(k, "w", &l));
    why_publish(k, "a", 0, job);
    Rota__WhyResult *why = why_is(k, job, "ACCOUNT_AT_CAP", &answer);
    assert_int_equal(why->n_running, 2);
    assert_true(strcmp(why->running[0], l.job) == 0 || strcmp(why->running[1], l.job) == 0);
    assert_int_equal(why->place, 2);
    assert_int_equal(why->ring_place, 0);
    assert_false(why->has_bound);
    assert_true(why->estimate > 0);
    assert_true(why->eta_ms > 0); /* by its own cap: two of its jobs must end before it */
    kit_answer_end(&answer);
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    assert_true(kit_lease(k, "w", &l));
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    why_says(k, job, "NEXT");
}

static void a_rate_says_when_it_lets_go(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease l;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P1, 50);
    why_worker(k, "w", 8, false);
    kit_account_rate(k, 2, 60000);
    why_publish_many(k, "a", 2);
    why_publish(k, "a", 0, job);
    assert_true(kit_lease(k, "w", &l));
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    assert_true(kit_lease(k, "w", &l));
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    assert_false(kit_lease(k, "w", &l));
    Rota__WhyResult *why = why_is(k, job, "RATE_LIMITED", &answer);
    assert_false(why->has_bound);
    assert_true(why->free_at_ms > k->now.wall_ms + 25000);
    assert_true(why->free_at_ms <= k->now.wall_ms + 30000);
    assert_true(why->eta_ms >= why->free_at_ms - k->now.wall_ms);
    uint64_t free_in_ms = why->free_at_ms - k->now.wall_ms;
    kit_answer_end(&answer);
    kit_pass(k, free_in_ms + 1);
    why_worker(k, "w", 8, false);
    why_says(k, job, "NEXT");
}

static void a_tiers_rate_is_said_as_one(void **state)
{
    struct engine_kit *k = *state;
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    Rota__Limits limits = ROTA__LIMITS__INIT;
    struct kit_answer answer;
    struct kit_lease l;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P2, 50);
    why_worker(k, "w", 8, false);
    set.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
    set.tier = ROTA__TIER__P2;
    set.limits = &limits;
    limits.rate_n = 1;
    limits.rate_ms = 10000;
    assert_string_equal(kit_text(kit_limits_set(k, &set)), "");
    why_publish_many(k, "a", 1);
    why_publish(k, "a", 0, job);
    assert_true(kit_lease(k, "w", &l));
    Rota__WhyResult *why = why_is(k, job, "RATE_LIMITED", &answer);
    assert_false(why->has_bound);
    assert_true(why->free_at_ms > k->now.wall_ms && why->free_at_ms <= k->now.wall_ms + 10000);
    kit_answer_end(&answer);
}

/* ---- times ---- */

static void the_start_is_reckoned_from_the_runs_of_late(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer, stats;
    struct kit_lease l;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P0, 100);
    why_publish_many(k, "a", 30);
    for (unsigned i = 0; i < 24; i++)
        why_run(k, 8000);
    const Rota__StatsResult *all = kit_stats(k, &stats);
    const Rota__PoolStats *pool = NULL;
    for (size_t i = 0; i < all->n_pool; i++)
        if (strcmp(all->pool[i]->pool, "task") == 0)
            pool = all->pool[i];
    assert_non_null(pool);
    assert_int_equal(pool->run_count, 24);
    assert_int_equal(pool->run_ms_mean, 8000);
    assert_true(pool->run_ms_dev < 2000);
    assert_int_equal(pool->ready, 6);
    kit_answer_end(&stats);
    engine_kit_restart(k); /* stored with the pool */
    why_worker(k, "runner", 2, false);
    assert_true(kit_lease(k, "runner", &l));
    assert_true(kit_lease(k, "runner", &l));
    why_publish(k, "a", 0, job); /* four before it, both slots busy */
    kit_pass(k, 3000);
    why_worker(k, "runner", 2, false);
    Rota__WhyResult *why = why_is(k, job, "WAIT_TURN", &answer);
    assert_int_equal(why->ahead, 4);
    /* two rounds of the slots, and what is left of the run that has gone on longest */
    assert_in_range(why->eta_ms, 2 * 8000 + 5000 - 20, 2 * 8000 + 5000);
    assert_string_equal(why->confidence, "medium"); /* not the slot of a run that goes on */
    kit_answer_end(&answer);
    assert_true(kit_lease(k, "other", &l));
    assert_true(kit_lease(k, "other", &l));
    assert_true(kit_lease(k, "other", &l));
    assert_true(kit_lease(k, "other", &l));
    why_worker(k, "other", 4, false);
    why = why_is(k, job, "NEXT", &answer);
    assert_in_range(why->eta_ms, 5000 - 40, 5000);
    assert_string_equal(why->confidence, "high");
    printf("  in %llu ms, when the run of 8 s ends that has gone on for 3\n",
           (unsigned long long)why->eta_ms);
    kit_answer_end(&answer);
    kit_check(k);
}

/* Of runs that go on, before the first has ended: as long again. Without one: nothing. */
static void before_the_first_run_has_ended_little_is_said(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease l;
    char first[40], second[40];
    kit_account(k, "a", ROTA__TIER__P1, 5);
    why_worker(k, "w", 1, false);
    why_publish(k, "a", 0, first);
    why_publish(k, "a", 0, second);
    Rota__WhyResult *why = why_is(k, first, "NEXT", &answer);
    assert_int_equal(why->eta_ms, 1);
    assert_string_equal(why->confidence, "low");
    kit_answer_end(&answer);
    why = why_is(k, second, "WAIT_TURN", &answer);
    assert_int_equal(why->eta_ms, 0);
    assert_string_equal(why->confidence, "");
    kit_answer_end(&answer);
    assert_true(kit_lease(k, "w", &l));
    kit_pass(k, 4000);
    why_worker(k, "w", 1, false);
    why = why_is(k, second, "NEXT", &answer);
    assert_in_range(why->eta_ms, 4000, 4020);
    assert_string_equal(why->confidence, "low");
    kit_answer_end(&answer);
}

/* Its own running jobs, and how long they have gone on. */
static void under_a_cap_the_own_runs_count(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease l;
    char job[40];
    kit_account(k, "a", ROTA__TIER__P0, 100);
    kit_account(k, "b", ROTA__TIER__P0, 2);
    why_publish_many(k, "a", 24);
    for (unsigned i = 0; i < 24; i++)
        why_run(k, 8000);
    why_publish_many(k, "b", 2);
    assert_true(kit_lease(k, "w", &l));
    kit_pass(k, 6000);
    assert_true(kit_lease(k, "w", &l));
    why_worker(k, "w", 20, false);
    why_publish(k, "b", 0, job);
    Rota__WhyResult *why = why_is(k, job, "ACCOUNT_AT_CAP", &answer);
    assert_in_range(why->eta_ms, 2000 - 20, 2000); /* the elder ends; 18 slots are free */
    assert_string_equal(why->confidence, "high");
    kit_answer_end(&answer);
    why_publish(k, "b", 0, job);
    why = why_is(k, job, "ACCOUNT_AT_CAP", &answer);
    assert_in_range(why->eta_ms, 8000 - 20, 8000); /* then the other */
    kit_answer_end(&answer);
}

/* Exact up to 100,000, "more than" behind. */
static void places_are_exact_to_a_hundred_thousand(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    char near[40], at[40], far[40];
    kit_account(k, "a", ROTA__TIER__P1, 0);
    why_publish_many(k, "a", 99998);
    why_publish(k, "a", 0, near);
    why_publish(k, "a", 0, at);
    why_publish(k, "a", 0, far);
    Rota__WhyResult *why = why_ask(k, near, &answer);
    assert_int_equal(why->place, 99999);
    assert_false(why->place_is_more);
    kit_answer_end(&answer);
    why = why_ask(k, at, &answer);
    assert_int_equal(why->place, 100000);
    assert_false(why->place_is_more);
    kit_answer_end(&answer);
    why = why_is(k, far, "NO_WORKER", &answer);
    assert_int_equal(why->place, 100000);
    assert_true(why->place_is_more);
    assert_false(why->has_bound);
    kit_answer_end(&answer);
}

static void strangers_and_nonsense_get_no_answer(void **state)
{
    struct engine_kit *k = *state;
    static const struct {
        const char *job;
        enum error_code code;
    } rows[] = {
        {"", E_JOB_ID_INVALID},
        {"nonsense", E_JOB_ID_INVALID},
        {"job_00000000000000000000000000", E_JOB_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct kit_answer answer;
        Rota__Why why = ROTA__WHY__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        why.job = (char *)rows[i].job;
        request.op_case = ROTA__REQUEST__OP_WHY;
        request.why = &why;
        kit_ask(k, &request, &answer);
        assert_int_equal(answer.code, rows[i].code);
        kit_answer_end(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(the_head_of_the_queue_is_next),
        ENGINE_CASE(a_head_job_has_the_bound_of_the_formula),
        ENGINE_CASE(later_jobs_have_an_estimate_and_their_place),
        ENGINE_CASE(what_is_ahead_comes_first_and_nothing_else),
        ENGINE_CASE(a_pool_says_what_its_workers_do),
        ENGINE_CASE(an_account_at_its_cap_names_what_runs),
        ENGINE_CASE(a_rate_says_when_it_lets_go),
        ENGINE_CASE(a_tiers_rate_is_said_as_one),
        ENGINE_CASE(the_start_is_reckoned_from_the_runs_of_late),
        ENGINE_CASE(before_the_first_run_has_ended_little_is_said),
        ENGINE_CASE(under_a_cap_the_own_runs_count),
        ENGINE_CASE(places_are_exact_to_a_hundred_thousand),
        ENGINE_CASE(strangers_and_nonsense_get_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
