/* test_sealed_source.c: the key of a sealed source is kept before its job is committed, and let go
 * with whatever takes the source from the job; it gets into no table.
 *
 * Why it matters: a key that comes too late is a job that nobody can build; one that stays, or that
 * stood in the database once, is a source that stays. */
#include "engine_acts.h"

#include <errno.h>

enum { KEPT_MAX = 64 };

/* What the file of keys would hold. */
static struct {
    struct job_id job[KEPT_MAX];
    uint8_t key[KEPT_MAX][32];
    size_t n;
    unsigned keeps, drops, flushes;
    int fault; /* of the next keep */
} kept;

static const uint8_t key_one[32] = "11111111111111111111111111111111";
static const uint8_t key_two[32] = "22222222222222222222222222222222";

static int keep(void *arg, struct job_id job, const uint8_t *key)
{
    (void)arg;
    if (kept.fault)
        return kept.fault;
    assert_true(kept.n < KEPT_MAX);
    kept.job[kept.n] = job;
    memcpy(kept.key[kept.n++], key, 32);
    kept.keeps++;
    return 0;
}

static int drop(void *arg, struct job_id job)
{
    (void)arg;
    for (size_t i = 0; i < kept.n; i++)
        if (job_id_cmp(kept.job[i], job) == 0) {
            kept.job[i] = kept.job[--kept.n];
            memcpy(kept.key[i], kept.key[kept.n], 32);
        }
    kept.drops++;
    return 0;
}

static int flush(void *arg)
{
    (void)arg;
    kept.flushes++;
    return 0;
}

/* As the loop does behind each turn. */
static void settle(struct engine_kit *k)
{
    for (struct effect_source *s = k->fx.sources; s; s = s->next)
        if (!s->key)
            drop(NULL, s->job);
}

static void pass(struct engine_kit *k, uint64_t ms)
{
    kit_pass(k, ms);
    settle(k);
}

static bool is_kept(const char *text, const uint8_t key[32])
{
    struct job_id job;
    assert_int_equal(job_id_parse(text, &job), 0);
    for (size_t i = 0; i < kept.n; i++)
        if (job_id_cmp(kept.job[i], job) == 0)
            return memcmp(kept.key[i], key, 32) == 0;
    return false;
}

static Rota__Publish publish_of(const uint8_t key[32])
{
    static char source[80] = "upload:";
    memset(source + 7, 'a', 64);
    Rota__Publish q = call_publish_of();
    q.source = source;
    q.source_key = (ProtobufCBinaryData){key ? 32 : 0, (uint8_t *)(uintptr_t)key};
    return q;
}

static Rota__Reply *published(struct engine_kit *k, Rota__Publish *q, bool is_sealed)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    struct source_seen seen = {.bytes = 100, .is_sealed = is_sealed};
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = q;
    struct inbound *in = kit_request(k, &request, NULL);
    in->is_vetted = true;
    in->sources = &seen;
    kit_turn(k, in);
    settle(k);
    return kit_reply(k, k->request_id);
}

static void accepted(struct engine_kit *k, Rota__Publish *q, char job[CALL_JOB_BYTES])
{
    Rota__Reply *reply = published(k, q, true);
    assert_string_equal(kit_error(reply), "");
    snprintf(job, CALL_JOB_BYTES, "%s", reply->publish->job);
}

static int begin(void **state)
{
    int r = engine_kit_begin(state);
    struct engine_kit *k = *state;
    memset(&kept, 0, sizeof kept);
    k->source_keeper = (struct source_keeper){keep, drop, flush, NULL};
    engine_kit_restart(k);
    return r;
}

/* The database as bytes, with all pages that are free. */
static bool stands_in_database(struct engine_kit *k, const uint8_t key[32])
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", k->dir);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    uint8_t *bytes = malloc(64 << 20);
    size_t n = fread(bytes, 1, 64 << 20, f);
    bool found = memmem(bytes, n, key, 32) != NULL;
    assert_true(n > 4096 &&
                memmem(bytes, n, "upload:aaaa", 11) != NULL); /* the look itself works */
    free(bytes);
    fclose(f);
    return found;
}

static void a_key_is_kept_for_its_job_and_stands_in_no_table(void **state)
{
    struct engine_kit *k = *state;
    char one[CALL_JOB_BYTES], two[CALL_JOB_BYTES];
    Rota__Publish q = publish_of(key_one);
    q.idempotency_key = (char *)"once";
    accepted(k, &q, one);
    Rota__Publish again = publish_of(key_two);
    accepted(k, &again, two);
    assert_true(is_kept(one, key_one) && is_kept(two, key_two));
    assert_int_equal(kept.flushes, 2);
    Rota__Reply *reply = published(k, &q, true);
    assert_true(reply->publish->replayed);
    q.source_key = again.source_key; /* the body is what it was */
    assert_true(published(k, &q, true)->publish->replayed);
    assert_int_equal(kept.keeps, 2);
    for (int i = 0; i < 20; i++)
        pass(k, 100);
    assert_false(stands_in_database(k, key_one) || stands_in_database(k, key_two));
}

static void it_goes_with_every_end(void **state)
{
    struct engine_kit *k = *state;
    static const Rota__Outcome outcomes[] = {ROTA__OUTCOME__OUTCOME_SUCCEEDED,
                                             ROTA__OUTCOME__OUTCOME_FAILED,
                                             ROTA__OUTCOME__OUTCOME_TIMED_OUT};
    char job[CALL_JOB_BYTES];
    struct kit_lease l;
    Rota__Publish q = publish_of(key_one);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        accepted(k, &q, job);
        assert_true(kit_lease(k, "w", &l));
        settle(k);
        assert_true(is_kept(job, key_one));
        assert_string_equal(kit_error(kit_finish(k, &l, outcomes[i])), "");
        settle(k);
        assert_int_equal(kept.n, 0);
    }
    accepted(k, &q, job);
    kit_cancel(k, job);
    settle(k);
    assert_int_equal(kept.n, 0);
    q.ref = (char *)"main";
    q.supersede = true;
    accepted(k, &q, job);
    accepted(k, &q, job); /* takes the first one's place */
    assert_int_equal(kept.n, 1);
    assert_true(is_kept(job, key_one));
    kit_check(k);
    printf("kept while it may be built, gone with 5 of 5 ends\n");
}

/* A dead job may be tried again for a day, so its source may still be wanted. */
static void a_dead_jobs_key_stays_as_long_as_its_source(void **state)
{
    struct engine_kit *k = *state;
    char job[CALL_JOB_BYTES];
    struct kit_lease l;
    struct job_id id;
    Rota__Publish q = publish_of(key_one);
    q.attempts_max = 1;
    accepted(k, &q, job);
    for (int round = 0; round < 2; round++) {
        assert_true(kit_lease(k, "w", &l));
        call_give_back(k, &l, true);
        settle(k);
        kit_state(k, job, ROTA__STATE__DEAD);
        assert_true(is_kept(job, key_one));
        if (round == 0)
            assert_string_equal(kit_error(call_retry(k, job)), "");
    }
    assert_int_equal(job_id_parse(job, &id), 0);
    AUTO(txn) txn = NULL;
    assert_int_equal(store_snapshot(k->store, &txn), 0);
    assert_true(source_is_wanted(txn, id));
    txn = txn_free(txn);
    pass(k, 24ull * 3600 * 1000 + 1000);
    pass(k, 1000);
    assert_int_equal(kept.n, 0);
    assert_int_equal(store_snapshot(k->store, &txn), 0);
    assert_false(source_is_wanted(txn, id));
    assert_false(source_is_wanted(txn, job_id_after(id))); /* never committed */
}

static void a_key_that_cannot_be_kept_stops_the_commit(void **state)
{
    struct engine_kit *k = *state;
    Rota__Publish q = publish_of(key_one);
    uint64_t jobs = kit_rows(k, TABLE_JOB);
    kept.fault = -EIO;
    k->may_fail = true;
    published(k, &q, true);
    assert_int_equal(k->fault, -EIO);
    assert_true(kept.drops > 0);
    assert_int_equal(kit_rows(k, TABLE_JOB), jobs);
    k->may_fail = false;
    kept.fault = 0;
    char job[CALL_JOB_BYTES];
    accepted(k, &q, job);
    assert_int_equal(kept.n, 1);
}

static void what_is_not_sealed_is_refused_by_name(void **state)
{
    struct engine_kit *k = *state;
    Rota__Publish q = publish_of(NULL);
    q.platform = (char *)"android";
    q.class_ = (char *)"bundle";
    assert_string_equal(kit_error(published(k, &q, true)), "SOURCE_NOT_SEALED"); /* no key */
    q.source_key = publish_of(key_one).source_key;
    assert_string_equal(kit_error(published(k, &q, false)), "SOURCE_NOT_SEALED"); /* not sealed */
    q.class_ = (char *)"";
    assert_string_equal(kit_error(published(k, &q, false)), "SOURCE_NOT_SEALED");
    assert_string_equal(kit_error(published(k, &q, true)), "");
    q.class_ = (char *)"task";
    assert_string_equal(kit_error(published(k, &q, false)), "SOURCE_NOT_SEALED");
    q.source = (char *)"";
    assert_string_equal(kit_error(published(k, &q, false)), "FIELD_INVALID");
    q = publish_of(NULL); /* other runners may take their sources as they like */
    assert_string_equal(kit_error(published(k, &q, false)), "");
    assert_int_equal(kept.n, 1);
}

static void a_template_holds_no_key(void **state)
{
    struct engine_kit *k = *state;
    Rota__Publish q = publish_of(key_one);
    Rota__Preset preset = ROTA__PRESET__INIT;
    Rota__PresetSet op = ROTA__PRESET_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    preset.name = (char *)"p";
    preset.publish = &q;
    op.preset = &preset;
    request.op_case = ROTA__REQUEST__OP_PRESET_SET;
    request.preset_set = &op;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "PRESET_INVALID");
    assert_int_equal(kit_rows(k, TABLE_PRESET), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, engine_kit_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_key_is_kept_for_its_job_and_stands_in_no_table),
        CASE(it_goes_with_every_end),
        CASE(a_dead_jobs_key_stays_as_long_as_its_source),
        CASE(a_key_that_cannot_be_kept_stops_the_commit),
        CASE(what_is_not_sealed_is_refused_by_name),
        CASE(a_template_holds_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
