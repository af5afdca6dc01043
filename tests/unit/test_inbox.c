/* test_inbox.c: the inbox keeps order, holds its bounds, forgets nothing, and wakes who sleeps.
 *
 * It matters because everything a client asks passes here: a lost wake-up would be a request that
 * waits for the next one, and a bound that leaks would let one client take the broker's memory. */
#undef NDEBUG
#include "net/inbox.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <base/clock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct inbound *request_new(uint32_t pipe, uint64_t id, size_t n)
{
    struct inbound *in = calloc(1, sizeof *in);
    assert_non_null(in);
    in->peer.pipe = pipe;
    in->to.request_id = id;
    in->n = n;
    return in;
}

static void free_list(struct inbound *in)
{
    struct inbound *next;
    for (; in; in = next) {
        next = in->next;
        inbound_free(in);
    }
}

static size_t count(const struct inbound *in)
{
    size_t n = 0;
    for (; in; in = in->next)
        n++;
    return n;
}

static void test_requests_come_out_in_their_order_and_lane(void **state)
{
    (void)state;
    AUTO(inbox) b = NULL;
    assert_int_equal(inbox_new(&b), 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(inbox_push(b, i % 2 ? LANE_TURN : LANE_READ, request_new(1, i, 10)), 0);
    struct inbound *list = inbox_take(b, LANE_TURN, 100, 1000, 0);
    uint64_t expected = 1;
    for (struct inbound *in = list; in; in = in->next, expected += 2)
        assert_int_equal(in->to.request_id, expected);
    assert_int_equal(count(list), 5);
    free_list(list);
    assert_null(inbox_take(b, LANE_TURN, 100, 1000, 0));
    list = inbox_take(b, LANE_READ, 100, 1000, 0);
    assert_int_equal(count(list), 5);
    free_list(list);
}

static void test_a_take_is_bounded_by_count_and_bytes_but_never_empty(void **state)
{
    (void)state;
    AUTO(inbox) b = NULL;
    assert_int_equal(inbox_new(&b), 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(inbox_push(b, LANE_TURN, request_new(1, i, 100)), 0);
    static const struct {
        size_t requests_max, bytes_max, taken;
    } rows[] = {{3, 10000, 3}, {100, 250, 2}, {100, 50, 1}, {100, 10000, 4}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct inbound *list = inbox_take(b, LANE_TURN, rows[i].requests_max, rows[i].bytes_max, 0);
        assert_int_equal(count(list), rows[i].taken);
        free_list(list);
    }
    assert_null(inbox_take(b, LANE_TURN, 100, 100, 0));
}

/* Pushes requests of `n` bytes until one does not fit. */
static size_t fill(struct inbox *b, uint32_t pipe, size_t n)
{
    for (size_t pushed = 0;; pushed++) {
        struct inbound *in = request_new(pipe, pushed, n);
        if (inbox_push(b, LANE_READ, in) == INBOX_FULL) {
            inbound_free(in);
            return pushed;
        }
    }
}

static void test_a_pipe_and_the_whole_are_bounded(void **state)
{
    (void)state;
    enum { LARGE = 1000000 };
    AUTO(inbox) b = NULL;
    assert_int_equal(inbox_new(&b), 0);
    size_t of_one = fill(b, 1, LARGE), of_all = of_one;
    for (uint32_t pipe = 2; pipe < 100; pipe++)
        of_all += fill(b, pipe, LARGE);
    printf("requests of %d bytes: %zu of one pipe, %zu in all\n", LARGE, of_one, of_all);
    assert_int_equal(of_one, INBOX_PIPE_BYTES_MAX / LARGE);
    assert_int_equal(of_all, INBOX_BYTES_MAX / (LARGE + 1000));
    struct inbound *gone = request_new(1, 0, 0); /* news of a pipe always fits */
    gone->kind = INBOUND_PIPE_GONE;
    assert_int_equal(inbox_push(b, LANE_READ, gone), 0);
    struct inbound *list = inbox_take(b, LANE_READ, 1000, SIZE_MAX, 0);
    assert_int_equal(count(list), of_all + 1);
    free_list(list);
    assert_int_equal(fill(b, 1, LARGE), of_one); /* what was taken is no longer charged */
}

static void test_tiny_requests_are_charged_what_they_cost(void **state)
{
    (void)state;
    AUTO(inbox) b = NULL;
    assert_int_equal(inbox_new(&b), 0);
    size_t n = fill(b, 1, 2);
    printf("requests of 2 bytes: %zu of one pipe, %zu bytes of memory each\n", n,
           sizeof(struct inbound));
    assert_true(n * sizeof(struct inbound) < INBOX_PIPE_BYTES_MAX);
    assert_true(n > 1000);
}

static void *wake_run(void *arg)
{
    inbox_wake(arg, LANE_TURN);
    return NULL;
}

static void test_a_wake_ends_the_present_or_the_next_take(void **state)
{
    (void)state;
    AUTO(inbox) b = NULL;
    assert_int_equal(inbox_new(&b), 0);
    uint64_t from_ms = clock_boot_ms();
    inbox_wake(b, LANE_TURN);
    assert_null(inbox_take(b, LANE_TURN, 1, 1, 10000));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_run, b), 0);
    assert_null(inbox_take(b, LANE_TURN, 1, 1, 10000));
    pthread_join(thread, NULL);
    inbox_wake(b, LANE_READ);
    assert_true(clock_boot_ms() - from_ms < 5000);
    from_ms = clock_boot_ms();
    inbox_take(b, LANE_TURN, 1, 1, 0); /* the thread's wake may have come after the take began */
    assert_null(inbox_take(b, LANE_TURN, 1, 1, 50));
    assert_true(clock_boot_ms() - from_ms >= 49);
}

enum { PUSHERS = 3, PUSHES = 50000 };

struct pusher {
    struct inbox *inbox;
    uint32_t pipe;
    uint64_t full;
};

static void *push_run(void *arg)
{
    struct pusher *p = arg;
    for (uint64_t i = 0; i < PUSHES;) {
        struct inbound *in = request_new(p->pipe, i, 64);
        if (inbox_push(p->inbox, LANE_TURN, in) == 0) {
            i++;
            continue;
        }
        inbound_free(in);
        p->full++;
    }
    return NULL;
}

static void test_nothing_is_lost_between_threads(void **state)
{
    (void)state;
    AUTO(inbox) b = NULL;
    assert_int_equal(inbox_new(&b), 0);
    pthread_t threads[PUSHERS];
    struct pusher pushers[PUSHERS];
    uint64_t next[PUSHERS] = {0}, taken = 0, takes = 0;
    for (uint32_t i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){.inbox = b, .pipe = i};
        assert_int_equal(pthread_create(&threads[i], NULL, push_run, &pushers[i]), 0);
    }
    while (taken < (uint64_t)PUSHERS * PUSHES) {
        struct inbound *list = inbox_take(b, LANE_TURN, 2000, 4 << 20, 5000);
        assert_non_null(list);
        for (struct inbound *in = list; in; in = in->next, taken++)
            assert_int_equal(in->to.request_id, next[in->peer.pipe]++);
        free_list(list);
        takes++;
    }
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(threads[i], NULL);
    printf("%llu requests of %d threads in %llu takes, each pipe in its order\n",
           (unsigned long long)taken, PUSHERS, (unsigned long long)takes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_come_out_in_their_order_and_lane),
        cmocka_unit_test(test_a_take_is_bounded_by_count_and_bytes_but_never_empty),
        cmocka_unit_test(test_a_pipe_and_the_whole_are_bounded),
        cmocka_unit_test(test_tiny_requests_are_charged_what_they_cost),
        cmocka_unit_test(test_a_wake_ends_the_present_or_the_next_take),
        cmocka_unit_test(test_nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
