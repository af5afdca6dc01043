/* net_limits.c: what one connection may do to the broker, and what it may not.
 *
 * Shows, one test for each: 33 requests in flight: the 33rd is refused BUSY with its own request
 * id; 1,000 pipelined long polls: 32 parked, the rest refused, another client's pings unharmed; a
 * client that never reads; a length of 2^64-32 announced: that pipe is closed and nothing else, on
 * IPC and TCP; one byte over each transport's limit likewise; malformed and unknown requests: an
 * answer by name; a request through a device; a reply too large for its transport; silent pipes
 * closed after 10 s and beyond 1,024 at once; the inbox full: OVERLOADED; news of a lost pipe in
 * both lanes, after all its requests; hang-up from above. */
#undef NDEBUG
#include "net_rig.h"
#include "net_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <base/clock.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { POLLS = 1000, WAIT_MS = 2000 };

static struct rig rig;

static struct wire open_greeted(void)
{
    struct wire w = wire_open_ipc(rig.path);
    assert_true(wire_hello(&w, WAIT_MS));
    return w;
}

static void expect_error(struct wire *w, const char *name, uint64_t request_id)
{
    uint64_t id = 0;
    assert_string_equal(wire_receive_error(w, WAIT_MS, &id), name);
    assert_int_equal(id, request_id);
}

static void test_the_33rd_request_is_refused_busy(void **state)
{
    (void)state;
    rig_open(&rig, NULL, NULL);
    struct wire w = open_greeted();
    for (uint64_t i = 1; i <= PIPE_REQUESTS_MAX; i++)
        assert_true(wire_send_poll(&w, i));
    assert_true(rig_await(&rig.parked, PIPE_REQUESTS_MAX, WAIT_MS));
    assert_true(wire_send_poll(&w, 33));
    expect_error(&w, "BUSY", 33);
    Rota__Reply reply = ROTA__REPLY__INIT; /* one answered: its place is free again */
    endpoint_reply(rig.endpoint, &rig.parked_to[4], &reply);
    expect_error(&w, "", 5);
    assert_true(wire_ping_ns(&w, 34, WAIT_MS) > 0);
    printf("32 parked, the 33rd refused BUSY with its id, after one answer the next is taken\n");
    assert_int_equal(rig_stats(&rig).refused_busy, 1);
    wire_close(&w);
    rig_close(&rig);
}

/* Reads what comes until nothing more does; how many were BUSY. */
static unsigned count_busy(struct wire *w)
{
    uint64_t id;
    unsigned n = 0;
    while (strcmp(wire_receive_error(w, 300, &id), "BUSY") == 0)
        n++;
    return n;
}

static void test_1000_pipelined_polls_park_32(void **state)
{
    (void)state;
    rig_open(&rig, NULL, NULL);
    struct wire hostile = open_greeted(), good = open_greeted();
    for (uint64_t i = 1; i <= POLLS; i++)
        assert_true(wire_send_poll(&hostile, i));
    assert_true(wire_ping_ns(&good, 1, WAIT_MS) > 0);
    unsigned busy = count_busy(&hostile);
    printf("%d polls pipelined: %u parked, %llu refused BUSY (%u of these reached it)\n", POLLS,
           atomic_load(&rig.parked), (unsigned long long)rig_stats(&rig).refused_busy, busy);
    assert_int_equal(atomic_load(&rig.parked), PIPE_REQUESTS_MAX);
    assert_int_equal(rig_stats(&rig).refused_busy, POLLS - PIPE_REQUESTS_MAX);
    wire_close(&hostile);
    wire_close(&good);
    rig_close(&rig);
}

/* What it would have read is dropped by nng beyond 64 replies; its requests cost what requests
 * cost, and more than 1,024 refusals in a row end it. */
static void test_a_client_that_never_reads_harms_nobody(void **state)
{
    (void)state;
    enum { REQUESTS = 20000 };
    rig_open(&rig, NULL, NULL);
    struct wire hostile = open_greeted(), good = open_greeted();
    uint64_t sent = 0, from_ms = clock_boot_ms();
    while (sent < REQUESTS && wire_send_log_read(&hostile, sent + 1, 20000))
        sent++;
    uint64_t ms = clock_boot_ms() - from_ms, ns = wire_ping_ns(&good, 1, WAIT_MS);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    struct endpoint_stats stats = rig_stats(&rig);
    printf("a client that never reads sent %llu requests in %llu ms (%llu refused BUSY, %u pipes "
           "left); "
           "another's ping took %llu us; peak memory %ld MiB\n%s",
           (unsigned long long)sent, (unsigned long long)ms, (unsigned long long)stats.refused_busy,
           stats.pipes, (unsigned long long)ns / 1000, usage.ru_maxrss / 1024, rig.notes);
    assert_true(ns > 0);
    assert_true(usage.ru_maxrss / 1024 < 256);
    wire_close(&hostile);
    wire_close(&good);
    rig_close(&rig);
}

/* The announced length closes one pipe; another on the same address works on. */
static void announce(struct wire *hostile, struct wire *good, uint64_t length)
{
    uint8_t head[9];
    assert_true(wire_hello(hostile, WAIT_MS) && wire_hello(good, WAIT_MS));
    assert_true(wire_ping_ns(good, 1, WAIT_MS) > 0);
    assert_true(wire_send_bytes(hostile, head, wire_head(hostile, length, head)));
    assert_true(wire_is_closed(hostile, WAIT_MS));
    assert_true(wire_ping_ns(good, 2, WAIT_MS) > 0);
    wire_close(hostile);
    wire_close(good);
}

static void test_an_announced_length_closes_one_pipe_and_nothing_else(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0xffffffffffffffe0u, 0xffffffffffffffffu,
                                       0x8000000000000000u, (1u << 20) + 1};
    char url[64];
    uint16_t port = rig_free_port();
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port);
    rig_prepare(&rig, NULL);
    assert_int_equal(endpoint_listen(rig.endpoint, rig.url), 0);
    assert_int_equal(endpoint_listen(rig.endpoint, url), 0);
    rig_start(&rig);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct wire hostile = wire_open_ipc(rig.path), good = wire_open_ipc(rig.path);
        announce(&hostile, &good, lengths[i]);
        hostile = wire_open_tcp(port);
        good = wire_open_tcp(port);
        announce(&hostile, &good, lengths[i]);
    }
    struct wire hostile = wire_open_tcp(port), good = wire_open_tcp(port);
    announce(&hostile, &good, (256u << 10) + 1);
    printf(
        "%zu announced lengths on IPC and TCP, and 256 KiB + 1 on TCP: each closed its own pipe, "
        "re-listens %u\n",
        ARRAY_LEN(lengths), rig_stats(&rig).relistens);
    rig_close(&rig);
}

static void test_malformed_requests_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *what, *bytes;
        size_t n;
        const char *error;
        uint64_t id;
    } rows[] = {
        {"no bytes", "", 0, "OPERATION_UNKNOWN", 0},
        {"an id and no operation", "\x08\x2a", 2, "OPERATION_UNKNOWN", 42},
        {"rubbish", "\xff\xff\xff\xff\xff", 5, "MALFORMED", 0},
        {"cut off behind its id", "\x08\x2a\x82\x01\x7f", 5, "MALFORMED", 42},
        {"an unknown field", "\x08\x2a\xfa\x3e\x00", 5, "FIELD_UNKNOWN", 42},
    };
    rig_open(&rig, NULL, NULL);
    struct wire w = open_greeted();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(wire_send(&w, 7, rows[i].bytes, rows[i].n));
        uint64_t id = 99;
        const char *error = wire_receive_error(&w, WAIT_MS, &id);
        printf("%s: %s, request id %llu\n", rows[i].what, error, (unsigned long long)id);
        assert_string_equal(error, rows[i].error);
        assert_int_equal(id, rows[i].id);
    }
    assert_true(wire_ping_ns(&w, 8, WAIT_MS) > 0);
    assert_int_equal(rig_stats(&rig).malformed, ARRAY_LEN(rows));
    wire_close(&w);
    rig_close(&rig);
}

/* Every prefix of a good request and 2,000 random changes of it: an answer each, or a hang-up. */
static void test_mutations_get_an_answer_or_a_hang_up(void **state)
{
    (void)state;
    static const uint8_t good[] = {0x08, 0x05, 0x12, 0x03, 'k',  'e',  'y',  0x1a,
                                   0x04, 'p',  'r',  'o',  'd',  0x9a, 0x01, 0x08,
                                   0x0a, 0x02, 'w',  '1',  0x12, 0x02, 'p',  'l'};
    rig_open(&rig, NULL, NULL);
    struct wire w = open_greeted();
    unsigned answered = 0, closed = 0;
    srand(1);
    for (unsigned i = 0; i < 2000 + sizeof good; i++) {
        uint8_t bytes[sizeof good];
        memcpy(bytes, good, sizeof good);
        size_t n = i < sizeof good ? i : sizeof good;
        for (int k = 0; i >= sizeof good && k < 2; k++)
            bytes[(size_t)rand() % sizeof good] = (uint8_t)rand();
        uint64_t id;
        if (wire_send(&w, i, bytes, n) &&
            strcmp(wire_receive_error(&w, WAIT_MS, &id), "no reply") != 0) {
            answered++;
            continue;
        }
        closed++;
        wire_close(&w);
        w = open_greeted();
    }
    printf("%zu mutated requests: %u answered, %u hang-ups\n", 2000 + sizeof good, answered,
           closed);
    assert_true(answered > 1900);
    wire_close(&w);
    rig_close(&rig);
}

static void test_a_message_without_a_backtrace_closes_its_pipe(void **state)
{
    (void)state;
    rig_open(&rig, NULL, NULL);
    struct wire w = open_greeted(), good = open_greeted();
    uint8_t head[9 + 2] = {0};
    size_t n = wire_head(&w, 2, head);
    assert_true(wire_send_bytes(&w, head, n + 2));
    assert_true(wire_is_closed(&w, WAIT_MS));
    assert_true(wire_ping_ns(&good, 1, WAIT_MS) > 0);
    printf("2 bytes, too few for a request id: hung up, the other client works on\n");
    wire_close(&w);
    wire_close(&good);
    rig_close(&rig);
}

static void test_an_answer_too_large_becomes_an_error(void **state)
{
    (void)state;
    char url[64];
    uint16_t port = rig_free_port();
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port);
    rig_prepare(&rig, NULL);
    assert_int_equal(endpoint_listen(rig.endpoint, rig.url), 0);
    assert_int_equal(endpoint_listen(rig.endpoint, url), 0);
    rig_start(&rig);
    struct wire ipc = open_greeted(), tcp = wire_open_tcp(port);
    assert_true(wire_hello(&tcp, WAIT_MS));
    assert_true(wire_send_log_read(&ipc, 1, 500 << 10) && wire_send_log_read(&tcp, 1, 200 << 10));
    expect_error(&ipc, "", 1);
    expect_error(&tcp, "", 1);
    assert_true(wire_send_log_read(&ipc, 2, 1 << 20) && wire_send_log_read(&tcp, 2, 256 << 10));
    expect_error(&ipc, "TOO_MANY", 2);
    expect_error(&tcp, "TOO_MANY", 2);
    printf("500 KiB over IPC and 200 KiB over TCP pass; 1 MiB and 256 KiB become TOO_MANY\n");
    wire_close(&ipc);
    wire_close(&tcp);
    rig_close(&rig);
}

static void test_silent_pipes_are_closed(void **state)
{
    (void)state;
    rig_open(&rig, NULL, NULL);
    struct wire known = open_greeted(), silent = open_greeted(), anonymous = open_greeted();
    uint64_t from_ms = clock_boot_ms();
    assert_true(wire_ping_ns(&known, 1, WAIT_MS) > 0);
    assert_true(
        wire_send_ping(&anonymous, 1, false)); /* without a credential: silent in our sense */
    expect_error(&anonymous, "", 1);
    assert_true(wire_is_closed(&silent, SILENT_MS_MAX + 2000));
    uint64_t silent_ms = clock_boot_ms() - from_ms;
    assert_true(wire_is_closed(&anonymous, WAIT_MS));
    assert_true(wire_ping_ns(&known, 2, WAIT_MS) > 0);
    printf(
        "a silent pipe was closed after %llu ms, one without a credential too; a known one stays\n",
        (unsigned long long)silent_ms);
    assert_true(silent_ms >= SILENT_MS_MAX - 100 && silent_ms < SILENT_MS_MAX + 1500);
    wire_close(&known);
    wire_close(&silent);
    wire_close(&anonymous);
    rig_close(&rig);
}

static void test_silent_pipes_are_bounded_and_the_newest_live(void **state)
{
    (void)state;
    enum { OPENED = SILENT_PIPES_MAX + 200 };
    static struct wire w[OPENED];
    struct rlimit files = {.rlim_cur = 8192, .rlim_max = 8192};
    setrlimit(RLIMIT_NOFILE, &files);
    rig_open(&rig, NULL, NULL);
    for (int i = 0; i < OPENED; i++)
        w[i] = open_greeted();
    for (int i = 0; i < 200 && rig_stats(&rig).closed_silent < 200; i++)
        poll(NULL, 0, 5);
    struct endpoint_stats stats = rig_stats(&rig);
    uint64_t ns = wire_ping_ns(&w[OPENED - 1], 1, WAIT_MS);
    printf("%d silent pipes opened: %u stand, %llu closed, the newest answered in %llu us\n",
           OPENED, stats.silent_pipes, (unsigned long long)stats.closed_silent,
           (unsigned long long)ns / 1000);
    assert_true(stats.silent_pipes <= SILENT_PIPES_MAX && stats.closed_silent >= 200);
    assert_true(ns > 0 && wire_is_closed(&w[0], WAIT_MS));
    for (int i = 0; i < OPENED; i++)
        wire_close(&w[i]);
    rig_close(&rig);
}

static void test_a_full_inbox_refuses_overloaded(void **state)
{
    (void)state;
    enum { LARGE = 700 << 10 };
    static uint8_t body[LARGE];
    /* request id 9 and a publish with an 8 KiB spec, eighty times in one publish_many */
    rig_open(&rig, NULL, NULL);
    atomic_store(&rig.is_paused, true);
    poll(NULL, 0, 150);
    size_t n = 0, at;
    body[n++] = 0x08, body[n++] = 9;
    body[n++] = 0x92, body[n++] = 0x01;
    at = n, n += 3;
    while (n + 8200 < LARGE) {
        body[n++] = 0x0a, body[n++] = 0x83, body[n++] = 0x40; /* publish: 8,195 bytes */
        body[n++] = 0x32, body[n++] = 0x80, body[n++] = 0x40; /* spec: 8,192 bytes */
        n += 8192;
    }
    size_t inner = n - at - 3;
    body[at] = (uint8_t)(inner | 0x80), body[at + 1] = (uint8_t)(inner >> 7 | 0x80);
    body[at + 2] = (uint8_t)(inner >> 14);
    struct wire w = open_greeted(), good = open_greeted();
    unsigned sent = 0;
    uint64_t id = 0;
    for (; sent < PIPE_REQUESTS_MAX; sent++)
        assert_true(wire_send(&w, sent, body, n));
    assert_string_equal(wire_receive_error(&w, WAIT_MS, &id), "OVERLOADED");
    assert_int_equal(id, 9);
    uint64_t overloaded = 0;
    for (int i = 0; i < 200 && (overloaded = rig_stats(&rig).refused_overloaded) < 27; i++)
        poll(NULL, 0, 10);
    atomic_store(&rig.is_paused, false);
    uint64_t ns = wire_ping_ns(&good, 1, WAIT_MS);
    printf("%u requests of %zu KiB with nobody taking: %llu refused OVERLOADED, then all is well "
           "again\n",
           sent, n >> 10, (unsigned long long)overloaded);
    assert_int_equal(overloaded, PIPE_REQUESTS_MAX - INBOX_PIPE_BYTES_MAX / n);
    assert_true(ns > 0);
    wire_close(&w);
    wire_close(&good);
    rig_close(&rig);
}

static void test_both_lanes_hear_that_a_pipe_is_gone(void **state)
{
    (void)state;
    enum { PIPES = 100 };
    rig_open(&rig, NULL, NULL);
    for (uint64_t i = 0; i < PIPES; i++) {
        struct wire w = open_greeted();
        assert_true(wire_send_poll(&w, 1) && wire_ping_ns(&w, 2, WAIT_MS) > 0);
        wire_close(&w);
        w = open_greeted(); /* never asks: nobody has to hear of it */
        wire_close(&w);
    }
    bool turn = rig_await(&rig.lanes[LANE_TURN].gone, PIPES, WAIT_MS);
    bool read = rig_await(&rig.lanes[LANE_READ].gone, PIPES, WAIT_MS);
    poll(NULL, 0, 100);
    printf("%d pipes with a parked poll gone, %d that never asked: %u and %u notices\n", PIPES,
           PIPES, atomic_load(&rig.lanes[LANE_TURN].gone), atomic_load(&rig.lanes[LANE_READ].gone));
    assert_true(turn && read);
    assert_int_equal(atomic_load(&rig.lanes[LANE_TURN].gone), PIPES);
    assert_int_equal(atomic_load(&rig.lanes[LANE_READ].gone), PIPES);
    Rota__Reply reply = ROTA__REPLY__INIT; /* an answer to one who is gone is no fault */
    endpoint_reply(rig.endpoint, &rig.parked_to[0], &reply);
    rig_close(&rig);
}

static void test_hang_up_from_above(void **state)
{
    (void)state;
    rig_open(&rig, NULL, NULL);
    struct wire w = open_greeted();
    assert_true(wire_ping_ns(&w, 1, WAIT_MS) > 0);
    endpoint_pipe_close(rig.endpoint, rig_last_peer(&rig).pipe);
    assert_true(wire_is_closed(&w, WAIT_MS));
    endpoint_pipe_close(rig.endpoint, rig_last_peer(&rig).pipe); /* twice is no fault */
    printf("hung up from above\n");
    wire_close(&w);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_33rd_request_is_refused_busy),
        cmocka_unit_test(test_1000_pipelined_polls_park_32),
        cmocka_unit_test(test_a_client_that_never_reads_harms_nobody),
        cmocka_unit_test(test_an_announced_length_closes_one_pipe_and_nothing_else),
        cmocka_unit_test(test_malformed_requests_are_named),
        cmocka_unit_test(test_mutations_get_an_answer_or_a_hang_up),
        cmocka_unit_test(test_a_message_without_a_backtrace_closes_its_pipe),
        cmocka_unit_test(test_an_answer_too_large_becomes_an_error),
        cmocka_unit_test(test_silent_pipes_are_closed),
        cmocka_unit_test(test_silent_pipes_are_bounded_and_the_newest_live),
        cmocka_unit_test(test_a_full_inbox_refuses_overloaded),
        cmocka_unit_test(test_both_lanes_hear_that_a_pipe_is_gone),
        cmocka_unit_test(test_hang_up_from_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
