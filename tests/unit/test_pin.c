/* test_pin.c: a job out of git is one commit: that which its branch was when a worker first fetched
 * it, through lost leases, faults, a restart of the broker and a retry by hand.
 *
 * Why it matters: a branch moves. An attempt that is made up for by another one of other code gives
 * its publisher something that nobody asked for, and nobody could tell. */
#include "engine_acts.h"
#include "pause_kit.h"

#define FIRST  "1111111111111111111111111111111111111111"
#define SECOND "2222222222222222222222222222222222222222"

static void publish(struct engine_kit *k, const char *source, char job[CALL_JOB_BYTES])
{
    Rota__Publish q = call_publish_of();
    q.class_ = (char *)"bundle";
    q.platform = (char *)"ios";
    q.source = (char *)source;
    call_published(k, &q, job);
}

/* The job, and in *ret_commit what its worker is told to build. */
static void lease(struct engine_kit *k, struct kit_lease *ret_lease, char ret_commit[41])
{
    Rota__Lease q = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)"bundle"};
    uint8_t nonce[16] = {1};
    put_be64(nonce + 8, k->request_id + 1);
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &q;
    q.worker = (char *)"w";
    q.class_ = classes;
    q.n_class_ = 1;
    q.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
    for (int again = 0; again < 2; again++) { /* the same nonce is told the same */
        Rota__Reply *reply = kit_call(k, &request, NULL);
        assert_string_equal(kit_error(reply), "");
        assert_int_equal(reply->lease->n_job, 1);
        const Rota__LeasedJob *job = reply->lease->job[0];
        *ret_lease = (struct kit_lease){.attempt = job->attempt};
        snprintf(ret_lease->job, sizeof ret_lease->job, "%s", job->lease->job);
        rota__lease_ref__init(&ret_lease->ref);
        ret_lease->ref.epoch = job->lease->epoch;
        ret_lease->ref.token = job->lease->token;
        snprintf(ret_commit, 41, "%s", job->commit);
    }
}

static void lease_is(struct engine_kit *k, struct kit_lease *ret_lease, unsigned attempt,
                     const char *commit)
{
    char told[41];
    lease(k, ret_lease, told);
    assert_int_equal(ret_lease->attempt, attempt);
    assert_string_equal(told, commit);
}

static const char *pin(struct engine_kit *k, struct kit_lease *l, const char *commit)
{
    Rota__SourcePin q = ROTA__SOURCE_PIN__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    l->ref.job = l->job;
    q.lease = &l->ref;
    q.commit = (char *)commit;
    request.op_case = ROTA__REQUEST__OP_SOURCE_PIN;
    request.source_pin = &q;
    return kit_error(kit_call(k, &request, NULL));
}

static void status_is(struct engine_kit *k, const char *job, Rota__State state, const char *commit)
{
    Rota__Status q = ROTA__STATUS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct kit_answer answer;
    q.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_STATUS;
    request.status = &q;
    kit_ask(k, &request, &answer);
    assert_int_equal(answer.code, E_OK);
    assert_int_equal(answer.reply.status->job->state, state);
    assert_string_equal(answer.reply.status->job->commit, commit);
    kit_answer_end(&answer);
}

static void the_first_fetch_decides_for_all_attempts(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char job[CALL_JOB_BYTES];
    publish(k, "git:https://github.com/acme/shop@main", job);
    lease_is(k, &l, 1, "");
    status_is(k, job, ROTA__STATE__LEASED, "");
    assert_string_equal(pin(k, &l, FIRST), "");
    assert_string_equal(pin(k, &l, FIRST), ""); /* the answer was lost: said again */
    status_is(k, job, ROTA__STATE__LEASED, FIRST);
    kit_check(k);
    kit_pass(k, k->lease_ms + 1);
    status_is(k, job, ROTA__STATE__READY, FIRST);
    engine_kit_restart(k);
    lease_is(k, &l, 2, FIRST);
    assert_string_equal(kit_error(call_give_back(k, &l, true)), "");
    status_is(k, job, ROTA__STATE__DELAYED, FIRST);
    kit_pass(k, 600000);
    lease_is(k, &l, 3, FIRST);
    assert_string_equal(kit_error(call_give_back(k, &l, true)), "");
    status_is(k, job, ROTA__STATE__DEAD, FIRST);
    assert_string_equal(kit_error(call_retry(k, job)), "");
    status_is(k, job, ROTA__STATE__READY, FIRST);
    lease_is(k, &l, 1, FIRST);
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED)), "");
    status_is(k, job, ROTA__STATE__FAILED, FIRST);
    engine_kit_restart(k);
    status_is(k, job, ROTA__STATE__FAILED, FIRST);
    kit_check(k);
}

/* Given back untouched: the attempt does not count, what was learnt stays. */
static void an_attempt_that_does_not_count_decides_as_well(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char job[CALL_JOB_BYTES];
    publish(k, "git:https://github.com/acme/shop@main", job);
    lease_is(k, &l, 1, "");
    assert_string_equal(pin(k, &l, FIRST), "");
    assert_string_equal(kit_error(call_give_back(k, &l, false)), "");
    lease_is(k, &l, 1, FIRST);
    kit_check(k);
}

static void only_the_holder_of_the_lease_decides_and_only_once(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease old, l;
    char job[CALL_JOB_BYTES];
    publish(k, "git:https://github.com/acme/shop@main", job);
    lease_is(k, &old, 1, "");
    kit_pass(k, k->lease_ms + 1);
    assert_string_equal(pin(k, &old, FIRST), "LEASE_LOST");
    lease_is(k, &l, 2, ""); /* nothing was learnt from the first */
    assert_string_equal(pin(k, &old, FIRST), "LEASE_LOST");
    assert_string_equal(pin(k, &l, ""), "FIELD_MISSING");
    assert_string_equal(pin(k, &l, SECOND), "");
    assert_string_equal(pin(k, &l, FIRST), "FIELD_INVALID");
    status_is(k, job, ROTA__STATE__LEASED, SECOND);
    kit_cancel(k, job);
    assert_string_equal(pin(k, &l, SECOND), "CANCELLED");
    call_give_back(k, &l, false);
    assert_string_equal(pin(k, &l, SECOND), "LEASE_LOST");
    status_is(k, job, ROTA__STATE__CANCELLED, SECOND);
    kit_check(k);
}

/* It says itself what it is. */
static void a_job_that_names_its_commit_has_nothing_to_pin(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char job[CALL_JOB_BYTES];
    publish(k, "git:https://github.com/acme/shop@" FIRST, job);
    lease_is(k, &l, 1, "");
    assert_string_equal(pin(k, &l, FIRST), "FIELD_INVALID");
    status_is(k, job, ROTA__STATE__LEASED, "");
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED)), "");
    assert_true(kit_publish(k, "", NULL)->publish != NULL);
    assert_true(kit_lease(k, "w2", &l));
    assert_string_equal(pin(k, &l, FIRST), "FIELD_INVALID"); /* no source at all */
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(the_first_fetch_decides_for_all_attempts),
        ENGINE_CASE(an_attempt_that_does_not_count_decides_as_well),
        ENGINE_CASE(only_the_holder_of_the_lease_decides_and_only_once),
        ENGINE_CASE(a_job_that_names_its_commit_has_nothing_to_pin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
