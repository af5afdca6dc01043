/* test_class_pause.c: in a pool of two classes one is paused: none of its jobs starts, the other
 * class's go on, and afterwards every job has its old place in its account's line. */
#include "pause_kit.h"

enum { MANY = 5000 };

static const struct kit_place pair = {"pair", {"good", "bad"}, 2};

/* The pool comes into being, and accounts that no cap stops. */
static void begin(struct engine_kit *k)
{
    struct kit_run run;
    assert_false(kit_run(k, &pair, &run));
    kit_account(k, "a", ROTA__TIER__P0, 10000);
    kit_account(k, "b", ROTA__TIER__P1, 10000);
    kit_account(k, "c", ROTA__TIER__P1, 10000);
}

static void pause_bad(struct engine_kit *k)
{
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "bad", 0);
}

static void resume_bad(struct engine_kit *k)
{
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "bad");
}

/* The order that each account's jobs must come in: own priority, then age. */
struct line {
    char last[40];
    uint32_t priority;
};

static struct line *line_of(struct line lines[3], const char *account)
{
    return &lines[account[0] - 'a'];
}

static uint32_t priority_of(struct engine_kit *k, const char *job)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    struct job_id id;
    struct job_row row;
    struct key_buf b;
    assert_int_equal(job_id_parse(job, &id), 0);
    assert_int_equal(row_get(txn, &job_row_type, key_id(&b, id), &row), 0);
    return row.priority;
}

static void in_order(struct engine_kit *k, struct line lines[3], const struct kit_run *run)
{
    struct line *line = line_of(lines, run->lease.account);
    uint32_t priority = priority_of(k, run->lease.job);
    assert_true(priority > line->priority ||
                (priority == line->priority && strcmp(run->lease.job, line->last) > 0));
    line->priority = priority;
    memcpy(line->last, run->lease.job, sizeof line->last);
}

/* Takes all that can be had; each is of the class (NULL: any). */
static unsigned take_all(struct engine_kit *k, const char *class, struct line lines[3])
{
    struct kit_run runs[64];
    unsigned n = 0;
    size_t got;
    while ((got = kit_runs(k, &pair, 64, runs)) > 0) {
        for (size_t i = 0; i < got; i++) {
            if (class)
                assert_string_equal(runs[i].class, class);
            if (lines)
                in_order(k, lines, &runs[i]);
        }
        n += (unsigned)got;
    }
    return n;
}

static void the_other_class_goes_on_and_the_order_stays(void **state)
{
    struct engine_kit *k = *state;
    struct line good[3] = {0}, bad[3] = {0};
    uint64_t waited;
    begin(k);
    for (unsigned i = 0; i < MANY / 100; i++)
        for (unsigned n = 0; n < 5; n++) { /* 20 jobs each time: both classes, mixed priorities */
            kit_publish_class(k, n % 3 ? "a" : "b", "bad", 1 + (i * 7 + n) % 9, 10);
            kit_publish_class(k, n % 3 ? "a" : "b", "good", 1 + (i * 5 + n) % 9, 10);
        }
    pause_bad(k);
    assert_int_equal(take_all(k, "good", good), MANY / 2);
    kit_check_asides(k);
    waited = kit_rows(k, TABLE_ASIDE);
    assert_int_equal(waited, MANY / 2); /* nothing else is left, so each stood in the way once */
    kit_publish_class(k, "a", "good", 9, 1);
    assert_int_equal(take_all(k, "good", NULL), 1);
    resume_bad(k);
    assert_int_equal(take_all(k, "bad", bad), MANY / 2);
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 0);
    kit_check_asides(k);
    print_message(
        "%d jobs of two classes, one paused: %d of the other ran, 0 of it; then %d of it, "
        "each in its old place\n",
        MANY, MANY / 2 + 1, MANY / 2);
}

/* Published while the class was closed and never set aside: they stay behind the older ones though
 * these come back in slices. */
static void none_is_overtaken_while_the_others_come_back(void **state)
{
    struct engine_kit *k = *state;
    struct kit_run runs[64];
    struct line lines[3] = {0};
    size_t n = 0;
    begin(k);
    pause_bad(k);
    for (unsigned i = 0; i < 3; i++) {
        kit_publish_class(k, (const char *[]){"a", "b", "c"}[i], "bad", 5, 300);
        kit_publish_class(k, (const char *[]){"a", "b", "c"}[i], "good", 9, 1);
    }
    assert_int_equal(take_all(k, "good", NULL), 3);
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 900);
    for (unsigned i = 0; i < 3; i++)
        kit_publish_class(k, (const char *[]){"a", "b", "c"}[i], "bad", 5, 300);
    assert_int_equal(kit_rows(k, TABLE_READY), 900); /* no one asked: still where they are */
    resume_bad(k);
    assert_true(kit_rows(k, TABLE_ASIDE) >= 900 - 256); /* a slice a turn */
    for (size_t got; (got = kit_runs(k, &pair, 64, runs)) > 0; n += got)
        for (size_t i = 0; i < got; i++)
            in_order(k, lines, &runs[i]);
    assert_int_equal(n, 1800);
    kit_check_asides(k);
}

static void one_turn_moves_a_slice_and_no_more(void **state)
{
    struct engine_kit *k = *state;
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    uint8_t nonce[16] = {9};
    begin(k);
    kit_publish_class(k, "a", "bad", 1, 1000);
    kit_publish_class(k, "a", "good", 9, 1);
    pause_bad(k);
    lease.worker = (char *)"w";
    lease.pool = (char *)pair.pool;
    lease.class_ = (char **)(uintptr_t)pair.classes;
    lease.n_class_ = 2;
    lease.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    assert_null(kit_call(k, &request, NULL)); /* not yet answered, although it does not wait */
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 256);
    assert_int_equal(engine_idle_ms(k->engine, k->now, 1000), 0);
    for (unsigned i = 2; i <= 4; i++) {
        kit_turn(k, NULL);
        assert_int_equal(kit_rows(k, TABLE_ASIDE), i < 4 ? 256 * i : 1000);
    }
    assert_int_equal(kit_reply(k, k->request_id)->lease->n_job, 1);
    kit_check_asides(k);
}

static void a_pool_without_an_open_class_is_barred(void **state)
{
    struct engine_kit *k = *state;
    struct pool *p;
    struct kit_run run;
    begin(k);
    p = cache_pool(&k->engine->cache, "pair");
    kit_publish_class(k, "a", "bad", 5, 500);
    kit_publish_class(k, "a", "good", 5, 500);
    pause_bad(k);
    assert_int_equal(p->bars, 0);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "good", 0);
    assert_int_equal(p->bars, ROTA__BAR__BAR_PAUSED);
    assert_false(kit_run(k, &pair, &run));
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 0); /* no job was touched */
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_POOL, "pair", 0);
    resume_bad(k);
    assert_int_equal(p->bars, ROTA__BAR__BAR_PAUSED); /* by the pool's own pause */
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_POOL, "pair");
    assert_int_equal(p->bars, 0);
    assert_true(kit_run(k, &pair, &run));
    assert_string_equal(run.class, "bad");
    kit_check(k);
}

static void a_restart_finds_everything_again(void **state)
{
    struct engine_kit *k = *state;
    struct line lines[3] = {0};
    begin(k);
    kit_publish_class(k, "a", "bad", 5, 600);
    kit_publish_class(k, "a", "good", 9, 2);
    pause_bad(k);
    engine_kit_restart(k);
    assert_int_equal(take_all(k, "good", NULL), 2);
    engine_kit_restart(k);
    kit_check_asides(k);
    assert_int_equal(take_all(k, NULL, NULL), 0);
    resume_bad(k);
    assert_in_range(kit_rows(k, TABLE_ASIDE), 1, 599); /* on their way back */
    engine_kit_restart(k);
    kit_check_asides(k);
    assert_int_equal(take_all(k, "bad", lines), 600);
    kit_check_asides(k);
}

/* ---- what people do with a job that was set aside ---- */

static Rota__Reply *act(struct engine_kit *k, Rota__Request__OpCase op, const char *job)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Hold hold = ROTA__HOLD__INIT;
    Rota__JobRelease release = ROTA__JOB_RELEASE__INIT;
    Rota__Move move = ROTA__MOVE__INIT;
    hold.job = release.job = move.job = (char *)job;
    hold.reason = (char *)"mine";
    move.priority = 1;
    request.op_case = op;
    if (op == ROTA__REQUEST__OP_HOLD)
        request.hold = &hold;
    else if (op == ROTA__REQUEST__OP_MOVE)
        request.move = &move;
    else
        request.job_release = &release;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    return reply;
}

/* The nth job that is held. */
static void held_job(struct engine_kit *k, unsigned n, char ret[40])
{
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    char text[JOB_ID_TEXT_LEN + 1];
    assert_int_equal(cursor_open(txn, TABLE_HELD, &cursor), 0);
    assert_int_equal(cursor_seek(cursor, span_of("", 0), &key, &value), 0);
    while (n--)
        assert_int_equal(cursor_next(cursor, &key, &value), 0);
    snprintf(ret, 40, "%s", job_id_text(key_tail_id(key), text));
}

static void jobs_set_aside_can_be_acted_on(void **state)
{
    struct engine_kit *k = *state;
    char cancelled[40], held[40], released[40], moved[40];
    struct kit_run run;
    begin(k);
    kit_publish_class(k, "a", "bad", 5, 5);
    kit_publish_class(k, "a", "good", 9, 1);
    pause_bad(k);
    assert_int_equal(take_all(k, "good", NULL), 1);
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 5);
    held_job(k, 0, cancelled);
    held_job(k, 1, held);
    held_job(k, 2, released);
    held_job(k, 4, moved);
    assert_string_equal(kit_error(kit_cancel(k, cancelled)), "");
    act(k, ROTA__REQUEST__OP_HOLD, held); /* by an operator now: opening the class lets it be */
    assert_int_equal(act(k, ROTA__REQUEST__OP_JOB_RELEASE, released)->job_release->state,
                     ROTA__STATE__READY);
    act(k, ROTA__REQUEST__OP_MOVE, moved); /* to the front of its line */
    kit_check_asides(k);
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 2);
    assert_false(kit_run(k, &pair, &run)); /* the released one is in the way again */
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 3);
    resume_bad(k);
    assert_true(kit_run(k, &pair, &run));
    assert_string_equal(run.lease.job, moved);
    assert_int_equal(take_all(k, "bad", NULL), 2);
    kit_state(k, held, ROTA__STATE__HELD);
    kit_state(k, cancelled, ROTA__STATE__CANCELLED);
    kit_check_asides(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(the_other_class_goes_on_and_the_order_stays),
        ENGINE_CASE(none_is_overtaken_while_the_others_come_back),
        ENGINE_CASE(one_turn_moves_a_slice_and_no_more),
        ENGINE_CASE(a_pool_without_an_open_class_is_barred),
        ENGINE_CASE(a_restart_finds_everything_again),
        ENGINE_CASE(jobs_set_aside_can_be_acted_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
