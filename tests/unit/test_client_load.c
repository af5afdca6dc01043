/* test_client_load.c: shows that librota holds under load and violence: eight threads through kill
 * -9 of the peer, 200 calls in flight over 7 pipes, a client that is freed in the middle of its
 * calls, tls.
 *
 * Why it matters: a worker must find the broker again after a crash, however the bytes were cut,
 * and a pipe must never carry more than 32 calls, because the broker refuses the 33rd. */
#undef NDEBUG
#include "client_rig.h"
#include "tls_pem.h"

#include <base/clock.h>
#include <base/file.h>
#include <errno.h>
#include <nng/supplemental/util/platform.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Eight threads call without end while the broker is killed and comes back; each call is repeated
 * in silence until it went well, and none hangs. The broker is a process of its own here, because
 * only kill -9 takes it away between any two bytes. */
struct caller {
    struct rota_client *client;
    atomic_bool *is_over;
    atomic_uint calls, failed;
};

static void *caller_thread(void *arg)
{
    struct caller *c = arg;
    char name[40];
    while (!atomic_load(c->is_over)) {
        if (ping_name(c->client, 30000, name)[0])
            atomic_fetch_add(&c->failed, 1);
        atomic_fetch_add(&c->calls, 1);
    }
    return NULL;
}

static unsigned calls_of(struct caller *callers, int n)
{
    unsigned calls = 0;
    for (int i = 0; i < n; i++)
        calls += atomic_load(&callers[i].calls);
    return calls;
}

/* This program again, as a server; see main(). */
static pid_t server_spawn(void)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_client", rig_url, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void test_many_threads_call_on_through_kills(void **state)
{
    (void)state;
    enum { THREADS = 8, KILLS = 10, CALLS_BETWEEN = 500 };
    atomic_bool is_over = false;
    struct caller callers[THREADS] = {{0}};
    pthread_t threads[THREADS];
    struct rota_client *client = client_open(0);
    uint64_t longest_ms = 0;
    pid_t child = server_spawn();
    for (int i = 0; i < THREADS; i++) {
        callers[i].client = client;
        callers[i].is_over = &is_over;
        assert_int_equal(pthread_create(&threads[i], NULL, caller_thread, &callers[i]), 0);
    }
    for (int k = 0; k <= KILLS; k++) {
        unsigned before = calls_of(callers, THREADS);
        uint64_t from_ms = clock_boot_ms(), took_ms;
        while (calls_of(callers, THREADS) < before + CALLS_BETWEEN) {
            nng_msleep(1);
            assert_true(clock_boot_ms() - from_ms < 20000); /* they are at work again */
        }
        took_ms = clock_boot_ms() - from_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        if (k == KILLS)
            break;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        child = server_spawn();
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].failed, 0);
    }
    printf("%u calls of %d threads through %d kills, none failed; %d calls took at most %llu ms\n",
           calls_of(callers, THREADS), THREADS, KILLS, CALLS_BETWEEN,
           (unsigned long long)longest_ms);
    rota_client_free(client);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* ---- tls ---- */

static void tls_ping(const char *at, const char *pem, uint32_t timeout_ms, const char *want)
{
    char ca[64], name[40];
    snprintf(ca, sizeof ca, "%s/ca.pem", rig_folder);
    assert_int_equal(file_write(ca, 0600, pem, strlen(pem)), 0);
    struct rota_client_config config = {
        .url = at, .environment = "test", .credential = "rota_test_secret", .tls_ca_file = ca};
    struct rota_client *client;
    assert_int_equal(rota_client_new(&config, &client), 0);
    unlink(ca);
    assert_string_equal(ping_name(client, timeout_ms, name), want);
    rota_client_free(client);
}

static void test_tls_serves_only_who_proves_its_name(void **state)
{
    (void)state;
    char right[64], wrong_name[64];
    int port = 20000 + getpid() % 20000;
    snprintf(right, sizeof right, "tls+tcp://localhost:%d", port);
    snprintf(wrong_name, sizeof wrong_name, "tls+tcp://127.0.0.1:%d", port);
    struct script s = {0};
    struct echo *e = echo_new_tls(wrong_name, script_answer, &s);
    tls_ping(right, tls_ca_pem, 10000, "");
    assert_int_equal(s.tries, 1);
    tls_ping(right, tls_other_ca_pem, 500, "UNAVAILABLE");
    tls_ping(wrong_name, tls_ca_pem, 500, "UNAVAILABLE"); /* the certificate is localhost's */
    assert_int_equal(s.tries, 1);
    echo_free(e);
}

/* ---- many at once ---- */

struct tally {
    atomic_uint well, unavailable, other;
    sem_t ended;
};

static void tally_done(void *arg, Rota__Reply *reply)
{
    struct tally *t = arg;
    if (!reply->error)
        atomic_fetch_add(&t->well, 1);
    else if (strcmp(reply->error->name, "UNAVAILABLE") == 0)
        atomic_fetch_add(&t->unavailable, 1);
    else
        atomic_fetch_add(&t->other, 1);
    rota_reply_free(reply);
    sem_post(&t->ended);
}

static void tally_wait(struct tally *t, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        while (sem_wait(&t->ended) < 0)
            assert_int_equal(errno, EINTR);
}

static void test_two_hundred_calls_in_flight_take_seven_pipes(void **state)
{
    (void)state;
    enum { CALLS = 200 };
    struct script s = {0};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct rota_client *client = client_open(0);
    struct tally t = {0};
    Rota__Request request;
    sem_init(&t.ended, 0, 0);
    ping_init(&request);
    echo_hold(e);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(rota_call_start(client, &request, 0, tally_done, &t), 0);
    wait_count(echo_held, e, CALLS);
    assert_int_equal(client->link_count, 7);
    assert_int_equal(echo_pipes(e), 7);
    assert_int_equal(echo_pipe_most(e), 32);
    echo_release(e);
    tally_wait(&t, CALLS);
    assert_int_equal(t.well, CALLS);
    for (int i = 0; i < CALLS; i++) /* the same contexts again */
        assert_int_equal(rota_call_start(client, &request, 0, tally_done, &t), 0);
    tally_wait(&t, CALLS);
    assert_int_equal(t.well, 2 * CALLS);
    assert_int_equal(client->link_count, 7);
    printf("%d in flight over %u pipes, at most %d on one\n", CALLS, echo_pipes(e), 32);
    rota_client_free(client);
    echo_free(e);
    sem_destroy(&t.ended);
}

static void test_freeing_the_client_ends_its_calls_as_unavailable(void **state)
{
    (void)state;
    enum { CALLS = 100 };
    struct script s = {0};
    struct echo *e = echo_new(rig_url, script_answer, &s);
    struct tally t = {0};
    struct pinger p = {.client = client_open(0)};
    pthread_t thread;
    Rota__Request request;
    sem_init(&t.ended, 0, 0);
    ping_init(&request);
    echo_hold(e);
    assert_int_equal(pthread_create(&thread, NULL, ping_thread, &p), 0);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(rota_call_start(p.client, &request, 0, tally_done, &t), 0);
    wait_count(echo_held, e, CALLS + 1);
    rota_client_free(p.client);
    assert_int_equal(t.unavailable, CALLS); /* all were told before free came back */
    pthread_join(thread, NULL);
    assert_string_equal(p.name, "UNAVAILABLE");
    echo_free(e);
    sem_destroy(&t.ended);
}

/* Keeps the same number of calls in flight: each answer starts the next call. */
struct load {
    struct rota_client *client;
    Rota__Request request;
    atomic_int left;
    atomic_uint failed;
    sem_t ended;
};

static void load_done(void *arg, Rota__Reply *reply)
{
    struct load *l = arg;
    if (reply->error)
        atomic_fetch_add(&l->failed, 1);
    rota_reply_free(reply);
    if (atomic_fetch_sub(&l->left, 1) <= 0 ||
        rota_call_start(l->client, &l->request, 0, load_done, l) != 0)
        sem_post(&l->ended);
}

static void test_sixty_four_in_flight_are_fast(void **state)
{
    (void)state;
    enum { IN_FLIGHT = 64, CALLS = 60000 };
    struct echo *e = echo_new(rig_url, pong_answer, NULL);
    struct load l = {.client = client_open(0), .left = CALLS};
    sem_init(&l.ended, 0, 0);
    ping_init(&l.request);
    uint64_t from_ns = clock_boot_ns();
    for (int i = 0; i < IN_FLIGHT; i++)
        assert_int_equal(rota_call_start(l.client, &l.request, 0, load_done, &l), 0);
    for (int i = 0; i < IN_FLIGHT; i++)
        while (sem_wait(&l.ended) < 0)
            assert_int_equal(errno, EINTR);
    double seconds = (double)(clock_boot_ns() - from_ns) / 1e9;
    assert_int_equal(l.failed, 0);
    assert_int_equal(echo_requests(e), CALLS + IN_FLIGHT);
    printf("%.0f round trips/s over %u pipes, client and server in one process\n",
           (CALLS + IN_FLIGHT) / seconds, l.client->link_count);
    rota_client_free(l.client);
    echo_free(e);
    sem_destroy(&l.ended);
}

/* With an argument: the server that test_many_threads_call_on_through_kills kills. */
static _Noreturn void serve(const char *at)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    unlink(at + strlen("ipc://"));
    echo_new(at, pong_answer, NULL);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc > 1)
        serve(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads_call_on_through_kills),
        cmocka_unit_test(test_tls_serves_only_who_proves_its_name),
        cmocka_unit_test(test_two_hundred_calls_in_flight_take_seven_pipes),
        cmocka_unit_test(test_freeing_the_client_ends_its_calls_as_unavailable),
        cmocka_unit_test(test_sixty_four_in_flight_are_fast),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
