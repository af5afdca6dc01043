/* test_watch.c: a watch never sleeps through what it waits for, and never waits for a peer that is
 * gone. */
#undef NDEBUG
#include "edge/watch.h"

#include <base/bytes.h>

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static unsigned wakes;

static void count_wake(void *arg)
{
    (void)arg;
    wakes++;
}

static struct job_id id_of(unsigned n)
{
    struct job_id id = {{0}};
    put_be32(id.b + 12, n);
    return id;
}

static struct watch *begin(struct watches *ws, struct job_id job, uint32_t pipe, uint64_t until_ms)
{
    struct inbound *in = calloc(1, sizeof *in);
    struct watch *w = NULL;
    assert_non_null(in);
    in->peer.pipe = pipe;
    assert_int_equal(watch_begin(ws, in, job, until_ms, &w), 0);
    return w;
}

static struct watches *watches_up(void)
{
    struct watches *ws = NULL;
    wakes = 0;
    assert_int_equal(watches_new(count_wake, NULL, &ws), 0);
    return ws;
}

/* The commit that falls between the snapshot and the parking. */
static void test_a_wake_before_parking_is_not_lost(void **state)
{
    (void)state;
    struct watches *ws = watches_up();
    struct watch *w = begin(ws, id_of(7), 1, 1000);
    watch_wake_job(ws, id_of(7));
    assert_false(watch_settle(ws, w, 0)); /* look again */
    assert_true(watch_settle(ws, w, 0));
    assert_null(watch_due(ws, 10));
    watch_wake_job(ws, id_of(7));
    assert_int_equal(wakes, 1);
    assert_ptr_equal(watch_due(ws, 10), w);
    watch_end(ws, w);
    watches_free(ws);
}

static void test_only_its_own_job_wakes_a_watch(void **state)
{
    (void)state;
    struct watches *ws = watches_up();
    unsigned n = 0;
    for (unsigned i = 1; i <= 5000; i++) /* more than there are buckets */
        assert_true(watch_settle(ws, begin(ws, id_of(i), 1, 1000), 0));
    for (unsigned i = 1; i <= 5000; i += 100)
        watch_wake_job(ws, id_of(i));
    watch_wake_job(ws, id_of(6000));
    for (struct watch *w; (w = watch_due(ws, 10)); n++)
        watch_end(ws, w);
    printf("%u of 50 woken among 5,000\n", n);
    assert_int_equal(n, 50);
    watches_free(ws);
}

static void test_the_event_log_wakes_those_who_wait_for_that_far(void **state)
{
    (void)state;
    struct watches *ws = watches_up();
    static const struct job_id log;
    struct watch *early = begin(ws, log, 1, 1000), *late = begin(ws, log, 1, 1000);
    assert_true(watch_settle(ws, early, 10));
    assert_true(watch_settle(ws, late, 20));
    watch_wake_events(ws, 9);
    assert_null(watch_due(ws, 10));
    watch_wake_events(ws, 15);
    assert_ptr_equal(watch_due(ws, 10), early);
    assert_null(watch_due(ws, 10));
    watch_end(ws, early);
    watches_free(ws);
}

static void test_time_ends_a_watch(void **state)
{
    (void)state;
    struct watches *ws = watches_up();
    struct watch *a = begin(ws, id_of(1), 1, 300), *b = begin(ws, id_of(2), 1, 200);
    assert_true(watch_settle(ws, a, 0));
    assert_true(watch_settle(ws, b, 0));
    assert_int_equal(watch_idle_ms(ws, 50, 1000), 150);
    assert_int_equal(watch_idle_ms(ws, 50, 100), 100);
    assert_null(watch_due(ws, 199));
    assert_ptr_equal(watch_due(ws, 200), b);
    watch_end(ws, b);
    assert_int_equal(watch_idle_ms(ws, 250, 1000), 50);
    assert_ptr_equal(watch_due(ws, 5000), a);
    watch_end(ws, a);
    assert_int_equal(watch_idle_ms(ws, 5000, 1000), 1000);
    watches_free(ws);
}

/* Those in a reader's hands are left alone: the reader still uses them. */
static void test_a_gone_pipe_takes_its_parked_watches_along(void **state)
{
    (void)state;
    struct watches *ws = watches_up();
    struct watch *held = begin(ws, id_of(1), 5, 1000);
    for (unsigned i = 2; i < 100; i++)
        assert_true(watch_settle(ws, begin(ws, id_of(i), i % 2 ? 5 : 6, 1000), 0));
    watch_forget_pipe(ws, 5);
    watch_wake_all(ws);
    unsigned n = 0;
    for (struct watch *w; (w = watch_due(ws, 10)); n++) {
        assert_int_equal(w->in->peer.pipe, 6);
        watch_end(ws, w);
    }
    assert_int_equal(n, 49);
    assert_false(watch_settle(ws, held, 0));
    watch_end(ws, held);
    watches_free(ws);
}

static void test_there_is_a_bound_and_the_oldest_makes_room(void **state)
{
    (void)state;
    struct watches *ws = watches_up();
    struct watch *first = NULL;
    for (unsigned i = 0; i < WATCHES_MAX; i++) {
        struct watch *w = begin(ws, id_of(i + 1), 1, 10000 + i);
        first = first ? first : w;
        assert_true(watch_settle(ws, w, 0));
    }
    assert_null(watch_due(ws, 10));
    struct watch *more = begin(ws, id_of(WATCHES_MAX + 1), 1, 90000);
    struct watch *w = watch_due(ws, 10);
    assert_ptr_equal(w, first);
    assert_int_equal(w->until_ms, 0); /* to be answered as it is */
    watch_end(ws, w);
    assert_true(watch_settle(ws, more, 0));
    printf("%d parked, the oldest answered for one more\n", WATCHES_MAX);
    watches_free(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wake_before_parking_is_not_lost),
        cmocka_unit_test(test_only_its_own_job_wakes_a_watch),
        cmocka_unit_test(test_the_event_log_wakes_those_who_wait_for_that_far),
        cmocka_unit_test(test_time_ends_a_watch),
        cmocka_unit_test(test_a_gone_pipe_takes_its_parked_watches_along),
        cmocka_unit_test(test_there_is_a_bound_and_the_oldest_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
