/* test_engine_floods.c: more in one turn than its memory, an answer, or the unfolded tail holds;
 * turns that are undone; readers that look while jobs are being folded. Shown here because nothing
 * may be lost, listed twice or left unanswered when a bound is met. */
#include "engine_calls.h"

#include "engine/query.h"

/* ---- sizes ---- */

/* The answer must fit into a message of TCP: jobs in an answer that cannot travel are leased to
 * nobody. */
static void many_large_jobs_are_leased_no_more_than_an_answer_holds(void **state)
{
    enum { JOBS = 64, SPEC = 16 << 10, MESSAGE_MAX = 256 << 10 };
    struct engine_kit *k = *state;
    struct call c;
    size_t leased = 0, answers = 0;
    kit_account(k, "local", ROTA__TIER__P0, 1000);
    kit_turn(k, publishes(k, JOBS, SPEC));
    while (leased < JOBS) {
        lease_fill(&c, "w", (uint8_t)(1 + answers++))->lease.jobs_max = JOBS;
        for (int repeat = 0; repeat < 2; repeat++) {
            Rota__Reply *reply = kit_call(k, &c.request, NULL);
            assert_true(rota__reply__get_packed_size(reply) < MESSAGE_MAX - 1024);
            assert_true(reply->lease->n_job > 0);
            leased += repeat == 0 ? reply->lease->n_job : 0;
            assert_int_equal(kit_rows(k, TABLE_LEASE), leased);
        }
    }
    printf("%zu jobs of 16 KiB in %zu answers\n", leased, answers);
    kit_check(k);
}

/* The memory of a turn fills before it ends: it is applied again one by one, and then there must be
 * memory for the answers. */
static void a_flood_of_refusals_is_answered(void **state)
{
    enum { MESSAGES = 400, JOBS = 1000 };
    struct engine_kit *k = *state;
    uint64_t first = k->request_id + 1;
    size_t answered = 0;
    kit_turn(k, publish_many(k, MESSAGES, JOBS, true));
    for (uint64_t id = first; id <= k->request_id; id++)
        answered += kit_reply(k, id) != NULL;
    printf("%zu of %d messages of %d refusals each answered\n", answered, MESSAGES, JOBS);
    assert_true(answered > MESSAGES / 4);
    kit_check(k);
}

/* What a worker said in a turn that was undone is said again when its requests are applied one by
 * one. */
static void progress_survives_a_turn_that_was_undone(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    struct inbound *list = kit_request(k, &beat_fill(&c, "w", &l, "")->request, NULL);
    uint64_t first = k->request_id + 1;
    size_t refused = 0;
    list->next = publishes(k, 900, 12000);
    kit_turn(k, list);
    for (uint64_t id = first; id <= k->request_id; id++) {
        Rota__Reply *reply = kit_reply(k, id);
        refused += reply && reply->error;
    }
    assert_true(refused > 0); /* so the turn was undone */
    struct board_lease seen;
    struct job_id id;
    assert_int_equal(job_id_parse(l.job, &id), 0);
    assert_int_equal(board_lease(k->board, id, &seen), 0);
    assert_int_equal(seen.percent, 42);
    assert_string_equal(seen.phase, "bundle");
}

/* ---- more jobs in one turn than the unfolded tail holds ---- */

static void turns_until_folded(struct engine_kit *k)
{
    for (int i = 0; i < 3000 && k->engine->cache.unfolded_first != k->engine->cache.unfolded_end;
         i++)
        kit_pass(k, 60);
    assert_int_equal(k->engine->cache.unfolded_first, k->engine->cache.unfolded_end);
}

static void seventy_thousand_jobs_in_one_turn_are_all_listed(void **state)
{
    enum { MESSAGES = 70, JOBS = 1000 };
    struct engine_kit *k = *state;
    kit_turn(k, publish_many(k, 1, JOBS, false));
    kit_turn(k, publish_many(k, MESSAGES, JOBS, false));
    const struct cache *c = &k->engine->cache;
    assert_int_equal(kit_rows(k, TABLE_JOB), (MESSAGES + 1) * JOBS);
    assert_true(c->unfolded_end - c->unfolded_first <= UNFOLDED_MAX);
    kit_check(k);
    turns_until_folded(k);
    /* each once under its account and once under its app */
    assert_int_equal(kit_rows(k, TABLE_JOB_OF), 2 * (MESSAGES + 1) * JOBS);
    engine_kit_restart(k);
    kit_check(k);
}

/* A slice in a turn that is undone: the batch that follows it in the same turn must not be taken
 * for the one that is restored. */
static void an_undone_fold_loses_nobody_from_the_listing(void **state)
{
    enum { MESSAGES = 64, JOBS = 1000 };
    struct engine_kit *k = *state;
    for (int i = 0; i < MESSAGES; i++)
        kit_turn(k, publish_many(k, 1, JOBS, false));
    struct cache *c = &k->engine->cache;
    struct txn *txn = kit_begin(k->store);
    struct turn t = {.engine = k->engine,
                     .cache = c,
                     .undo = c->undo,
                     .txn = txn,
                     .fx = &k->fx,
                     .now = k->now,
                     .bt_ms = k->now.boot_ms + k->engine->broker_offset_ms + 100000};
    for (int i = 0; i < 600; i++)
        assert_int_equal(fold_some(&t), 0);
    for (uint32_t i = 0; i < 3 * JOBS; i++) /* as publishes of a later part of the turn would */
        fold_add(&t, (struct job_id){{0xff}}, 99, 99);
    cache_aborted(c);
    txn_free(txn);
    turns_until_folded(k);
    assert_int_equal(kit_rows(k, TABLE_JOB_OF), 2 * MESSAGES * JOBS);
}

/* ---- reading ---- */

struct read {
    struct query q;
    struct principal who;
    Rota__Reply reply;
    struct arena *arena;
    struct txn *txn;
};

static enum error_code ask(struct engine_kit *k, struct read *r, const Rota__Request *request)
{
    rota__reply__init(&r->reply);
    assert_int_equal(arena_new(12 << 20, &r->arena), 0);
    r->txn = kit_snapshot(k->store);
    r->q = (struct query){.txn = r->txn,
                          .board = k->board,
                          .store = k->store,
                          .arena = r->arena,
                          .who = &r->who,
                          .request = request,
                          .reply = &r->reply,
                          .wall_ms = k->now.wall_ms,
                          .boot_ms = k->now.boot_ms,
                          .environment = "development"};
    enum error_code e = query_answer(&r->q);
    r->txn = txn_free(r->txn);
    return e;
}

static void a_page_shows_no_job_twice_while_a_batch_is_being_folded(void **state)
{
    enum { JOBS = 950 };
    struct engine_kit *k = *state;
    Rota__List list = ROTA__LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    kit_turn(k, publish_many(k, 1, JOBS, false));
    request.op_case = ROTA__REQUEST__OP_LIST;
    request.list = &list;
    list.account = (char *)"local";
    list.limit = 100;
    size_t partial = 0;
    for (int turn = 0; turn < 20; turn++) {
        char cursor[40] = "", last[40] = "~";
        size_t jobs = 0;
        uint64_t rows = kit_rows(k, TABLE_JOB_OF);
        partial += rows > 0 && rows < 2 * (uint64_t)JOBS;
        do {
            struct read r = {.who = {.role = ROTA__ROLE__OPERATOR, .account = 1}};
            list.cursor = cursor;
            assert_int_equal(ask(k, &r, &request), E_OK);
            const Rota__ListResult *page = r.reply.list;
            for (size_t i = 0; i < page->n_job; i++, jobs++) {
                assert_true(strcmp(page->job[i]->job, last) < 0);
                snprintf(last, sizeof last, "%s", page->job[i]->job);
            }
            snprintf(cursor, sizeof cursor, "%s", page->next_cursor);
            arena_free(r.arena);
        } while (cursor[0]);
        assert_int_equal(jobs, JOBS);
        kit_pass(k, 60);
    }
    assert_true(partial > 0);
    printf("%zu looks at a part-folded batch\n", partial);
}

/* An account reads past other accounts' events: an answer that stopped there must be given, for
 * nothing would wake it when the log is quiet. */
static void a_watch_that_has_more_to_scan_is_not_parked(void **state)
{
    struct engine_kit *k = *state;
    Rota__Watch watch = ROTA__WATCH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    kit_account(k, "other", ROTA__TIER__P3, 0);
    for (int i = 0; i < 15; i++)
        kit_turn(k, publish_many(k, 1, 1000, false));
    assert_string_equal(kit_error(kit_publish(k, "other", NULL)), "");
    request.op_case = ROTA__REQUEST__OP_WATCH;
    request.watch = &watch;
    watch.from = 10;
    uint64_t from = 0;
    size_t answers = 0, events = 0;
    do {
        struct read r = {.who = {.role = ROTA__ROLE__ACCOUNT, .account = 2}};
        assert_int_equal(ask(k, &r, &request), E_OK);
        assert_true(query_watch_is_news(&r.q, &from));
        events = r.reply.watch->n_event;
        watch.from = r.reply.watch->next;
        arena_free(r.arena);
    } while (!events && ++answers < 10);
    assert_int_equal(events, 2); /* its app, its job */
    struct read r = {.who = {.role = ROTA__ROLE__ACCOUNT, .account = 2}};
    assert_int_equal(ask(k, &r, &request), E_OK);
    assert_false(query_watch_is_news(&r.q, &from)); /* now it waits */
    arena_free(r.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(many_large_jobs_are_leased_no_more_than_an_answer_holds),
        ENGINE_CASE(a_flood_of_refusals_is_answered),
        cmocka_unit_test_setup_teardown(progress_survives_a_turn_that_was_undone,
                                        engine_kit_begin_small, engine_kit_end),
        ENGINE_CASE(seventy_thousand_jobs_in_one_turn_are_all_listed),
        ENGINE_CASE(an_undone_fold_loses_nobody_from_the_listing),
        ENGINE_CASE(a_page_shows_no_job_twice_while_a_batch_is_being_folded),
        ENGINE_CASE(a_watch_that_has_more_to_scan_is_not_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
