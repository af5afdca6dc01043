/* test_store.c: the contract of store.h for rows, transactions, cursors and the collector.
 * Everything above the store trusts these sentences; a store on another engine must pass the same
 * file.         */
#include "store_kit.h"

static void a_row_is_there_after_its_commit_and_gone_after_its_delete(void **state)
{
    struct kit *k = *state;
    struct txn *txn = kit_begin(k->store);
    struct span v;
    assert_int_equal(txn_get(txn, TABLE_CLASS, span_str("a"), &v), STORE_MISSING);
    assert_int_equal(txn_put(txn, TABLE_CLASS, span_str("a"), span_str("one")), 0);
    assert_int_equal(txn_put(txn, TABLE_CLASS, span_str("a"), span_str("two")), 0);
    assert_int_equal(store_commit(&txn), 0);
    assert_null(txn);

    kit_reopen(k);
    txn = kit_begin(k->store);
    assert_int_equal(txn_get(txn, TABLE_CLASS, span_str("a"), &v), 0);
    assert_true(span_eq(v, span_str("two")));
    assert_int_equal(txn_del(txn, TABLE_CLASS, span_str("a")), 0);
    assert_int_equal(txn_del(txn, TABLE_CLASS, span_str("a")), STORE_MISSING);
    assert_int_equal(store_commit(&txn), 0);
    assert_int_equal(kit_count(k->store, TABLE_CLASS), 0);
}

static void append_takes_only_a_key_above_all_and_the_transaction_lives_on(void **state)
{
    struct kit *k = *state;
    struct key_buf b;
    struct txn *txn = kit_begin(k->store);
    assert_int_equal(txn_append(txn, TABLE_EVENT, key_u64(&b, 5), span_str("5")), 0);
    assert_int_equal(txn_append(txn, TABLE_EVENT, key_u64(&b, 6), span_str("6")), 0);
    assert_int_equal(txn_append(txn, TABLE_EVENT, key_u64(&b, 6), span_str("6")), STORE_EXISTS);
    assert_int_equal(txn_append(txn, TABLE_EVENT, key_u64(&b, 4), span_str("4")), STORE_EXISTS);
    assert_int_equal(txn_append(txn, TABLE_EVENT, key_u64(&b, 7), span_str("7")), 0);
    assert_int_equal(store_commit(&txn), 0);
    assert_int_equal(kit_count(k->store, TABLE_EVENT), 3);
}

static void a_reserved_value_is_what_was_filled_in(void **state)
{
    struct kit *k = *state;
    static const size_t sizes[] = {1, 100, 1000, 2000, 4096, 65536};
    struct txn *txn = kit_begin(k->store);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        assert_int_equal(kit_event_put(txn, i, sizes[i]), 0);
    assert_int_equal(store_commit(&txn), 0);
    kit_reopen(k);
    AUTO(txn) snap = kit_snapshot(k->store);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        assert_true(kit_event_is(snap, i, sizes[i]));
}

static void an_abort_leaves_nothing(void **state)
{
    struct kit *k = *state;
    {
        AUTO(txn) txn = kit_begin(k->store);
        for (uint64_t i = 0; i < 1000; i++)
            assert_int_equal(kit_event_put(txn, i, 300), 0);
    }
    assert_int_equal(kit_count(k->store, TABLE_EVENT), 0);
}

static void a_snapshot_sees_the_moment_it_was_taken(void **state)
{
    struct kit *k = *state;
    for (unsigned round = 0; round < 50; round++) {
        AUTO(txn) before = kit_snapshot(k->store);
        struct txn *txn = kit_begin(k->store);
        assert_int_equal(kit_event_put(txn, round, 10), 0);
        AUTO(txn) during = kit_snapshot(k->store);
        assert_int_equal(store_commit(&txn), 0);
        AUTO(txn) after = kit_snapshot(k->store);
        uint64_t n;
        assert_int_equal(txn_count(before, TABLE_EVENT, &n), 0);
        assert_int_equal(n, round);
        assert_int_equal(txn_count(during, TABLE_EVENT, &n), 0);
        assert_int_equal(n, round);
        assert_int_equal(txn_count(after, TABLE_EVENT, &n), 0);
        assert_int_equal(n, round + 1);
    }
}

/* ---- cursors ---- */

/* The number in the key that a move found; UINT64_MAX: none. */
static uint64_t found(int r, struct span key)
{
    if (r == STORE_MISSING)
        return UINT64_MAX;
    assert_int_equal(r, 0);
    return get_be64(key.p);
}

static void a_cursor_finds_its_place_in_both_directions(void **state)
{
    struct kit *k = *state;
    struct key_buf b;
    struct span key = {0}, v;
    struct txn *txn = kit_begin(k->store);
    {
        AUTO(cursor) empty = NULL;
        assert_int_equal(cursor_open(txn, TABLE_EVENT, &empty), 0);
        assert_int_equal(cursor_seek(empty, key_u64(&b, 0), &key, &v), STORE_MISSING);
        assert_int_equal(cursor_before(empty, key_u64(&b, 9), &key, &v), STORE_MISSING);
        assert_int_equal(cursor_last(empty, &key, &v), STORE_MISSING);
        assert_int_equal(cursor_next(empty, &key, &v), STORE_MISSING);
    }
    for (uint64_t i = 10; i <= 50000; i += 10)
        assert_int_equal(txn_append(txn, TABLE_EVENT, key_u64(&b, i), span_str("x")), 0);
    assert_int_equal(store_commit(&txn), 0);

    AUTO(txn) snap = kit_snapshot(k->store);
    AUTO(cursor) c = NULL;
    assert_int_equal(cursor_open(snap, TABLE_EVENT, &c), 0);
    uint64_t checked = 0;
    for (uint64_t at = 1; at <= 50011; at += 7, checked++) {
        uint64_t above = (at + 9) / 10 * 10, below = (at - 1) / 10 * 10;
        uint64_t want_above = above > 50000 ? UINT64_MAX : above;
        uint64_t want_below = below == 0 ? UINT64_MAX : below > 50000 ? 50000 : below;
        assert_int_equal(found(cursor_seek(c, key_u64(&b, at), &key, &v), key), want_above);
        assert_int_equal(found(cursor_before(c, key_u64(&b, at), &key, &v), key), want_below);
    }
    assert_int_equal(found(cursor_seek(c, (struct span){0}, &key, &v), key), 10);
    assert_int_equal(found(cursor_prev(c, &key, &v), key), UINT64_MAX);
    assert_int_equal(found(cursor_last(c, &key, &v), key), 50000);
    assert_int_equal(found(cursor_prev(c, &key, &v), key), 49990);
    assert_int_equal(found(cursor_next(c, &key, &v), key), 50000);
    assert_int_equal(found(cursor_next(c, &key, &v), key), UINT64_MAX);
    print_message("%llu places sought from above and from below\n", (unsigned long long)checked);
}

/* From a row on to the end by leaps: each lands on a row that is there, as many rows on as it says.
 * Returns how many leaps that took. */
static uint64_t leap_to_end(struct txn *txn, struct key_buf *keys, size_t from, size_t n)
{
    AUTO(cursor) c = NULL;
    struct span key, v;
    uint64_t rows, leaps = 0;
    size_t at = from;
    assert_int_equal(cursor_open(txn, TABLE_IDEM, &c), 0);
    assert_int_equal(cursor_seek(c, span_of(keys[from].b, strlen((char *)keys[from].b)), &key, &v),
                     0);
    int r;
    for (; (r = cursor_leap(c, &key, &rows)) == 0; leaps++) {
        assert_true(rows >= 1 && at + rows < n);
        at += rows;
        assert_int_equal(key.n, strlen((char *)keys[at].b));
        assert_memory_equal(key.p, keys[at].b, key.n);
    }
    assert_int_equal(r, STORE_MISSING);
    assert_int_equal(at, n - 1);
    return leaps;
}

/* Keys of many lengths, so that pages hold many or few of them. */
static void leaps_count_the_rows_they_pass(void **state)
{
    enum { ROWS = 6000 };
    struct kit *k = *state;
    static struct key_buf keys[ROWS];
    uint64_t x = 7, leaps = 0, asked = 0;
    struct txn *txn = kit_begin(k->store);
    for (unsigned i = 0; i < ROWS; i++) {
        unsigned pad = (unsigned)(kit_random(&x) % (i < ROWS / 2 ? 8 : 240));
        snprintf(
            (char *)keys[i].b, sizeof keys[i].b, "%06u%.*s", i, (int)pad,
            "................................................................................"
            "................................................................................"
            "................................................................................");
        assert_int_equal(txn_put(txn, TABLE_IDEM, span_str((char *)keys[i].b),
                                 span_of(keys, kit_random(&x) % 900)),
                         0);
    }
    leap_to_end(txn, keys, ROWS - 50, ROWS); /* in a write transaction too */
    assert_int_equal(store_commit(&txn), 0);
    AUTO(txn) snap = kit_snapshot(k->store);
    for (size_t from = 0; from < ROWS; from += 997, asked++)
        leaps += leap_to_end(snap, keys, from, ROWS);
    print_message("%llu walks over %d rows in %llu leaps\n", (unsigned long long)asked, ROWS,
                  (unsigned long long)leaps);
}

static void a_walk_that_deletes_each_row_it_finds_visits_each_once(void **state)
{
    struct kit *k = *state;
    struct key_buf b;
    struct txn *txn = kit_begin(k->store);
    for (uint64_t i = 0; i < 20000; i++)
        assert_int_equal(kit_event_put(txn, i, 50), 0);
    {
        AUTO(cursor) c = NULL;
        assert_int_equal(cursor_open(txn, TABLE_EVENT, &c), 0);
        struct span key, v;
        uint64_t n = 0;
        while (cursor_next(c, &key, &v) == 0) {
            assert_int_equal(get_be64(key.p), n++);
            assert_int_equal(txn_del(txn, TABLE_EVENT, key_u64(&b, get_be64(key.p))), 0);
        }
        assert_int_equal(n, 20000);
        print_message("%llu rows visited and deleted\n", (unsigned long long)n);
    }
    assert_int_equal(store_commit(&txn), 0);
    assert_int_equal(kit_count(k->store, TABLE_EVENT), 0);
}

/* ---- a model beside the store ---- */

enum { MODEL_KEYS = 3000, MODEL_STEPS = 60000 };

static void model_compare(struct store *s, const uint16_t model[MODEL_KEYS])
{
    AUTO(txn) snap = kit_snapshot(s);
    AUTO(cursor) c = NULL;
    assert_int_equal(cursor_open(snap, TABLE_EVENT, &c), 0);
    struct span key, v;
    int r = cursor_next(c, &key, &v);
    for (uint64_t i = 0; i < MODEL_KEYS; i++) {
        if (!model[i])
            continue;
        assert_int_equal(r, 0);
        assert_int_equal(get_be64(key.p), i);
        assert_true(kit_event_is(snap, i, model[i]));
        r = cursor_next(c, &key, &v);
    }
    assert_int_equal(r, STORE_MISSING);
}

static void sixty_thousand_random_steps_agree_with_a_model(void **state)
{
    struct kit *k = *state;
    uint16_t model[MODEL_KEYS] = {0}, kept[MODEL_KEYS] = {0};
    uint64_t x = 42, commits = 0, aborts = 0;
    struct txn *txn = kit_begin(k->store);
    for (unsigned step = 1; step <= MODEL_STEPS; step++) {
        uint64_t n = kit_random(&x) % MODEL_KEYS;
        struct key_buf b;
        if (kit_random(&x) % 3) {
            model[n] = (uint16_t)(1 + kit_random(&x) % (kit_random(&x) % 20 ? 400 : 9000));
            assert_int_equal(kit_event_put(txn, n, model[n]), 0);
        } else {
            int want = model[n] ? 0 : STORE_MISSING;
            assert_int_equal(txn_del(txn, TABLE_EVENT, key_u64(&b, n)), want);
            model[n] = 0;
        }
        if (step % 500)
            continue;
        if (kit_random(&x) % 4) {
            assert_int_equal(store_commit(&txn), 0);
            memcpy(kept, model, sizeof kept);
            commits++;
        } else {
            txn = txn_free(txn);
            memcpy(model, kept, sizeof model);
            aborts++;
        }
        model_compare(k->store, model);
        txn = kit_begin(k->store);
    }
    txn_free(txn);
    kit_reopen(k);
    model_compare(k->store, model);
    print_message("%d steps, %llu commits, %llu aborts, equal after each\n", MODEL_STEPS,
                  (unsigned long long)commits, (unsigned long long)aborts);
}

/* ---- the collector ---- */

struct replica {
    struct txn *txn;
    uint64_t writes, deletes;
};

static void replica_apply(void *arg, enum table t, struct span key, struct span value)
{
    struct replica *to = arg;
    to->writes++;
    to->deletes += !value.p;
    int r = value.p ? txn_put(to->txn, t, key, value) : txn_del(to->txn, t, key);
    assert_int_equal(r, 0);
}

static void table_compare(struct txn *a, struct txn *b, enum table t, uint64_t *ret_rows)
{
    AUTO(cursor) ca = NULL;
    AUTO(cursor) cb = NULL;
    assert_int_equal(cursor_open(a, t, &ca), 0);
    assert_int_equal(cursor_open(b, t, &cb), 0);
    struct span ka, va, kb, vb;
    for (;;) {
        int ra = cursor_next(ca, &ka, &va), rb = cursor_next(cb, &kb, &vb);
        assert_int_equal(ra, rb);
        if (ra)
            return;
        assert_true(span_eq(ka, kb) && span_eq(va, vb));
        ++*ret_rows;
    }
}

static void the_collector_sees_enough_to_build_the_same_database(void **state)
{
    struct kit *k = *state;
    char dir[64];
    kit_dir_make(dir);
    struct store *other = kit_open(dir);
    struct replica replica = {0};
    store_collect(k->store, replica_apply, &replica);
    uint64_t x = 7;
    for (unsigned turn = 0; turn < 40; turn++) {
        replica.txn = kit_begin(other);
        struct txn *txn = kit_begin(k->store);
        for (unsigned i = 0; i < 50; i++) {
            struct key_buf b;
            struct tally_row row = {.ready = (uint32_t)i, .turn = turn};
            assert_int_equal(kit_event_put(txn, kit_random(&x) % 500, 1 + i * 40), 0);
            int r = txn_del(txn, TABLE_EVENT, key_u64(&b, kit_random(&x) % 500));
            assert_true(r == 0 || r == STORE_MISSING);
            /* Last, and reserved: the collector must see it although no write follows. */
            assert_int_equal(row_put(txn, &tally_row_type, key_tally(&b, i, 1), &row), 0);
        }
        assert_int_equal(store_commit(&txn), 0);
        assert_int_equal(store_commit(&replica.txn), 0);
    }
    struct store_usage usage;
    assert_int_equal(store_usage(k->store, &usage), 0);
    assert_int_equal(usage.commits, 40);
    assert_int_equal(usage.writes, replica.writes);
    uint64_t rows = 0;
    {
        AUTO(txn) a = kit_snapshot(k->store);
        AUTO(txn) b = kit_snapshot(other);
        for (unsigned t = 0; t < TABLE_COUNT; t++)
            table_compare(a, b, t, &rows);
    }
    print_message("%llu writes collected, %llu of them deletes, %llu rows equal\n",
                  (unsigned long long)replica.writes, (unsigned long long)replica.deletes,
                  (unsigned long long)rows);
    store_free(other);
    kit_dir_remove(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_is_there_after_its_commit_and_gone_after_its_delete),
        TEST(append_takes_only_a_key_above_all_and_the_transaction_lives_on),
        TEST(a_reserved_value_is_what_was_filled_in),
        TEST(an_abort_leaves_nothing),
        TEST(a_snapshot_sees_the_moment_it_was_taken),
        TEST(a_cursor_finds_its_place_in_both_directions),
        TEST(leaps_count_the_rows_they_pass),
        TEST(a_walk_that_deletes_each_row_it_finds_visits_each_once),
        TEST(sixty_thousand_random_steps_agree_with_a_model),
        TEST(the_collector_sees_enough_to_build_the_same_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
