/* test_engine_calls.c: the calls of workers and front-ends beyond the plain path: parked polls,
 * nonces, heartbeats, finish_and_lease, classes, other hosts, other accounts, revoked keys. Shown
 * here because a repeated or late message must never double or lose work, and nobody may see
 * another's jobs.         */
#include "engine_kit.h"

/* A lease call with all its members in the test's hands; returns the request's id. */
struct lease_call {
    const char *worker, *pool, *class;
    uint32_t wait_ms, jobs_max, pipe;
    uint8_t nonce; /* repeated 16 times */
    bool is_far;
};

static uint64_t lease_call(struct engine_kit *k, const struct lease_call *c)
{
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)(c->class ? c->class : "task")};
    uint8_t nonce[16];
    memset(nonce, c->nonce, sizeof nonce);
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    lease.worker = (char *)c->worker;
    lease.pool = (char *)(c->pool ? c->pool : "");
    lease.class_ = classes;
    lease.n_class_ = 1;
    lease.wait_ms = c->wait_ms;
    lease.jobs_max = c->jobs_max;
    lease.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
    struct inbound *in = kit_request(k, &request, NULL);
    if (c->pipe)
        in->peer.pipe = in->to.pipe = c->pipe;
    if (c->is_far)
        in->peer = (struct peer){.pipe = 9, .address = "192.0.2.7"};
    kit_turn(k, in);
    return k->request_id;
}

static const char *job_of(const Rota__Reply *reply)
{
    assert_non_null(reply);
    assert_string_equal(kit_error(reply), "");
    return reply->lease->n_job ? reply->lease->job[0]->lease->job : "";
}

static void the_longest_parked_worker_is_served_and_a_replaced_poll_keeps_its_place(void **state)
{
    struct engine_kit *k = *state;
    uint64_t first =
        lease_call(k, &(struct lease_call){.worker = "a", .wait_ms = 9000, .nonce = 1});
    uint64_t second =
        lease_call(k, &(struct lease_call){.worker = "b", .wait_ms = 9000, .nonce = 2});
    assert_null(kit_reply(k, second));
    uint64_t again =
        lease_call(k, &(struct lease_call){.worker = "a", .wait_ms = 9000, .nonce = 3});
    assert_string_equal(job_of(kit_reply(k, first)), ""); /* the replaced one is answered */
    char job[40];
    snprintf(job, sizeof job, "%s", kit_publish(k, "", NULL)->publish->job);
    assert_string_equal(job_of(kit_reply(k, again)), job);
    assert_null(kit_reply(k, second));
    kit_pass(k, 9000);
    assert_string_equal(job_of(kit_reply(k, second)), ""); /* its time is up */
    kit_check(k);
}

static void the_same_nonce_gets_the_same_jobs(void **state)
{
    struct engine_kit *k = *state;
    for (int i = 0; i < 5; i++)
        kit_publish(k, "", NULL);
    struct lease_call call = {.worker = "a", .jobs_max = 3, .nonce = 7};
    char jobs[3][40];
    Rota__Reply *reply = kit_reply(k, lease_call(k, &call));
    assert_int_equal(reply->lease->n_job, 3);
    for (int i = 0; i < 3; i++)
        snprintf(jobs[i], sizeof jobs[i], "%s", reply->lease->job[i]->lease->job);
    engine_kit_restart(k);
    reply = kit_reply(k, lease_call(k, &call));
    assert_int_equal(reply->lease->n_job, 3);
    for (int i = 0; i < 3; i++) {
        unsigned found = 0;
        for (int j = 0; j < 3; j++)
            found += strcmp(jobs[i], reply->lease->job[j]->lease->job) == 0;
        assert_int_equal(found, 1);
    }
    assert_int_equal(kit_rows(k, TABLE_LEASE), 3);
}

static void a_poll_of_a_pipe_that_is_gone_takes_no_job(void **state)
{
    struct engine_kit *k = *state;
    uint64_t id =
        lease_call(k, &(struct lease_call){.worker = "a", .wait_ms = 9000, .nonce = 1, .pipe = 77});
    struct inbound *gone = calloc(1, sizeof *gone);
    assert_non_null(gone);
    gone->kind = INBOUND_PIPE_GONE;
    gone->peer.pipe = 77;
    kit_turn(k, gone);
    kit_publish(k, "", NULL);
    assert_null(kit_reply(k, id));
    assert_int_equal(kit_rows(k, TABLE_LEASE), 0);
    assert_int_equal(kit_rows(k, TABLE_READY), 1);
}

/* ---- heartbeats ---- */

static uint64_t beat(struct engine_kit *k, const char *worker, struct kit_lease *l,
                     uint32_t percent, uint32_t wait_ms)
{
    Rota__Heartbeat heartbeat = ROTA__HEARTBEAT__INIT;
    Rota__JobProgress progress = ROTA__JOB_PROGRESS__INIT, *list[] = {&progress};
    Rota__Request request = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)"task"};
    request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    request.heartbeat = &heartbeat;
    heartbeat.worker = (char *)worker;
    heartbeat.class_ = classes;
    heartbeat.n_class_ = 1;
    heartbeat.slots = 2;
    heartbeat.wait_ms = wait_ms;
    if (l) {
        l->ref.job = l->job;
        progress.lease = &l->ref;
        progress.percent = percent;
        progress.phase = (char *)"bundle";
        heartbeat.progress = list;
        heartbeat.n_progress = 1;
    }
    kit_turn(k, kit_request(k, &request, NULL));
    return k->request_id;
}

static struct board_lease on_board(struct engine_kit *k, const char *job)
{
    struct job_id id;
    struct board_lease lease;
    assert_int_equal(job_id_parse(job, &id), 0);
    assert_int_equal(board_lease(k->board, id, &lease), 0);
    return lease;
}

static void pipe_ends(struct engine_kit *k, uint32_t pipe)
{
    struct inbound *gone = calloc(1, sizeof *gone);
    assert_non_null(gone);
    gone->kind = INBOUND_PIPE_GONE;
    gone->peer.pipe = pipe;
    kit_turn(k, gone);
}

/* One that only lost its connection stays listed, for its lease and its name. */
static void a_drained_worker_that_hangs_up_is_gone_at_once(void **state)
{
    struct engine_kit *k = *state;
    Rota__Heartbeat heartbeat = ROTA__HEARTBEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)"task"};
    request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    request.heartbeat = &heartbeat;
    heartbeat.class_ = classes;
    heartbeat.n_class_ = 1;
    heartbeat.wait_ms = 9000;
    for (int draining = 0; draining < 2; draining++) {
        heartbeat.worker = (char *)(draining ? "leaver" : "stayer");
        heartbeat.draining = draining;
        assert_null(kit_call(k, &request, NULL));
    }
    assert_int_equal(k->engine->cache.workers.count, 2);
    pipe_ends(k, 1);
    assert_int_equal(k->engine->cache.workers.count, 1);
    kit_check(k);
}

static void a_heartbeat_keeps_the_lease_shows_progress_and_names_what_is_lost(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    for (uint32_t i = 1; i <= 10; i++) {
        kit_pass(k, k->lease_ms / 2);
        uint64_t id = beat(k, "w", &l, i * 10, 0);
        assert_int_equal(kit_reply(k, id)->heartbeat->n_lost, 0);
        assert_int_equal(on_board(k, l.job).percent, i * 10);
    }
    kit_state(k, l.job, ROTA__STATE__LEASED);
    uint64_t id = beat(k, "other", &l, 1, 9000); /* not that worker's lease */
    assert_string_equal(kit_reply(k, id)->heartbeat->lost[0], l.job);
    kit_pass(k, k->lease_ms + 10);
    id = beat(k, "w", &l, 99, 9000);
    assert_string_equal(kit_reply(k, id)->heartbeat->lost[0], l.job);
    kit_check(k);
}

static void a_parked_heartbeat_hears_of_a_cancel_and_of_heat_at_once(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    uint64_t parked = beat(k, "w", &l, 1, 9000);
    assert_null(kit_reply(k, parked));
    assert_string_equal(kit_error(kit_cancel(k, l.job)), "");
    assert_string_equal(kit_reply(k, parked)->heartbeat->cancel[0], l.job);
    parked = beat(k, "w", &l, 1, 9000); /* told already: parks */
    assert_null(kit_reply(k, parked));
    Rota__Heat heat = ROTA__HEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_HEAT;
    request.heat = &heat;
    heat.pool = (char *)"task";
    heat.slots = 3;
    heat.for_ms = 60000;
    uint64_t until = kit_call(k, &request, NULL)->heat->until_ms;
    assert_int_equal(kit_reply(k, parked)->heartbeat->heat_slots, 3);
    engine_kit_restart(k); /* heat is durable */
    uint64_t id = beat(k, "w", &l, 1, 9000);
    assert_int_equal(kit_reply(k, id)->heartbeat->heat_until_ms, until);
}

/* ---- finish_and_lease ---- */

static Rota__Reply *finish_and_lease(struct engine_kit *k, struct kit_lease *l, uint8_t nonce)
{
    Rota__FinishAndLease both = ROTA__FINISH_AND_LEASE__INIT;
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)"task"};
    uint8_t bytes[16];
    memset(bytes, nonce, sizeof bytes);
    request.op_case = ROTA__REQUEST__OP_FINISH_AND_LEASE;
    request.finish_and_lease = &both;
    both.finish = &finish;
    both.lease = &lease;
    l->ref.job = l->job;
    finish.lease = &l->ref;
    finish.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    lease.worker = (char *)"w";
    lease.class_ = classes;
    lease.n_class_ = 1;
    lease.nonce = (ProtobufCBinaryData){sizeof bytes, bytes};
    return kit_call(k, &request, NULL);
}

static void one_trip_ends_a_job_and_takes_the_next(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    char next[40] = "";
    for (int i = 0; i < 4; i++)
        kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    for (int repeat = 0; repeat < 3; repeat++) { /* the same message again: the same answer */
        Rota__Reply *reply = finish_and_lease(k, &l, 5);
        assert_null(reply->finish_and_lease->finish_error);
        assert_int_equal(reply->finish_and_lease->finish->state, ROTA__STATE__SUCCEEDED);
        assert_int_equal(kit_rows(k, TABLE_DONE), 1);
        assert_int_equal(kit_rows(k, TABLE_LEASE), 1);
        assert_int_equal(reply->finish_and_lease->lease->n_job, 1);
        const char *job = reply->finish_and_lease->lease->job[0]->lease->job;
        if (next[0])
            assert_string_equal(job, next);
        snprintf(next, sizeof next, "%s", job);
    }
    l.ref.token += 100;
    assert_string_equal(finish_and_lease(k, &l, 6)->finish_and_lease->finish_error->name,
                        "LEASE_LOST");
    kit_check(k);
}

/* ---- who may ---- */

static void a_worker_serves_all_classes_of_its_pool_and_no_other(void **state)
{
    struct engine_kit *k = *state;
    struct lease_call call = {.worker = "w", .class = "task", .pool = "bundle", .nonce = 1};
    assert_string_equal(kit_error(kit_reply(k, lease_call(k, &call))), "CLASS_ELSEWHERE");
    call = (struct lease_call){.worker = "w", .class = "new", .pool = "bundle", .nonce = 1};
    assert_string_equal(kit_error(kit_reply(k, lease_call(k, &call))), "CLASS_MISSING");
    call = (struct lease_call){.worker = "w", .class = "bundle", .nonce = 1, .is_far = true};
    assert_string_equal(kit_error(kit_reply(k, lease_call(k, &call))), "WORKER_HOST");
    call = (struct lease_call){.worker = "w", .class = "task", .nonce = 1, .is_far = true};
    assert_string_equal(kit_error(kit_reply(k, lease_call(k, &call))), "");
}

static const char *key_create(struct engine_kit *k, const char *account, Rota__Role role,
                              char *credential, uint32_t *ret_serial)
{
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    char *scopes[] = {(char *)"build:create", (char *)"build:read", (char *)"build:control"};
    create.account = (char *)account;
    create.role = role;
    create.scope = scopes;
    create.n_scope = role == ROTA__ROLE__ACCOUNT ? ARRAY_LEN(scopes) : 0;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(credential, 64, "%s", reply->key_create->credential);
    *ret_serial = reply->key_create->key->serial;
    return credential;
}

static Rota__Reply *publish_as(struct engine_kit *k, const char *as, const char *account)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.account = (char *)account;
    publish.app = (char *)"app";
    publish.class_ = (char *)"task";
    return kit_call(k, &request, as);
}

static Rota__Reply *heat_publish(struct engine_kit *k, const char *as, const char *platform)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"heat";
    publish.platform = (char *)platform;
    return kit_call(k, &request, as);
}

/* What such a build brings, the builds of all accounts share. */
static void class_heat_is_for_operators_and_of_pool_bundle(void **state)
{
    struct engine_kit *k = *state;
    char mine[64];
    uint32_t serial;
    kit_account(k, "a", ROTA__TIER__P3, 0);
    key_create(k, "a", ROTA__ROLE__ACCOUNT, mine, &serial);
    assert_string_equal(kit_error(heat_publish(k, mine, "android")), "CLASS_RESERVED");
    assert_string_equal(kit_error(heat_publish(k, NULL, "")), "PLATFORM_UNKNOWN");
    assert_string_equal(kit_error(heat_publish(k, NULL, "android")), "SOURCE_NEEDED");
    struct lease_call call = {.worker = "w", .class = "heat", .pool = "bundle", .nonce = 1};
    assert_string_equal(kit_error(kit_reply(k, lease_call(k, &call))), "CLASS_MISSING");
}

static void an_account_sees_itself_alone_and_a_revoked_key_nothing(void **state)
{
    struct engine_kit *k = *state;
    char mine[64], job[40];
    uint32_t serial;
    kit_account(k, "a", ROTA__TIER__P3, 0);
    kit_account(k, "b", ROTA__TIER__P3, 0);
    key_create(k, "a", ROTA__ROLE__ACCOUNT, mine, &serial);
    assert_string_equal(kit_error(publish_as(k, mine, "")), "APP_UNKNOWN");
    kit_publish(k, "a", NULL); /* the operator's publish makes the app */
    assert_string_equal(kit_error(publish_as(k, mine, "")), "");
    assert_string_equal(kit_error(publish_as(k, mine, "b")), "NOT_ALLOWED");
    snprintf(job, sizeof job, "%s", kit_publish(k, "b", NULL)->publish->job);
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &cancel;
    cancel.job = job;
    assert_string_equal(kit_error(kit_call(k, &request, mine)), "JOB_UNKNOWN");
    Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
    Rota__Request end = ROTA__REQUEST__INIT;
    end.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
    end.key_revoke = &revoke;
    revoke.serial = serial;
    assert_string_equal(kit_error(kit_call(k, &end, mine)), "SCOPE_MISSING");
    assert_string_equal(kit_error(kit_call(k, &end, NULL)), "");
    assert_string_equal(kit_error(publish_as(k, mine, "")), "KEY_REVOKED");
    engine_kit_restart(k);
    assert_string_equal(kit_error(publish_as(k, mine, "")), "KEY_REVOKED");
    mine[20] = mine[20] == 'A' ? 'B' : 'A';
    assert_string_equal(kit_error(publish_as(k, mine, "")), "KEY_UNKNOWN");
    kit_check(k);
}

static void a_refused_publish_leaves_no_trace(void **state)
{
    struct engine_kit *k = *state;
    struct {
        const char *class, *platform, *source, *spec, *app;
        uint32_t priority;
        uint64_t timeout_ms;
        const char *error;
    } bad[] = {
        {"task", "", "", "", "", 0, 0, "FIELD_MISSING"},
        {"task", "windows", "", "", "a", 0, 0, "PLATFORM_UNKNOWN"},
        {"bundle", "", "", "", "a", 0, 0, "PLATFORM_UNKNOWN"},
        {"bundle", "ios", "", "", "a", 0, 0, "SOURCE_NEEDED"},
        {"bundle", "ios", "git:x", "", "a", 0, 0, "SOURCE_INVALID"},
        {"bundle", "ios", "git:https://evil.example/a@m", "", "a", 0, 0, "GIT_HOST_NOT_ALLOWED"},
        {"bundle", "ios", "git:https://github.com:8443/a@m", "", "a", 0, 0, "GIT_HOST_NOT_ALLOWED"},
        {"task", "", "git:https://github.com/a/b@m", "", "a", 0, 0, "SOURCE_INVALID"},
        {"task", "", "", "[1]", "a", 0, 0, "SPEC_INVALID"},
        {"task", "", "", "{}{}", "a", 0, 0, "SPEC_INVALID"},
        {"task", "", "", "{\"a\":[}", "a", 0, 0, "SPEC_INVALID"},
        {"task", "", "", "{\"a\":\"}", "a", 0, 0, "SPEC_INVALID"},
        {"task", "", "", "{\"a\":[[[[[[[[1]]]]]]]]}", "a", 0, 0, "SPEC_INVALID"},
        {"task", "", "", "", "a", 10, 0, "FIELD_INVALID"},
        {"task", "", "", "", "a", 0, 1800001, "TIMEOUT_INVALID"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Rota__Publish q = ROTA__PUBLISH__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        request.op_case = ROTA__REQUEST__OP_PUBLISH;
        request.publish = &q;
        q.app = (char *)bad[i].app;
        q.class_ = (char *)bad[i].class;
        q.platform = (char *)bad[i].platform;
        q.source = (char *)bad[i].source;
        q.spec = (ProtobufCBinaryData){strlen(bad[i].spec), (uint8_t *)bad[i].spec};
        q.priority = bad[i].priority;
        q.timeout_ms = bad[i].timeout_ms;
        assert_string_equal(kit_error(kit_call(k, &request, NULL)), bad[i].error);
    }
    assert_int_equal(kit_rows(k, TABLE_JOB), 0);
    assert_int_equal(kit_rows(k, TABLE_APP), 0);
    assert_int_equal(kit_rows(k, TABLE_EVENT), 1); /* the first checkpoint */
    printf("%zu refusals, no row, no event\n", ARRAY_LEN(bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(the_longest_parked_worker_is_served_and_a_replaced_poll_keeps_its_place),
        ENGINE_CASE(the_same_nonce_gets_the_same_jobs),
        ENGINE_CASE(a_poll_of_a_pipe_that_is_gone_takes_no_job),
        ENGINE_CASE(a_drained_worker_that_hangs_up_is_gone_at_once),
        ENGINE_CASE(a_heartbeat_keeps_the_lease_shows_progress_and_names_what_is_lost),
        ENGINE_CASE(a_parked_heartbeat_hears_of_a_cancel_and_of_heat_at_once),
        ENGINE_CASE(one_trip_ends_a_job_and_takes_the_next),
        ENGINE_CASE(a_worker_serves_all_classes_of_its_pool_and_no_other),
        ENGINE_CASE(class_heat_is_for_operators_and_of_pool_bundle),
        ENGINE_CASE(an_account_sees_itself_alone_and_a_revoked_key_nothing),
        ENGINE_CASE(a_refused_publish_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
