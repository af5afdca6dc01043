/* broker_watches.c: watches of a real rotad over ipc.
 *
 * Shows: a watch wakes for each change of state, phase and percent; the event log tells a job's
 * life in order, and an account its own part of it; a revoked key ends its parked watch. Why it
 * matters: a parked call looks alive whether or not anything will ever wake it. */
#include "broker_group.h"

#include <pthread.h>
#include <time.h>

enum { OTHERS = 60, PAGE_EVENTS = 37 };

/* What a watching thread saw. */
struct watcher {
    struct rota_client *client;
    const char *job;
    pthread_t thread;
    unsigned changes;
    _Atomic unsigned percents;
    Rota__State last;
};

static void *watch_main(void *arg)
{
    struct watcher *w = arg;
    uint64_t version = 0;
    uint32_t percent = 0;
    for (;;) {
        Rota__Request r;
        Rota__Watch watch = ROTA__WATCH__INIT;
        watch.job = (char *)(uintptr_t)w->job;
        watch.version = version;
        watch.wait_ms = 10000;
        Rota__Reply *reply = must(w->client, ASK(r, WATCH, watch, &watch));
        const Rota__Job *job = reply->watch->job;
        assert_true(reply->watch->version != version);
        version = reply->watch->version;
        w->changes++;
        w->percents += job->percent > percent && job->state == ROTA__STATE__LEASED;
        percent = job->percent;
        w->last = job->state;
        bool is_over = job->state >= ROTA__STATE__SUCCEEDED;
        rota_reply_free(reply);
        if (is_over)
            return NULL;
    }
}

static void beat(Rota__LeaseRef *lease, const char *phase, uint32_t percent)
{
    char *class = (char *)(uintptr_t) "task";
    Rota__Request r;
    Rota__JobProgress progress = ROTA__JOB_PROGRESS__INIT, *all = &progress;
    Rota__Heartbeat beat = ROTA__HEARTBEAT__INIT;
    progress.lease = lease;
    progress.phase = (char *)(uintptr_t)phase;
    progress.percent = percent;
    beat.worker = (char *)(uintptr_t) "teller";
    beat.pool = class;
    beat.n_class_ = 1;
    beat.class_ = &class;
    beat.slots = 2;
    beat.n_progress = 1;
    beat.progress = &all;
    rota_reply_free(must(rig.root, ASK(r, HEARTBEAT, heartbeat, &beat)));
}

/* Asks until the watcher has seen the percent: the next beat must not overtake it. */
static void await_seen(const struct watcher *w, unsigned percents)
{
    for (int i = 0; i < 20000 && w->percents < percents; i++) {
        Rota__Request r;
        Rota__Ping ping = ROTA__PING__INIT;
        rota_reply_free(must(rig.root, ASK(r, PING, ping, &ping)));
    }
}

static void test_a_watch_sees_each_step_of_its_job(void **state)
{
    (void)state;
    static const char *const phases[] = {"fetch", "install", "bundle", "bundle", "compile"};
    char job[32];
    rig_account(&rig, "watched", ROTA__TIER__P0, 0);
    publish_task(rig.root, "watched", "app", job);
    struct watcher w = {.client = rig_client(&rig, NULL), .job = job};
    assert_int_equal(pthread_create(&w.thread, NULL, watch_main, &w), 0);
    Rota__Reply *reply;
    Rota__LeasedJob *got = lease_one(rig.root, "task", "teller", 5000, &reply);
    assert_non_null(got);
    assert_string_equal(got->lease->job, job);
    for (unsigned i = 0; i < 5; i++) {
        beat(got->lease, phases[i], 10 + 20 * i);
        await_seen(&w, i + 1);
    }
    assert_int_equal(finish_ok(rig.root, got->lease), ROTA__STATE__SUCCEEDED);
    pthread_join(w.thread, NULL);
    printf("%u changes seen, %u of 5 rising percents\n", w.changes, w.percents);
    assert_int_equal(w.percents, 5);
    assert_int_equal(w.last, ROTA__STATE__SUCCEEDED);
    rota_reply_free(reply);
    rota_client_free(w.client);
}

/* All events of one job, in order, from the log. */
static size_t events_of(struct rota_client *c, const char *job, Rota__EventKind *kinds, size_t max,
                        size_t *ret_all)
{
    uint64_t from = 0, last = 0;
    size_t n = 0;
    *ret_all = 0;
    for (size_t got = 1; got;) {
        Rota__Request r;
        Rota__Watch watch = ROTA__WATCH__INIT;
        watch.from = from;
        watch.limit = PAGE_EVENTS;
        Rota__Reply *reply = must(c, ASK(r, WATCH, watch, &watch));
        got = reply->watch->n_event;
        for (size_t i = 0; i < got; i++) {
            const Rota__Event *e = reply->watch->event[i];
            assert_true(e->seq > last);
            assert_true(c == rig.root ||
                        e->account_number == 0); /* the operator's audit needs it */
            last = e->seq;
            ++*ret_all;
            if (strcmp(e->job, job) == 0 && n < max)
                kinds[n++] = e->kind;
        }
        assert_true(reply->watch->next >= from);
        from = reply->watch->next;
        rota_reply_free(reply);
    }
    return n;
}

/* Events of other jobs, so that the log has many pages. */
static void publish_others(unsigned jobs)
{
    char job[32];
    for (unsigned i = 0; i < jobs; i++)
        publish_task(rig.root, "local", "app", job);
}

static void test_the_event_log_tells_the_life_of_a_job(void **state)
{
    (void)state;
    char job[32], key[KEY_MAX];
    Rota__EventKind kinds[8] = {0};
    size_t all = 0, own = 0;
    rig_account(&rig, "logged", ROTA__TIER__P0, 0);
    rig_key(&rig, "logged", ROTA__ROLE__ACCOUNT, key, NULL);
    publish_task(rig.root, "logged", "app", job);
    Rota__Reply *reply;
    Rota__LeasedJob *got = lease_one(rig.root, "task", "teller", 5000, &reply);
    assert_non_null(got);
    publish_others(OTHERS);
    finish_ok(rig.root, got->lease);
    publish_others(OTHERS);
    rota_reply_free(reply);
    assert_int_equal(events_of(rig.root, job, kinds, 8, &all), 3);
    assert_int_equal(kinds[0], ROTA__EVENT_KIND__EVENT_PUBLISHED);
    assert_int_equal(kinds[1], ROTA__EVENT_KIND__EVENT_DISPATCHED);
    assert_int_equal(kinds[2], ROTA__EVENT_KIND__EVENT_FINISHED);
    struct rota_client *account = rig_client(&rig, key);
    assert_int_equal(events_of(account, job, kinds, 8, &own), 3);
    assert_true(all > 2ull * OTHERS && own <= 8);
    printf("%zu events in order; the account sees its own %zu\n", all, own);
    rota_client_free(account);
}

struct revoked {
    struct rota_client *client;
    char error[40];
};

static void *revoked_main(void *arg)
{
    struct revoked *w = arg;
    Rota__Request r;
    Rota__Watch watch = ROTA__WATCH__INIT;
    watch.from = 1ull << 60;
    watch.wait_ms = 15000;
    Rota__Reply *reply = call(w->client, ASK(r, WATCH, watch, &watch));
    snprintf(w->error, sizeof w->error, "%s", reply->error ? reply->error->name : "");
    rota_reply_free(reply);
    return NULL;
}

static void test_a_revoked_key_ends_its_parked_watch(void **state)
{
    (void)state;
    char key[KEY_MAX];
    uint32_t serial;
    pthread_t thread;
    Rota__Request r;
    struct timespec from, to;
    rig_key(&rig, "local", ROTA__ROLE__ACCOUNT, key, &serial);
    struct revoked w = {.client = rig_client(&rig, key)};
    assert_int_equal(pthread_create(&thread, NULL, revoked_main, &w), 0);
    Rota__List list = ROTA__LIST__INIT;
    for (int i = 0; i < 50; i++) /* the watch is parked by then, or will be refused when it comes */
        rota_reply_free(must(rig.root, ASK(r, LIST, list, &list)));
    Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
    revoke.serial = serial;
    clock_gettime(CLOCK_MONOTONIC, &from);
    rota_reply_free(must(rig.root, ASK(r, KEY_REVOKE, key_revoke, &revoke)));
    pthread_join(thread, NULL);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_string_equal(w.error, "KEY_REVOKED");
    double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("answered KEY_REVOKED after %.0f ms of 15,000\n", s * 1000);
    assert_true(s < 5);
    rota_client_free(w.client);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_watch_sees_each_step_of_its_job),
        cmocka_unit_test(test_the_event_log_tells_the_life_of_a_job),
        cmocka_unit_test(test_a_revoked_key_ends_its_parked_watch),
    };
    return cmocka_run_group_tests(tests, group_up, group_down);
}
