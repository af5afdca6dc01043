/* pause_kit.c: see pause_kit.h. */
#include "pause_kit.h"

#include "engine/classes.h"

#include <assert.h>

Rota__Reply *kit_pause(struct engine_kit *k, Rota__PauseScope scope, const char *name,
                       const char *reason, uint64_t until_ms)
{
    Rota__PauseSet q = ROTA__PAUSE_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.scope = scope;
    q.name = (char *)name;
    q.reason = (char *)reason;
    q.until_ms = until_ms;
    request.op_case = ROTA__REQUEST__OP_PAUSE_SET;
    request.pause_set = &q;
    return kit_call(k, &request, NULL);
}

Rota__Reply *kit_resume(struct engine_kit *k, Rota__PauseScope scope, const char *name)
{
    Rota__PauseSet q = ROTA__PAUSE_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    q.scope = scope;
    q.name = (char *)name;
    q.off = true;
    request.op_case = ROTA__REQUEST__OP_PAUSE_SET;
    request.pause_set = &q;
    return kit_call(k, &request, NULL);
}

void kit_paused(struct engine_kit *k, Rota__PauseScope scope, const char *name, uint64_t until_ms)
{
    Rota__Reply *reply = kit_pause(k, scope, name, "for a test", until_ms);
    if (k->may_fail && (!reply || reply->error))
        return;
    assert_string_equal(kit_error(reply), "");
    assert_string_equal(reply->pause_set->pause->reason, "for a test");
    assert_int_equal(reply->pause_set->pause->until_ms, until_ms);
}

void kit_resumed(struct engine_kit *k, Rota__PauseScope scope, const char *name)
{
    Rota__Reply *reply = kit_resume(k, scope, name);
    if (k->may_fail && (!reply || reply->error))
        return;
    assert_string_equal(kit_error(reply), "");
}

void kit_publish_class(struct engine_kit *k, const char *account, const char *class,
                       uint32_t priority, unsigned n)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct inbound *first = NULL, **end = &first;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.account = (char *)account;
    publish.app = (char *)"app";
    publish.class_ = (char *)class;
    publish.priority = priority;
    for (unsigned i = 0; i < n; i++) {
        *end = kit_request(k, &request, NULL);
        end = &(*end)->next;
    }
    kit_turn(k, first);
    for (unsigned i = 0; i < n && !k->fault; i++) {
        const Rota__Reply *reply = kit_reply(k, k->request_id - i);
        if (!k->may_fail || reply)
            assert_string_equal(kit_error(reply), "");
    }
}

/* ---- workers ---- */

static void run_of(const Rota__LeasedJob *job, struct kit_run *ret_run)
{
    *ret_run = (struct kit_run){.lease = {.tier = job->tier, .attempt = job->attempt}};
    snprintf(ret_run->lease.job, sizeof ret_run->lease.job, "%s", job->lease->job);
    snprintf(ret_run->lease.account, sizeof ret_run->lease.account, "%s", job->account);
    snprintf(ret_run->class, sizeof ret_run->class, "%s", job->class_);
    rota__lease_ref__init(&ret_run->lease.ref);
    ret_run->lease.ref.epoch = job->lease->epoch;
    ret_run->lease.ref.token = job->lease->token;
}

size_t kit_runs(struct engine_kit *k, const struct kit_place *place, size_t most,
                struct kit_run *ret_runs)
{
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    uint8_t nonce[16] = {1};
    put_be64(nonce + 8, k->request_id + 1);
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    lease.worker = (char *)"w";
    lease.pool = (char *)place->pool;
    lease.class_ = (char **)(uintptr_t)place->classes;
    lease.n_class_ = place->classes_n;
    lease.jobs_max = (uint32_t)most;
    lease.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
    Rota__Reply *reply = kit_call(k, &request, NULL);
    while (!reply && !k->fault && engine_idle_ms(k->engine, k->now, 1000) == 0) {
        kit_turn(k, NULL);
        reply = kit_reply(k, k->request_id);
    }
    if (k->may_fail && (!reply || reply->error))
        return 0;
    assert_non_null(reply);
    assert(reply); /* for the analyzer, which does not know that a null ends above */
    assert_string_equal(kit_error(reply), "");
    for (size_t i = 0; i < reply->lease->n_job; i++)
        run_of(reply->lease->job[i], &ret_runs[i]);
    return reply->lease->n_job;
}

bool kit_run(struct engine_kit *k, const struct kit_place *place, struct kit_run *ret_run)
{
    return kit_runs(k, place, 1, ret_run) == 1;
}

void kit_give_back(struct engine_kit *k, struct kit_run *run, bool is_fault)
{
    Rota__LeaseRelease q = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    run->lease.ref.job = run->lease.job;
    q.lease = &run->lease.ref;
    q.infrastructure_fault = is_fault;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &q;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    if (!k->may_fail || reply)
        assert_string_equal(kit_error(reply), "");
}

void kit_succeed(struct engine_kit *k, struct kit_run *run)
{
    Rota__Reply *reply = kit_finish(k, &run->lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    if (!k->may_fail || reply)
        assert_string_equal(kit_error(reply), "");
}

void kit_idle(struct engine_kit *k)
{
    int turns = 0;
    do {
        kit_turn(k, NULL);
        assert_true(++turns < 10000);
    } while (!k->fault && engine_idle_ms(k->engine, k->now, 1000) <= 1);
}

/* ---- the log and the answers ---- */

uint64_t kit_seq(struct engine_kit *k)
{
    return k->engine->cache.hot.event_seq;
}

void kit_events(struct engine_kit *k, uint64_t after_seq, kit_event *visit, void *arg)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct key_buf b;
    struct span key, value;
    struct event_row row;
    assert_int_equal(cursor_open(txn, TABLE_EVENT, &cursor), 0);
    for (int r = cursor_seek(cursor, key_u64(&b, after_seq + 1), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        assert_int_equal(row_decode(&event_row_type, key, value, &row), 0);
        Rota__Event *event = rota__event__unpack(NULL, row.packed.n, row.packed.p);
        assert_non_null(event);
        visit(arg, event);
        rota__event__free_unpacked(event, NULL);
    }
}

void kit_ask(struct engine_kit *k, const Rota__Request *request, struct kit_answer *a)
{
    static const struct principal who = {.role = ROTA__ROLE__OPERATOR};
    *a = (struct kit_answer){.txn = kit_snapshot(k->store)};
    rota__reply__init(&a->reply);
    assert_int_equal(arena_new(12 << 20, &a->arena), 0);
    struct query q = {.txn = a->txn,
                      .board = k->board,
                      .store = k->store,
                      .arena = a->arena,
                      .who = &who,
                      .request = request,
                      .reply = &a->reply,
                      .wall_ms = k->now.wall_ms,
                      .boot_ms = k->now.boot_ms,
                      .environment = "development"};
    a->code = query_answer(&q);
}

void kit_answer_end(struct kit_answer *a)
{
    a->txn = txn_free(a->txn);
    a->arena = arena_free(a->arena);
}

Rota__StatsResult *kit_stats(struct engine_kit *k, struct kit_answer *a)
{
    Rota__Stats q = ROTA__STATS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_STATS;
    request.stats = &q;
    kit_ask(k, &request, a);
    assert_int_equal(a->code, E_OK);
    return a->reply.stats;
}

void kit_check_asides(struct engine_kit *k)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    uint64_t asides = 0;
    kit_check(k);
    assert_int_equal(cursor_open(txn, TABLE_HELD, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct state_row state;
        struct job_row job;
        struct key_buf b;
        struct span at;
        struct job_id id = key_tail_id(key);
        assert_int_equal(row_get(txn, &state_row_type, key_id(&b, id), &state), 0);
        assert_int_equal(row_get(txn, &job_row_type, key_id(&b, id), &job), 0);
        if (!span_eq(state.reason, span_str(ASIDE_REASON)))
            continue;
        asides++;
        uint8_t priority = state.priority ? state.priority : job.priority;
        struct span aside = key_aside(&b, job.class, job.account, priority, id);
        assert_int_equal(txn_get(txn, TABLE_ASIDE, aside, &at), 0);
    }
    assert_int_equal(asides, kit_rows(k, TABLE_ASIDE));
}
