/* engine_random.c: the engine under a random life, from a seed: publishes with and without sources,
 * one by one and many at once, leases, finishes with artifacts, both in one trip and said twice,
 * faults, heartbeats, cancels, silence, pipes that go, heat, keys made and revoked, apps, cap and
 * tier changes, restarts, and a store so small that whole turns are undone.
 *
 * After every turn that failed the engine itself compares its cache with the store; after every
 * hundred steps so do we, and count: each accepted job in exactly one state, no account above its
 * cap by a new dispatch, every dispatch as the rotation says, nothing accepted lost, each source
 * held by as many live jobs as name it. Prints what it counted. argv: seeds, steps a seed. */
#include "unit/engine_calls.h"

#include <sodium.h>

enum { ACCOUNTS = 12, LEASES_MAX = 64, MAP_BYTES = 6 << 20, SOURCES = 3 };

struct life {
    struct engine_kit k;
    uint64_t random;
    struct kit_lease leases[LEASES_MAX];
    size_t leases_n;
    uint64_t accepted, refused, dispatched, finished, restarts, numbers, beats, trips, many, keys;
    uint64_t replays, sources;
    char credential[64]; /* of a worker's key, when there is one */
    uint32_t key_serial;
    char some_job[40];
};

static unsigned pick(struct life *l, unsigned n)
{
    return (unsigned)(kit_random(&l->random) % n);
}

static const char *account_name(unsigned i)
{
    static char name[16];
    snprintf(name, sizeof name, "acc-%u", i);
    return name;
}

static void do_publish(struct life *l)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    static uint8_t spec[12000];
    struct inbound *list = NULL;
    unsigned n = 1 + pick(l, 12);
    uint64_t first = l->k.request_id + 1;
    memset(spec, ' ', sizeof spec);
    spec[0] = '{';
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"task";
    for (unsigned i = 0; i < n; i++) {
        size_t bytes = 2 + pick(l, sizeof spec - 2);
        spec[bytes - 1] = '}';
        publish.spec = (ProtobufCBinaryData){bytes, spec};
        publish.account = (char *)account_name(pick(l, ACCOUNTS));
        publish.priority = pick(l, 10);
        struct inbound *in = kit_request(&l->k, &request, NULL);
        spec[bytes - 1] = ' ';
        in->next = list;
        list = in;
    }
    kit_turn(&l->k, list);
    for (uint64_t id = first; id <= l->k.request_id; id++) {
        Rota__Reply *reply = kit_reply(&l->k, id);
        assert_non_null(reply);
        if (reply->error) {
            assert_string_equal(reply->error->name, "STORE_FULL");
            l->refused++;
            continue;
        }
        l->accepted++;
        snprintf(l->some_job, sizeof l->some_job, "%s", reply->publish->job);
    }
}

/* A dispatch never takes an account above its cap. */
static void check_cap(struct life *l, const char *id)
{
    size_t bucket;
    for (struct map_node *n = map_begin(&l->k.engine->cache.accounts, &bucket); n;
         n = map_after(&l->k.engine->cache.accounts, n, &bucket)) {
        const struct account *a = CONTAINER(n, account, by_number);
        if (strcmp(a->id, id) == 0)
            assert_true(a->running <= account_running_max(a));
    }
}

static void do_lease(struct life *l)
{
    char worker[8];
    if (l->leases_n == LEASES_MAX)
        return;
    snprintf(worker, sizeof worker, "w%u", pick(l, 5));
    struct kit_lease *lease = &l->leases[l->leases_n];
    l->k.may_fail = true; /* a store that is full refuses the lease too */
    if (kit_lease(&l->k, worker, lease)) {
        check_cap(l, lease->account);
        assert_true(lease->ref.token > l->numbers);
        l->numbers = lease->ref.token;
        l->dispatched++;
        l->leases_n++;
    }
    l->k.may_fail = false;
    assert_int_equal(l->k.fault, 0);
}

static struct kit_lease take_lease(struct life *l)
{
    unsigned i = pick(l, (unsigned)l->leases_n);
    struct kit_lease lease = l->leases[i];
    l->leases[i] = l->leases[--l->leases_n];
    return lease;
}

static void do_finish(struct life *l)
{
    if (!l->leases_n)
        return;
    struct kit_lease lease = take_lease(l);
    const char *error = kit_error(kit_finish(&l->k, &lease, (Rota__Outcome)(1 + pick(l, 3))));
    l->finished += !error[0];
    assert_true(!error[0] || strcmp(error, "LEASE_LOST") == 0 || strcmp(error, "CANCELLED") == 0 ||
                strcmp(error, "STORE_FULL") == 0);
}

static void do_release(struct life *l)
{
    if (!l->leases_n)
        return;
    struct kit_lease lease = take_lease(l);
    Rota__LeaseRelease release = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &release;
    lease.ref.job = lease.job;
    release.lease = &lease.ref;
    release.infrastructure_fault = pick(l, 2) == 1;
    assert_non_null(kit_call(&l->k, &request, NULL));
}

static void do_cancel(struct life *l)
{
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    if (!l->some_job[0])
        return;
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &cancel;
    cancel.job = l->leases_n && pick(l, 2) ? l->leases[0].job : l->some_job;
    assert_non_null(kit_call(&l->k, &request, NULL));
}

static void do_account(struct life *l)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    request.account_set = &set;
    set.account = (char *)account_name(pick(l, ACCOUNTS));
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = (Rota__Tier)pick(l, 4);
    set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    set.running_max = pick(l, 6);
    assert_non_null(kit_call(&l->k, &request, NULL));
}

/* ---- sources and artifacts: the engine trusts that the edge has looked at them ---- */

static const char *source_name(unsigned i)
{
    static char name[80];
    uint8_t sha256[32];
    memset(sha256, (int)(0xa0 + i), sizeof sha256);
    memcpy(name, "upload:", 7);
    sodium_bin2hex(name + 7, sizeof name - 7, sha256, sizeof sha256);
    return name;
}

static void do_publish_source(struct life *l)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"task";
    publish.account = (char *)account_name(pick(l, 2));
    publish.source = (char *)source_name(pick(l, SOURCES));
    struct inbound *in = kit_request(&l->k, &request, NULL);
    in->is_vetted = true;
    kit_turn(&l->k, in);
    Rota__Reply *reply = kit_reply(&l->k, l->k.request_id);
    assert_non_null(reply);
    l->refused += reply->error != NULL;
    if (reply->error)
        return;
    l->accepted++;
    l->sources++;
    snprintf(l->some_job, sizeof l->some_job, "%s", reply->publish->job);
}

static void do_publish_many(struct life *l)
{
    unsigned n = 1 + pick(l, 20);
    kit_turn(&l->k, publish_many(&l->k, 1, n, !pick(l, 4)));
    Rota__Reply *reply = kit_reply(&l->k, l->k.request_id);
    assert_non_null(reply);
    if (reply->error)
        return;
    assert_int_equal(reply->publish_many->n_outcome, n);
    for (unsigned i = 0; i < n; i++)
        l->accepted += reply->publish_many->outcome[i]->accepted != NULL;
    l->many++;
}

/* Each source row counts the jobs that have not ended and name it. */
static void check_sources(struct life *l)
{
    AUTO(txn) txn = kit_snapshot(l->k.store);
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    uint64_t live = 0, held = 0;
    int r = cursor_open(txn, TABLE_JOB, &cursor);
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct job_row row;
        struct done_row done;
        assert_int_equal(row_decode(&job_row_type, key, value, &row), 0);
        live += row.source.n && row_get(txn, &done_row_type, key, &done) == STORE_MISSING;
    }
    cursor = cursor_free(cursor);
    assert_int_equal(cursor_open(txn, TABLE_OBJECT, &cursor), 0);
    for (r = cursor_seek(cursor, key_u16(&k, 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct object_row row;
        assert_int_equal(row_decode(&object_row_type, key, value, &row), 0);
        assert_true(row.jobs > 0);
        held += *(const uint8_t *)key.p == ROTA__OBJECT_KIND__SOURCE ? row.jobs : 0;
    }
    assert_int_equal(live, held);
}

/* ---- the calls of workers that do more than one thing ---- */

static void note_lease(struct life *l, const Rota__LeaseResult *result)
{
    for (size_t i = 0; result && i < result->n_job; i++) {
        const Rota__LeasedJob *job = result->job[i];
        l->dispatched++;
        check_cap(l, job->account);
        assert_true(job->lease->token > l->numbers);
        l->numbers = job->lease->token;
        if (l->leases_n == LEASES_MAX)
            continue; /* its worker forgets it: the lease runs out */
        struct kit_lease *lease = &l->leases[l->leases_n++];
        *lease = (struct kit_lease){.tier = job->tier, .attempt = job->attempt};
        snprintf(lease->job, sizeof lease->job, "%s", job->lease->job);
        rota__lease_ref__init(&lease->ref);
        lease->ref.epoch = job->lease->epoch;
        lease->ref.token = job->lease->token;
    }
}

/* Ends a job and takes the next; now and then the same message comes twice. */
static void do_both(struct life *l)
{
    static uint32_t trip;
    struct call c;
    if (!l->leases_n)
        return;
    struct kit_lease lease = take_lease(l);
    both_fill(&c, &lease, 0);
    memcpy(c.nonce, &(uint32_t){++trip}, sizeof trip);
    uint8_t hash[32];
    memset(hash, (int)pick(l, 4), sizeof hash);
    rota__artifact__init(&c.artifact);
    c.artifact.kind = ROTA__OBJECT_KIND__BUNDLE;
    c.artifact.sha256 = c.artifact.blake2b = (ProtobufCBinaryData){sizeof hash, hash};
    c.artifact.size = 1 + pick(l, 1000);
    c.artifact_list[0] = &c.artifact;
    c.finish.artifact = c.artifact_list;
    c.finish.n_artifact = pick(l, 2);
    struct inbound *in = kit_request(&l->k, &c.request, NULL);
    in->is_vetted = true;
    in->vetted = pick(l, 10) ? E_OK : E_OBJECT_MISMATCH;
    kit_turn(&l->k, in);
    Rota__Reply *reply = kit_reply(&l->k, l->k.request_id);
    assert_non_null(reply);
    if (reply->error)
        return;
    const Rota__FinishAndLeaseResult *both = reply->finish_and_lease;
    l->finished += both->finish != NULL;
    size_t n = both->lease ? both->lease->n_job : 0;
    note_lease(l, both->lease);
    l->trips++;
    if (!n || pick(l, 3))
        return;
    in = kit_request(&l->k, &c.request, NULL);
    in->is_vetted = true;
    uint64_t leases = kit_rows(&l->k, TABLE_LEASE);
    kit_turn(&l->k, in);
    reply = kit_reply(&l->k, l->k.request_id);
    assert_non_null(reply);
    if (reply->error)
        return;
    assert_int_equal(reply->finish_and_lease->lease->n_job, n);
    assert_true(kit_rows(&l->k, TABLE_LEASE) <= leases);
    l->replays++;
}

static void do_heartbeat(struct life *l)
{
    struct call c;
    char worker[8];
    snprintf(worker, sizeof worker, "w%u", pick(l, 5));
    struct kit_lease *lease =
        l->leases_n && pick(l, 4) ? &l->leases[pick(l, (unsigned)l->leases_n)] : NULL;
    beat_fill(&c, worker, lease, pick(l, 2) ? "half" : "")->beat.wait_ms = pick(l, 2) * 5000;
    c.progress.percent = pick(l, 101);
    struct inbound *in = kit_request(&l->k, &c.request, l->credential[0] ? l->credential : NULL);
    in->peer.pipe = in->to.pipe = 1 + pick(l, 3);
    kit_turn(&l->k, in);
    l->beats++;
}

/* A poll that waits on one of three pipes; its pipe goes before anything can be handed out to a
 * client that is not there. */
static void do_park_and_go(struct life *l)
{
    struct call c;
    struct inbound *gone = calloc(1, sizeof *gone);
    assert_non_null(gone);
    lease_fill(&c, "parked", (uint8_t)pick(l, 256))->lease.wait_ms = 5000;
    gone->kind = INBOUND_PIPE_GONE;
    gone->peer.pipe = 7;
    struct inbound *in = kit_request(&l->k, &c.request, NULL);
    in->peer.pipe = in->to.pipe = 7;
    in->next = gone;
    kit_turn(&l->k, in);
    Rota__Reply *reply = kit_reply(&l->k, l->k.request_id);
    assert_true(!reply || reply->error); /* full; else nobody was served */
}

static void do_heat(struct life *l)
{
    Rota__Heat heat = ROTA__HEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_HEAT;
    request.heat = &heat;
    heat.pool = (char *)"task";
    heat.slots = pick(l, 3);
    heat.for_ms = 1 + pick(l, 60000);
    assert_non_null(kit_call(&l->k, &request, NULL));
}

static void do_app(struct life *l)
{
    Rota__AppSet set = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char app[16];
    snprintf(app, sizeof app, "app-%u", pick(l, 30));
    request.op_case = ROTA__REQUEST__OP_APP_SET;
    request.app_set = &set;
    set.account = (char *)account_name(pick(l, ACCOUNTS));
    set.app = app;
    set.set_archived_case = ROTA__APP_SET__SET_ARCHIVED_ARCHIVED;
    set.archived = pick(l, 2) == 1;
    assert_non_null(kit_call(&l->k, &request, NULL));
}

/* A worker's key comes, and goes in the same turn as a call that uses it. */
static void do_key(struct life *l)
{
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct call c;
    if (!l->credential[0]) {
        request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
        request.key_create = &create;
        create.role = ROTA__ROLE__WORKER;
        Rota__Reply *reply = kit_call(&l->k, &request, NULL);
        assert_non_null(reply);
        if (reply->error)
            return;
        l->key_serial = reply->key_create->key->serial;
        snprintf(l->credential, sizeof l->credential, "%s", reply->key_create->credential);
        return;
    }
    request.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
    request.key_revoke = &revoke;
    revoke.serial = l->key_serial;
    struct inbound *in = kit_request(&l->k, &request, NULL);
    uint64_t id = l->k.request_id;
    in->next = kit_request(&l->k, &beat_fill(&c, "w0", NULL, "")->request, l->credential);
    kit_turn(&l->k, in);
    if (kit_reply(&l->k, id)->error)
        return;
    const char *error = kit_error(kit_reply(&l->k, l->k.request_id));
    assert_true(strcmp(error, "KEY_REVOKED") == 0 || strcmp(error, "STORE_FULL") == 0);
    l->credential[0] = '\0';
    l->keys++;
}

static void do_time(struct life *l)
{
    kit_pass(&l->k, pick(l, 20) ? pick(l, 2000) : 31000);
}

static void do_restart(struct life *l)
{
    engine_kit_close(&l->k);
    l->k.now.boot_ms = pick(l, 1000);
    l->k.now.wall_ms =
        l->k.now.wall_ms + pick(l, 100000) - 50000; /* the clock may step either way */
    engine_kit_open(&l->k);
    l->restarts++;
}

static const struct {
    void (*run)(struct life *l);
    unsigned weight;
} deeds[] = {{do_publish, 22},       {do_lease, 40},       {do_finish, 24},
             {do_release, 6},        {do_cancel, 6},       {do_account, 4},
             {do_time, 10},          {do_restart, 1},      {do_heartbeat, 8},
             {do_publish_source, 6}, {do_publish_many, 3}, {do_both, 12},
             {do_heat, 2},           {do_app, 2},          {do_key, 3},
             {do_park_and_go, 2}};

static void step(struct life *l)
{
    unsigned sum = 0, at;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        sum += deeds[i].weight;
    at = pick(l, sum);
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
        if (at < deeds[i].weight) {
            deeds[i].run(l);
            return;
        }
        at -= deeds[i].weight;
    }
}

static void live(uint64_t seed, unsigned steps, struct life *total)
{
    struct life l = {.random = seed * 0x9e3779b97f4a7c15ull + 1};
    engine_kit_setup(&l.k, MAP_BYTES);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        kit_account(&l.k, account_name(i), (Rota__Tier)(i % 4), 0);
    for (unsigned i = 0; i < steps; i++) {
        step(&l);
        if (i % 100 != 99)
            continue;
        kit_check(&l.k);
        check_sources(&l);
    }
    assert_int_equal(kit_rows(&l.k, TABLE_JOB), l.accepted);
    engine_kit_teardown(&l.k);
    total->accepted += l.accepted;
    total->refused += l.refused;
    total->dispatched += l.dispatched;
    total->finished += l.finished;
    total->restarts += l.restarts;
    total->beats += l.beats;
    total->trips += l.trips;
    total->many += l.many;
    total->keys += l.keys;
    total->replays += l.replays;
    total->sources += l.sources;
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
    unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    static struct life total;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        fprintf(stderr, "seed %u\r", seed);
        live(seed, steps, &total);
    }
    printf(
        "%u seeds of %u steps: %llu accepted, %llu refused (full), %llu dispatched, %llu finished, "
        "%llu restarts, 0 lost\n",
        seeds, steps, (unsigned long long)total.accepted, (unsigned long long)total.refused,
        (unsigned long long)total.dispatched, (unsigned long long)total.finished,
        (unsigned long long)total.restarts);
    printf(
        "%llu heartbeats, %llu trips of finish and lease, %llu of them repeated, %llu publishes of "
        "many, %llu sources, %llu keys revoked\n",
        (unsigned long long)total.beats, (unsigned long long)total.trips,
        (unsigned long long)total.replays, (unsigned long long)total.many,
        (unsigned long long)total.sources, (unsigned long long)total.keys);
    assert(total.beats > 0 && total.replays > 0 && total.many > 0 && total.sources > 0);
    assert(total.keys > 0);
    assert(total.refused > 0 && total.dispatched > 0 && total.restarts > 0);
    return 0;
}
