/* broker_life.c: how rotad begins and ends: refusals at start, a clean stop, a kill, a failing
 * disk.
 *
 * Shows: each wrong start has its own exit code and says what to do; SIGTERM answers every parked
 * call and ends with 0; a kill -9 costs neither a running job nor its last words; when a flush
 * fails, nothing is acknowledged from then on and the process ends with 74, and what was
 * acknowledged is there afterwards. */
#include "broker_kit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAILING_FLUSHES = 24 };

static const char *program; /* rotad */
static const char *shim;    /* flush_shim.so */

static int rig_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert(rig);
    rig_init(rig, program);
    *state = rig;
    return 0;
}

static int rig_down(void **state)
{
    rig_deinit(*state);
    free(*state);
    return 0;
}

/* ---- wrong starts ---- */

static unsigned wrong_starts;

static void wrong(struct rig *rig, int code, const char *says, const char *const *args)
{
    char text[8192];
    int got = rig_run(rig, args, text, sizeof text);
    if (got != code || !strstr(text, says))
        print_error("exit %d, due %d; says: %s\n", got, code, text);
    assert_int_equal(got, code);
    assert_non_null(strstr(text, says));
    wrong_starts++;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_a_wrong_start_says_what_is_wrong(void **state)
{
    struct rig *rig = *state;
    char path[160], other[160];
    snprintf(other, sizeof other, "%s/other", rig->dir);
    wrong(rig, 2, "--dtaa", ARGS("--dtaa", rig->data));
    wrong(rig, 2, "--data is needed", ARGS("--listen", rig->url));
    wrong(rig, 2, "--listen is needed", ARGS("--data", rig->data));
    wrong(rig, 2, "serve", ARGS("serve", "--data", rig->data, "--listen", rig->url));
    wrong(rig, 78, "rotad init", ARGS("--data", other, "--listen", rig->url));
    wrong(rig, 78, "already", ARGS("init", "--data", rig->data, "--key-file", other));
    wrong(rig, 78, "File exists", ARGS("init", "--data", other, "--key-file", rig->key_file));
    wrong(rig, 78, "name",
          ARGS("init", "--data", other, "--environment", "a b", "--key-file", other));
    wrong(rig, 78, "address", ARGS("--data", rig->data, "--listen", "http://127.0.0.1:1"));
    wrong(rig, 78, "--allow-plain-tcp", ARGS("--data", rig->data, "--listen", "tcp://0.0.0.0:0"));
    snprintf(path, sizeof path, "%s/keys/hash.key", rig->data);
    assert_int_equal(chmod(path, 0640), 0);
    wrong(rig, 78, "chmod 600", ARGS("--data", rig->data, "--listen", rig->url));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 31), 0);
    wrong(rig, 78, "length", ARGS("--data", rig->data, "--listen", rig->url));
    assert_int_equal(wrong_starts, 12);
    printf("%u of 12 wrong starts refused in their own words\n", wrong_starts);
    assert_int_equal(rig_run(rig, ARGS("--help"), NULL, 0), 0);
    assert_int_equal(rig_run(rig, ARGS("init", "--help"), NULL, 0), 0);
    assert_int_equal(rig_run(rig, ARGS("--version"), NULL, 0), 0);
}

static void test_one_environment_has_one_broker(void **state)
{
    struct rig *rig = *state;
    char url[160], text[4096];
    rig_start(rig, NULL);
    snprintf(url, sizeof url, "ipc://%s/second.sock", rig->dir);
    assert_int_equal(rig_run(rig, ARGS("--data", rig->data, "--listen", url), text, sizeof text),
                     75);
    assert_non_null(strstr(text, "another rotad"));
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
}

/* ---- a clean stop ---- */

/* One call that parks, in a thread of its own. */
struct parked {
    struct rota_client *client;
    Rota__Request request;
    Rota__Reply *reply;
    pthread_t thread;
};

static void *parked_main(void *arg)
{
    struct parked *p = arg;
    p->reply = call(p->client, &p->request);
    return NULL;
}

static void park(struct parked *p, struct rig *rig)
{
    p->client = rig_client(rig, NULL);
    assert_int_equal(pthread_create(&p->thread, NULL, parked_main, p), 0);
}

/* Until stats shows the waiting worker, which is parked after the others. */
static void await_waiting(struct rig *rig)
{
    for (bool is_there = false; !is_there;) {
        Rota__Request r;
        Rota__Stats ask = ROTA__STATS__INIT;
        Rota__Reply *reply = must(rig->root, ASK(r, STATS, stats, &ask));
        for (size_t i = 0; i < reply->stats->n_pool; i++)
            is_there |= reply->stats->pool[i]->waiting_workers > 0;
        rota_reply_free(reply);
    }
}

static void test_a_stop_answers_whoever_waits(void **state)
{
    struct rig *rig = *state;
    struct parked lease, watch;
    char *class = (char *)(uintptr_t) "task";
    uint8_t nonce[16] = {1};
    Rota__Lease l = ROTA__LEASE__INIT;
    Rota__Watch w = ROTA__WATCH__INIT;
    rig_start(rig, NULL);
    l.worker = (char *)(uintptr_t) "w";
    l.pool = class;
    l.n_class_ = 1;
    l.class_ = &class;
    l.wait_ms = 30000;
    l.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
    w.from = 1ull << 40;
    w.wait_ms = 30000;
    (void)ASK(watch.request, WATCH, watch, &w);
    (void)ASK(lease.request, LEASE, lease, &l);
    park(&watch, rig);
    park(&lease, rig);
    await_waiting(rig);
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    pthread_join(lease.thread, NULL);
    pthread_join(watch.thread, NULL);
    assert_null(lease.reply->error);
    assert_int_equal(lease.reply->lease->n_job, 0);
    assert_null(watch.reply->error);
    assert_int_equal(watch.reply->watch->n_event, 0);
    printf("2 of 2 parked calls answered, exit 0\n");
    rota_reply_free(lease.reply);
    rota_reply_free(watch.reply);
    rota_client_free(lease.client);
    rota_client_free(watch.client);
}

/* ---- a kill ---- */

static void test_a_kill_costs_no_running_job(void **state)
{
    struct rig *rig = *state;
    char job[32], later[32];
    Rota__Request r;
    Rota__Reply *leased, *reply;
    rig_start(rig, NULL);
    rig_account(rig, "a", ROTA__TIER__P1, 0);
    publish_task(rig->root, "a", "app", job);
    publish_task(rig->root, "a", "app", later);
    Rota__LeasedJob *got = lease_one(rig->root, "task", "w", 5000, &leased);
    assert_non_null(got);
    Rota__Log log = ROTA__LOG__INIT;
    log.lease = got->lease;
    log.data = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "hello"};
    rota_reply_free(must(rig->root, ASK(r, LOG, log, &log)));
    assert_int_equal(rig_stop(rig, SIGKILL), 128 + SIGKILL);
    rig_start(rig, NULL);
    Rota__Status status = ROTA__STATUS__INIT;
    status.job = job;
    reply = must(rig->root, ASK(r, STATUS, status, &status));
    assert_int_equal(reply->status->job->state, ROTA__STATE__LEASED);
    assert_string_equal(reply->status->job->worker, "w");
    rota_reply_free(reply);
    log.data = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t) " again"};
    reply = must(rig->root, ASK(r, LOG, log, &log));
    assert_int_equal(reply->log->size, 11);
    rota_reply_free(reply);
    Rota__LogRead read = ROTA__LOG_READ__INIT;
    read.job = job;
    reply = must(rig->root, ASK(r, LOG_READ, log_read, &read));
    assert_int_equal(reply->log_read->data.len, 11);
    assert_memory_equal(reply->log_read->data.data, "hello again", 11);
    assert_false(reply->log_read->ended);
    rota_reply_free(reply);
    assert_int_equal(finish_ok(rig->root, got->lease), ROTA__STATE__SUCCEEDED);
    await_state(rig->root, later, ROTA__STATE__READY);
    rota_reply_free(leased);
    printf("lease, log and queue are there after kill -9\n");
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
}

/* ---- a failing disk ---- */

static void flushes_fail_at(unsigned n)
{
    char at[16];
    snprintf(at, sizeof at, "%u", n);
    setenv("LD_PRELOAD", shim, 1);
    setenv("FLUSH_SHIM_FAIL_AT", at, 1);
    setenv("FLUSH_SHIM_PATH", "data.mdb", 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
}

static void flushes_work(void)
{
    unsetenv("LD_PRELOAD");
    unsetenv("FLUSH_SHIM_FAIL_AT");
    unsetenv("FLUSH_SHIM_PATH");
}

/* Publishes until the broker is gone; gives how many were acknowledged. Jobs have the round in
 * their app. */
static unsigned publish_until_gone(struct rig *rig, unsigned round)
{
    unsigned acknowledged = 0;
    char app[16];
    snprintf(app, sizeof app, "round-%u", round);
    for (;;) {
        Rota__Request r;
        Rota__Publish p = ROTA__PUBLISH__INIT;
        Rota__Reply *reply = NULL;
        p.app = app;
        p.class_ = (char *)(uintptr_t) "task";
        assert(rota_call(rig->root, ASK(r, PUBLISH, publish, &p), 1500, &reply) == 0);
        bool is_done = reply->error == NULL;
        rota_reply_free(reply);
        if (!is_done)
            return acknowledged;
        acknowledged++;
    }
}

static unsigned stored(struct rig *rig, unsigned round)
{
    char app[16];
    Rota__Request r;
    Rota__List list = ROTA__LIST__INIT;
    snprintf(app, sizeof app, "round-%u", round);
    list.app = app;
    list.limit = 100;
    Rota__Reply *reply = must(rig->root, ASK(r, LIST, list, &list));
    unsigned n = (unsigned)reply->list->n_job;
    rota_reply_free(reply);
    return n;
}

static void test_a_failed_flush_ends_the_broker_unspoken(void **state)
{
    struct rig *rig = *state;
    unsigned at_start = 0, rounds = 0, acknowledged_all = 0;
    for (unsigned n = 1; n <= FAILING_FLUSHES; n++) {
        int code;
        flushes_fail_at(n);
        bool is_up = rig_try(rig, NULL, &code);
        flushes_work();
        unsigned acknowledged = is_up ? publish_until_gone(rig, n) : 0;
        if (is_up)
            code = rig_stop(rig, 0);
        at_start += !is_up;
        assert_int_equal(code, 74);
        rig->root = rota_client_free(rig->root);
        rig_start(rig, NULL);
        unsigned there = stored(rig, n);
        if (there < acknowledged || there > acknowledged + 1)
            print_error("flush %u: %u acknowledged, %u there\n", n, acknowledged, there);
        assert_true(there >= acknowledged && there <= acknowledged + 1);
        acknowledged_all += acknowledged;
        assert_int_equal(rig_stop(rig, SIGTERM), 0);
        rounds++;
    }
    printf("%u of %d failed flushes ended with 74 (%u at start); %u acknowledged, 0 lost\n", rounds,
           FAILING_FLUSHES, at_start, acknowledged_all);
    assert_true(at_start < rounds && acknowledged_all > 0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    program = argv[1];
    shim = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_wrong_start_says_what_is_wrong, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_one_environment_has_one_broker, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_a_stop_answers_whoever_waits, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_a_kill_costs_no_running_job, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_a_failed_flush_ends_the_broker_unspoken, rig_up,
                                        rig_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
