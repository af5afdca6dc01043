/* test_store_limits.c: the contract of store.h for how a store is opened, filled to its limits,
 * copied and tended. Two brokers on one database, or a full one that takes a publish, cost more
 * than a request; a store on another engine must pass the same file. */
#include "store_kit.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

static int open_with(const char *dir, bool create, uint64_t map, uint64_t quota, uint64_t reserve,
                     struct store **ret)
{
    struct store_config config = {.dir = dir,
                                  .create = create,
                                  .map_bytes = map,
                                  .quota_bytes = quota,
                                  .reserve_bytes = reserve};
    return store_open(&config, ret);
}

/* ---- opening ---- */

static void a_second_opening_is_busy_in_this_process_and_in_another(void **state)
{
    struct kit *k = *state;
    struct store *second = NULL;
    assert_int_equal(open_with(k->dir, true, 0, 0, 0, &second), STORE_BUSY);
    assert_null(second);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *s = NULL;
        _exit(open_with(k->dir, true, 0, 0, 0, &s) == STORE_BUSY ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    kit_reopen(k);
}

static void an_absent_database_is_missing_unless_it_may_be_made(void **state)
{
    (void)state;
    char dir[64];
    kit_dir_make(dir);
    struct store *s = NULL;
    assert_int_equal(open_with(dir, false, 0, 0, 0, &s), STORE_MISSING);
    assert_int_equal(open_with(dir, true, 0, 0, 0, &s), 0);
    s = store_free(s);
    assert_int_equal(open_with(dir, false, 0, 0, 0, &s), 0);
    store_free(s);
    kit_dir_remove(dir);
}

static void a_newer_format_is_refused(void **state)
{
    struct kit *k = *state;
    uint8_t version[4];
    put_be32(version, UINT32_MAX);
    struct meta_row row = {.value = span_of(version, sizeof version)};
    struct txn *txn = kit_begin(k->store);
    assert_int_equal(row_put(txn, &meta_row_type, span_str("format"), &row), 0);
    assert_int_equal(store_commit(&txn), 0);
    k->store = store_free(k->store);
    struct store *s = NULL;
    assert_int_equal(open_with(k->dir, true, 1 << 30, 0, 0, &s), STORE_FORMAT);
    assert_null(s);
}

static void a_damaged_format_row_is_a_fault(void **state)
{
    struct kit *k = *state;
    struct txn *txn = kit_begin(k->store);
    struct span v;
    assert_int_equal(txn_get(txn, TABLE_META, span_str("format"), &v), 0);
    uint8_t damaged[64];
    assert_true(v.n <= sizeof damaged);
    memcpy(damaged, v.p, v.n);
    damaged[v.n - 1] ^= 1;
    assert_int_equal(txn_put(txn, TABLE_META, span_str("format"), span_of(damaged, v.n)), 0);
    assert_int_equal(store_commit(&txn), 0);
    k->store = store_free(k->store);
    struct store *s = NULL;
    assert_int_equal(open_with(k->dir, true, 1 << 30, 0, 0, &s), -EBADMSG);
    assert_null(s);
}

/* ---- limits ---- */

/* Rows of 1,000 bytes, ten a commit, until the store says no. Returns how many were committed. */
static uint64_t fill(struct store *s)
{
    for (uint64_t n = 0;; n += 10) {
        struct txn *txn = kit_begin(s);
        int r = 0;
        for (uint64_t i = 0; i < 10 && r == 0; i++)
            r = kit_event_put(txn, n + i, 1000);
        if (r == 0)
            r = store_commit(&txn);
        txn_free(txn);
        if (r) {
            assert_int_equal(r, STORE_FULL);
            return n;
        }
        assert_true(n < 100000);
    }
}

static void rows_delete(struct store *s, uint64_t from, uint64_t to)
{
    struct key_buf b;
    struct txn *txn = kit_begin(s);
    for (uint64_t i = from; i < to; i++)
        assert_int_equal(txn_del(txn, TABLE_EVENT, key_u64(&b, i)), 0);
    assert_int_equal(store_commit(&txn), 0);
}

static void a_full_map_refuses_keeps_what_it_has_and_takes_again_after_deletes(void **state)
{
    (void)state;
    char dir[64];
    kit_dir_make(dir);
    struct store *s = NULL;
    assert_int_equal(open_with(dir, true, 2 << 20, 0, 0, &s), 0);
    uint64_t n = fill(s);
    assert_int_equal(kit_count(s, TABLE_EVENT), n);
    struct txn *txn = kit_begin(s);
    int r = 0;
    for (uint64_t i = 0; r == 0; i++)
        r = kit_event_put(txn, 1000000 + i, 4000);
    assert_int_equal(r, STORE_FULL);
    assert_int_equal(store_commit(&txn), STORE_FULL); /* a broken transaction never commits */
    for (uint64_t i = 0; i < 500; i += 5)             /* small steps: a delete needs pages, too */
        rows_delete(s, i, i + 5);
    txn = kit_begin(s);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(kit_event_put(txn, i, 1000), 0);
    assert_int_equal(store_commit(&txn), 0);
    assert_int_equal(kit_count(s, TABLE_EVENT), n - 400);
    print_message("full at %llu rows in 2 MiB; 500 deleted, 100 put again\n",
                  (unsigned long long)n);
    store_free(s);
    kit_dir_remove(dir);
}

static void the_quota_counts_free_pages_and_leaves_the_reserve(void **state)
{
    (void)state;
    char dir[64];
    kit_dir_make(dir);
    struct store *s = NULL;
    assert_int_equal(open_with(dir, true, 0, 8 << 20, 2 << 20, &s), 0);
    assert_int_equal(store_has_room(s), 0);
    struct store_usage usage = {0};
    uint64_t n = 0;
    for (; usage.used_bytes <= (6u << 20); n += 100) {
        struct txn *txn = kit_begin(s);
        for (uint64_t i = 0; i < 100; i++)
            assert_int_equal(kit_event_put(txn, n + i, 1000), 0);
        assert_int_equal(store_commit(&txn), 0);
        assert_int_equal(store_usage(s, &usage), 0);
    }
    uint64_t most = usage.used_bytes;
    poll(NULL, 0, 110); /* the answer is looked up at most every 100 ms */
    assert_int_equal(store_has_room(s), STORE_FULL);
    struct txn *txn = kit_begin(s); /* what ends a job still fits */
    assert_int_equal(kit_event_put(txn, n, 100000), 0);
    assert_int_equal(store_commit(&txn), 0);
    rows_delete(s, 0, n / 2);
    poll(NULL, 0, 110);
    assert_int_equal(store_has_room(s), 0);
    assert_int_equal(store_usage(s, &usage), 0);
    assert_true(usage.used_bytes < most * 6 / 10);
    print_message(
        "full at %llu KiB of 8192 with 2048 in reserve; %llu KiB after half was deleted\n",
        (unsigned long long)(most >> 10), (unsigned long long)(usage.used_bytes >> 10));
    store_free(s);
    kit_dir_remove(dir);
}

/* ---- copies and chores ---- */

static void a_copy_is_the_database_of_one_moment(void **state)
{
    struct kit *k = *state;
    struct txn *txn = kit_begin(k->store);
    for (uint64_t i = 0; i < 3000; i++)
        assert_int_equal(kit_event_put(txn, i, 700), 0);
    assert_int_equal(store_commit(&txn), 0);
    store_tend(k->store, 1);
    char dir[64], path[128];
    kit_dir_make(dir);
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    assert_int_equal(store_copy(k->store, path), 0);
    assert_int_equal(store_copy(k->store, path), -EEXIST);
    struct store *copy = kit_open(dir);
    {
        AUTO(txn) snap = kit_snapshot(copy);
        for (uint64_t i = 0; i < 3000; i++)
            assert_true(kit_event_is(snap, i, 700));
    }
    store_free(copy);
    kit_dir_remove(dir);
}

static void tending_between_turns_never_touches_a_row(void **state)
{
    struct kit *k = *state;
    for (uint64_t turn = 0; turn < 200; turn++) {
        struct txn *txn = kit_begin(k->store);
        for (uint64_t i = 0; i < 20; i++)
            assert_int_equal(kit_event_put(txn, turn * 20 + i, 1500), 0);
        assert_int_equal(store_commit(&txn), 0);
        store_tend(k->store, 1 + turn * 1000);
    }
    kit_reopen(k);
    AUTO(txn) snap = kit_snapshot(k->store);
    for (uint64_t i = 0; i < 4000; i++)
        assert_true(kit_event_is(snap, i, 1500));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_opening_is_busy_in_this_process_and_in_another),
        cmocka_unit_test(an_absent_database_is_missing_unless_it_may_be_made),
        TEST(a_newer_format_is_refused),
        TEST(a_damaged_format_row_is_a_fault),
        cmocka_unit_test(a_full_map_refuses_keeps_what_it_has_and_takes_again_after_deletes),
        cmocka_unit_test(the_quota_counts_free_pages_and_leaves_the_reserve),
        TEST(a_copy_is_the_database_of_one_moment),
        TEST(tending_between_turns_never_touches_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
