/* test_outputs.c: what is deleted from the artifact store, when, and that nothing of it is
 * forgotten by a crash. A clock in the test's hands lives through three days: one-off outputs go
 * when they were fetched, else after a day to the millisecond; bundles, maps and logs stay however
 * old they are. The artifact thread is the test: it deletes, or dies before it could, or before
 * anybody heard of it. */
#include "engine_kit.h"
#include "limits_kit.h"

enum { HOUR_MS = 3600000, DAY_HOURS = 24, ASKED_MAX = 256 };

static const char *const kinds[] = {"",    "source", "bundle",     "assets",
                                    "map", "log",    "provenance", "output"};

static Rota__State finish_with(struct engine_kit *k, struct kit_lease *lease,
                               const Rota__ObjectKind *list, size_t n, uint8_t mark)
{
    static uint8_t hashes[8][32];
    Rota__Artifact all[8], *pointers[8];
    for (size_t i = 0; i < n; i++) {
        rota__artifact__init(&all[i]);
        memset(hashes[i], mark, 32);
        hashes[i][0] = (uint8_t)i; /* two of a kind are two objects */
        all[i].kind = list[i];
        all[i].size = 1000;
        all[i].sha256 = all[i].blake2b = (ProtobufCBinaryData){32, hashes[i]};
        pointers[i] = &all[i];
    }
    Rota__Reply *reply = kit_finish_left(k, lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED, pointers, n);
    assert_string_equal(kit_error(reply), "");
    return reply->finish->state;
}

/* A job of `account` that leaves these. */
static void build(struct engine_kit *k, const char *account, const Rota__ObjectKind *list, size_t n,
                  uint8_t mark, char ret_job[40])
{
    struct kit_lease lease;
    kit_publish_to(k, account, ret_job);
    assert_true(kit_lease(k, "w", &lease));
    assert_int_equal(finish_with(k, &lease, list, n, mark), ROTA__STATE__SUCCEEDED);
}

static size_t gone_of(struct engine_kit *k, Rota__ObjectKind kind)
{
    size_t n = 0;
    for (const struct effect_object *o = k->fx.objects_gone; o; o = o->next)
        n += o->kind == kind;
    return n;
}

/* What the artifact thread does after deleting what the last turn asked for; how many. */
static size_t settle(struct engine_kit *k)
{
    struct object_settled *list = calloc(ASKED_MAX, sizeof *list);
    struct inbound *in = calloc(1, sizeof *in);
    size_t n = 0;
    assert_true(list && in);
    for (const struct effect_object *o = k->fx.objects_gone; o && n < ASKED_MAX; o = o->next) {
        list[n] = (struct object_settled){.kind = o->kind, .account = o->account};
        memcpy(list[n++].sha256, o->sha256, 32);
    }
    *in = (struct inbound){.kind = INBOUND_OBJECTS_SETTLED, .settled = list, .settled_n = n};
    kit_turn(k, in);
    return n;
}

static Rota__Reply *fetched(struct engine_kit *k, char *job, const char *as)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Fetched op = ROTA__FETCHED__INIT;
    op.job = job;
    request.op_case = ROTA__REQUEST__OP_FETCHED;
    request.fetched = &op;
    return kit_call(k, &request, as);
}

static const Rota__ObjectKind everything[] = {
    ROTA__OBJECT_KIND__BUNDLE,    ROTA__OBJECT_KIND__ASSETS,     ROTA__OBJECT_KIND__MAP,
    ROTA__OBJECT_KIND__BUILD_LOG, ROTA__OBJECT_KIND__PROVENANCE, ROTA__OBJECT_KIND__OUTPUT,
    ROTA__OBJECT_KIND__OUTPUT};

/* Hour by hour for three days: which objects are asked to go, and when. */
static void three_days_take_the_outputs_alone(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    size_t seen[8] = {0};
    uint64_t first_hour = 0;
    kit_account(k, "shop", ROTA__TIER__P1, 0);
    build(k, "shop", everything, ARRAY_LEN(everything), 7, job);
    uint64_t finished_ms = k->now.wall_ms;
    assert_int_equal(kit_rows(k, TABLE_OBJECT), ARRAY_LEN(everything));
    assert_int_equal(kit_rows(k, TABLE_OBJECT_DUE), 1);
    for (unsigned hour = 1; hour <= 3 * DAY_HOURS; hour++) {
        uint64_t at_ms = finished_ms + (uint64_t)hour * HOUR_MS;
        kit_pass(k, at_ms - k->now.wall_ms - 1 - (hour == DAY_HOURS)); /* a turn takes 1 ms */
        if (hour == DAY_HOURS) { /* a millisecond before the day is over */
            assert_int_equal(gone_of(k, ROTA__OBJECT_KIND__OUTPUT), 0);
            kit_turn(k, NULL);
        }
        for (size_t kind = 1; kind < ARRAY_LEN(kinds); kind++)
            seen[kind] += gone_of(k, (Rota__ObjectKind)kind);
        if (seen[ROTA__OBJECT_KIND__OUTPUT] && !first_hour)
            first_hour = hour;
        settle(k);
    }
    printf("3 days, hour by hour:");
    for (size_t kind = 1; kind < ARRAY_LEN(kinds); kind++)
        printf(" %s %zu", kinds[kind], seen[kind]);
    printf(" gone; the outputs in hour %llu\n", (unsigned long long)first_hour);
    for (size_t kind = 1; kind < ARRAY_LEN(kinds); kind++)
        assert_int_equal(seen[kind], kind == ROTA__OBJECT_KIND__OUTPUT ? 2 : 0);
    assert_int_equal(first_hour, DAY_HOURS);
    assert_int_equal(kit_rows(k, TABLE_OBJECT), ARRAY_LEN(everything) - 2);
    assert_int_equal(kit_rows(k, TABLE_OBJECT_DUE), 0);
    assert_int_equal(kit_rows(k, TABLE_GOING), 0);
    kit_check(k);
}

static void outputs_that_were_fetched_go_at_once_and_once(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease lease;
    char job[40], waits[40];
    kit_account(k, "shop", ROTA__TIER__P1, 0);
    build(k, "shop", everything, ARRAY_LEN(everything), 7, job);
    Rota__Reply *reply = fetched(k, job, NULL);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->fetched->gone, 2);
    assert_int_equal(gone_of(k, ROTA__OBJECT_KIND__OUTPUT), 2);
    settle(k);
    reply = fetched(k, job, NULL); /* said again, as after a lost answer */
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->fetched->gone, 0);
    assert_null(k->fx.objects_gone);
    assert_int_equal(kit_account_get(k, "shop", &answer)->account->storage_bytes, 5000);
    kit_answer_end(&answer);
    kit_pass(k, 2 * (uint64_t)DAY_HOURS * HOUR_MS);
    assert_null(k->fx.objects_gone);
    kit_publish_to(k, "shop", waits);
    assert_string_equal(kit_error(fetched(k, waits, NULL)), "JOB_NOT_ENDED");
    assert_true(kit_lease(k, "w", &lease));
    kit_check(k);
}

/* Two jobs left the very same output: the second's day is its own. */
static void each_job_holds_an_output_for_its_own_day(void **state)
{
    struct engine_kit *k = *state;
    static const Rota__ObjectKind one[] = {ROTA__OBJECT_KIND__OUTPUT};
    char first[40], second[40];
    kit_account(k, "shop", ROTA__TIER__P1, 0);
    build(k, "shop", one, 1, 7, first);
    kit_pass(k, 20ull * HOUR_MS);
    build(k, "shop", one, 1, 7, second);
    assert_int_equal(kit_rows(k, TABLE_OBJECT), 1);
    kit_pass(k, 5ull * HOUR_MS); /* the first's day is over */
    assert_int_equal(gone_of(k, ROTA__OBJECT_KIND__OUTPUT), 0);
    assert_int_equal(kit_rows(k, TABLE_OBJECT), 1);
    assert_int_equal(fetched(k, first, NULL)->fetched->gone, 0); /* holds it no more */
    assert_int_equal(kit_rows(k, TABLE_OBJECT), 1);
    kit_pass(k, 19ull * HOUR_MS);
    assert_int_equal(gone_of(k, ROTA__OBJECT_KIND__OUTPUT), 1);
    assert_int_equal(kit_rows(k, TABLE_OBJECT), 0);
    kit_check(k);
}

/* A kill -9 after the row went and before the object did; after the object went and before anybody
 * heard; and none. In each life the object is asked for until the news has come. */
static void what_is_to_go_goes_over_every_crash(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    kit_account(k, "shop", ROTA__TIER__P1, 0);
    build(k, "shop", everything, ARRAY_LEN(everything), 7, job);
    kit_turn(k, NULL);
    fetched(k, job, NULL);
    assert_int_equal(kit_rows(k, TABLE_GOING), 2);
    unsigned asked = 0;
    for (unsigned crash = 0; crash < 5; crash++) { /* deleted or not: nobody heard of it */
        engine_kit_restart(k);
        kit_turn(k, NULL);
        assert_int_equal(gone_of(k, ROTA__OBJECT_KIND__OUTPUT), 2);
        asked += 2;
    }
    kit_pass(k, 1000);
    assert_null(k->fx.objects_gone); /* asked for once in a while, not in each turn */
    kit_pass(k, 11ull * 60000);      /* a store that was away */
    assert_int_equal(gone_of(k, ROTA__OBJECT_KIND__OUTPUT), 2);
    assert_int_equal(settle(k), 2);
    assert_int_equal(kit_rows(k, TABLE_GOING), 0);
    engine_kit_restart(k);
    kit_turn(k, NULL);
    assert_null(k->fx.objects_gone);
    printf("asked for again after each of 5 crashes: %u times\n", asked);
    kit_check(k);
}

/* An object that is wanted again before it went: the news about its old life does not harm it. */
static void one_that_is_wanted_again_stays(void **state)
{
    struct engine_kit *k = *state;
    static const Rota__ObjectKind one[] = {ROTA__OBJECT_KIND__OUTPUT};
    char first[40], second[40];
    kit_account(k, "shop", ROTA__TIER__P1, 0);
    build(k, "shop", one, 1, 7, first);
    fetched(k, first, NULL);
    assert_int_equal(kit_rows(k, TABLE_GOING), 1);
    build(k, "shop", one, 1, 7, second);
    assert_int_equal(kit_rows(k, TABLE_GOING), 0);
    assert_int_equal(kit_rows(k, TABLE_OBJECT), 1);
    engine_kit_restart(k);
    kit_turn(k, NULL);
    assert_null(k->fx.objects_gone);
    kit_check(k);
}

/* A job that is tried again has left nothing: what it left the first time is given back. */
static void a_retry_gives_back_what_the_job_left(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    struct kit_lease lease;
    char job[40];
    uint8_t hash[32] = {9};
    Rota__Artifact log = ROTA__ARTIFACT__INIT, *list[] = {&log};
    kit_account(k, "shop", ROTA__TIER__P1, 0);
    kit_publish_to(k, "shop", job);
    assert_true(kit_lease(k, "w", &lease));
    log.kind = ROTA__OBJECT_KIND__BUILD_LOG;
    log.size = 77;
    log.sha256 = log.blake2b = (ProtobufCBinaryData){32, hash};
    Rota__Reply *reply = kit_finish_left(k, &lease, ROTA__OUTCOME__OUTCOME_FAILED, list, 1);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(kit_rows(k, TABLE_OBJECT), 1);
    assert_string_equal(kit_error(kit_retry(k, job)), "");
    assert_int_equal(gone_of(k, ROTA__OBJECT_KIND__BUILD_LOG), 1);
    assert_int_equal(kit_rows(k, TABLE_OBJECT), 0);
    assert_int_equal(kit_account_get(k, "shop", &answer)->account->storage_bytes, 0);
    kit_answer_end(&answer);
    kit_check(k);
}

static void usage_tells_the_storage(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    char job[40];
    kit_account(k, "shop", ROTA__TIER__P1, 0);
    build(k, "shop", everything, ARRAY_LEN(everything), 7, job);
    const Rota__UsageResult *usage = kit_usage(k, "shop", 1, &answer);
    assert_int_equal(usage->storage_bytes, 7000);
    assert_true(usage->storage_bytes_max > 7000);
    kit_answer_end(&answer);
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(three_days_take_the_outputs_alone),
        ENGINE_CASE(outputs_that_were_fetched_go_at_once_and_once),
        ENGINE_CASE(each_job_holds_an_output_for_its_own_day),
        ENGINE_CASE(what_is_to_go_goes_over_every_crash),
        ENGINE_CASE(one_that_is_wanted_again_stays),
        ENGINE_CASE(a_retry_gives_back_what_the_job_left),
        ENGINE_CASE(usage_tells_the_storage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
