/* test_store_walk.c: every call into LMDB may fail, and nothing acknowledged is lost.
 *
 * One scenario of a store's life (open, commits, deletes, cursors, room, chores, copy, reopen) runs
 * again and again; in run N the Nth call fails. After each run the database is opened without
 * faults: every commit that answered 0 is there whole, no other commit is there in part, and the
 * store takes writes. The walk ends with the first run that no failure reached. It is done for each
 * code that LMDB can answer.  */
#include "fault/lmdb_fault.h"
#include "unit/store_kit.h"

#include <errno.h>
#include <lmdb.h>

enum { COMMITS = 4, ROWS = 5, ROW_BYTES = 900 };

struct run {
    char dir[64];
    struct store *store;
    unsigned acknowledged; /* commits that answered 0 */
};

static int rows_put(struct txn *txn, unsigned commit)
{
    int r = 0;
    for (unsigned i = 0; i < ROWS && r == 0; i++)
        r = kit_event_put(txn, commit * ROWS + i, ROW_BYTES);
    struct key_buf k;
    struct ring_row row = {.account = commit};
    if (r == 0)
        r = row_append(txn, &ring_row_type, key_u64(&k, commit), &row);
    if (r == 0)
        r = row_put(txn, &tally_row_type, key_u64(&k, 0), &(struct tally_row){.turn = commit});
    if (r == 0 && commit > 0) /* what the commit before left behind */
        r = txn_del(txn, TABLE_CLASS, span_str("mark"));
    if (r == 0)
        r = txn_put(txn, TABLE_CLASS, span_str("mark"), span_str("x"));
    return r;
}

static int step_commit(struct run *run)
{
    AUTO(txn) txn = NULL;
    int r = store_begin(run->store, &txn);
    if (r == 0)
        r = rows_put(txn, run->acknowledged);
    if (r == 0)
        r = store_commit(&txn);
    if (r == 0)
        run->acknowledged++;
    return r;
}

static int step_read(struct run *run)
{
    AUTO(txn) txn = NULL;
    AUTO(cursor) c = NULL;
    struct span key, value;
    uint64_t n = 0;
    int r = store_snapshot(run->store, &txn);
    if (r == 0)
        r = txn_count(txn, TABLE_EVENT, &n);
    if (r == 0)
        r = cursor_open(txn, TABLE_EVENT, &c);
    if (r == 0)
        r = cursor_before(c, span_str("~"), &key, &value);
    while (r == 0)
        r = cursor_prev(c, &key, &value);
    return r == STORE_MISSING ? 0 : r;
}

static int step_chores(struct run *run)
{
    struct store_usage usage;
    store_tend(run->store, 1);
    int r = store_has_room(run->store);
    return r ? r : store_usage(run->store, &usage);
}

static int step_copy(struct run *run)
{
    char path[96];
    snprintf(path, sizeof path, "%s/copy", run->dir);
    int r = store_copy(run->store, path);
    if (r == 0)
        r = remove(path);
    return r;
}

static int step_open(struct run *run)
{
    struct store_config config = {
        .dir = run->dir, .map_bytes = 16 << 20, .reserve_bytes = 1, .create = true};
    return store_open(&config, &run->store);
}

static int step_reopen(struct run *run)
{
    run->store = store_free(run->store);
    return step_open(run);
}

static int (*const steps[])(struct run *) = {
    step_open,   step_commit, step_read,   step_commit, step_chores, step_copy,
    step_commit, step_read,   step_reopen, step_commit, step_read,
};

static bool commit_is_whole(struct txn *txn, unsigned commit)
{
    struct key_buf k;
    struct ring_row ring;
    bool is_whole = row_get(txn, &ring_row_type, key_u64(&k, commit), &ring) == 0;
    for (unsigned i = 0; i < ROWS; i++)
        is_whole = is_whole && kit_event_is(txn, commit * ROWS + i, ROW_BYTES);
    return is_whole;
}

/* Opened without faults: what was acknowledged is there, and nothing in part. */
static void run_check(struct run *run)
{
    assert_int_equal(step_open(run), 0);
    uint64_t events = kit_count(run->store, TABLE_EVENT);
    {
        AUTO(txn) snap = kit_snapshot(run->store);
        for (unsigned i = 0; i < run->acknowledged; i++)
            assert_true(commit_is_whole(snap, i));
    }
    assert_int_equal(events, run->acknowledged * ROWS);
    assert_int_equal(kit_count(run->store, TABLE_RING), run->acknowledged);
    assert_int_equal(step_commit(run), 0);
    run->store = store_free(run->store);
}

/* True when the fault was reached. */
static bool run_once(uint64_t at, int code)
{
    struct run run = {0};
    kit_dir_make(run.dir);
    fault_arm(at, code);
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps) && r == 0; i++)
        r = steps[i](&run);
    run.store = store_free(run.store); /* as a broker that ends with 74 */
    bool was_hit = fault_hit() != NULL;
    if (!was_hit)
        assert_int_equal(r, 0);
    fault_arm(0, 0);
    run_check(&run);
    kit_dir_remove(run.dir);
    return was_hit;
}

static void walk(int code, const char *name)
{
    uint64_t at = 1;
    while (run_once(at, code))
        at++;
    assert_true(at > 150); /* fewer would mean that the scenario no longer reaches its calls */
    assert_true(fault_calls() > 0);
    print_message("%s: %llu of %llu calls failed in turn, 0 commits lost or torn\n", name,
                  (unsigned long long)(at - 1), (unsigned long long)(at - 1));
}

static void any_call_may_answer_eio(void **state)
{
    (void)state;
    walk(EIO, "EIO");
}

static void any_call_may_answer_map_full(void **state)
{
    (void)state;
    walk(MDB_MAP_FULL, "MDB_MAP_FULL");
}

static void any_call_may_answer_enomem(void **state)
{
    (void)state;
    walk(ENOMEM, "ENOMEM");
}

static void any_call_may_find_corruption(void **state)
{
    (void)state;
    walk(MDB_CORRUPTED, "MDB_CORRUPTED");
}

static void a_commit_that_failed_on_the_disk_was_the_last_of_its_store(void **state)
{
    (void)state;
    struct run run = {0};
    kit_dir_make(run.dir);
    assert_int_equal(step_open(&run), 0);
    assert_int_equal(step_commit(&run), 0);
    struct txn *txn = kit_begin(run.store);
    assert_int_equal(rows_put(txn, run.acknowledged), 0);
    fault_arm(1, EIO);
    assert_int_equal(store_commit(&txn), -EIO);
    fault_arm(0, 0);
    assert_null(txn);
    assert_int_equal(store_begin(run.store, &txn), -EIO);
    run.store = store_free(run.store);
    run_check(&run);
    kit_dir_remove(run.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_may_answer_eio),
        cmocka_unit_test(any_call_may_answer_map_full),
        cmocka_unit_test(any_call_may_answer_enomem),
        cmocka_unit_test(any_call_may_find_corruption),
        cmocka_unit_test(a_commit_that_failed_on_the_disk_was_the_last_of_its_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
