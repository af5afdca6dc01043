/* test_quota.c: builds of a month: taken at publish, given back when nothing was had for them, and
 * counted to the month that paid. What people are charged for must neither be lost nor doubled,
 * whatever becomes of a job and whenever the clock passes a month's end. */
#include "limits_kit.h"

#include "engine/account_limits.h"
#include "sched/month.h"

static void the_quota_refuses_with_its_numbers_and_leaves_no_trace(void **state)
{
    struct engine_kit *k = *state;
    char words[200], until[MINUTE_TEXT_LEN + 1];
    kit_plain(k, "shop", ROTA__TIER__P3);
    assert_int_equal(kit_publish_all(k, "shop", 20), 10);
    uint64_t jobs = kit_rows(k, TABLE_JOB), seq = kit_seq(k);
    Rota__Reply *reply = kit_publish(k, "shop", NULL);
    assert_string_equal(kit_error(reply), "QUOTA_EXCEEDED");
    snprintf(words, sizeof words, "monthly quota of 10 builds used; resets %s",
             minute_text(month_start_ms(month_of(k->now.wall_ms) + 1u), until));
    assert_string_equal(kit_text(reply), words);
    assert_int_equal(kit_rows(k, TABLE_JOB), jobs);
    assert_int_equal(kit_seq(k), seq);
    assert_int_equal(kit_used(k, "shop"), 10);
    printf("%s\n", words);
    engine_kit_restart(k);
    assert_string_equal(kit_error(kit_publish(k, "shop", NULL)), "QUOTA_EXCEEDED");
    kit_next_month(k);
    assert_int_equal(kit_used(k, "shop"), 0);
    assert_int_equal(kit_publish_all(k, "shop", 20), 10);
    kit_check(k);
}

static void a_lowered_quota_says_what_was_taken(void **state)
{
    struct engine_kit *k = *state;
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    kit_plain(k, "shop", ROTA__TIER__P3);
    assert_int_equal(kit_publish_all(k, "shop", 7), 7);
    set.account = (char *)"shop";
    set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH;
    set.builds_month = 5;
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    Rota__Reply *reply = kit_publish(k, "shop", NULL);
    assert_memory_equal(kit_text(reply), "monthly quota of 5 builds used (7 taken); resets ", 48);
    set.builds_month = 0; /* of its own: none at all */
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    assert_string_equal(kit_error(kit_publish(k, "shop", NULL)), "QUOTA_EXCEEDED");
    set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
    set.builds_unlimited = false; /* the tier's again */
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    assert_int_equal(kit_publish_all(k, "shop", 20), 3);
    kit_check(k);
}

static void an_unlimited_account_is_counted_too(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    assert_int_equal(kit_publish_all(k, "local", 25), 25);
    Rota__UsageMonth *m = kit_usage(k, "local", 1, &answer)->month[0];
    assert_int_equal(m->builds_used, 25);
    assert_true(m->builds_unlimited);
    assert_int_equal(m->builds_limit, 0);
    kit_answer_end(&answer);
    kit_check(k);
}

static void what_never_started_is_given_back(void **state)
{
    struct engine_kit *k = *state;
    char job[40], run[40];
    struct kit_lease lease;
    kit_plain(k, "shop", ROTA__TIER__P3);
    assert_int_equal(kit_publish_all(k, "shop", 9), 9);
    kit_publish_to(k, "shop", job);
    assert_string_equal(kit_error(kit_publish(k, "shop", NULL)), "QUOTA_EXCEEDED");
    assert_string_equal(kit_error(kit_cancel(k, job)), "");
    assert_int_equal(kit_used(k, "shop"), 9);
    kit_publish_to(k, "shop", job); /* the place is free again, once */
    assert_string_equal(kit_error(kit_publish(k, "shop", NULL)), "QUOTA_EXCEEDED");
    assert_true(kit_lease(k, "w", &lease)); /* one that has started is paid for */
    snprintf(run, sizeof run, "%s", lease.job);
    assert_string_equal(kit_error(kit_cancel(k, run)), "");
    struct kit_run given = {.lease = lease};
    kit_give_back(k, &given, false);
    kit_state(k, run, ROTA__STATE__CANCELLED);
    assert_int_equal(kit_used(k, "shop"), 10);
    kit_check(k);
}

static char *publish_ref(struct engine_kit *k, const char *account, char job[40])
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.account = (char *)account;
    publish.app = publish.class_ = (char *)"task";
    publish.ref = (char *)"main";
    publish.supersede = true;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(job, 40, "%s", reply->publish->job);
    return job;
}

static void what_a_newer_push_replaced_is_given_back_also_when_it_ran(void **state)
{
    struct engine_kit *k = *state;
    char first[40], second[40], third[40];
    struct kit_run run;
    kit_plain(k, "shop", ROTA__TIER__P3);
    publish_ref(k, "shop", first);
    publish_ref(k, "shop", second);
    kit_state(k, first, ROTA__STATE__CANCELLED);
    assert_int_equal(kit_used(k, "shop"), 1);
    assert_true(kit_lease(k, "w", &run.lease));
    assert_string_equal(run.lease.job, second);
    publish_ref(k, "shop", third);
    assert_int_equal(kit_used(k, "shop"), 2); /* it may still succeed */
    kit_give_back(k, &run, false);
    kit_state(k, second, ROTA__STATE__CANCELLED);
    assert_int_equal(kit_used(k, "shop"), 1);
    kit_check(k);
}

static void a_dead_job_gives_back_and_takes_again(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    kit_plain(k, "shop", ROTA__TIER__P3);
    kit_publish_to(k, "shop", job);
    kit_kill(k);
    kit_state(k, job, ROTA__STATE__DEAD);
    assert_int_equal(kit_used(k, "shop"), 0);
    assert_string_equal(kit_error(kit_retry(k, job)), "");
    assert_int_equal(kit_used(k, "shop"), 1);
    kit_kill(k);
    assert_int_equal(kit_used(k, "shop"), 0);
    assert_int_equal(kit_publish_all(k, "shop", 20), 10);
    Rota__Reply *reply = kit_retry(k, job);
    assert_string_equal(kit_error(reply), "QUOTA_EXCEEDED");
    kit_state(k, job, ROTA__STATE__DEAD);
    assert_int_equal(kit_used(k, "shop"), 10);
    kit_check(k);
}

static void a_job_that_failed_is_tried_again_for_nothing(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    struct kit_lease lease;
    kit_plain(k, "shop", ROTA__TIER__P3);
    kit_publish_to(k, "shop", job);
    assert_true(kit_lease(k, "w", &lease));
    kit_finish(k, &lease, ROTA__OUTCOME__OUTCOME_FAILED);
    assert_int_equal(kit_used(k, "shop"), 1);
    assert_int_equal(kit_publish_all(k, "shop", 20), 9);
    assert_string_equal(kit_error(kit_retry(k, job)), ""); /* its build was not given back */
    assert_int_equal(kit_used(k, "shop"), 10);
    kit_check(k);
}

static void assert_used(struct engine_kit *k, const char *account, uint64_t now, uint64_t before)
{
    struct kit_answer answer;
    Rota__UsageResult *usage = kit_usage(k, account, 2, &answer);
    assert_int_equal(usage->n_month, 2);
    assert_int_equal(usage->month[0]->builds_used, now);
    assert_int_equal(usage->month[1]->builds_used, before);
    kit_answer_end(&answer);
}

static void the_month_that_paid_gets_it_back(void **state)
{
    struct engine_kit *k = *state;
    char job[40], dead[40];
    kit_plain(k, "shop", ROTA__TIER__P3);
    kit_publish_to(k, "shop", dead);
    kit_publish_to(k, "shop", job);
    kit_next_month(k);
    assert_used(k, "shop", 0, 2);
    assert_string_equal(kit_error(kit_cancel(k, job)), "");
    assert_used(k, "shop", 0, 1);
    kit_kill(k);
    kit_state(k, dead, ROTA__STATE__DEAD);
    assert_used(k, "shop", 0, 0);
    assert_string_equal(kit_error(kit_retry(k, dead)), ""); /* this month pays now */
    assert_used(k, "shop", 1, 0);
    engine_kit_restart(k);
    kit_next_month(k);
    assert_used(k, "shop", 0, 1);
    kit_kill(k);
    assert_used(k, "shop", 0, 0);
    assert_string_equal(kit_error(kit_retry(k, dead)), "");
    struct kit_lease lease; /* tried again and failed: stays paid for, by the last month */
    assert_true(kit_lease(k, "w", &lease));
    kit_finish(k, &lease, ROTA__OUTCOME__OUTCOME_FAILED);
    assert_used(k, "shop", 1, 0);
    kit_next_month(k);
    assert_string_equal(kit_error(kit_retry(k, dead)), "");
    assert_used(k, "shop", 0, 1);
    kit_kill(k);
    assert_used(k, "shop", 0, 0);
    kit_check(k);
}

static void a_repeated_publish_is_answered_though_nothing_is_left(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    kit_plain(k, "shop", ROTA__TIER__P3);
    Rota__Reply *reply = kit_publish(k, "shop", "once");
    snprintf(job, sizeof job, "%s", reply->publish->job);
    assert_int_equal(kit_publish_all(k, "shop", 20), 9);
    reply = kit_publish(k, "shop", "once");
    assert_string_equal(kit_error(reply), "");
    assert_true(reply->publish->replayed);
    assert_string_equal(reply->publish->job, job);
    assert_int_equal(kit_used(k, "shop"), 10);
}

/* One message, one turn: the members that fit are accepted, and counted as they come. */
static void of_many_at_once_so_many_as_are_left_come_in(void **state)
{
    struct engine_kit *k = *state;
    enum { MANY = 16 };
    Rota__Publish publish = ROTA__PUBLISH__INIT, *list[MANY];
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    unsigned accepted = 0;
    kit_plain(k, "shop", ROTA__TIER__P3);
    publish.account = (char *)"shop";
    publish.app = publish.class_ = (char *)"task";
    for (size_t i = 0; i < MANY; i++)
        list[i] = &publish;
    many.publish = list;
    many.n_publish = MANY;
    request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    request.publish_many = &many;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    for (size_t i = 0; i < reply->publish_many->n_outcome; i++) {
        const Rota__PublishOutcome *o = reply->publish_many->outcome[i];
        accepted += o->accepted != NULL;
        if (o->error)
            assert_string_equal(o->error->name, "QUOTA_EXCEEDED");
    }
    assert_int_equal(accepted, 10);
    assert_int_equal(kit_used(k, "shop"), 10);
    kit_check(k);
}

static void ends_and_costs_are_counted_in_the_month_of_the_end(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease lease;
    char job[40];
    static const Rota__Outcome outcomes[] = {ROTA__OUTCOME__OUTCOME_SUCCEEDED,
                                             ROTA__OUTCOME__OUTCOME_FAILED,
                                             ROTA__OUTCOME__OUTCOME_TIMED_OUT};
    kit_plain(k, "shop", ROTA__TIER__P3);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        kit_publish_to(k, "shop", job);
        assert_true(kit_lease(k, "w", &lease));
        kit_pass(k, 1000);
        kit_finish(k, &lease, outcomes[i]); /* two turns later: 1,002 ms */
    }
    kit_publish_to(k, "shop", job);
    kit_cancel(k, job);
    kit_publish_to(k, "shop", job);
    kit_kill(k); /* each attempt 1 ms */
    Rota__UsageMonth *m = kit_usage(k, "shop", 1, &answer)->month[0];
    assert_int_equal(m->builds_used, 3);
    assert_int_equal(m->builds_limit, 10);
    assert_int_equal(m->succeeded, 1);
    assert_int_equal(m->failed, 2);
    assert_int_equal(m->cancelled, 1);
    assert_int_equal(m->dead, 1);
    assert_int_equal(m->worker_ms, 3 * 1002 + 3);
    kit_answer_end(&answer);
    Rota__AccountGetResult *get = kit_account_get(k, "shop", &answer);
    assert_int_equal(get->kept_succeeded, 1);
    assert_int_equal(get->kept_failed, 4);
    assert_int_equal(get->month_ends_ms, month_start_ms(month_of(k->now.wall_ms) + 1u));
    kit_answer_end(&answer);
    assert_string_equal(kit_error(kit_retry(k, job)), ""); /* no longer kept as ended */
    get = kit_account_get(k, "shop", &answer);
    assert_int_equal(get->kept_failed, 3);
    kit_answer_end(&answer);
    assert_true(kit_lease(k, "w", &lease));
    kit_next_month(k);
    kit_check(k);
    m = kit_usage(k, "shop", 3, &answer)->month[0];
    assert_int_equal(m->builds_used, 0);
    assert_true(m->worker_ms > 1000000); /* its lease was lost at the first turn of the month */
    kit_answer_end(&answer);
}

struct budgets {
    unsigned n;
    uint64_t until_ms;
};

static void see_budget(void *arg, const Rota__Event *event)
{
    struct budgets *seen = arg;
    if (event->kind != ROTA__EVENT_KIND__EVENT_BUDGET)
        return;
    seen->n++;
    seen->until_ms = event->until_ms;
}

static void budget_set(struct engine_kit *k, const char *account, uint64_t ms)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    set.account = (char *)account;
    set.set_budget_case = ROTA__ACCOUNT_SET__SET_BUDGET_BUDGET_MS;
    set.budget_ms = ms;
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
}

/* Jobs until the sum of the month is past twice the budget: only the one that passes it says so;
 * the next month begins anew. */
static void a_budget_that_is_reached_is_said_once_a_month(void **state)
{
    struct engine_kit *k = *state;
    const uint64_t budget_ms = 60000;
    struct kit_answer answer;
    struct budgets seen;
    struct kit_lease lease;
    char job[40];
    unsigned jobs = 0;
    kit_plain(k, "shop", ROTA__TIER__P0);
    budget_set(k, "shop", budget_ms);
    uint64_t seq = kit_seq(k);
    for (unsigned month = 0; month < 2; month++) {
        for (uint64_t used_ms = 0; used_ms < 2 * budget_ms; jobs++) {
            kit_publish_to(k, "shop", job);
            assert_true(kit_lease(k, "w", &lease));
            kit_pass(k, k->lease_ms - 1000);
            kit_finish(k, &lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
            seen = (struct budgets){0};
            kit_events(k, seq, see_budget, &seen);
            Rota__UsageMonth *m = kit_usage(k, "shop", 1, &answer)->month[0];
            used_ms = m->worker_ms;
            assert_int_equal(m->budget_ms, budget_ms);
            kit_answer_end(&answer);
            assert_int_equal(seen.n, month + (used_ms >= budget_ms));
        }
        assert_int_equal(seen.until_ms, month_start_ms(month_of(k->now.wall_ms) + 1u));
        kit_next_month(k);
    }
    kit_check(k);
    print_message("%u jobs in 2 months, %u announcements\n", jobs, seen.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(the_quota_refuses_with_its_numbers_and_leaves_no_trace),
        ENGINE_CASE(a_lowered_quota_says_what_was_taken),
        ENGINE_CASE(an_unlimited_account_is_counted_too),
        ENGINE_CASE(what_never_started_is_given_back),
        ENGINE_CASE(what_a_newer_push_replaced_is_given_back_also_when_it_ran),
        ENGINE_CASE(a_dead_job_gives_back_and_takes_again),
        ENGINE_CASE(a_job_that_failed_is_tried_again_for_nothing),
        ENGINE_CASE(the_month_that_paid_gets_it_back),
        ENGINE_CASE(a_repeated_publish_is_answered_though_nothing_is_left),
        ENGINE_CASE(of_many_at_once_so_many_as_are_left_come_in),
        ENGINE_CASE(ends_and_costs_are_counted_in_the_month_of_the_end),
        ENGINE_CASE(a_budget_that_is_reached_is_said_once_a_month),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
