/* broker_reads.c: the read lane of a real rotad over ipc: what people see is what the queue does.
 *
 * Shows: listings are complete, newest first and without repeats, before and after the index is
 * folded; the preview of the next dispatches is what then happens; watches wake for state, phase
 * and percent and follow the event log; accounts see their own jobs alone; a revoked key ends its
 * parked watch.     */
#include "broker_kit.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static struct rig rig;
static const char *program; /* rotad */

static int group_up(void **state)
{
    (void)state;
    rig_init(&rig, program);
    rig_start(&rig, NULL);
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    int code = rig_stop(&rig, SIGTERM);
    rig_deinit(&rig);
    return code;
}

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

/* Reads all pages; checks that ids fall strictly; counts. */
static size_t list_all(struct rota_client *c, const char *account, const char *app,
                       Rota__State want, uint32_t limit, unsigned *ret_pages)
{
    char cursor[160] = "", last[40] = "job_zzzzzzzzzzzzzzzzzzzzzzzzzz";
    size_t n = 0;
    *ret_pages = 0;
    do {
        Rota__Request r;
        Rota__List list = ROTA__LIST__INIT;
        list.account = (char *)(uintptr_t)account;
        list.app = (char *)(uintptr_t)app;
        list.state = want;
        list.limit = limit;
        list.cursor = cursor;
        Rota__Reply *reply = must(c, ASK(r, LIST, list, &list));
        for (size_t i = 0; i < reply->list->n_job; i++, n++) {
            const Rota__Job *job = reply->list->job[i];
            assert_true(strcmp(job->job, last) < 0);
            snprintf(last, sizeof last, "%s", job->job);
            if (*account)
                assert_string_equal(job->account, account);
            if (*app)
                assert_string_equal(job->app, app);
            if (want)
                assert_int_equal(job->state, want);
        }
        snprintf(cursor, sizeof cursor, "%s", reply->list->next_cursor);
        ++*ret_pages;
        rota_reply_free(reply);
    } while (*cursor);
    return n;
}

static void check_lists(const char *when)
{
    unsigned pages, pages_app;
    struct rota_client *op = rig.root;
    assert_int_equal(list_all(op, "lister", "", 0, 17, &pages), 200);
    assert_int_equal(list_all(op, "lister", "one", 0, 100, &pages_app), 100);
    assert_int_equal(list_all(op, "lister", "two", ROTA__STATE__READY, 9, &pages_app), 100);
    assert_int_equal(list_all(op, "lister", "", ROTA__STATE__LEASED, 9, &pages_app), 0);
    assert_true(list_all(op, "", "", 0, 100, &pages_app) >= 220);
    printf("%s: 200 of 200 jobs in %u pages, newest first\n", when, pages);
}

static void test_listings_are_whole_before_and_after_the_fold(void **state)
{
    (void)state;
    char job[32];
    Rota__Request r;
    rig_account(&rig, "lister", ROTA__TIER__P3, 0);
    rig_account(&rig, "other", ROTA__TIER__P3, 0);
    for (int i = 0; i < 220; i++)
        publish_task(rig.root, i % 11 == 10 ? "other" : "lister", i % 2 ? "one" : "two", job);
    check_lists("while folding");
    /* each turn folds a slice, so these take the index past what was listed above */
    for (int i = 0; i < 40; i++)
        publish_task(rig.root, "other", "x", job);
    check_lists("after folding");
    Rota__List list = ROTA__LIST__INIT;
    list.cursor = (char *)(uintptr_t) "nonsense";
    must_fail(rig.root, ASK(r, LIST, list, &list), "CURSOR_INVALID");
    list.cursor = (char *)(uintptr_t) "";
    list.account = (char *)(uintptr_t) "lister";
    list.app = (char *)(uintptr_t) "three";
    must_fail(rig.root, ASK(r, LIST, list, &list), "APP_UNKNOWN");
    list.account = (char *)(uintptr_t) "nobody";
    must_fail(rig.root, ASK(r, LIST, list, &list), "ACCOUNT_UNKNOWN");
}

/* Empties the task pool: leases and finishes all that is ready. */
static size_t drain_tasks(void)
{
    size_t n = 0;
    for (;; n++) {
        Rota__Reply *reply;
        Rota__LeasedJob *job = lease_one(rig.root, "task", "drainer", 0, &reply);
        if (job)
            assert_int_equal(finish_ok(rig.root, job->lease), ROTA__STATE__SUCCEEDED);
        rota_reply_free(reply);
        if (!job)
            return n;
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
    drain_tasks();
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

/* ---- watches ---- */

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
        watch.limit = 37;
        Rota__Reply *reply = must(c, ASK(r, WATCH, watch, &watch));
        got = reply->watch->n_event;
        for (size_t i = 0; i < got; i++) {
            const Rota__Event *e = reply->watch->event[i];
            assert_true(e->seq > last && e->account_number == 0);
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
    finish_ok(rig.root, got->lease);
    rota_reply_free(reply);
    assert_int_equal(events_of(rig.root, job, kinds, 8, &all), 3);
    assert_int_equal(kinds[0], ROTA__EVENT_KIND__EVENT_PUBLISHED);
    assert_int_equal(kinds[1], ROTA__EVENT_KIND__EVENT_DISPATCHED);
    assert_int_equal(kinds[2], ROTA__EVENT_KIND__EVENT_FINISHED);
    struct rota_client *account = rig_client(&rig, key);
    assert_int_equal(events_of(account, job, kinds, 8, &own), 3);
    assert_true(own < all && own <= 8);
    printf("%zu events in order; the account sees its own %zu\n", all, own);
    rota_client_free(account);
}

/* ---- who sees what ---- */

static void test_a_foreign_job_is_as_absent(void **state)
{
    (void)state;
    char job[32], key[KEY_MAX];
    unsigned pages;
    Rota__Request r;
    rig_account(&rig, "alice", ROTA__TIER__P3, 0);
    rig_account(&rig, "bob", ROTA__TIER__P3, 0);
    rig_key(&rig, "bob", ROTA__ROLE__ACCOUNT, key, NULL);
    publish_task(rig.root, "alice", "app", job);
    struct rota_client *bob = rig_client(&rig, key);
    Rota__Status status = ROTA__STATUS__INIT;
    Rota__Watch watch = ROTA__WATCH__INIT;
    Rota__LogRead read = ROTA__LOG_READ__INIT;
    Rota__SignDownload sign = ROTA__SIGN_DOWNLOAD__INIT;
    Rota__Stats stats = ROTA__STATS__INIT;
    Rota__List list = ROTA__LIST__INIT;
    status.job = watch.job = read.job = sign.job = job;
    watch.wait_ms = 5000;
    sign.kind = ROTA__OBJECT_KIND__BUNDLE;
    list.account = (char *)(uintptr_t) "alice";
    must_fail(bob, ASK(r, STATUS, status, &status), "JOB_UNKNOWN");
    must_fail(bob, ASK(r, WATCH, watch, &watch), "JOB_UNKNOWN");
    must_fail(bob, ASK(r, LOG_READ, log_read, &read), "JOB_UNKNOWN");
    must_fail(bob, ASK(r, SIGN_DOWNLOAD, sign_download, &sign), "JOB_UNKNOWN");
    must_fail(bob, ASK(r, LIST, list, &list), "NOT_ALLOWED");
    must_fail(bob, ASK(r, STATS, stats, &stats), "NOT_ALLOWED");
    assert_int_equal(list_all(bob, "", "", 0, 0, &pages), 0);
    status.job = (char *)(uintptr_t) "job_00000000000000000000000000";
    must_fail(rig.root, ASK(r, STATUS, status, &status), "JOB_UNKNOWN");
    rota_client_free(bob);
    printf("7 of 7 foreign looks refused\n");
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

static void test_names_come_in_pages(void **state)
{
    (void)state;
    char name[32], cursor[160] = "";
    size_t n = 0;
    Rota__Request r;
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "paged-%d", i);
        rig_account(&rig, name, ROTA__TIER__P2, 0);
    }
    do {
        Rota__AccountList list = ROTA__ACCOUNT_LIST__INIT;
        list.limit = 7;
        list.cursor = cursor;
        Rota__Reply *reply = must(rig.root, ASK(r, ACCOUNT_LIST, account_list, &list));
        for (size_t i = 0; i < reply->account_list->n_account; i++) {
            const Rota__Account *a = reply->account_list->account[i];
            if (strncmp(a->account, "paged-", 6) != 0)
                continue;
            n++;
            assert_int_equal(a->tier, ROTA__TIER__P2);
            assert_int_equal(a->running_max, 1);
            assert_int_equal(a->timeout_ms, 600000);
            assert_int_equal(a->builds_month, 100);
        }
        snprintf(cursor, sizeof cursor, "%s", reply->account_list->next_cursor);
        rota_reply_free(reply);
    } while (*cursor);
    assert_int_equal(n, 30);
    printf("30 of 30 accounts, each once\n");
}

static void test_apps_and_keys_come_in_pages(void **state)
{
    (void)state;
    char name[32], cursor[160] = "";
    size_t apps = 0, keys = 0, pages = 0;
    Rota__Request r;
    for (int i = 0; i < 12; i++) {
        Rota__AppSet set = ROTA__APP_SET__INIT;
        snprintf(name, sizeof name, "app %d:x", i);
        set.account = (char *)(uintptr_t) "lister";
        set.app = name;
        rota_reply_free(must(rig.root, ASK(r, APP_SET, app_set, &set)));
    }
    do {
        Rota__AppList list = ROTA__APP_LIST__INIT;
        list.account = (char *)(uintptr_t) "lister";
        list.limit = 5;
        list.cursor = cursor;
        Rota__Reply *reply = must(rig.root, ASK(r, APP_LIST, app_list, &list));
        apps += reply->app_list->n_app;
        for (size_t i = 0; i < reply->app_list->n_app; i++)
            assert_string_equal(reply->app_list->app[i]->account, "lister");
        snprintf(cursor, sizeof cursor, "%s", reply->app_list->next_cursor);
        rota_reply_free(reply);
        pages++;
    } while (*cursor);
    do {
        Rota__KeyList list = ROTA__KEY_LIST__INIT;
        list.limit = 2;
        list.cursor = cursor;
        Rota__Reply *reply = must(rig.root, ASK(r, KEY_LIST, key_list, &list));
        for (size_t i = 0; i < reply->key_list->n_key; i++)
            assert_int_equal(reply->key_list->key[i]->serial, ++keys);
        snprintf(cursor, sizeof cursor, "%s", reply->key_list->next_cursor);
        rota_reply_free(reply);
    } while (*cursor);
    printf("%zu apps in %zu pages, %zu keys\n", apps, pages, keys);
    assert_int_equal(apps, 14); /* 12, and the two that publishing made */
    assert_true(keys >= 4);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_needs_no_key),
        cmocka_unit_test(test_listings_are_whole_before_and_after_the_fold),
        cmocka_unit_test(test_the_preview_is_what_happens),
        cmocka_unit_test(test_stats_count_what_is_there),
        cmocka_unit_test(test_a_watch_sees_each_step_of_its_job),
        cmocka_unit_test(test_the_event_log_tells_the_life_of_a_job),
        cmocka_unit_test(test_a_foreign_job_is_as_absent),
        cmocka_unit_test(test_a_revoked_key_ends_its_parked_watch),
        cmocka_unit_test(test_names_come_in_pages),
        cmocka_unit_test(test_apps_and_keys_come_in_pages),
    };
    program = argv[1];
    return cmocka_run_group_tests(tests, group_up, group_down);
}
