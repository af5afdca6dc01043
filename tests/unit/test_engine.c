/* test_engine.c: the turn on a real store with a clock in the test's hands: rotation, caps,
 * fencing, cancel, expiry, retries, idempotence, restart, and an abort that leaves no trace. Shown
 * here because everything that a client is promised about a job is decided in the turn. */
#include "engine_kit.h"

enum { MAP_BYTES = 1 << 30, HOUR_MS = 3600 * 1000 };

static void four_tiers(struct engine_kit *k, unsigned jobs)
{
    static const char *const ids[] = {"e", "p", "s", "f"};
    for (int t = 0; t < 4; t++) {
        kit_account(k, ids[t], (Rota__Tier)t, 0);
        for (unsigned i = 0; i < jobs; i++)
            assert_string_equal(kit_error(kit_publish(k, ids[t], NULL)), "");
    }
}

static void the_founding_string_comes_out(void **state)
{
    struct engine_kit *k = *state;
    static const char string[] = "0001002003";
    four_tiers(k, 40);
    for (unsigned i = 0; i < 50; i++) {
        struct kit_lease l;
        assert_true(kit_lease(k, "w", &l));
        assert_int_equal(l.tier, string[i % 10] - '0');
        assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
        if (i % 7 == 0) {
            engine_kit_restart(k);
        }
    }
    kit_check(k);
    printf("50 dispatches in the founding order over 8 restarts\n");
}

static void an_account_at_its_cap_is_passed_over(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease a, b;
    kit_account(k, "a", ROTA__TIER__P2, 1);
    kit_account(k, "b", ROTA__TIER__P2, 1);
    for (int i = 0; i < 100; i++)
        kit_publish(k, "a", NULL);
    assert_true(kit_lease(k, "w", &a));
    assert_false(kit_lease(k, "w", &b));
    kit_publish(k, "b", NULL);
    assert_true(kit_lease(k, "w", &b));
    assert_string_equal(b.account, "b");
    kit_account(k, "a", ROTA__TIER__P2, 2); /* a raised cap counts at once */
    assert_true(kit_lease(k, "w", &b));
    assert_string_equal(b.account, "a");
    kit_check(k);
}

static void a_finish_is_fenced_and_repeatable(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l, again;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    struct kit_lease stale = l;
    stale.ref.token++;
    assert_string_equal(kit_error(kit_finish(k, &stale, ROTA__OUTCOME__OUTCOME_FAILED)),
                        "LEASE_LOST");
    kit_state(k, l.job, ROTA__STATE__LEASED);
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    Rota__Reply *reply = kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->finish->state, ROTA__STATE__SUCCEEDED);
    assert_false(kit_lease(k, "w", &again));
    kit_check(k);
}

static void a_lost_lease_goes_back_and_the_third_loss_is_the_last(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l, other;
    kit_publish(k, "", NULL);
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        assert_true(kit_lease(k, "w", &l));
        assert_int_equal(l.attempt, attempt);
        kit_pass(k, k->lease_ms - 10);
        kit_state(k, l.job, ROTA__STATE__LEASED);
        kit_pass(k, 20);
        kit_check(k);
        assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)),
                            attempt < 3 ? "LEASE_LOST" : "");
    }
    kit_state(k, l.job, ROTA__STATE__DEAD);
    assert_false(kit_lease(k, "w", &other));
}

static void a_restart_gives_a_full_fresh_window(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    kit_pass(k, k->lease_ms - 10);
    engine_kit_close(k);
    k->now.boot_ms = 17;              /* another boot */
    k->now.wall_ms -= 3600ull * 1000; /* and a clock set back by an hour */
    engine_kit_open(k);
    kit_pass(k, k->lease_ms - 10);
    kit_state(k, l.job, ROTA__STATE__LEASED);
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    kit_check(k);
}

static Rota__Reply *release(struct engine_kit *k, struct kit_lease *l, bool fault)
{
    Rota__LeaseRelease release = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &release;
    l->ref.job = l->job;
    release.lease = &l->ref;
    release.infrastructure_fault = fault;
    return kit_call(k, &request, NULL);
}

static void a_cancel_is_durable_before_it_is_told(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char waiting[40];
    snprintf(waiting, sizeof waiting, "%s", kit_publish(k, "", NULL)->publish->job);
    assert_int_equal(kit_cancel(k, waiting)->cancel->state, ROTA__STATE__CANCELLED);
    kit_state(k, waiting, ROTA__STATE__CANCELLED);
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    assert_true(kit_cancel(k, l.job)->cancel->cancelling);
    engine_kit_restart(k);
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)),
                        "CANCELLED");
    assert_int_equal(release(k, &l, false)->lease_release->state, ROTA__STATE__CANCELLED);
    assert_string_equal(kit_error(kit_cancel(k, l.job)), "");
    kit_check(k);
}

static void a_drained_job_keeps_its_attempts_and_a_fault_spends_them(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    kit_publish(k, "", NULL);
    for (int i = 0; i < 5; i++) {
        assert_true(kit_lease(k, "w", &l));
        assert_int_equal(l.attempt, 1);
        assert_int_equal(release(k, &l, false)->lease_release->state, ROTA__STATE__READY);
    }
    for (int i = 1; i <= 3; i++) {
        assert_true(kit_lease(k, "w", &l));
        assert_int_equal(l.attempt, i);
        assert_int_equal(release(k, &l, true)->lease_release->state,
                         i < 3 ? ROTA__STATE__DELAYED : ROTA__STATE__DEAD);
        struct kit_lease early;
        kit_check(k);
        kit_pass(k, 3900); /* below every backoff */
        assert_false(kit_lease(k, "w", &early));
        kit_pass(k, 8200); /* 12.1 s: above 10 s and its fifth */
    }
    kit_check(k);
}

static void the_same_key_is_the_same_job(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    snprintf(job, sizeof job, "%s", kit_publish(k, "", "k1")->publish->job);
    engine_kit_restart(k);
    Rota__Reply *again = kit_publish(k, "", "k1");
    assert_true(again->publish->replayed);
    assert_string_equal(again->publish->job, job);
    kit_account(k, "other", ROTA__TIER__P3, 0);
    assert_false(kit_publish(k, "other", "k1")->publish->replayed);
    assert_int_equal(kit_rows(k, TABLE_JOB), 2);
}

/* ... but not for ever: a day after its job has ended the key is free again, and not before. */
static void a_spent_key_goes_after_a_day(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char key[16];
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%d", i);
        kit_publish(k, "", key);
    }
    for (int i = 0; i < 60; i++) {
        assert_true(kit_lease(k, "w", &l));
        kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    }
    for (int hour = 0; hour < 23; hour++)
        kit_pass(k, HOUR_MS);
    assert_int_equal(kit_rows(k, TABLE_IDEM), 100);
    kit_pass(k, HOUR_MS);
    for (int turn = 0; turn < 20; turn++)
        kit_pass(k, 60000);
    assert_int_equal(kit_rows(k, TABLE_IDEM), 40);
    kit_check(k);
    printf("60 of 100 keys gone after a day, 40 with a waiting job kept\n");
}

/* A job that outlives its timeout although its worker lives is cut 10 s after the worker should
 * have. */
static void the_broker_cuts_a_job_that_its_worker_does_not(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    kit_account(k, "f", ROTA__TIER__P3, 0);
    kit_publish(k, "f", NULL);
    assert_true(kit_lease(k, "w", &l));
    struct job_id id;
    assert_int_equal(job_id_parse(l.job, &id), 0);
    struct lease *lease = cache_lease(&k->engine->cache, id);
    uint64_t cut_ms = 5 * 60000 + 10000;
    for (uint64_t ms = 0; ms < cut_ms - 20000; ms += 10000) {
        lease->silent_bt_ms += 10000; /* as a heartbeat does */
        kit_pass(k, 10000);
        kit_state(k, l.job, ROTA__STATE__LEASED);
    }
    lease->silent_bt_ms += 60000;
    kit_pass(k, 30000);
    kit_state(k, l.job, ROTA__STATE__TIMED_OUT);
    kit_check(k);
}

/* A turn that does not fit is undone as a whole, its publishes are refused one by one, and what was
 * running can still finish; engine_turn compares cache and store after the abort by itself. */
static void a_full_store_refuses_publishes_and_keeps_its_promises(void **state)
{
    (void)state;
    struct engine_kit k;
    struct kit_lease l;
    unsigned accepted = 0, refused = 0;
    engine_kit_setup(&k, 4 << 20);
    kit_publish(&k, "", NULL);
    assert_true(kit_lease(&k, "w", &l));
    static uint8_t spec[8 << 10];
    memset(spec, ' ', sizeof spec);
    spec[0] = '{', spec[sizeof spec - 1] = '}';
    for (int turn = 0; turn < 60 && refused < 40; turn++) {
        struct inbound *list = NULL;
        uint64_t first = k.request_id + 1;
        for (int i = 0; i < 16; i++) {
            Rota__Publish publish = ROTA__PUBLISH__INIT;
            Rota__Request request = ROTA__REQUEST__INIT;
            request.op_case = ROTA__REQUEST__OP_PUBLISH;
            request.publish = &publish;
            publish.app = publish.class_ = (char *)"task";
            publish.spec = (ProtobufCBinaryData){sizeof spec, spec};
            struct inbound *in = kit_request(&k, &request, NULL);
            in->next = list;
            list = in;
        }
        kit_turn(&k, list);
        for (uint64_t id = first; id <= k.request_id; id++) {
            const char *error = kit_error(kit_reply(&k, id));
            accepted += !error[0];
            refused += strcmp(error, "STORE_FULL") == 0;
        }
    }
    assert_true(accepted > 50 && refused >= 40);
    /* What is due of itself is not tried over and over while there is no room. */
    assert_in_range(engine_idle_ms(k.engine, k.now, 1000), 50, 100);
    assert_int_equal(kit_rows(&k, TABLE_JOB), accepted + 1);
    kit_check(&k);
    printf("full: %u accepted, %u refused, %u stored\n", accepted, refused, accepted + 1);
    engine_kit_teardown(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(the_founding_string_comes_out),
        ENGINE_CASE(an_account_at_its_cap_is_passed_over),
        ENGINE_CASE(a_finish_is_fenced_and_repeatable),
        ENGINE_CASE(a_lost_lease_goes_back_and_the_third_loss_is_the_last),
        ENGINE_CASE(a_restart_gives_a_full_fresh_window),
        ENGINE_CASE(a_cancel_is_durable_before_it_is_told),
        ENGINE_CASE(a_drained_job_keeps_its_attempts_and_a_fault_spends_them),
        ENGINE_CASE(the_same_key_is_the_same_job),
        ENGINE_CASE(a_spent_key_goes_after_a_day),
        ENGINE_CASE(the_broker_cuts_a_job_that_its_worker_does_not),
        cmocka_unit_test(a_full_store_refuses_publishes_and_keeps_its_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
