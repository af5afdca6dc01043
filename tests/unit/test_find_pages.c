/* test_find_pages.c: the pages of a find are whole while the jobs behind them change, a cursor is
 * good for its own filter, and a page looks at few jobs beside those that it gives. */
#include "find_kit.h"

static const char *const nowhere = "job_zzzzzzzzzzzzzzzzzzzzzzzzzz";

static void publish_some(struct world *w)
{
    Rota__Publish q = call_publish_of();
    char job[CALL_JOB_BYTES];
    q.account = (char *)"amber";
    for (int i = 0; i < 3; i++)
        call_published(w->k, &q, job);
    kit_pass(w->k, 60); /* the index is folded meanwhile */
}

/* What was there when the first page was read is in the pages exactly once; what came later is
 * newer than all of it, so it is in none. */
static void pages_are_whole_while_jobs_are_published(void **state)
{
    struct engine_kit *k = *state;
    struct world w;
    size_t jobs = 0, pages = 0;
    world_make(&w, k, 600, 7, false);
    for (int i = 0; i < 3; i++) {
        static const struct seen *expected[600];
        Rota__Where where = ROTA__WHERE__INIT;
        where.account = (char *)(i < 2 ? "amber" : "");
        where.app = (char *)(i == 1 ? "shop" : "");
        size_t n = oracle(&w, &where, expected);
        struct answer a = find_all(&w, &where, 11, publish_some);
        assert_int_equal(a.n, n);
        for (size_t j = 0; j < n; j++)
            assert_string_equal(a.jobs[j], expected[j]->job);
        jobs += a.n;
        pages += a.pages;
        answer_free(&a);
        if (i == 2)
            break;
        world_free(&w); /* what was published between belongs to the next round's world */
        engine_kit_teardown(k);
        engine_kit_setup(k, 1 << 30);
        world_make(&w, k, 600, 8 + (uint64_t)i, false);
    }
    printf("%zu jobs, each once, in %zu pages with 3 publishes after each\n", jobs, pages);
    world_free(&w);
}

static void a_cursor_is_good_for_its_own_filter_only(void **state)
{
    struct engine_kit *k = *state;
    struct world w;
    struct kit_read r;
    Rota__Where where = ROTA__WHERE__INIT;
    char cursor[130];
    world_make(&w, k, 200, 3, false);
    where.app = (char *)"shop";
    assert_string_equal(find_page(k, &where, 5, "", NULL, &r), "");
    snprintf(cursor, sizeof cursor, "%s", r.reply.find->next_cursor);
    kit_read_end(&r);
    assert_true(cursor[0]);
    struct principal amber = kit_key_of(k, "amber");
    where.ref = (char *)"main";
    assert_string_equal(find_page(k, &where, 5, cursor, NULL, &r), "CURSOR_INVALID");
    kit_read_end(&r);
    where.ref = (char *)"";
    assert_string_equal(find_page(k, &where, 5, cursor, &amber, &r), "CURSOR_INVALID");
    kit_read_end(&r);
    assert_string_equal(find_page(k, &where, 5, cursor, NULL, &r), "");
    kit_read_end(&r);
    const char *const others[] = {"nonsense", "00", "abcdef", nowhere};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_string_equal(find_page(k, &where, 5, others[i], NULL, &r), "CURSOR_INVALID");
        kit_read_end(&r);
    }
    cursor[strlen(cursor) - 1] ^= 1; /* another hash */
    assert_string_equal(find_page(k, &where, 5, cursor, NULL, &r), "CURSOR_INVALID");
    kit_read_end(&r);
    world_free(&w);
}

/* ---- what it costs ---- */

static uint64_t rows_seen(struct engine_kit *k, Rota__Where *where, size_t jobs)
{
    struct kit_read r;
    assert_string_equal(find_page(k, where, 100, "", NULL, &r), "");
    assert_int_equal(r.reply.find->n_job, jobs);
    assert_string_equal(r.reply.find->next_cursor, "");
    uint64_t seen = r.reply.find->seen;
    kit_read_end(&r);
    return seen;
}

static void publish_held(struct engine_kit *k)
{
    Rota__Publish q = call_publish_of();
    char job[CALL_JOB_BYTES];
    q.hold = true;
    call_published(k, &q, job);
}

static void an_index_serves_what_it_can(void **state)
{
    enum { JOBS = 20000 };
    struct engine_kit *k = *state;
    char few[3][CALL_JOB_BYTES];
    struct kit_lease l;
    Rota__Where where = ROTA__WHERE__INIT;
    kit_account(k, "small", ROTA__TIER__P0, 9);
    Rota__Publish q = call_publish_of();
    q.account = (char *)"small";
    for (int i = 0; i < 3; i++)
        call_published(k, &q, few[i]);
    assert_true(kit_lease(k, "w", &l)); /* the small account's is the oldest */
    kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED);
    uint64_t finished_ms = k->now.wall_ms;
    call_hold(k, few[1]);
    publish_held(k); /* the oldest and the newest of the large account */
    kit_fill(k, JOBS / 1000);
    publish_held(k);
    while (kit_rows(k, TABLE_JOB_OF) < 2ull * (JOBS + 5)) /* by account and by app */
        kit_pass(k, 60);
    kit_pass(k, 60);
    where.account = (char *)"small";
    uint64_t of_account = rows_seen(k, &where, 3);
    where.account = (char *)"";
    where.state = ROTA__STATE__HELD;
    uint64_t of_state = rows_seen(k, &where, 3);
    where.account = (char *)"local"; /* 20,002 of an account and three held jobs: both at once */
    uint64_t of_both = rows_seen(k, &where, 2);
    where.account = (char *)"";
    where.state = ROTA__STATE__STATE_NONE;
    where.finished_from_ms = finished_ms;
    where.finished_to_ms = finished_ms + 1;
    uint64_t of_finish = rows_seen(k, &where, 1);
    where.finished_from_ms = where.finished_to_ms = 0;
    where.published_to_ms = finished_ms - 1;
    uint64_t of_time = rows_seen(k, &where, 3);
    printf("rows looked at of %d: account of 3 jobs %llu, held %llu, held of a large account %llu, "
           "finished in a moment %llu, published before %llu\n",
           JOBS + 5, (unsigned long long)of_account, (unsigned long long)of_state,
           (unsigned long long)of_both, (unsigned long long)of_finish, (unsigned long long)of_time);
    assert_true(of_account <= 4 && of_state <= 4 && of_both <= 6 && of_finish <= 2 && of_time <= 4);
}

/* A filter that nothing fits: each page is bounded, may be empty, and goes on by its cursor. */
static void a_page_is_bounded_in_what_it_looks_at(void **state)
{
    enum { JOBS = 30000 };
    struct engine_kit *k = *state;
    Rota__Where where = ROTA__WHERE__INIT;
    char cursor[130] = "";
    uint64_t seen = 0, most = 0;
    size_t pages = 0;
    kit_fill(k, JOBS / 1000);
    where.reason = (char *)"NOBODY_SAYS_THIS";
    do {
        struct kit_read r;
        assert_string_equal(find_page(k, &where, 100, cursor, NULL, &r), "");
        assert_int_equal(r.reply.find->n_job, 0);
        seen += r.reply.find->seen;
        most = r.reply.find->seen > most ? r.reply.find->seen : most;
        snprintf(cursor, sizeof cursor, "%s", r.reply.find->next_cursor);
        kit_read_end(&r);
        pages++;
    } while (cursor[0]);
    assert_int_equal(seen, JOBS);
    assert_true(most < 9000 && pages >= 3);
    printf("%zu empty pages over %d jobs, at most %llu rows each\n", pages, JOBS,
           (unsigned long long)most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(pages_are_whole_while_jobs_are_published),
        ENGINE_CASE(a_cursor_is_good_for_its_own_filter_only),
        ENGINE_CASE(an_index_serves_what_it_can),
        ENGINE_CASE(a_page_is_bounded_in_what_it_looks_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
