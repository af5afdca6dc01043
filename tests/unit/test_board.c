/* test_board.c: the board gives whole copies of what was put last, also while it is being written.
 */
#undef NDEBUG
#include "engine/board.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LEASES = 2000, ROUNDS = 20000 };

static struct job_id id_of(unsigned n)
{
    struct job_id id = {{0}};
    memcpy(id.b, &n, sizeof n);
    return id;
}

static struct board_lease lease_of(unsigned n, uint64_t token)
{
    struct board_lease l = {.job = id_of(n), .token = token, .percent = (uint32_t)(token % 101)};
    snprintf(l.worker, sizeof l.worker, "w%llu", (unsigned long long)token);
    snprintf(l.message, sizeof l.message, "%0150llu", (unsigned long long)token);
    return l;
}

static void test_puts_replace_and_drops_forget(void **state)
{
    (void)state;
    struct board *b = NULL;
    struct board_lease l, *all = NULL;
    size_t n;
    assert_int_equal(board_new(&b), 0);
    for (unsigned i = 0; i < LEASES; i++) {
        l = lease_of(i, i);
        assert_int_equal(board_put_lease(b, &l), 0);
        l.percent = 77;
        assert_int_equal(board_put_lease(b, &l), 0);
    }
    for (unsigned i = 0; i < LEASES; i += 2)
        board_drop_lease(b, id_of(i));
    board_drop_lease(b, id_of(LEASES + 5)); /* never there */
    unsigned found = 0, missing = 0;
    for (unsigned i = 0; i < LEASES; i++) {
        int r = board_lease(b, id_of(i), &l);
        found += r == 0 && l.token == i && l.percent == 77;
        missing += r == BOARD_MISSING;
    }
    assert_int_equal(board_leases(b, &all, &n), 0);
    printf("%u leases found, %u missing, %zu copied, of %d\n", found, missing, n, LEASES);
    assert_int_equal(found, LEASES / 2);
    assert_int_equal(missing, LEASES / 2);
    assert_int_equal(n, LEASES / 2);
    free(all);
    board_free(b);
}

/* The same name in two pools is two workers. */
static void test_workers_and_pools_are_known_by_their_keys(void **state)
{
    (void)state;
    struct board *b = NULL;
    struct board_worker w = {.name = "same", .pool = 1, .slots = 2}, *workers = NULL;
    struct board_pool p = {.pool = 1, .waiting_workers = 3}, *pools = NULL;
    size_t n;
    assert_int_equal(board_new(&b), 0);
    assert_int_equal(board_put_worker(b, &w), 0);
    w.pool = 2;
    w.slots = 5;
    assert_int_equal(board_put_worker(b, &w), 0);
    w.slots = 6;
    assert_int_equal(board_put_worker(b, &w), 0);
    assert_int_equal(board_workers(b, &workers, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(workers[0].slots + workers[1].slots, 8);
    free(workers);
    board_drop_worker(b, 1, "same");
    assert_int_equal(board_workers(b, &workers, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(workers[0].pool, 2);
    assert_int_equal(board_put_pool(b, &p), 0);
    p.waiting_workers = 4;
    assert_int_equal(board_put_pool(b, &p), 0);
    assert_int_equal(board_pools(b, &pools, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(pools[0].waiting_workers, 4);
    free(workers);
    free(pools);
    board_free(b);
}

/* Workers of a pool are counted as they come, change and go; the last word outlives its worker. */
static void test_a_pool_knows_its_crew(void **state)
{
    (void)state;
    struct board *b = NULL;
    struct board_worker w = {.name = "a", .pool = 3, .slots = 4, .seen_bt_ms = 100};
    struct board_crew crew;
    struct board_pool pool;
    assert_int_equal(board_new(&b), 0);
    assert_int_equal(board_put_worker(b, &w), 0);
    w.seen_bt_ms = 200;
    w.slots = 6;
    assert_int_equal(board_put_worker(b, &w), 0);
    struct board_worker mute = {.name = "b", .pool = 3, .seen_bt_ms = 150};
    assert_int_equal(board_put_worker(b, &mute), 0);
    board_crew(b, 3, &crew);
    assert_int_equal(crew.workers, 2);
    assert_int_equal(crew.slots, 7); /* one that said none has one */
    assert_int_equal(crew.draining, 0);
    assert_int_equal(crew.seen_bt_ms, 200);
    w.draining = true;
    assert_int_equal(board_put_worker(b, &w), 0);
    board_drop_worker(b, 3, "b");
    board_drop_worker(b, 3, "b");
    board_crew(b, 3, &crew);
    assert_int_equal(crew.workers + crew.slots, 0);
    assert_int_equal(crew.draining, 1);
    board_drop_worker(b, 3, "a");
    board_crew(b, 3, &crew);
    assert_int_equal(crew.draining, 0);
    assert_int_equal(crew.seen_bt_ms, 200);
    assert_int_equal(board_pool(b, 3, &pool), BOARD_MISSING); /* it was never shown itself */
    board_crew(b, 4, &crew);
    assert_int_equal(crew.workers, 0);
    board_free(b);
}

static void test_the_runs_of_an_account_and_of_a_pool_are_found(void **state)
{
    (void)state;
    enum { ACCOUNTS = 7, POOLS = 3 };
    struct board *b = NULL;
    struct board_run runs[LEASES];
    assert_int_equal(board_new(&b), 0);
    for (unsigned i = 0; i < LEASES; i++) {
        struct board_lease l = lease_of(i, 1);
        l.account = i % ACCOUNTS;
        l.pool = (uint16_t)(i % POOLS);
        l.granted_bt_ms = 1000 + i;
        assert_int_equal(board_put_lease(b, &l), 0);
        assert_int_equal(board_put_lease(b, &l), 0);
    }
    for (unsigned i = 0; i < LEASES; i++)
        if (i % ACCOUNTS == 3 || i % 2)
            board_drop_lease(b, id_of(i));
    assert_int_equal(board_runs_of(b, 3, runs, LEASES), 0);
    assert_int_equal(board_runs_of(b, 5, runs, 4), 4);
    size_t n = board_runs_of(b, 5, runs, LEASES);
    for (size_t i = 0; i < n; i++) {
        unsigned number;
        memcpy(&number, runs[i].job.b, sizeof number);
        assert_true(number % ACCOUNTS == 5 && number % 2 == 0);
        assert_int_equal(runs[i].granted_bt_ms, 1000 + number);
    }
    assert_int_equal(n, LEASES / ACCOUNTS / 2);
    assert_int_equal(board_runs(b, 9, runs, LEASES), 0);
    n = board_runs(b, 2, runs, LEASES);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal((runs[i].granted_bt_ms - 1000) % POOLS, 2);
        assert_true(i == 0 || runs[i].granted_bt_ms > runs[i - 1].granted_bt_ms);
    }
    printf("%zu of %d runs are of pool 2, in the order they began\n", n, LEASES);
    assert_in_range(n, LEASES / POOLS / 2 * 6 / 7 - 1, LEASES / POOLS / 2 * 6 / 7 + 1);
    board_free(b);
}

static void *writer_main(void *arg)
{
    struct board *b = arg;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        struct board_lease l = lease_of(1, i);
        int r = board_put_lease(b, &l);
        assert(r == 0);
        struct board_totals t = {.turns = i, .last_seq = i, .broker_ms = i};
        board_put_totals(b, &t);
    }
    return NULL;
}

static void test_a_copy_is_never_half_of_two(void **state)
{
    (void)state;
    struct board *b = NULL;
    pthread_t writer;
    unsigned seen = 0;
    uint64_t last = 0;
    assert_int_equal(board_new(&b), 0);
    assert_int_equal(pthread_create(&writer, NULL, writer_main, b), 0);
    while (last < ROUNDS) {
        struct board_lease l;
        struct board_totals t;
        board_totals(b, &t);
        assert_true(t.turns == t.last_seq && t.turns == t.broker_ms);
        if (board_lease(b, id_of(1), &l) != 0)
            continue;
        struct board_lease whole = lease_of(1, l.token);
        assert_string_equal(l.worker, whole.worker);
        assert_string_equal(l.message, whole.message);
        assert_int_equal(l.percent, whole.percent);
        assert_true(l.token >= last);
        last = l.token;
        seen++;
    }
    pthread_join(writer, NULL);
    printf("%u copies taken under %d puts, all whole\n", seen, ROUNDS);
    board_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_puts_replace_and_drops_forget),
        cmocka_unit_test(test_workers_and_pools_are_known_by_their_keys),
        cmocka_unit_test(test_a_pool_knows_its_crew),
        cmocka_unit_test(test_the_runs_of_an_account_and_of_a_pool_are_found),
        cmocka_unit_test(test_a_copy_is_never_half_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
