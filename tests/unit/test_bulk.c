/* test_bulk.c: a bulk act reaches every job that fits, each once, none that came later, whatever
 * happens to the broker meanwhile, and no turn is long because of it. */
#include "find_kit.h"

#include <time.h>

enum { SLICE_ACTS = 64, SLICE_ROWS = 4096 };

static Rota__Reply *start(struct engine_kit *k, Rota__BulkVerb verb, Rota__Where *where,
                          bool dry_run)
{
    Rota__BulkStart q = ROTA__BULK_START__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.verb = verb;
    q.where = where;
    q.dry_run = dry_run;
    q.reason = (char *)"in bulk";
    if (verb == ROTA__BULK_VERB__BULK_MOVE)
        q.priority = 2;
    request.op_case = ROTA__REQUEST__OP_BULK_START;
    request.bulk_start = &q;
    return kit_call(k, &request, NULL);
}

static uint64_t started(struct engine_kit *k, Rota__BulkVerb verb, Rota__Where *where, bool dry_run)
{
    Rota__Reply *reply = start(k, verb, where, dry_run);
    assert_string_equal(kit_error(reply), "");
    return reply->bulk_start->bulk->bulk;
}

static Rota__Reply *stop(struct engine_kit *k, uint64_t bulk)
{
    Rota__BulkStop q = ROTA__BULK_STOP__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.bulk = bulk;
    request.op_case = ROTA__REQUEST__OP_BULK_STOP;
    request.bulk_stop = &q;
    return kit_call(k, &request, NULL);
}

/* What is known of one; its texts are not kept. */
struct bulk_seen {
    uint64_t seen, matched, done, refused, ended_ms;
    bool stopped;
    char last_error[40];
};

static struct bulk_seen look(struct engine_kit *k, uint64_t bulk)
{
    struct kit_read r;
    Rota__BulkList q = ROTA__BULK_LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.bulk = bulk;
    request.op_case = ROTA__REQUEST__OP_BULK_LIST;
    request.bulk_list = &q;
    assert_int_equal(kit_read(k, &request, NULL, &r), E_OK);
    assert_int_equal(r.reply.bulk_list->n_bulk, 1);
    const Rota__Bulk *b = r.reply.bulk_list->bulk[0];
    struct bulk_seen s = {.seen = b->seen,
                          .matched = b->matched,
                          .done = b->done,
                          .refused = b->refused,
                          .ended_ms = b->ended_ms,
                          .stopped = b->stopped};
    snprintf(s.last_error, sizeof s.last_error, "%s", b->last_error);
    kit_read_end(&r);
    return s;
}

/* Turns until it has ended. */
static struct bulk_seen run(struct engine_kit *k, uint64_t bulk, size_t *ret_turns)
{
    struct bulk_seen s;
    for (*ret_turns = 0; !(s = look(k, bulk)).ended_ms; ++*ret_turns) {
        assert_true(*ret_turns < 100000);
        kit_turn(k, NULL);
    }
    return s;
}

static Rota__Where where_state(Rota__State state)
{
    Rota__Where where = ROTA__WHERE__INIT;
    where.state = state;
    return where;
}

/* ---- many jobs ---- */

static uint64_t ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void a_bulk_act_over_100000_jobs_makes_no_turn_long(void **state)
{
    enum { JOBS = 100000, AFTER = 500 };
    struct engine_kit *k = *state;
    struct bulk_seen s = {0};
    Rota__Where where = where_state(ROTA__STATE__READY);
    uint64_t longest_us = 0, cpu_us = 0;
    size_t turns = 0;
    kit_fill(k, JOBS / 1000);
    uint64_t bulk = started(k, ROTA__BULK_VERB__BULK_CANCEL, &where, false);
    struct bulk_seen last = look(k, bulk); /* the turn that begins it does the first slice */
    for (; !s.ended_ms; turns++) {
        struct inbound *list = turns < AFTER ? publishes(k, 1, 100) : NULL;
        uint64_t wall = ns(CLOCK_MONOTONIC), cpu = ns(CLOCK_THREAD_CPUTIME_ID);
        kit_turn(k, list);
        wall = (ns(CLOCK_MONOTONIC) - wall) / 1000;
        cpu = (ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / 1000;
        longest_us = wall > longest_us ? wall : longest_us;
        cpu_us = cpu > cpu_us ? cpu : cpu_us;
        s = look(k, bulk);
        assert_true(s.done - last.done <= SLICE_ACTS && s.seen - last.seen <= SLICE_ROWS);
        last = s;
    }
    assert_int_equal(s.matched, JOBS);
    assert_int_equal(s.done, JOBS);
    assert_int_equal(s.refused, 0);
    assert_int_equal(kit_rows(k, TABLE_READY), AFTER); /* what came later is left alone */
    kit_check(k);
    printf("%d jobs cancelled in %zu turns, %d published meanwhile and untouched; longest turn "
           "%.1f ms, %.1f ms of it computing\n",
           JOBS, turns, AFTER, (double)longest_us / 1000, (double)cpu_us / 1000);
}

/* How many jobs were held, by the event log: oldest first, so none twice. */
static uint64_t holds(struct engine_kit *k)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    char last[CALL_JOB_BYTES] = "";
    uint64_t n = 0;
    assert_int_equal(cursor_open(txn, TABLE_EVENT, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct event_row row;
        assert_int_equal(row_decode(&event_row_type, key, value, &row), 0);
        Rota__Event *e = rota__event__unpack(NULL, row.packed.n, row.packed.p);
        assert_non_null(e);
        if (e->state == ROTA__STATE__HELD && e->kind == ROTA__EVENT_KIND__EVENT_MOVED) {
            assert_true(strcmp(e->job, last) > 0);
            snprintf(last, sizeof last, "%s", e->job);
            n++;
        }
        rota__event__free_unpacked(e, NULL);
    }
    return n;
}

static void a_restart_goes_on_where_it_stood(void **state)
{
    enum { JOBS = 5000, OTHERS = 700 };
    struct engine_kit *k = *state;
    Rota__Where where = ROTA__WHERE__INIT;
    size_t restarts = 0, turns = 0;
    kit_fill(k, JOBS / 1000);
    kit_account(k, "other", ROTA__TIER__P1, 5);
    for (int i = 0; i < OTHERS; i++)
        assert_string_equal(kit_error(kit_publish(k, "other", NULL)), "");
    where.account = (char *)"local"; /* walked in the index, then in the tail */
    uint64_t bulk = started(k, ROTA__BULK_VERB__BULK_HOLD, &where, false);
    struct bulk_seen s = look(k, bulk);
    for (; !s.ended_ms; s = look(k, bulk), turns++) {
        kit_turn(k, NULL);
        if (turns % 9 == 4) {
            engine_kit_restart(k);
            restarts++;
        }
    }
    assert_int_equal(s.done, JOBS);
    assert_int_equal(kit_rows(k, TABLE_HELD), JOBS);
    assert_int_equal(holds(k), JOBS);
    kit_check(k);
    printf("%d jobs held over %zu turns and %zu restarts, each once\n", JOBS, turns, restarts);
}

static void a_stopped_act_acts_no_more(void **state)
{
    struct engine_kit *k = *state;
    Rota__Where where = where_state(ROTA__STATE__READY);
    kit_fill(k, 1);
    uint64_t bulk = started(k, ROTA__BULK_VERB__BULK_HOLD, &where, false);
    kit_turn(k, NULL);
    kit_turn(k, NULL);
    Rota__Reply *reply = stop(k, bulk);
    assert_string_equal(kit_error(reply), "");
    assert_true(reply->bulk_stop->bulk->stopped && reply->bulk_stop->bulk->ended_ms);
    uint64_t held = kit_rows(k, TABLE_HELD);
    assert_true(held > 0 && held < 1000);
    assert_int_equal(reply->bulk_stop->bulk->done, held);
    for (int i = 0; i < 20; i++)
        kit_turn(k, NULL);
    assert_int_equal(kit_rows(k, TABLE_HELD), held);
    assert_string_equal(kit_error(stop(k, bulk)), ""); /* stopped already */
    assert_string_equal(kit_error(stop(k, 99)), "BULK_UNKNOWN");
    kit_check(k);
}

static Rota__Where filter(struct world *w, unsigned i)
{
    static const char *const apps[] = {"shop", "chat"};
    static const Rota__State states[] = {ROTA__STATE__STATE_NONE, ROTA__STATE__READY,
                                         ROTA__STATE__HELD,       ROTA__STATE__FAILED,
                                         ROTA__STATE__CANCELLED,  ROTA__STATE__DELAYED};
    Rota__Where where = where_state(states[i % ARRAY_LEN(states)]);
    if (world_pick(w, 2))
        where.app = (char *)apps[i % 2];
    if (world_pick(w, 2))
        where.account = (char *)"birch";
    else
        where.tiers = 1 + world_pick(w, 14);
    return where;
}

/* A dry run changes nothing and counts what the act then does; and the act reaches just the jobs
 * that the oracle names. */
static void a_dry_run_counts_what_will_be_done(void **state)
{
    struct engine_kit *k = *state;
    struct world w;
    size_t turns, runs = 0;
    uint64_t matched = 0, refused = 0;
    world_make(&w, k, 1000, 77, true); /* the end of a parent would end its children too */
    for (unsigned i = 0; i < 30; i++) {
        Rota__BulkVerb verb = ROTA__BULK_VERB__BULK_CANCEL + i % 5;
        Rota__Where where = filter(&w, i);
        uint64_t expected = 0;
        kit_pass(k, 60000); /* leases of cancelled jobs run out */
        kit_pass(k, 60000); /* and backoffs end */
        world_look(&w);
        for (size_t j = 0; j < w.n; j++)
            expected += oracle_fits(&where, &w.all[j]);
        uint64_t events = k->engine->cache.hot.event_seq;
        struct bulk_seen dry = run(k, started(k, verb, &where, true), &turns);
        assert_int_equal(k->engine->cache.hot.event_seq, events);
        kit_check(k);
        struct bulk_seen real = run(k, started(k, verb, &where, false), &turns);
        kit_check(k);
        assert_int_equal(dry.matched, expected);
        assert_int_equal(real.matched, expected);
        assert_int_equal(real.done, dry.done);
        assert_int_equal(real.refused, dry.refused);
        assert_int_equal(real.done + real.refused, expected);
        assert_string_equal(real.last_error, dry.last_error);
        matched += expected;
        refused += real.refused;
        runs++;
        world_more(&w, 40);
    }
    assert_true(matched > 1000 && refused > 100 && matched - refused > 500);
    printf("%zu acts as their dry runs said: %llu jobs matched, %llu of them refused\n", runs,
           (unsigned long long)matched, (unsigned long long)refused);
    world_free(&w);
}

static void refused_jobs_are_counted_with_the_error(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    Rota__Where where = ROTA__WHERE__INIT;
    size_t turns;
    kit_fill(k, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(kit_lease(k, "w", &l));
        kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED);
    }
    where.account = (char *)"local";
    struct bulk_seen s = run(k, started(k, ROTA__BULK_VERB__BULK_HOLD, &where, false), &turns);
    assert_int_equal(s.matched, 1000);
    assert_int_equal(s.done, 997);
    assert_int_equal(s.refused, 3);
    assert_string_equal(s.last_error, "JOB_ENDED");
    where.state = ROTA__STATE__FAILED;
    s = run(k, started(k, ROTA__BULK_VERB__BULK_RETRY, &where, false), &turns);
    assert_int_equal(s.done, 3);
    assert_int_equal(kit_rows(k, TABLE_DONE), 0);
    assert_int_equal(kit_rows(k, TABLE_READY), 3);
}

/* A job is held in the name of the key that began the act. */
static void an_act_is_in_the_name_of_its_author(void **state)
{
    struct engine_kit *k = *state;
    struct kit_read r;
    Rota__Where where = where_state(ROTA__STATE__READY);
    Rota__Where held = where_state(ROTA__STATE__HELD);
    size_t turns;
    uint64_t trail = kit_rows(k, TABLE_TRAIL);
    assert_string_equal(kit_error(kit_publish(k, NULL, NULL)), "");
    run(k, started(k, ROTA__BULK_VERB__BULK_HOLD, &where, false), &turns);
    assert_string_equal(find_page(k, &held, 5, "", NULL, &r), "");
    assert_int_equal(r.reply.find->n_job, 1);
    assert_string_equal(r.reply.find->job[0]->reason, "in bulk");
    assert_memory_equal(r.reply.find->job[0]->by, k->credential, 12);
    kit_read_end(&r);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), trail + 2); /* begun and ended */
}

/* ---- bounds ---- */

static void what_cannot_be_is_refused(void **state)
{
    struct engine_kit *k = *state;
    Rota__Where where = ROTA__WHERE__INIT;
    assert_string_equal(kit_error(start(k, ROTA__BULK_VERB__BULK_CANCEL, &where, false)),
                        "WHERE_INVALID");
    assert_string_equal(kit_error(start(k, ROTA__BULK_VERB__BULK_CANCEL, NULL, true)),
                        "WHERE_INVALID");
    where.pool = (char *)"nothing";
    assert_string_equal(kit_error(start(k, ROTA__BULK_VERB__BULK_CANCEL, &where, false)),
                        "WHERE_INVALID");
    where.pool = (char *)"task";
    assert_string_equal(kit_error(start(k, ROTA__BULK_VERB__BULK_NONE, &where, false)),
                        "FIELD_MISSING");
    Rota__BulkStart q = ROTA__BULK_START__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_BULK_START;
    request.bulk_start = &q;
    q.where = &where;
    q.verb = ROTA__BULK_VERB__BULK_MOVE;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "MOVE_NEEDED");
    q.pool = (char *)"nothing";
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "POOL_UNKNOWN");
    q.verb = ROTA__BULK_VERB__BULK_HOLD;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "FIELD_INVALID");
    assert_int_equal(kit_rows(k, TABLE_BULK), 0);
    assert_int_equal(k->engine->cache.hot.bulk, 0);
}

/* Sixteen at once take turns, also across a restart; the seventeenth is refused. */
static void sixteen_run_at_once_and_all_end(void **state)
{
    struct engine_kit *k = *state;
    Rota__Where where = where_state(ROTA__STATE__READY);
    uint64_t bulks[BULKS_MAX];
    size_t turns;
    kit_fill(k, 5);
    for (int i = 0; i < BULKS_MAX; i++)
        bulks[i] = started(k, ROTA__BULK_VERB__BULK_CANCEL, &where, i > 0);
    assert_string_equal(kit_error(start(k, ROTA__BULK_VERB__BULK_HOLD, &where, false)),
                        "BULK_LIMIT");
    engine_kit_restart(k);
    kit_check(k);
    for (int i = 0; i < 64; i++)
        kit_turn(k, NULL);
    for (int i = 0; i < BULKS_MAX; i++) /* each had its turns */
        assert_true(look(k, bulks[i]).seen >= SLICE_ACTS);
    for (int i = 0; i < BULKS_MAX; i++)
        assert_true(run(k, bulks[i], &turns).ended_ms);
    assert_int_equal(kit_rows(k, TABLE_DONE), 5000);
    assert_int_equal(k->engine->cache.bulks_n, 0);
    kit_check(k);
}

static void the_last_200_are_kept(void **state)
{
    enum { ACTS = 230 };
    struct engine_kit *k = *state;
    Rota__Where where = where_state(ROTA__STATE__HELD);
    size_t turns;
    for (int i = 0; i < ACTS; i++)
        run(k, started(k, ROTA__BULK_VERB__BULK_CANCEL, &where, true), &turns);
    assert_int_equal(kit_rows(k, TABLE_BULK), 200);
    struct kit_read r;
    Rota__BulkList q = ROTA__BULK_LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_BULK_LIST;
    request.bulk_list = &q;
    assert_int_equal(kit_read(k, &request, NULL, &r), E_OK);
    assert_int_equal(r.reply.bulk_list->n_bulk, 20);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(r.reply.bulk_list->bulk[i]->bulk, ACTS - i);
    kit_read_end(&r);
    q.bulk = 1;
    assert_int_equal(kit_read(k, &request, NULL, &r), E_BULK_UNKNOWN);
    kit_read_end(&r);
}

/* What it is about goes away while it runs: it ends, and says why. */
static void an_act_whose_app_is_gone_ends(void **state)
{
    struct engine_kit *k = *state;
    Rota__Where where = ROTA__WHERE__INIT;
    size_t turns;
    kit_fill(k, 1);
    where.account = (char *)"local";
    where.app = (char *)"task";
    uint64_t bulk = started(k, ROTA__BULK_VERB__BULK_HOLD, &where, false);
    struct key_buf key;
    struct txn *txn = kit_begin(k->store);
    assert_int_equal(txn_del(txn, TABLE_APP, key_named(&key, 1, span_str("task"))), 0);
    assert_int_equal(store_commit(&txn), 0);
    struct bulk_seen s = run(k, bulk, &turns);
    assert_true(s.stopped);
    assert_string_equal(s.last_error, "APP_UNKNOWN");
    kit_check(k);
}

/* A store without room: the act waits, and single requests are served as ever. */
static void an_act_waits_for_room(void **state)
{
    struct engine_kit *k = *state;
    Rota__Where where = where_state(ROTA__STATE__READY);
    struct kit_lease l;
    k->quota_bytes = 4 << 20;
    engine_kit_restart(k);
    do
        kit_turn(k, publish_many(k, 1, 100, false));
    while (!kit_reply(k, k->request_id)->error &&
           !kit_reply(k, k->request_id)->publish_many->outcome[99]->error);
    uint64_t bulk = started(k, ROTA__BULK_VERB__BULK_HOLD, &where, false);
    for (int i = 0; i < 200; i++)
        kit_pass(k, 60); /* the listing index comes to rest */
    uint64_t since_ms = k->now.boot_ms;
    for (int i = 0; i < 50; i++) /* as the loop does; it must not spin */
        kit_pass(k, engine_idle_ms(k->engine, k->now, 1000));
    assert_true(k->now.boot_ms - since_ms > 5000);
    assert_int_equal(look(k, bulk).matched, 0);
    assert_true(kit_lease(k, "w", &l));
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_FAILED)), "");
    assert_string_equal(kit_error(stop(k, bulk)), "");
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_bulk_act_over_100000_jobs_makes_no_turn_long),
        ENGINE_CASE(a_restart_goes_on_where_it_stood),
        ENGINE_CASE(a_stopped_act_acts_no_more),
        ENGINE_CASE(a_dry_run_counts_what_will_be_done),
        ENGINE_CASE(refused_jobs_are_counted_with_the_error),
        ENGINE_CASE(an_act_is_in_the_name_of_its_author),
        ENGINE_CASE(what_cannot_be_is_refused),
        ENGINE_CASE(sixteen_run_at_once_and_all_end),
        ENGINE_CASE(the_last_200_are_kept),
        ENGINE_CASE(an_act_whose_app_is_gone_ends),
        ENGINE_CASE(an_act_waits_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
