/* engine_deeds.c: the less plain things that happen in the random life of an engine: sources and
 * artifacts, messages that say two things or come twice, heartbeats, pipes that go, keys. */
#include "engine_life.h"

#include <sodium.h>

enum { SOURCES = 3 };

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

void do_publish_source(struct life *l)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"task";
    publish.account = (char *)account_name(life_pick(l, 2));
    publish.source = (char *)source_name(life_pick(l, SOURCES));
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

void do_publish_many(struct life *l)
{
    unsigned n = 1 + life_pick(l, 20);
    kit_turn(&l->k, publish_many(&l->k, 1, n, !life_pick(l, 4)));
    Rota__Reply *reply = kit_reply(&l->k, l->k.request_id);
    assert_non_null(reply);
    if (reply->error)
        return;
    assert_int_equal(reply->publish_many->n_outcome, n);
    for (unsigned i = 0; i < n; i++)
        l->accepted += reply->publish_many->outcome[i]->accepted != NULL;
    l->many++;
}

/* Each source row counts the jobs that name it and have not ended, or are dead and may be tried
 * again. */
void check_sources(struct life *l)
{
    AUTO(txn) txn = kit_snapshot(l->k.store);
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    uint64_t live = 0, held = 0;
    int r;
    assert_int_equal(cursor_open(txn, TABLE_JOB, &cursor), 0);
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct job_row row;
        struct done_row done;
        assert_int_equal(row_decode(&job_row_type, key, value, &row), 0);
        int ended = row_get(txn, &done_row_type, key, &done);
        live += row.source.n && (ended == STORE_MISSING || done.state == ROTA__STATE__DEAD);
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
void do_both(struct life *l)
{
    static uint32_t trip;
    struct call c;
    if (!l->leases_n)
        return;
    struct kit_lease lease = take_lease(l);
    both_fill(&c, &lease, 0);
    memcpy(c.nonce, &(uint32_t){++trip}, sizeof trip);
    uint8_t hash[32];
    memset(hash, (int)life_pick(l, 4), sizeof hash);
    rota__artifact__init(&c.artifact);
    c.artifact.kind = ROTA__OBJECT_KIND__BUNDLE;
    c.artifact.sha256 = c.artifact.blake2b = (ProtobufCBinaryData){sizeof hash, hash};
    c.artifact.size = 1 + life_pick(l, 1000);
    c.artifact_list[0] = &c.artifact;
    c.finish.artifact = c.artifact_list;
    c.finish.n_artifact = life_pick(l, 2);
    struct inbound *in = kit_request(&l->k, &c.request, NULL);
    in->is_vetted = true;
    in->vetted = life_pick(l, 10) ? E_OK : E_OBJECT_MISMATCH;
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
    if (!n || life_pick(l, 3))
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

void do_heartbeat(struct life *l)
{
    struct call c;
    char worker[8];
    snprintf(worker, sizeof worker, "w%u", life_pick(l, 5));
    struct kit_lease *lease =
        l->leases_n && life_pick(l, 4) ? &l->leases[life_pick(l, (unsigned)l->leases_n)] : NULL;
    beat_fill(&c, worker, lease, life_pick(l, 2) ? "half" : "")->beat.wait_ms =
        life_pick(l, 2) * 5000;
    c.progress.percent = life_pick(l, 101);
    struct inbound *in = kit_request(&l->k, &c.request, l->credential[0] ? l->credential : NULL);
    in->peer.pipe = in->to.pipe = 1 + life_pick(l, 3);
    kit_turn(&l->k, in);
    l->beats++;
}

/* A poll that waits on one of three pipes; its pipe goes before anything can be handed out to a
 * client that is not there. */
void do_park_and_go(struct life *l)
{
    struct call c;
    struct inbound *gone = calloc(1, sizeof *gone);
    assert_non_null(gone);
    lease_fill(&c, "parked", (uint8_t)life_pick(l, 256))->lease.wait_ms = 5000;
    gone->kind = INBOUND_PIPE_GONE;
    gone->peer.pipe = 7;
    struct inbound *in = kit_request(&l->k, &c.request, NULL);
    in->peer.pipe = in->to.pipe = 7;
    in->next = gone;
    kit_turn(&l->k, in);
    Rota__Reply *reply = kit_reply(&l->k, l->k.request_id);
    assert_true(!reply || reply->error); /* full; else nobody was served */
}

void do_heat(struct life *l)
{
    Rota__Heat heat = ROTA__HEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_HEAT;
    request.heat = &heat;
    heat.pool = (char *)"task";
    heat.slots = life_pick(l, 3);
    heat.for_ms = 1 + life_pick(l, 60000);
    assert_non_null(kit_call(&l->k, &request, NULL));
}

void do_app(struct life *l)
{
    Rota__AppSet set = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char app[16];
    snprintf(app, sizeof app, "app-%u", life_pick(l, 30));
    request.op_case = ROTA__REQUEST__OP_APP_SET;
    request.app_set = &set;
    set.account = (char *)account_name(life_pick(l, ACCOUNTS));
    set.app = app;
    set.set_archived_case = ROTA__APP_SET__SET_ARCHIVED_ARCHIVED;
    set.archived = life_pick(l, 2) == 1;
    assert_non_null(kit_call(&l->k, &request, NULL));
}

/* A worker's key comes, and goes in the same turn as a call that uses it. */
void do_key(struct life *l)
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
