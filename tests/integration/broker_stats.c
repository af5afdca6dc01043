/* broker_stats.c: what a real rotad says of itself and of its queue: ping, preview, stats.
 *
 * Shows: anybody may ask whether it lives and nobody without a key may ask more; the preview of the
 * next dispatches is what then happens; the stats add up to the jobs that are there. Why it
 * matters: operators decide by these figures. */
#include "broker_group.h"

static void test_ping_needs_no_key(void **state)
{
    (void)state;
    Rota__Request r;
    Rota__Ping ping = ROTA__PING__INIT;
    struct rota_client *nobody = rig_client(&rig, "");
    Rota__Reply *reply = must(nobody, ASK(r, PING, ping, &ping));
    assert_string_equal(reply->ping->environment, "test");
    assert_int_equal(reply->ping->epoch, 1);
    assert_true(reply->as_of_ms > 0);
    rota_reply_free(reply);
    Rota__Stats stats = ROTA__STATS__INIT;
    must_fail(nobody, ASK(r, STATS, stats, &stats), "KEY_MISSING");
    rota_client_free(nobody);
}

/* Publishes and finishes as many jobs: the rotation stands somewhere, not at its beginning. */
static void rotate(unsigned jobs)
{
    char job[32];
    rig_account(&rig, "early", ROTA__TIER__P1, 0);
    rig_account(&rig, "late", ROTA__TIER__P3, 0);
    for (unsigned i = 0; i < jobs; i++)
        publish_task(rig.root, i % 2 ? "early" : "late", "app", job);
    for (unsigned i = 0; i < jobs; i++) {
        Rota__Reply *reply;
        Rota__LeasedJob *got = lease_one(rig.root, "task", "rotator", 0, &reply);
        assert_non_null(got);
        assert_int_equal(finish_ok(rig.root, got->lease), ROTA__STATE__SUCCEEDED);
        rota_reply_free(reply);
    }
}

static void test_the_preview_is_what_happens(void **state)
{
    (void)state;
    static const char *const accounts[] = {"ent1", "ent2", "pro", "start", "free"};
    static const Rota__Tier tiers[] = {ROTA__TIER__P0, ROTA__TIER__P0, ROTA__TIER__P1,
                                       ROTA__TIER__P2, ROTA__TIER__P3};
    char job[32], seen[100][32];
    Rota__Request r;
    Rota__Next next = ROTA__NEXT__INIT;
    rotate(7);
    for (int a = 0; a < 5; a++) {
        rig_account(&rig, accounts[a], tiers[a], 6);
        for (int i = 0; i < 12; i++)
            publish_task(rig.root, accounts[a], "app", job);
    }
    next.pool = (char *)(uintptr_t) "task";
    next.count = 100;
    Rota__Reply *reply = must(rig.root, ASK(r, NEXT, next, &next));
    size_t n = reply->next->n_job;
    assert_int_equal(n, 30); /* five accounts, each up to its cap of six */
    for (size_t i = 0; i < n; i++)
        snprintf(seen[i], sizeof seen[i], "%s", reply->next->job[i]->job);
    rota_reply_free(reply);
    for (size_t i = 0; i < n; i++) {
        Rota__LeasedJob *got = lease_one(rig.root, "task", "previewed", 0, &reply);
        assert_non_null(got);
        assert_string_equal(got->lease->job, seen[i]);
        rota_reply_free(reply);
    }
    assert_null(lease_one(rig.root, "task", "previewed", 0, &reply));
    rota_reply_free(reply);
    printf("%zu of %zu dispatches as previewed\n", n, n);
}

/* After the test above: 30 leased, 30 ready at their caps. */
static void test_stats_count_what_is_there(void **state)
{
    (void)state;
    static const uint64_t ready[] = {12, 6, 6, 6};
    Rota__Request r;
    Rota__Stats ask = ROTA__STATS__INIT;
    Rota__Reply *reply = must(rig.root, ASK(r, STATS, stats, &ask));
    const Rota__StatsResult *s = reply->stats;
    assert_int_equal(s->n_tier, 4);
    for (int t = 0; t < 4; t++) {
        assert_int_equal(s->tier[t]->tier, t);
        assert_int_equal(s->tier[t]->ready, ready[t]);
        assert_int_equal(s->tier[t]->leased, ready[t]);
        assert_true(s->tier[t]->oldest_ms > 0 && s->tier[t]->oldest_ms < 600000);
        assert_int_equal(s->tier[t]->accounts, s->tier[t]->at_cap);
    }
    assert_int_equal(s->jobs, 60);
    size_t jobs = 0;
    for (size_t i = 0; i < s->n_worker; i++)
        jobs += s->worker[i]->n_job;
    assert_int_equal(jobs, 30);
    bool has_task = false;
    for (size_t i = 0; i < s->n_pool; i++)
        if (strcmp(s->pool[i]->pool, "task") == 0) {
            has_task = true;
            assert_int_equal(s->pool[i]->ready, 30);
            assert_int_equal(s->pool[i]->leased, 30);
            assert_true(s->pool[i]->number > 0);
        }
    assert_true(has_task);
    assert_string_equal(s->environment, "test");
    assert_true(s->map_bytes > 0 && s->events > 60 && s->turns > 60);
    printf("60 of 60 jobs in stats, 30 of 30 leases on workers\n");
    rota_reply_free(reply);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_needs_no_key),
        cmocka_unit_test(test_the_preview_is_what_happens),
        cmocka_unit_test(test_stats_count_what_is_there),
    };
    return cmocka_run_group_tests(tests, group_up, group_down);
}
