/* engine_kit.c: see engine_kit.h. */
#include "engine_kit.h"

#include "apikey.h"

#include <sodium.h>

static void random_fill(void *arg, void *p, size_t n)
{
    struct engine_kit *k = arg;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)kit_random(&k->random);
}

void engine_kit_open(struct engine_kit *k)
{
    struct store_config config = {
        .dir = k->dir, .map_bytes = k->map_bytes, .quota_bytes = k->quota_bytes, .create = true};
    assert_int_equal(store_open(&config, &k->store), 0);
    assert_int_equal(auth_new("development", k->hash_key, &k->auth), 0);
    assert_int_equal(board_new(&k->board), 0);
    if (!k->credential[0])
        assert_int_equal(
            engine_init(k->store, "development", k->hash_key, k->now.wall_ms, k->credential), 0);
    static const struct host_list git_hosts = {.host = {{.name = "github.com", .port = 443}},
                                               .n = 1};
    struct engine_config engine = {.store = k->store,
                                   .auth = k->auth,
                                   .board = k->board,
                                   .environment = "development",
                                   .hash_key = k->hash_key,
                                   .lease_ms = k->lease_ms,
                                   .git_hosts = &git_hosts,
                                   .random = random_fill,
                                   .random_arg = k,
                                   .source_keeper = k->source_keeper,
                                   .checks_aborts = true};
    assert_int_equal(engine_open(&engine, k->now, &k->engine), 0);
}

void engine_kit_setup(struct engine_kit *k, uint64_t map_bytes)
{
    assert_true(sodium_init() >= 0);
    *k = (struct engine_kit){.map_bytes = map_bytes,
                             .lease_ms = 30000,
                             .random = 88172645463325252ull,
                             .now = {.wall_ms = 1790000000000, .boot_ms = 5000}};
    kit_dir_make(k->dir);
    random_fill(k, k->hash_key, sizeof k->hash_key);
    assert_int_equal(effects_init(&k->fx), 0);
    engine_kit_open(k);
}

void engine_kit_close(struct engine_kit *k)
{
    k->engine = engine_free(k->engine);
    k->board = board_free(k->board);
    k->auth = auth_free(k->auth);
    k->store = store_free(k->store);
}

void engine_kit_teardown(struct engine_kit *k)
{
    engine_kit_close(k);
    effects_deinit(&k->fx);
    kit_dir_remove(k->dir);
}

void engine_kit_restart(struct engine_kit *k)
{
    engine_kit_close(k);
    engine_kit_open(k);
}

static int begin(void **state, uint64_t map_bytes)
{
    struct engine_kit *k = calloc(1, sizeof *k);
    assert_non_null(k);
    engine_kit_setup(k, map_bytes);
    *state = k;
    return 0;
}

int engine_kit_begin(void **state)
{
    return begin(state, 1 << 30);
}

int engine_kit_begin_small(void **state)
{
    return begin(state, 8 << 20);
}

int engine_kit_end(void **state)
{
    engine_kit_teardown(*state);
    free(*state);
    return 0;
}

struct inbound *kit_request(struct engine_kit *k, Rota__Request *request, const char *as)
{
    request->request_id = ++k->request_id;
    request->environment = (char *)"development";
    request->credential = (char *)(as ? as : k->credential);
    size_t n = rota__request__get_packed_size(request);
    struct inbound *in = calloc(1, sizeof *in + n);
    assert_non_null(in);
    rota__request__pack(request, (uint8_t *)(in + 1));
    in->bytes = in + 1;
    in->n = n;
    in->op_tag = (uint32_t)request->op_case;
    in->peer = (struct peer){.pipe = 1, .is_ipc = true, .is_loopback = true};
    in->to = (struct reply_to){.pipe = 1, .request_id = request->request_id};
    return in;
}

void kit_turn(struct engine_kit *k, struct inbound *requests)
{
    effects_reset(&k->fx);
    k->now.wall_ms++;
    k->now.boot_ms++;
    int r = engine_turn(k->engine, k->now, requests, &k->fx);
    if (r < 0)
        effects_reset(&k->fx); /* nothing may be spoken */
    if (k->may_fail && r < 0)
        k->fault = r;
    else
        assert_int_equal(r, 0);
    for (struct inbound *next; requests; requests = next) {
        next = requests->next;
        free(requests->settled);
        free(requests);
    }
}

Rota__Reply *kit_reply(struct engine_kit *k, uint64_t request_id)
{
    for (struct effect_reply *e = k->fx.replies; e; e = e->next)
        if (e->to.request_id == request_id)
            return e->reply;
    return NULL;
}

Rota__Reply *kit_call(struct engine_kit *k, Rota__Request *request, const char *as)
{
    kit_turn(k, kit_request(k, request, as));
    return kit_reply(k, k->request_id);
}

const char *kit_error(const Rota__Reply *reply)
{
    return reply->error ? reply->error->name : "";
}

void kit_account(struct engine_kit *k, const char *id, Rota__Tier tier, uint32_t running_max)
{
    Rota__AccountSet account_set = ROTA__ACCOUNT_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    request.account_set = &account_set;
    account_set.account = (char *)id;
    account_set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    account_set.tier = tier;
    account_set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    account_set.running_max = running_max;
    account_set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
    account_set.builds_unlimited = true;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->account_set->account->tier, tier);
}

Rota__Reply *kit_publish(struct engine_kit *k, const char *account, const char *key)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.account = (char *)account;
    publish.app = (char *)"app";
    publish.class_ = (char *)"task";
    publish.idempotency_key = (char *)(key ? key : "");
    return kit_call(k, &request, NULL);
}

bool kit_lease(struct engine_kit *k, const char *worker, struct kit_lease *ret_lease)
{
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)"task"};
    uint8_t nonce[16];
    random_fill(k, nonce, sizeof nonce);
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    lease.worker = (char *)worker;
    lease.class_ = classes;
    lease.n_class_ = 1;
    lease.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
    Rota__Reply *reply = kit_call(k, &request, NULL);
    if (k->may_fail && (!reply || reply->error))
        return false;
    assert_string_equal(kit_error(reply), "");
    if (!reply->lease->n_job)
        return false;
    const Rota__LeasedJob *job = reply->lease->job[0];
    *ret_lease = (struct kit_lease){.tier = job->tier, .attempt = job->attempt};
    snprintf(ret_lease->job, sizeof ret_lease->job, "%s", job->lease->job);
    snprintf(ret_lease->account, sizeof ret_lease->account, "%s", job->account);
    rota__lease_ref__init(&ret_lease->ref);
    ret_lease->ref.epoch = job->lease->epoch;
    ret_lease->ref.token = job->lease->token;
    return true;
}

Rota__Reply *kit_finish(struct engine_kit *k, struct kit_lease *l, Rota__Outcome outcome)
{
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_FINISH;
    request.finish = &finish;
    l->ref.job = l->job;
    finish.lease = &l->ref;
    finish.outcome = outcome;
    return kit_call(k, &request, NULL);
}

Rota__Reply *kit_finish_left(struct engine_kit *k, struct kit_lease *l, Rota__Outcome outcome,
                             Rota__Artifact **artifacts, size_t n)
{
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_FINISH;
    request.finish = &finish;
    l->ref.job = l->job;
    finish.lease = &l->ref;
    finish.outcome = outcome;
    finish.artifact = artifacts;
    finish.n_artifact = n;
    struct inbound *in = kit_request(k, &request, NULL);
    in->is_vetted = true;
    kit_turn(k, in);
    return kit_reply(k, k->request_id);
}

Rota__Reply *kit_cancel(struct engine_kit *k, const char *job)
{
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &cancel;
    cancel.job = (char *)job;
    cancel.reason = (char *)"changed my mind";
    return kit_call(k, &request, NULL);
}

void kit_state(struct engine_kit *k, const char *job, Rota__State expected)
{
    struct job_id id;
    AUTO(txn) txn = kit_snapshot(k->store);
    struct effects fx;
    struct job j;
    assert_int_equal(effects_init(&fx), 0);
    struct turn t = {.engine = k->engine, .cache = &k->engine->cache, .txn = txn, .fx = &fx};
    assert_int_equal(job_id_parse(job, &id), 0);
    assert_int_equal(job_load(&t, id, &j), 0);
    assert_int_equal(j.state, expected);
    undo_unwind(k->engine->cache.undo); /* what loading brought into RAM */
    effects_deinit(&fx);
}

void kit_pass(struct engine_kit *k, uint64_t ms)
{
    k->now.wall_ms += ms;
    k->now.boot_ms += ms;
    kit_turn(k, NULL);
}

uint64_t kit_rows(struct engine_kit *k, enum table t)
{
    return kit_count(k->store, t);
}

/* Jobs that wait for a moment or for other jobs: the latter have no row but their state. */
static uint64_t count_delayed(struct engine_kit *k)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    uint64_t n = 0;
    assert_int_equal(cursor_open(txn, TABLE_STATE, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct state_row row;
        assert_int_equal(row_decode(&state_row_type, key, value, &row), 0);
        n += row.state == ROTA__STATE__DELAYED;
    }
    return n;
}

void kit_check(struct engine_kit *k)
{
    assert_int_equal(engine_check(k->engine), 0);
    assert_int_equal(kit_rows(k, TABLE_READY) + kit_rows(k, TABLE_LEASE) + kit_rows(k, TABLE_DONE) +
                         kit_rows(k, TABLE_HELD) + count_delayed(k),
                     kit_rows(k, TABLE_JOB));
    assert_int_equal(undo_entries(k->engine->cache.undo), 0);
}
