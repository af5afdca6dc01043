/* broker_lists.c: the listings of a real rotad over ipc, and who sees what in them.
 *
 * Shows: listings of jobs are complete, newest first and without repeats, before and after the
 * index is folded; accounts, apps and keys come in pages, each once; an account sees its own jobs
 * alone, and another's is as absent as one that never was. */
#include "broker_group.h"

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
            assert_true(a->builds_unlimited); /* the rig gives all its accounts that */
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
    char name[32], key[KEY_MAX], cursor[160] = "";
    size_t apps = 0, keys = 0, pages = 0;
    Rota__Request r;
    for (int i = 0; i < 3; i++)
        rig_key(&rig, "lister", ROTA__ROLE__ACCOUNT, key, NULL);
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
    assert_int_equal(keys, 5);  /* these, the operator's and bob's */
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listings_are_whole_before_and_after_the_fold),
        cmocka_unit_test(test_a_foreign_job_is_as_absent),
        cmocka_unit_test(test_names_come_in_pages),
        cmocka_unit_test(test_apps_and_keys_come_in_pages),
    };
    return cmocka_run_group_tests(tests, group_up, group_down);
}
