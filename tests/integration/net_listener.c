/* net_listener.c: the listeners of nng 1.5.2 die; ours come back.
 *
 * Shows: after 300 connect-and-close on the IPC socket, and after 300 FIN-and-RST on a TCP port, an
 * ordinary nng client is served within 3 s, one that had connected to the dead listener included;
 * with the self-probe off the same storm leaves the broker deaf, so the probe is what helps; a
 * client that was at work all along is not hung up; after 64 re-listens the broker is told to
 * drain. And what listening promises besides: mode 0660, the peer's uid, a stale file replaced, a
 * living broker's not.                 */
#undef NDEBUG
#include "net_rig.h"
#include "net_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <assert.h>
#include <base/clock.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    STORM = 300,
    STORMS_TO_DEAF_MAX = 20,
    DEAF_WAIT_MS = 300,
    SERVED_MS_MAX = 3000,
    STORMS_MAX = 400
};

/* nng never frees a listener that died with clients waiting in it (ipc_ep_fini() in ipc.c returns
 * early, for good): that leak is what the limit of re-listens bounds. LeakSanitizer takes what
 * hangs on a suppressed listener for reachable, so its clients need no line of their own, and
 * anything else of nng's is reported. The other tests of the transport run without this. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:listener_make\n";
}

static struct rig rig;

/* Connects and is gone before the endpoint has said hello. */
static void storm_ipc(int n)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", rig.path);
    for (int i = 0; i < n; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert(fd >= 0);
        (void)!connect(fd, (struct sockaddr *)&un, sizeof un); /* full backlog: no matter */
        close(fd);
    }
}

/* A FIN, then a RST: the endpoint's hello meets EPIPE instead of ECONNRESET. */
static void storm_tcp(uint16_t port, int n)
{
    struct linger reset = {.l_onoff = 1};
    for (int i = 0; i < n; i++) {
        struct wire w = wire_open_tcp(port);
        shutdown(w.fd, SHUT_WR);
        setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        wire_close(&w);
    }
}

/* One storm kills nearly always, but it is a race: storms until a greeted client is not answered.
 * The number of storms it took, or 0 when none of them killed. */
static int storm_until_deaf(uint16_t tcp_port)
{
    for (int i = 1; i <= STORMS_TO_DEAF_MAX; i++) {
        if (tcp_port)
            storm_tcp(tcp_port, STORM);
        else
            storm_ipc(STORM);
        struct wire w = tcp_port ? wire_open_tcp(tcp_port) : wire_open_ipc(rig.path);
        bool is_deaf = !wire_hello(&w, DEAF_WAIT_MS) || wire_ping_ns(&w, 3, DEAF_WAIT_MS) == 0;
        wire_close(&w);
        if (is_deaf)
            return i;
    }
    return 0;
}

static nng_socket client_open(const char *url)
{
    nng_socket client;
    assert(nng_req0_open(&client) == 0);
    assert(nng_socket_set_ms(client, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) == 0);
    assert(nng_dial(client, url, NULL, NNG_FLAG_NONBLOCK) == 0);
    return client;
}

/* One ping; false when it was not answered in time or its connection was lost. */
static bool client_try(nng_socket client, uint64_t until_ms)
{
    static const uint8_t ping[] = {0x08, 0x05, 0x82, 0x01, 0x00}; /* request_id 5, ping {} */
    nng_msg *msg;
    uint64_t now_ms = clock_boot_ms();
    nng_duration left_ms = until_ms > now_ms ? (nng_duration)(until_ms - now_ms) : 1;
    nng_socket_set_ms(client, NNG_OPT_SENDTIMEO, left_ms);
    nng_socket_set_ms(client, NNG_OPT_RECVTIMEO, left_ms);
    assert(nng_msg_alloc(&msg, sizeof ping) == 0);
    memcpy(nng_msg_body(msg), ping, sizeof ping);
    if (nng_sendmsg(client, msg, 0) != 0) {
        nng_msg_free(msg);
        return false;
    }
    if (nng_recvmsg(client, &msg, 0) != 0)
        return false;
    nng_msg_free(msg);
    return true;
}

/* Milliseconds until a ping was answered, or `wait_ms` when none was. Tries again when its
 * connection is lost, as the client library does. */
static uint64_t client_ping_ms(nng_socket client, uint32_t wait_ms)
{
    uint64_t from_ms = clock_boot_ms();
    while (clock_boot_ms() < from_ms + wait_ms)
        if (client_try(client, from_ms + wait_ms))
            return clock_boot_ms() - from_ms;
    return wait_ms;
}

static void report(const char *transport, const char *what, int storms, uint64_t ms,
                   uint64_t old_ns)
{
    printf("%s: deaf after %d storm(s) of %d %s, the next client served after %llu ms (re-listens "
           "%u), the "
           "client from before answered in %llu us\n%s",
           transport, storms, STORM, what, (unsigned long long)ms, rig_stats(&rig).relistens,
           (unsigned long long)old_ns / 1000, rig.notes);
}

static void test_ipc_client_is_served_after_a_storm(void **state)
{
    (void)state;
    rig_open(&rig, NULL, NULL);
    struct wire old = wire_open_ipc(rig.path);
    assert_true(wire_hello(&old, 1000) && wire_ping_ns(&old, 1, 1000) > 0);
    int storms = storm_until_deaf(0);
    assert_true(storms > 0);
    nng_socket client = client_open(rig.url);
    uint64_t ms = DEAF_WAIT_MS + client_ping_ms(client, 10000);
    uint64_t old_ns = wire_ping_ns(&old, 2, 1000);
    report("IPC", "connect-and-close", storms, ms, old_ns);
    assert_true(ms < SERVED_MS_MAX);
    assert_true(rig_stats(&rig).relistens >= 1 && rig_noted(&rig, "net.relisten"));
    assert_true(old_ns > 0);
    nng_close(client);
    wire_close(&old);
    rig_close(&rig);
}

static void test_ipc_without_probe_stays_deaf(void **state)
{
    (void)state;
    struct endpoint_config config = {.no_self_probe = true};
    rig_open(&rig, &config, NULL);
    int storms = storm_until_deaf(0);
    assert_true(storms > 0);
    nng_socket client = client_open(rig.url);
    uint64_t ms = client_ping_ms(client, SERVED_MS_MAX);
    printf("IPC without the self-probe: deaf after %d storm(s) of %d, %s within %d ms\n", storms,
           STORM, ms < SERVED_MS_MAX ? "served" : "not served", SERVED_MS_MAX);
    assert_true(ms >= SERVED_MS_MAX);
    nng_close(client);
    rig_close(&rig);
}

static void test_tcp_client_is_served_after_a_storm(void **state)
{
    (void)state;
    char url[64];
    uint16_t port = rig_free_port();
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port);
    rig_open(&rig, NULL, url);
    struct wire old = wire_open_tcp(port);
    assert_true(wire_hello(&old, 1000) && wire_ping_ns(&old, 1, 1000) > 0);
    int storms = storm_until_deaf(port);
    assert_true(storms > 0);
    nng_socket client = client_open(url);
    uint64_t ms = DEAF_WAIT_MS + client_ping_ms(client, 10000);
    uint64_t old_ns = wire_ping_ns(&old, 2, 1000);
    report("TCP", "FIN-and-RST", storms, ms, old_ns);
    assert_true(ms < SERVED_MS_MAX);
    assert_true(rig_stats(&rig).relistens >= 1);
    assert_true(old_ns > 0);
    nng_close(client);
    wire_close(&old);
    rig_close(&rig);
}

static void test_tcp_without_probe_stays_deaf(void **state)
{
    (void)state;
    char url[64];
    uint16_t port = rig_free_port();
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port);
    struct endpoint_config config = {.no_self_probe = true};
    rig_open(&rig, &config, url);
    int storms = storm_until_deaf(port);
    assert_true(storms > 0);
    nng_socket client = client_open(url);
    uint64_t ms = client_ping_ms(client, SERVED_MS_MAX);
    printf("TCP without the self-probe: deaf after %d storm(s) of %d, %s within %d ms\n", storms,
           STORM, ms < SERVED_MS_MAX ? "served" : "not served", SERVED_MS_MAX);
    assert_true(ms >= SERVED_MS_MAX);
    nng_close(client);
    rig_close(&rig);
}

static void test_many_deaths_end_in_a_drain(void **state)
{
    (void)state;
    struct endpoint_config config = {.probe_ms = 60};
    rig_open(&rig, &config, NULL);
    int storms = 0;
    while (atomic_load(&rig.relisten_limits) == 0 && storms++ < STORMS_MAX) {
        storm_ipc(STORM);
        uint32_t now = rig_stats(&rig).relistens;
        for (int i = 0; i < 100 && rig_stats(&rig).relistens == now; i++)
            poll(NULL, 0, 5);
    }
    printf("%u re-listens after %d storms, told to drain %u time(s)\n", rig_stats(&rig).relistens,
           storms, atomic_load(&rig.relisten_limits));
    assert_int_equal(rig_stats(&rig).relistens, RELISTENS_MAX);
    assert_int_equal(atomic_load(&rig.relisten_limits), 1);
    rig_close(&rig);
}

static void test_socket_file_and_peer(void **state)
{
    (void)state;
    struct stat st;
    rig_open(&rig, NULL, NULL);
    assert_int_equal(stat(rig.path, &st), 0);
    struct wire w = wire_open_ipc(rig.path);
    assert_true(wire_hello(&w, 1000) && wire_ping_ns(&w, 9, 1000) > 0);
    printf("socket mode %o, peer uid %u (ours %u)\n", st.st_mode & 07777, rig_last_peer(&rig).uid,
           getuid());
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_true(rig_last_peer(&rig).is_ipc && rig_last_peer(&rig).is_loopback);
    assert_int_equal(rig_last_peer(&rig).uid, getuid());
    wire_close(&w);
    rig_close(&rig);
}

static void test_a_stale_file_is_replaced_and_a_living_one_is_not(void **state)
{
    (void)state;
    static struct rig second;
    rig_prepare(&rig, NULL);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", rig.path);
    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&un, sizeof un), 0);
    close(stale);
    assert_int_equal(endpoint_listen(rig.endpoint, rig.url), 0);
    rig_start(&rig);
    rig_prepare(&second, NULL);
    assert_int_equal(endpoint_listen(second.endpoint, rig.url), ENDPOINT_IN_USE);
    rig_start(&second);
    rig_close(&second);
    struct wire w = wire_open_ipc(rig.path);
    assert_true(wire_hello(&w, 1000) && wire_ping_ns(&w, 9, 1000) > 0);
    wire_close(&w);
    rig_close(&rig);
    printf("stale file replaced; second broker on a living one refused, the first still serves\n");
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        int outcome;
    } rows[] = {
        {"ipc://relative", ENDPOINT_URL},
        {"ipc:///tmp", ENDPOINT_URL}, /* there, and no socket: not ours to remove */
        {"inproc://x", ENDPOINT_URL},
        {"tcp://127.0.0.1", ENDPOINT_URL},
        {"tcp://127.0.0.1:99999", ENDPOINT_URL},
        {"ws://127.0.0.1:1", ENDPOINT_URL},
        {"nonsense", ENDPOINT_URL},
        {"tcp://0.0.0.0:5555", ENDPOINT_PLAIN_TCP},
        {"tcp://*:5555", ENDPOINT_PLAIN_TCP},
        {"tcp://192.0.2.1:5555", ENDPOINT_PLAIN_TCP},
        {"tls+tcp://127.0.0.1:5555", ENDPOINT_TLS}, /* no certificate was named */
        {"tcp://127.0.0.1:0", 0},
    };
    rig_prepare(&rig, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int r = endpoint_listen(rig.endpoint, rows[i].url);
        printf("%s -> %d\n", rows[i].url, r);
        assert_int_equal(r, rows[i].outcome);
    }
    rig_start(&rig);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_socket_file_and_peer),
        cmocka_unit_test(test_a_stale_file_is_replaced_and_a_living_one_is_not),
        cmocka_unit_test(test_ipc_client_is_served_after_a_storm),
        cmocka_unit_test(test_ipc_without_probe_stays_deaf),
        cmocka_unit_test(test_tcp_client_is_served_after_a_storm),
        cmocka_unit_test(test_tcp_without_probe_stays_deaf),
        cmocka_unit_test(test_many_deaths_end_in_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
