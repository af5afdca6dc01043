/* test_client.c: shows that librota keeps its word against a real nng peer over ipc.
 *
 * Why it matters: programs lean on it for everything that can go wrong between them and the broker:
 * a repeat must happen for the right errors, at the right times, and never double a job; a call
 * must always end; a pipe must never carry more than 32 calls, because the broker refuses the 33rd.
 */
#undef NDEBUG
#include "client.h"
#include "client_link.h"
#include "echo_server.h"
#include "tls_pem.h"

#include <assert.h>
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
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRIES_MAX = 64, BASE_MS = 20 };

static char folder[] = "/tmp/rota-client-XXXXXX";
static char url[64];

/* What the server does, and what it saw. */
struct script {
    unsigned fail_first; /* answer `code` that often, then well */
    enum error_code code;
    bool is_mute;
    unsigned tries;
    uint64_t at_ms[TRIES_MAX];
    char key[TRIES_MAX][32];
    uint8_t nonce[TRIES_MAX][16];
};

static void note(struct script *s, const Rota__Request *r)
{
    if (s->tries >= TRIES_MAX)
        return;
    s->at_ms[s->tries] = clock_boot_ms();
    if (r->op_case == ROTA__REQUEST__OP_PUBLISH)
        snprintf(s->key[s->tries], 32, "%s", r->publish->idempotency_key);
    if (r->op_case == ROTA__REQUEST__OP_LEASE && r->lease->nonce.len == 16)
        memcpy(s->nonce[s->tries], r->lease->nonce.data, 16);
}

static bool script_answer(void *arg, const Rota__Request *request, Rota__Reply *reply)
{
    static Rota__Error error;
    static Rota__PingResult pong;
    struct script *s = arg;
    assert_string_equal(request->credential, "rota_test_secret");
    assert_string_equal(request->environment, "test");
    note(s, request);
    if (s->is_mute)
        return s->tries++, false;
    if (s->tries++ < s->fail_first) {
        error_fill(s->code, NULL, &error);
        reply->error = &error;
        return true;
    }
    rota__ping_result__init(&pong);
    reply->result_case = ROTA__REPLY__RESULT_PING;
    reply->ping = &pong;
    return true;
}

static struct rota_client *client_open(uint32_t timeout_ms)
{
    struct rota_client_config config = {.url = url,
                                        .environment = "test",
                                        .credential = "rota_test_secret",
                                        .timeout_ms = timeout_ms};
    struct rota_client *client;
    assert_int_equal(rota_client_new(&config, &client), 0);
    assert_int_equal(client->backoff_base_ms, 1000);
    assert_int_equal(client->retries_max, 5);
    rota_client_tune(client, BASE_MS, 20000);
    return client;
}

static void ping_init(Rota__Request *r)
{
    static Rota__Ping ping = {.base = PROTOBUF_C_MESSAGE_INIT(&rota__ping__descriptor)};
    rota__request__init(r);
    r->op_case = ROTA__REQUEST__OP_PING;
    r->ping = &ping;
}

/* The name of the error that a ping ends with; "" when it went well. */
static const char *ping_name(struct rota_client *client, uint32_t timeout_ms, char name[40])
{
    Rota__Request request;
    Rota__Reply *reply;
    ping_init(&request);
    assert_int_equal(rota_call(client, &request, timeout_ms, &reply), 0);
    snprintf(name, 40, "%s", reply->error ? reply->error->name : "");
    assert_true(reply->error || reply->result_case == ROTA__REPLY__RESULT_PING);
    rota_reply_free(reply);
    return name;
}

static void wait_until(unsigned (*count)(struct echo *), struct echo *e, unsigned want)
{
    for (int i = 0; i < 2000 && count(e) < want; i++)
        nng_msleep(5);
    assert_int_equal(count(e), want);
}

/* ---- repeats ---- */

static void test_a_retryable_error_is_repeated_five_times_with_doubled_pauses(void **state)
{
    (void)state;
    struct script s = {.fail_first = 100, .code = E_OVERLOADED};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), "OVERLOADED");
    assert_int_equal(s.tries, 6);
    printf("tries at ms:");
    for (unsigned i = 0; i < 6; i++)
        printf(" %llu", (unsigned long long)(s.at_ms[i] - s.at_ms[0]));
    printf("\n");
    for (unsigned i = 1; i < 6; i++) {
        uint64_t gap = s.at_ms[i] - s.at_ms[i - 1], want = (uint64_t)BASE_MS << (i - 1);
        assert_true(gap + 1 >= want);
        assert_true(gap < want * 2 + 200);
    }
    rota_client_free(client);
    echo_free(e);
}

static void test_an_error_that_a_repeat_cannot_heal_is_not_repeated(void **state)
{
    (void)state;
    struct script s = {.fail_first = 100, .code = E_JOB_UNKNOWN};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), "JOB_UNKNOWN");
    assert_int_equal(s.tries, 1);
    rota_client_free(client);
    echo_free(e);
}

static void test_no_retry_means_none(void **state)
{
    (void)state;
    struct script s = {.fail_first = 100, .code = E_OVERLOADED};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client_config config = {.url = url,
                                        .environment = "test",
                                        .credential = "rota_test_secret",
                                        .retries_max = ROTA_NO_RETRY};
    struct rota_client *client;
    char name[40];
    assert_int_equal(rota_client_new(&config, &client), 0);
    assert_string_equal(ping_name(client, 0, name), "OVERLOADED");
    assert_int_equal(s.tries, 1);
    rota_client_free(client);
    echo_free(e);
}

static void test_a_pause_never_goes_past_the_deadline(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), ""); /* connected */
    s = (struct script){.fail_first = 100, .code = E_OVERLOADED};
    rota_client_tune(client, 200, 20000);
    uint64_t from_ms = clock_boot_ms();
    assert_string_equal(ping_name(client, 1000, name), "OVERLOADED");
    assert_true(clock_boot_ms() - from_ms < 1000);
    assert_int_equal(s.tries, 3); /* at 0, 200 and 600 ms; 1400 would be too late */
    rota_client_free(client);
    echo_free(e);
}

static void test_repeats_of_publish_and_lease_carry_the_same_key_and_nonce(void **state)
{
    (void)state;
    struct script s = {.fail_first = 2, .code = E_STORE_FAULT};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    static const uint8_t zero[16];
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    assert_null(reply->error);
    rota_reply_free(reply);
    assert_int_equal(s.tries, 3);
    assert_int_equal(strlen(s.key[0]), 26);
    assert_string_equal(s.key[0], s.key[1]);
    assert_string_equal(s.key[0], s.key[2]);
    assert_string_equal(publish.idempotency_key, ""); /* the caller's message is as it was */
    s.tries = 0;
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    rota_reply_free(reply);
    assert_int_equal(s.tries, 3);
    assert_memory_not_equal(s.nonce[0], zero, 16);
    assert_memory_equal(s.nonce[0], s.nonce[1], 16);
    assert_memory_equal(s.nonce[0], s.nonce[2], 16);
    assert_int_equal(lease.nonce.len, 0);
    rota_client_free(client);
    echo_free(e);
}

static void test_a_key_is_not_created_twice_when_the_answer_was_lost(void **state)
{
    (void)state;
    struct script s = {.fail_first = 2, .code = E_OVERLOADED};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    assert_null(reply->error); /* refused twice without effect: repeated */
    rota_reply_free(reply);
    assert_int_equal(s.tries, 3);
    s = (struct script){.fail_first = 1, .code = E_UNAVAILABLE};
    assert_int_equal(rota_call(client, &request, 0, &reply), 0);
    assert_string_equal(reply->error->name, "UNAVAILABLE");
    rota_reply_free(reply);
    assert_int_equal(s.tries, 1);
    rota_client_free(client);
    echo_free(e);
}

/* ---- silence, absence, return ---- */

static void test_a_silent_broker_gives_timeout_at_the_deadline(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    assert_string_equal(ping_name(client, 0, name), ""); /* connected */
    s = (struct script){.is_mute = true};
    uint64_t from_ms = clock_boot_ms();
    assert_string_equal(ping_name(client, 150, name), "TIMEOUT");
    uint64_t took_ms = clock_boot_ms() - from_ms;
    assert_true(took_ms >= 149 && took_ms < 600);
    assert_int_equal(s.tries, 1);
    printf("ended after %llu ms of 150\n", (unsigned long long)took_ms);
    rota_client_free(client);
    echo_free(e);
}

static void test_an_absent_broker_gives_unavailable_at_the_deadline(void **state)
{
    (void)state;
    struct rota_client *client = client_open(0);
    char name[40];
    uint64_t from_ms = clock_boot_ms();
    assert_string_equal(ping_name(client, 150, name), "UNAVAILABLE");
    uint64_t took_ms = clock_boot_ms() - from_ms;
    assert_true(took_ms >= 149 && took_ms < 600);
    rota_client_free(client);
}

static void test_a_pipe_that_stays_silent_is_given_up(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    char name[40];
    rota_client_tune(client, BASE_MS, 1500);
    assert_string_equal(ping_name(client, 0, name), "");
    s.is_mute = true;
    assert_string_equal(ping_name(client, 100, name), "TIMEOUT"); /* not silent for long enough */
    assert_int_equal(echo_pipes(e), 1);
    assert_string_equal(ping_name(client, 1600, name), "TIMEOUT");
    wait_until(echo_pipes, e, 2);
    s.is_mute = false;
    assert_string_equal(ping_name(client, 10000, name), "");
    rota_client_free(client);
    echo_free(e);
}

struct pinger {
    struct rota_client *client;
    char name[40];
};

static void *ping_thread(void *arg)
{
    struct pinger *p = arg;
    ping_name(p->client, 20000, p->name);
    return NULL;
}

static void test_a_call_survives_the_restart_of_the_broker(void **state)
{
    (void)state;
    struct script s = {0};
    struct echo *e = echo_new(url, script_answer, &s);
    struct pinger p = {.client = client_open(0), .name = "none"};
    pthread_t thread;
    echo_hold(e);
    assert_int_equal(pthread_create(&thread, NULL, ping_thread, &p), 0);
    wait_until(echo_held, e, 1); /* the broker has it, and dies with it */
    echo_down(e);
    nng_msleep(300);
    echo_release(e);
    uint64_t from_ms = clock_boot_ms();
    echo_up(e);
    pthread_join(thread, NULL);
    assert_string_equal(p.name, "");
    assert_true(echo_requests(e) >= 2);
    printf("answered %llu ms after the return\n", (unsigned long long)(clock_boot_ms() - from_ms));
    rota_client_free(p.client);
    echo_free(e);
}

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
        execl("/proc/self/exe", "test_client", url, (char *)NULL);
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
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
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
    struct echo *e = echo_new(url, script_answer, &s);
    struct rota_client *client = client_open(0);
    struct tally t = {0};
    Rota__Request request;
    sem_init(&t.ended, 0, 0);
    ping_init(&request);
    echo_hold(e);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(rota_call_start(client, &request, 0, tally_done, &t), 0);
    wait_until(echo_held, e, CALLS);
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
    struct echo *e = echo_new(url, script_answer, &s);
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
    wait_until(echo_held, e, CALLS + 1);
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

static bool pong_answer(void *arg, const Rota__Request *request, Rota__Reply *reply)
{
    static Rota__PingResult pong = {.base = PROTOBUF_C_MESSAGE_INIT(&rota__ping_result__descriptor),
                                    .version = (char *)"",
                                    .environment = (char *)""};
    (void)arg, (void)request;
    reply->result_case = ROTA__REPLY__RESULT_PING;
    reply->ping = &pong;
    return true;
}

static void test_sixty_four_in_flight_are_fast(void **state)
{
    (void)state;
    enum { IN_FLIGHT = 64, CALLS = 60000 };
    struct echo *e = echo_new(url, pong_answer, NULL);
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

/* ---- publishing many ---- */

struct shop {
    unsigned messages, jobs, most_jobs, without_key;
    size_t most_bytes;
    enum error_code refuse_from; /* the second message fails as a whole with this */
};

static bool shop_answer(void *arg, const Rota__Request *request, Rota__Reply *reply)
{
    static Rota__PublishManyResult result;
    static Rota__PublishOutcome outcome[1000], *list[1000];
    static Rota__PublishResult accepted[1000];
    static char names[1000][32];
    static Rota__Error error;
    struct shop *shop = arg;
    assert_int_equal(request->op_case, ROTA__REQUEST__OP_PUBLISH_MANY);
    const Rota__PublishMany *many = request->publish_many;
    size_t bytes = rota__publish_many__get_packed_size(many);
    shop->most_bytes = bytes > shop->most_bytes ? bytes : shop->most_bytes;
    shop->most_jobs =
        many->n_publish > shop->most_jobs ? (unsigned)many->n_publish : shop->most_jobs;
    if (shop->messages++ == 1 && shop->refuse_from) {
        error_fill(shop->refuse_from, NULL, &error);
        reply->error = &error;
        return true;
    }
    rota__publish_many_result__init(&result);
    for (size_t i = 0; i < many->n_publish; i++) {
        shop->without_key += strlen(many->publish[i]->idempotency_key) != 26;
        rota__publish_outcome__init(&outcome[i]);
        rota__publish_result__init(&accepted[i]);
        snprintf(names[i], sizeof names[i], "job_%s", many->publish[i]->app);
        accepted[i].job = names[i];
        outcome[i].accepted = &accepted[i];
        list[i] = &outcome[i];
        shop->jobs++;
    }
    result.n_outcome = many->n_publish;
    result.outcome = list;
    reply->result_case = ROTA__REPLY__RESULT_PUBLISH_MANY;
    reply->publish_many = &result;
    return true;
}

enum { JOBS = 2500, BAD = 1234 };
static Rota__Publish publishes[JOBS], *publish_list[JOBS];
static char apps[JOBS][80];
static struct rota_publish_outcome outcomes[JOBS];

static void publishes_fill(size_t spec_bytes)
{
    static uint8_t spec[16 * 1024];
    memset(spec, ' ', sizeof spec);
    for (int i = 0; i < JOBS; i++) {
        rota__publish__init(&publishes[i]);
        snprintf(apps[i], sizeof apps[i], "app%d", i);
        publishes[i].app = apps[i];
        publishes[i].spec = (ProtobufCBinaryData){spec_bytes, spec};
        publish_list[i] = &publishes[i];
        memset(&outcomes[i], 'x', sizeof outcomes[i]);
    }
}

static unsigned outcomes_good(void)
{
    unsigned good = 0;
    for (int i = 0; i < JOBS; i++) {
        char want[40];
        snprintf(want, sizeof want, "job_app%d", i);
        good += strcmp(outcomes[i].job, want) == 0 && !outcomes[i].error[0];
    }
    return good;
}

static void test_publish_all_splits_and_a_bad_job_fails_alone(void **state)
{
    (void)state;
    struct shop shop = {0};
    struct echo *e = echo_new(url, shop_answer, &shop);
    struct rota_client *client = client_open(0);
    publishes_fill(10);
    memset(apps[BAD], 'a', 79); /* 79 characters: longer than an app's name may be */
    assert_int_equal(rota_publish_all(client, publish_list, JOBS, outcomes), 0);
    assert_int_equal(outcomes_good(), JOBS - 1);
    assert_string_equal(outcomes[BAD].error, "FIELD_TOO_LONG");
    assert_string_equal(outcomes[BAD].job, "");
    assert_int_equal(shop.jobs, JOBS - 1);
    assert_int_equal(shop.messages, 3);
    assert_int_equal(shop.most_jobs, 1000);
    assert_int_equal(shop.without_key, 0);
    printf("%d small jobs in %u messages, at most %zu bytes\n", JOBS, shop.messages,
           shop.most_bytes);
    shop = (struct shop){0};
    publishes_fill(4000);
    assert_int_equal(rota_publish_all(client, publish_list, JOBS, outcomes), 0);
    assert_int_equal(outcomes_good(), JOBS);
    assert_true(shop.most_bytes <= 200 * 1024 && shop.messages >= JOBS * 4000 / (200 * 1024));
    printf("%d jobs of 4 KB in %u messages, at most %zu bytes\n", JOBS, shop.messages,
           shop.most_bytes);
    rota_client_free(client);
    echo_free(e);
}

static void test_publish_all_says_so_when_a_message_fails_as_a_whole(void **state)
{
    (void)state;
    struct shop shop = {.refuse_from = E_KEY_REVOKED};
    struct echo *e = echo_new(url, shop_answer, &shop);
    struct rota_client *client = client_open(0);
    publishes_fill(10);
    assert_int_equal(rota_publish_all(client, publish_list, JOBS, outcomes), 0);
    assert_int_equal(outcomes_good(), 1000);
    for (int i = 1000; i < JOBS; i++)
        assert_string_equal(outcomes[i].error, "KEY_REVOKED");
    assert_int_equal(shop.messages, 2); /* the third would meet the same */
    rota_client_free(client);
    echo_free(e);
}

/* ---- small things ---- */

static void test_idempotency_keys_rise_and_differ(void **state)
{
    (void)state;
    char last[27] = "", key[27];
    for (int i = 0; i < 100000; i++) {
        rota_idempotency_key(key);
        assert_int_equal(strlen(key), 26);
        assert_true(strcmp(key, last) > 0);
        memcpy(last, key, sizeof last);
    }
}

static void test_unusable_addresses_are_refused_at_once(void **state)
{
    (void)state;
    static const struct rota_client_config bad[] = {
        {.url = NULL},
        {.url = ""},
        {.url = "http://127.0.0.1:1"},
        {.url = "inproc://x"},
        {.url = "tcp://127.0.0.1:notaport"},
        {.url = "tcp://127.0.0.1"},
        {.url = "ipc://"},
        {.url = "tls+tcp://127.0.0.1:7000"}, /* no CA */
        {.url = "tls+tcp://127.0.0.1:7000", .tls_ca_file = "/dev/null"},
        {.url = "tls+tcp://127.0.0.1:7000", .tls_ca_file = "/no/such/file"},
    };
    int n = (int)(sizeof bad / sizeof *bad);
    for (int i = 0; i < n; i++) {
        struct rota_client *client = NULL;
        int r = rota_client_new(&bad[i], &client);
        if (r != -EINVAL)
            fail_msg("%s: %d", bad[i].url ? bad[i].url : "(none)", r);
        assert_null(client);
    }
    assert_null(rota_client_free(NULL));
    assert_null(rota_reply_free(NULL));
    printf("%d addresses refused\n", n);
}

static int group_setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(url, sizeof url, "ipc://%s/s", folder);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/s", folder);
    unlink(path);
    return rmdir(folder);
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
        cmocka_unit_test(test_a_retryable_error_is_repeated_five_times_with_doubled_pauses),
        cmocka_unit_test(test_an_error_that_a_repeat_cannot_heal_is_not_repeated),
        cmocka_unit_test(test_no_retry_means_none),
        cmocka_unit_test(test_a_pause_never_goes_past_the_deadline),
        cmocka_unit_test(test_repeats_of_publish_and_lease_carry_the_same_key_and_nonce),
        cmocka_unit_test(test_a_key_is_not_created_twice_when_the_answer_was_lost),
        cmocka_unit_test(test_a_silent_broker_gives_timeout_at_the_deadline),
        cmocka_unit_test(test_an_absent_broker_gives_unavailable_at_the_deadline),
        cmocka_unit_test(test_a_pipe_that_stays_silent_is_given_up),
        cmocka_unit_test(test_a_call_survives_the_restart_of_the_broker),
        cmocka_unit_test(test_many_threads_call_on_through_kills),
        cmocka_unit_test(test_tls_serves_only_who_proves_its_name),
        cmocka_unit_test(test_two_hundred_calls_in_flight_take_seven_pipes),
        cmocka_unit_test(test_freeing_the_client_ends_its_calls_as_unavailable),
        cmocka_unit_test(test_sixty_four_in_flight_are_fast),
        cmocka_unit_test(test_publish_all_splits_and_a_bad_job_fails_alone),
        cmocka_unit_test(test_publish_all_says_so_when_a_message_fails_as_a_whole),
        cmocka_unit_test(test_idempotency_keys_rise_and_differ),
        cmocka_unit_test(test_unusable_addresses_are_refused_at_once),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
