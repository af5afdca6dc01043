/* test_engine_misuse.c: requests of the right form that a careless or hostile client sends: long
 * names, repeated and lost messages, floods, a key revoked in the same batch as its use. Shown here
 * because each of them once cost somebody else a job, a start of the broker, or an answer. */
#include "engine_kit.h"

#include "engine/query.h"

static int setup(void **state)
{
    struct engine_kit *k = calloc(1, sizeof *k);
    assert_non_null(k);
    engine_kit_setup(k, 1 << 30);
    *state = k;
    return 0;
}

static int setup_small(void **state)
{
    struct engine_kit *k = calloc(1, sizeof *k);
    assert_non_null(k);
    engine_kit_setup(k, 8 << 20);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    engine_kit_teardown(*state);
    free(*state);
    return 0;
}

static void restart(struct engine_kit *k)
{
    engine_kit_close(k);
    engine_kit_open(k);
}

/* ---- making requests ---- */

static char *task[] = {(char *)"task"};

/* What the requests below are made of; used up by kit_request(). */
struct call {
    Rota__Request request;
    Rota__Lease lease;
    Rota__Finish finish;
    Rota__FinishAndLease both;
    Rota__Heartbeat beat;
    Rota__JobProgress progress, *progress_list[1];
    Rota__Artifact artifact, *artifact_list[1];
    Rota__Attestation attestation;
    uint8_t nonce[16];
};

static struct call *lease_fill(struct call *c, const char *worker, uint8_t nonce)
{
    memset(c, 0, sizeof *c);
    rota__request__init(&c->request);
    rota__lease__init(&c->lease);
    memset(c->nonce, nonce, sizeof c->nonce);
    c->lease.worker = (char *)worker;
    c->lease.class_ = task;
    c->lease.n_class_ = 1;
    c->lease.nonce = (ProtobufCBinaryData){sizeof c->nonce, c->nonce};
    c->request.op_case = ROTA__REQUEST__OP_LEASE;
    c->request.lease = &c->lease;
    return c;
}

static struct call *both_fill(struct call *c, struct kit_lease *l, uint8_t nonce)
{
    lease_fill(c, "w", nonce);
    rota__finish__init(&c->finish);
    rota__finish_and_lease__init(&c->both);
    l->ref.job = l->job;
    c->finish.lease = &l->ref;
    c->finish.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    c->both.finish = &c->finish;
    c->both.lease = &c->lease;
    c->request.op_case = ROTA__REQUEST__OP_FINISH_AND_LEASE;
    c->request.finish_and_lease = &c->both;
    return c;
}

static struct call *beat_fill(struct call *c, const char *worker, struct kit_lease *l,
                              const char *message)
{
    lease_fill(c, worker, 0);
    rota__heartbeat__init(&c->beat);
    rota__job_progress__init(&c->progress);
    c->beat.worker = (char *)worker;
    c->beat.class_ = task;
    c->beat.n_class_ = 1;
    if (l) {
        l->ref.job = l->job;
        c->progress.lease = &l->ref;
        c->progress.percent = 42;
        c->progress.phase = (char *)"bundle";
        c->progress.message = (char *)message;
        c->progress_list[0] = &c->progress;
        c->beat.progress = c->progress_list;
        c->beat.n_progress = 1;
    }
    c->request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    c->request.heartbeat = &c->beat;
    return c;
}

static struct inbound *publishes(struct engine_kit *k, size_t n, size_t spec_bytes)
{
    struct inbound *list = NULL;
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    uint8_t *spec = calloc(1, spec_bytes + 2);
    assert_non_null(spec);
    memset(spec, ' ', spec_bytes);
    spec[0] = '{';
    spec[spec_bytes - 1] = '}';
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = task[0];
    publish.spec = (ProtobufCBinaryData){spec_bytes, spec};
    for (size_t i = 0; i < n; i++) {
        struct inbound *in = kit_request(k, &request, NULL);
        in->next = list;
        list = in;
    }
    free(spec);
    return list;
}

static struct inbound *publish_many(struct engine_kit *k, size_t messages, size_t jobs, bool is_bad)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Publish **list = calloc(jobs, sizeof *list);
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct inbound *all = NULL;
    assert_non_null(list);
    publish.app = is_bad ? (char *)"" : task[0];
    publish.class_ = is_bad ? (char *)"" : task[0];
    for (size_t i = 0; i < jobs; i++)
        list[i] = &publish;
    many.publish = list;
    many.n_publish = jobs;
    request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    request.publish_many = &many;
    for (size_t i = 0; i < messages; i++) {
        struct inbound *in = kit_request(k, &request, NULL);
        in->next = all;
        all = in;
    }
    free(list);
    return all;
}

/* ---- names ---- */

/* limits.def lets 64 characters through; pools and classes have 32. What is stored under a longer
 * key than can be loaded would keep the broker from ever starting again. */
static void a_name_too_long_for_a_class_is_refused_and_the_broker_starts_again(void **state)
{
    struct engine_kit *k = *state;
    struct call c;
    char name[65] = "";
    memset(name, 'x', 33);
    char *classes[] = {name};
    lease_fill(&c, "w", 1)->lease.class_ = classes;
    assert_string_equal(kit_error(kit_call(k, &c.request, NULL)), "FIELD_TOO_LONG");
    lease_fill(&c, "w", 1)->lease.pool = name;
    c.lease.class_ = (char *[]){(char *)"mine"};
    assert_string_equal(kit_error(kit_call(k, &c.request, NULL)), "FIELD_TOO_LONG");
    beat_fill(&c, "w", NULL, "")->beat.class_ = classes;
    assert_string_equal(kit_error(kit_call(k, &c.request, NULL)), "FIELD_TOO_LONG");
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = task[0];
    publish.class_ = name;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "FIELD_TOO_LONG");
    publish.class_ = (char *)"no worker can offer this";
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "FIELD_INVALID");
    name[32] = '\0'; /* the longest that there may be */
    publish.class_ = name;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    lease_fill(&c, "w", 2)->lease.class_ = classes;
    Rota__Reply *reply = kit_call(k, &c.request, NULL);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->lease->n_job, 1);
    restart(k);
    kit_check(k);
    assert_int_equal(kit_rows(k, TABLE_CLASS), 3);
    assert_int_equal(kit_rows(k, TABLE_POOL), 3);
}

/* A text that is cut to fit must stay UTF-8, or clients in other languages cannot read the job. */
static void a_long_progress_text_is_cut_between_characters(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    char message[257] = "";
    for (size_t i = 0; i + 3 <= 255; i += 3)
        memcpy(message + i, "\xe2\x9c\x93", 3);
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    kit_call(k, &beat_fill(&c, "w", &l, message)->request, NULL);
    struct board_lease seen, again;
    struct job_id id;
    assert_int_equal(job_id_parse(l.job, &id), 0);
    assert_int_equal(board_lease(k->board, id, &seen), 0);
    assert_int_equal(strlen(seen.message), PROGRESS_TEXT_MAX / 3 * 3);
    kit_call(k, &beat_fill(&c, "w", &l, message)->request, NULL);
    assert_int_equal(board_lease(k->board, id, &again), 0);
    assert_int_equal(again.version, seen.version); /* nothing new, so nobody is woken */
}

/* ---- repeated and lost messages ---- */

static void a_repeated_finish_and_lease_gets_the_same_job_again(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    char job[40];
    for (int i = 0; i < 3; i++)
        kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    Rota__Reply *reply = kit_call(k, &both_fill(&c, &l, 5)->request, NULL);
    assert_int_equal(reply->finish_and_lease->lease->n_job, 1);
    snprintf(job, sizeof job, "%s", reply->finish_and_lease->lease->job[0]->lease->job);
    reply = kit_call(k, &both_fill(&c, &l, 5)->request, NULL);
    assert_int_equal(reply->finish_and_lease->finish->state, ROTA__STATE__SUCCEEDED);
    assert_int_equal(reply->finish_and_lease->lease->n_job, 1);
    assert_string_equal(reply->finish_and_lease->lease->job[0]->lease->job, job);
    assert_int_equal(kit_rows(k, TABLE_LEASE), 1);
    assert_int_equal(kit_rows(k, TABLE_READY), 1);
}

static void a_finish_whose_objects_are_bad_still_takes_the_next_job(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    kit_publish(k, "", NULL);
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    both_fill(&c, &l, 5);
    rota__artifact__init(&c.artifact);
    c.artifact_list[0] = &c.artifact;
    c.finish.artifact = c.artifact_list;
    c.finish.n_artifact = 1;
    struct inbound *in = kit_request(k, &c.request, NULL);
    in->is_vetted = true;
    in->vetted = E_OBJECT_MISMATCH;
    snprintf(in->vetted_text, sizeof in->vetted_text, "never uploaded");
    kit_turn(k, in);
    Rota__Reply *reply = kit_reply(k, k->request_id);
    assert_string_equal(kit_error(reply), "");
    assert_string_equal(reply->finish_and_lease->finish_error->name, "OBJECT_MISMATCH");
    assert_int_equal(reply->finish_and_lease->lease->n_job, 1);
    kit_state(k, l.job, ROTA__STATE__LEASED);
    kit_check(k);
}

static void an_attestation_without_artifacts_is_looked_at_too(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    both_fill(&c, &l, 5);
    rota__attestation__init(&c.attestation);
    c.attestation.statement = (char *)"{}";
    c.finish.attestation = &c.attestation;
    c.request.op_case = ROTA__REQUEST__OP_FINISH;
    c.request.finish = &c.finish;
    struct inbound *in = kit_request(k, &c.request, NULL), copy;
    assert_int_equal(engine_turn(k->engine, k->now, in, &k->fx), 0);
    copy = *in;
    free(in);
    assert_true(copy.wants_vetting);
    kit_state(k, l.job, ROTA__STATE__LEASED);
}

/* The answer that told of the cancel may be lost with its pipe: the next heartbeat must not sleep
 * over it. */
static void a_cancel_whose_telling_was_lost_is_told_again_within_a_second(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &cancel;
    cancel.job = l.job;
    beat_fill(&c, "w", &l, "")->beat.wait_ms = 9000;
    assert_null(kit_call(k, &c.request, NULL));
    kit_call(k, &request, NULL); /* told, but nobody hears */
    assert_null(kit_call(k, &c.request, NULL));
    uint64_t parked = k->request_id;
    kit_pass(k, 1000);
    Rota__Reply *reply = kit_reply(k, parked);
    assert_non_null(reply);
    assert_string_equal(reply->heartbeat->cancel[0], l.job);
}

/* ---- a key that is revoked in the same batch ---- */

static void a_key_revoked_in_a_batch_opens_nothing_behind_it(void **state)
{
    struct engine_kit *k = *state;
    struct call c;
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT, end = ROTA__REQUEST__INIT;
    char credential[64];
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    create.role = ROTA__ROLE__WORKER;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    snprintf(credential, sizeof credential, "%s", reply->key_create->credential);
    revoke.serial = reply->key_create->key->serial;
    lease_fill(&c, "w", 1)->lease.wait_ms = 9000;
    assert_null(kit_call(k, &c.request, credential)); /* parked, and the key is in the cache */
    end.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
    end.key_revoke = &revoke;
    struct inbound *first = kit_request(k, &end, NULL);
    lease_fill(&c, "v", 2)->lease.wait_ms = 9000;
    first->next = kit_request(k, &c.request, credential);
    kit_turn(k, first);
    reply = kit_reply(k, k->request_id);
    assert_non_null(reply);
    assert_string_equal(kit_error(reply), "KEY_REVOKED");
    kit_publish(k, "", NULL);
    assert_int_equal(kit_rows(k, TABLE_LEASE), 0);
}

/* ---- a worker that never comes back ---- */

static void a_worker_that_died_with_the_broker_leaves_the_list(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    restart(k);
    for (int i = 0; i < 8; i++)
        kit_pass(k, k->lease_ms);
    kit_state(k, l.job, ROTA__STATE__READY);
    struct board_worker *workers;
    size_t n;
    assert_int_equal(board_workers(k->board, &workers, &n), 0);
    free(workers);
    assert_int_equal(n, 0);
    assert_int_equal(k->engine->cache.workers.count, 0);
}

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
    restart(k);
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
    txn = txn_free(txn);
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
#define CASE(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define SMALL_CASE(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_name_too_long_for_a_class_is_refused_and_the_broker_starts_again),
        CASE(a_long_progress_text_is_cut_between_characters),
        CASE(a_repeated_finish_and_lease_gets_the_same_job_again),
        CASE(a_finish_whose_objects_are_bad_still_takes_the_next_job),
        CASE(an_attestation_without_artifacts_is_looked_at_too),
        CASE(a_cancel_whose_telling_was_lost_is_told_again_within_a_second),
        CASE(a_key_revoked_in_a_batch_opens_nothing_behind_it),
        CASE(a_worker_that_died_with_the_broker_leaves_the_list),
        CASE(many_large_jobs_are_leased_no_more_than_an_answer_holds),
        CASE(a_flood_of_refusals_is_answered),
        SMALL_CASE(progress_survives_a_turn_that_was_undone),
        CASE(seventy_thousand_jobs_in_one_turn_are_all_listed),
        CASE(an_undone_fold_loses_nobody_from_the_listing),
        CASE(a_page_shows_no_job_twice_while_a_batch_is_being_folded),
        CASE(a_watch_that_has_more_to_scan_is_not_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
