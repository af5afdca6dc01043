/* test_job_life.c: a job's ways besides the straight one: put off, waiting for others, held,
 * backing off, replaced by a newer push, tried again, moved. After each step every job is in
 * exactly one place and memory equals the store, also after a restart in the middle. */
#include "engine_acts.h"

/* Restarts now and then, so that whatever stands only in memory is missed. */
static void settle(struct engine_kit *k)
{
    kit_check(k);
    engine_kit_restart(k);
    kit_check(k);
}

/* The only job that a worker gets; "" when there is none. */
static const char *leased(struct engine_kit *k, struct kit_lease *l)
{
    return kit_lease(k, "w", l) ? l->job : "";
}

static void a_put_off_job_becomes_ready_at_its_time_and_not_before(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char job[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    q.delay_ms = 60000;
    call_published(k, &q, job);
    kit_state(k, job, ROTA__STATE__DELAYED);
    settle(k);
    kit_pass(k, 59000);
    assert_string_equal(leased(k, &l), "");
    kit_pass(k, 1000);
    assert_string_equal(leased(k, &l), job);
    kit_check(k);
}

/* Run-at is Unix time: a clock that is put forward makes the job due, one that is put back does not
 * bring a ready job back. */
static void a_clock_that_steps_is_followed(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char job[CALL_JOB_BYTES], late[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    q.run_at_ms = k->now.wall_ms + 3600000;
    call_published(k, &q, job);
    k->now.wall_ms += 7200000;
    kit_turn(k, NULL);
    kit_state(k, job, ROTA__STATE__READY);
    k->now.wall_ms -= 7200000;
    q.run_at_ms = k->now.wall_ms + 1000;
    call_published(k, &q, late);
    kit_turn(k, NULL);
    kit_state(k, job, ROTA__STATE__READY);
    kit_state(k, late, ROTA__STATE__DELAYED);
    kit_pass(k, 1000);
    kit_state(k, late, ROTA__STATE__READY);
    assert_string_equal(leased(k, &l), job);
    settle(k);
}

static void a_time_is_refused_when_it_is_none(void **state)
{
    struct engine_kit *k = *state;
    Rota__Publish q = call_publish_of();
    q.run_at_ms = k->now.wall_ms + 5000;
    q.delay_ms = 5000;
    assert_string_equal(kit_error(call_publish(k, &q)), "RUN_AT_INVALID");
    q.delay_ms = 0;
    q.run_at_ms = k->now.wall_ms + 400ull * 24 * 3600 * 1000;
    assert_string_equal(kit_error(call_publish(k, &q)), "RUN_AT_INVALID");
    q.run_at_ms = 1; /* long ago: at once */
    assert_int_equal(call_publish(k, &q)->publish->state, ROTA__STATE__READY);
    assert_int_equal(kit_rows(k, TABLE_JOB), 1);
}

static void a_child_waits_for_all_its_parents(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l, m;
    char a[CALL_JOB_BYTES], b[CALL_JOB_BYTES], child[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    call_published(k, &q, a);
    call_published(k, &q, b);
    char *parents[] = {a, b, a};
    q.after = parents;
    q.n_after = 3;
    call_published(k, &q, child);
    kit_state(k, child, ROTA__STATE__DELAYED);
    assert_int_equal(kit_rows(k, TABLE_WAITS_ON), 2);
    settle(k);
    assert_true(kit_lease(k, "w", &l) && kit_lease(k, "w", &m));
    assert_string_equal(leased(k, &(struct kit_lease){0}), "");
    kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    kit_turn(k, NULL);
    kit_state(k, child, ROTA__STATE__DELAYED);
    settle(k);
    kit_finish(k, &m, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    kit_turn(k, NULL);
    kit_state(k, child, ROTA__STATE__READY);
    assert_int_equal(kit_rows(k, TABLE_WAITS_ON) + kit_rows(k, TABLE_FOLLOW), 0);
    settle(k);
}

/* A parent that does not succeed takes its children with it, and theirs: named, nothing waits for
 * ever. 1,000 children in slices. */
static void a_failed_parent_ends_its_descendants(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char top[CALL_JOB_BYTES], child[CALL_JOB_BYTES], grandchild[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    call_published(k, &q, top);
    char *parents[] = {top};
    q.after = parents;
    q.n_after = 1;
    for (int i = 0; i < 1000; i++)
        call_published(k, &q, child);
    parents[0] = child;
    call_published(k, &q, grandchild);
    assert_true(kit_lease(k, "w", &l));
    kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED);
    int turns = 0;
    for (; kit_rows(k, TABLE_WAITS_ON); turns++) {
        assert_true(turns < 100);
        kit_turn(k, NULL);
        if (turns == 3)
            settle(k);
    }
    kit_state(k, child, ROTA__STATE__CANCELLED);
    kit_state(k, grandchild, ROTA__STATE__CANCELLED);
    assert_int_equal(kit_rows(k, TABLE_DONE), 1002);
    printf("1,001 descendants ended over %d turns\n", turns);
    settle(k);
}

static void dependencies_are_refused_by_name(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char a[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    char *parents[] = {a};
    call_published(k, &q, a);
    assert_true(kit_lease(k, "w", &l));
    kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED);
    q.after = parents;
    q.n_after = 1;
    assert_string_equal(kit_error(call_publish(k, &q)), "DEPENDENCY_FAILED");
    kit_account(k, "other", ROTA__TIER__P3, 0);
    q.account = (char *)"other";
    assert_string_equal(kit_error(call_publish(k, &q)), "DEPENDENCY_UNKNOWN");
    assert_int_equal(kit_rows(k, TABLE_JOB), 1);
}

static void a_held_job_waits_until_it_is_released(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char a[CALL_JOB_BYTES], b[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    call_published(k, &q, a);
    q.hold = true;
    call_published(k, &q, b);
    kit_state(k, b, ROTA__STATE__HELD);
    assert_string_equal(kit_error(call_release(k, a)), "JOB_NOT_HELD");
    assert_int_equal(call_hold(k, a)->hold->state, ROTA__STATE__HELD);
    assert_int_equal(call_hold(k, a)->hold->state, ROTA__STATE__HELD);
    settle(k);
    assert_string_equal(leased(k, &l), "");
    assert_int_equal(call_release(k, b)->job_release->state, ROTA__STATE__READY);
    assert_int_equal(call_release(k, a)->job_release->state, ROTA__STATE__READY);
    assert_string_equal(leased(k, &l), a); /* its old place, before b */
    assert_string_equal(kit_error(call_hold(k, a)), "JOB_RUNNING");
    kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    assert_string_equal(kit_error(call_hold(k, a)), "JOB_ENDED");
    settle(k);
}

/* Held while it waited for another job or for its time: release takes it to where it would be. */
static void a_release_knows_what_a_job_waited_for(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char parent[CALL_JOB_BYTES], child[CALL_JOB_BYTES], later[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    call_published(k, &q, parent);
    char *parents[] = {parent};
    q.after = parents;
    q.n_after = 1;
    call_published(k, &q, child);
    q.n_after = 0;
    q.delay_ms = 10000;
    call_published(k, &q, later);
    call_hold(k, child);
    call_hold(k, later);
    settle(k);
    assert_int_equal(call_release(k, child)->job_release->state, ROTA__STATE__DELAYED);
    call_hold(k, child);
    assert_int_equal(call_release(k, later)->job_release->state, ROTA__STATE__DELAYED);
    call_hold(k, later);
    assert_true(kit_lease(k, "w", &l));
    kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    kit_pass(k, 20000);
    kit_state(k, child, ROTA__STATE__HELD);
    settle(k);
    assert_int_equal(call_release(k, child)->job_release->state, ROTA__STATE__READY);
    assert_int_equal(call_release(k, later)->job_release->state, ROTA__STATE__READY);
    settle(k);
}

static void a_newer_push_replaces_the_older(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char first[CALL_JOB_BYTES], second[CALL_JOB_BYTES], third[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    q.supersede = true;
    assert_string_equal(kit_error(call_publish(k, &q)), "REF_NEEDED");
    q.ref = (char *)"main";
    call_published(k, &q, first);
    Rota__Reply *reply = call_publish(k, &q);
    assert_string_equal(reply->publish->superseded, first);
    snprintf(second, sizeof second, "%s", reply->publish->job);
    kit_state(k, first, ROTA__STATE__CANCELLED);
    settle(k);
    assert_string_equal(leased(k, &l), second);
    q.ref = (char *)"other branch";
    assert_string_equal(call_publish(k, &q)->publish->superseded, "");
    q.ref = (char *)"main";
    reply = call_publish(k, &q);
    assert_string_equal(reply->publish->superseded, second);
    snprintf(third, sizeof third, "%s", reply->publish->job);
    kit_state(k, second, ROTA__STATE__LEASED); /* told to stop; it ends when it let go */
    settle(k);
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)),
                        "CANCELLED");
    call_give_back(k, &l, false);
    kit_state(k, second, ROTA__STATE__CANCELLED);
    assert_int_equal(kit_rows(k, TABLE_SUPERSEDE), 2); /* third, and the other branch's */
    settle(k);
}

static void an_ended_job_can_be_tried_again(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char job[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    q.attempts_max = 1;
    call_published(k, &q, job);
    assert_string_equal(kit_error(call_retry(k, job)), "JOB_NOT_ENDED");
    assert_true(kit_lease(k, "w", &l));
    assert_int_equal(call_give_back(k, &l, true)->lease_release->state, ROTA__STATE__DEAD);
    settle(k);
    assert_int_equal(call_retry(k, job)->retry->state, ROTA__STATE__READY);
    settle(k);
    struct kit_lease again;
    assert_string_equal(leased(k, &again), job);
    assert_int_equal(again.attempt, 1); /* all attempts anew */
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)),
                        "LEASE_LOST");
    kit_finish(k, &again, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    assert_string_equal(kit_error(call_retry(k, job)), "JOB_SUCCEEDED");
    settle(k);
}

static void a_moved_job_takes_its_priority_and_its_pool(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char a[CALL_JOB_BYTES], b[CALL_JOB_BYTES], late[CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    call_published(k, &q, a);
    call_published(k, &q, b);
    q.delay_ms = 5000;
    call_published(k, &q, late);
    assert_string_equal(kit_error(call_move(k, b, "", 0)), "MOVE_NEEDED");
    assert_string_equal(kit_error(call_move(k, b, "nowhere", 0)), "POOL_UNKNOWN");
    assert_int_equal(call_move(k, b, "", 1)->move->state, ROTA__STATE__READY);
    assert_int_equal(call_move(k, late, "bundle", 2)->move->state, ROTA__STATE__DELAYED);
    settle(k);
    assert_string_equal(leased(k, &l), b);
    assert_int_equal(call_give_back(k, &l, false)->lease_release->state, ROTA__STATE__READY);
    settle(k);
    assert_string_equal(leased(k, &l), b); /* back in its new place */
    assert_string_equal(leased(k, &l), a);
    kit_pass(k, 6000);
    kit_state(k, late, ROTA__STATE__READY);
    assert_string_equal(leased(k, &l), ""); /* it is in pool bundle now */
    settle(k);
}

static void every_waiting_job_can_be_cancelled(void **state)
{
    struct engine_kit *k = *state;
    char jobs[4][CALL_JOB_BYTES];
    Rota__Publish q = call_publish_of();
    call_published(k, &q, jobs[0]);
    char *parents[] = {jobs[0]};
    q.after = parents;
    q.n_after = 1;
    call_published(k, &q, jobs[1]);
    q.n_after = 0;
    q.delay_ms = 5000;
    call_published(k, &q, jobs[2]);
    q.hold = true;
    call_published(k, &q, jobs[3]);
    for (int i = 3; i >= 0; i--) {
        assert_int_equal(kit_cancel(k, jobs[i])->cancel->state, ROTA__STATE__CANCELLED);
        settle(k);
    }
    assert_int_equal(kit_rows(k, TABLE_WAITS_ON) + kit_rows(k, TABLE_DELAYED) +
                         kit_rows(k, TABLE_HELD) + kit_rows(k, TABLE_STATE),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_put_off_job_becomes_ready_at_its_time_and_not_before),
        ENGINE_CASE(a_clock_that_steps_is_followed),
        ENGINE_CASE(a_time_is_refused_when_it_is_none),
        ENGINE_CASE(a_child_waits_for_all_its_parents),
        ENGINE_CASE(a_failed_parent_ends_its_descendants),
        ENGINE_CASE(dependencies_are_refused_by_name),
        ENGINE_CASE(a_held_job_waits_until_it_is_released),
        ENGINE_CASE(a_release_knows_what_a_job_waited_for),
        ENGINE_CASE(a_newer_push_replaces_the_older),
        ENGINE_CASE(an_ended_job_can_be_tried_again),
        ENGINE_CASE(a_moved_job_takes_its_priority_and_its_pool),
        ENGINE_CASE(every_waiting_job_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
