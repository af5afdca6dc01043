/* test_limits_engine.c: the table of tiers changed while jobs wait and run, accounts with values of
 * their own, and sizes. A change holds for everybody at once and stops nobody who runs; what is out
 * of range is refused by column; a job that is too large ends by that name and is never stuck. */
#include "limits_kit.h"

#include "engine/account_limits.h"

#include <base/clock.h>

enum { CROWD = 20000, BATCH = 1000 };

static Rota__LimitsResult *limits_get(struct engine_kit *k, struct kit_answer *answer)
{
    Rota__LimitsGet get = ROTA__LIMITS_GET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LIMITS_GET;
    request.limits_get = &get;
    kit_ask(k, &request, answer);
    assert_int_equal(answer->code, E_OK);
    return answer->reply.limits_get;
}

static Rota__LimitsSet tier_set(Rota__Tier tier, Rota__Limits *limits)
{
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    rota__limits__init(limits);
    set.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
    set.tier = tier;
    set.limits = limits;
    return set;
}

static unsigned lease_all(struct engine_kit *k, struct kit_lease *leases, unsigned most)
{
    unsigned n = 0;
    while (n < most && kit_lease(k, "w", &leases[n]))
        n++;
    return n;
}

static void the_table_begins_as_it_ships(void **state)
{
    struct kit_answer answer;
    Rota__LimitsResult *m = limits_get(*state, &answer);
    assert_int_equal(m->version, 0);
    assert_string_equal(m->profile, "default");
    assert_int_equal(m->n_tier, 4);
    assert_int_equal(m->tier[3]->builds_month, 10);
    assert_int_equal(m->tier[1]->running_max, 2);
    assert_true(m->tier[0]->builds_unlimited);
    assert_int_equal(m->global_rate->n, 0);
    kit_answer_end(&answer);
}

static void note_caps(void *arg, const Rota__Event *event)
{
    if (event->kind == ROTA__EVENT_KIND__EVENT_LIMITS_SET)
        for (size_t i = 0; i < event->n_tier_running_max; i++)
            ((uint32_t *)arg)[i] = event->tier_running_max[i];
}

static void a_profile_holds_for_waiting_jobs_at_once(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease leases[40];
    struct kit_answer answer;
    uint32_t caps[4] = {0};
    for (unsigned tier = 0; tier < 4; tier++) {
        char name[8];
        snprintf(name, sizeof name, "t%u", tier);
        kit_plain(k, name, (Rota__Tier)tier);
        kit_publish_all(k, name, 10);
    }
    assert_int_equal(lease_all(k, leases, 40), 5 + 2 + 1 + 1);
    kit_profile(k, "wide");
    kit_events(k, 0, note_caps, caps);
    assert_int_equal(caps[0] * 1000 + caps[1] * 100 + caps[2] * 10 + caps[3], 10521);
    kit_check(k);
    Rota__LimitsResult *m = limits_get(k, &answer);
    assert_int_equal(m->version, 1);
    assert_string_equal(m->profile, "wide");
    assert_int_equal(m->tier[3]->builds_month, 100);
    assert_int_equal(m->account_rate->n, 10);
    kit_answer_end(&answer);
    assert_int_equal(lease_all(k, leases + 9, 31), 10 + 5 + 2 + 1 - 9);
    kit_profile(k, "default"); /* lower than what runs: nothing is stopped */
    kit_check(k);
    assert_int_equal(kit_rows(k, TABLE_LEASE), 18);
    assert_int_equal(lease_all(k, leases + 18, 1), 0);
    for (int i = 0; i < 18; i++)
        assert_string_equal(kit_error(kit_finish(k, &leases[i], ROTA__OUTCOME__OUTCOME_SUCCEEDED)),
                            "");
    assert_int_equal(lease_all(k, leases, 40), 2 + 1 + 1); /* P0 has none left */
    engine_kit_restart(k);
    m = limits_get(k, &answer);
    assert_int_equal(m->version, 2);
    kit_answer_end(&answer);
    kit_check(k);
}

static void a_column_is_changed_and_the_others_stay(void **state)
{
    struct engine_kit *k = *state;
    Rota__Limits limits;
    Rota__LimitsSet set = tier_set(ROTA__TIER__P3, &limits);
    limits.builds_month = 12;
    limits.timeout_ms_max = 600000;
    Rota__LimitsResult *m = kit_limits_set(k, &set)->limits_set;
    assert_int_equal(m->version, 1);
    assert_string_equal(m->profile, "");
    assert_int_equal(m->tier[3]->builds_month, 12);
    assert_int_equal(m->tier[3]->timeout_ms, 300000);
    assert_int_equal(m->tier[3]->timeout_ms_max, 600000);
    assert_int_equal(m->tier[2]->builds_month, 100);
    kit_plain(k, "shop", ROTA__TIER__P3);
    assert_int_equal(kit_publish_all(k, "shop", 20), 12);
    set = tier_set(ROTA__TIER__P3, &limits);
    limits.builds_unlimited = true;
    set.version = 1;
    assert_true(kit_limits_set(k, &set)->limits_set->tier[3]->builds_unlimited);
    assert_int_equal(kit_publish_all(k, "shop", 20), 20);
    kit_check(k);
}

static void bad_tables_are_refused_by_column_and_change_nothing(void **state)
{
    struct engine_kit *k = *state;
    Rota__Limits limits;
    Rota__Rate rate = ROTA__RATE__INIT;
    Rota__LimitsSet set = tier_set(ROTA__TIER__P3, &limits);
    uint64_t seq = kit_seq(k);
    limits.timeout_ms = 600000; /* above the maximum */
    Rota__Reply *reply = kit_limits_set(k, &set);
    assert_string_equal(kit_error(reply), "LIMITS_INVALID");
    assert_string_equal(kit_text(reply),
                        "free.timeout_ms: 1000 to 86400000 and at most timeout_ms_max");
    set = tier_set(ROTA__TIER__P1, &limits);
    limits.running_max = 10001;
    reply = kit_limits_set(k, &set);
    assert_string_equal(kit_text(reply), "pro.running_max: 1 to 10000");
    set = (Rota__LimitsSet)ROTA__LIMITS_SET__INIT;
    rate.n = 3;
    rate.per_ms = 10;
    set.global_rate = &rate;
    reply = kit_limits_set(k, &set);
    assert_string_equal(kit_text(reply), "global_rate_ms: 1000 to 86400000 while its rate is on");
    set = (Rota__LimitsSet)ROTA__LIMITS_SET__INIT;
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "FIELD_MISSING");
    set.profile = (char *)"huge";
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "PROFILE_UNKNOWN");
    set.profile = (char *)"wide";
    set.version = 7;
    reply = kit_limits_set(k, &set);
    assert_string_equal(kit_error(reply), "LIMITS_CHANGED");
    assert_string_equal(kit_text(reply), "the table is at version 0, not 7");
    set.version = 0;
    set.limits = &limits; /* without a tier */
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "FIELD_MISSING");
    assert_int_equal(kit_seq(k), seq);
    assert_int_equal(k->engine->cache.tiers.version, 0);
    kit_check(k);
}

static void own_values_take_the_place_of_the_tiers(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    set.account = (char *)"big";
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = ROTA__TIER__P0;
    set.set_timeout_case = ROTA__ACCOUNT_SET__SET_TIMEOUT_TIMEOUT_MS;
    set.timeout_ms = 7200000;
    set.set_bundle_case = ROTA__ACCOUNT_SET__SET_BUNDLE_BUNDLE_BYTES_MAX;
    set.bundle_bytes_max = 300000000;
    set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    set.running_max = 50;
    set.set_name_case = ROTA__ACCOUNT_SET__SET_NAME_NAME;
    set.name = (char *)"Big & Sons";
    set.set_notes_case = ROTA__ACCOUNT_SET__SET_NOTES_NOTES;
    set.notes = (char *)"by contract 7";
    Rota__Account *a = kit_account_set(k, &set)->account_set->account;
    assert_int_equal(a->timeout_ms, 7200000);
    assert_string_equal(a->notes, "by contract 7");
    set = (Rota__AccountSet)ROTA__ACCOUNT_SET__INIT; /* what is not named stays */
    set.account = (char *)"big";
    set.set_storage_case = ROTA__ACCOUNT_SET__SET_STORAGE_STORAGE_BYTES_MAX;
    set.storage_bytes_max = 1000000;
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    engine_kit_restart(k);
    Rota__AccountGetResult *g = kit_account_get(k, "big", &answer);
    assert_int_equal(g->limits->timeout_ms, 7200000);
    assert_int_equal(g->limits->timeout_ms_max, 7200000);
    assert_int_equal(g->limits->bundle_bytes_max, 300000000);
    assert_int_equal(g->limits->source_bytes_max, 500000000); /* the tier's */
    assert_int_equal(g->limits->storage_bytes_max, 1000000);
    assert_int_equal(g->limits->running_max, 50);
    assert_string_equal(g->account->name, "Big & Sons");
    kit_answer_end(&answer);
    set.set_storage_case = ROTA__ACCOUNT_SET__SET_STORAGE__NOT_SET;
    set.set_timeout_case = ROTA__ACCOUNT_SET__SET_TIMEOUT_TIMEOUT_MS;
    set.timeout_ms = 0; /* the tier's again */
    assert_int_equal(kit_account_set(k, &set)->account_set->account->timeout_ms, 1800000);
    set.timeout_ms = 30; /* minutes for milliseconds */
    Rota__Reply *reply = kit_account_set(k, &set);
    assert_string_equal(kit_error(reply), "ACCOUNT_LIMIT");
    assert_string_equal(kit_text(reply), "timeout_ms 30: must be 1000 to 86400000, or 0");
    kit_check(k);
}

/* ---- sizes ---- */

static Rota__Artifact artifact(Rota__ObjectKind kind, uint64_t size, uint8_t *hash)
{
    Rota__Artifact a = ROTA__ARTIFACT__INIT;
    memset(hash, (int)kind * 16 + (int)(size % 16), 32);
    a.kind = kind;
    a.size = size;
    a.sha256 = a.blake2b = (ProtobufCBinaryData){32, hash};
    return a;
}

/* A job that leaves a bundle, assets and a log; the state it ended in. */
static Rota__State build(struct engine_kit *k, const char *account, uint64_t bundle_bytes,
                         uint64_t assets_bytes, char ret_job[40])
{
    struct kit_lease lease;
    uint8_t hashes[3][32];
    Rota__Artifact all[] = {
        artifact(ROTA__OBJECT_KIND__BUNDLE, bundle_bytes, hashes[0]),
        artifact(ROTA__OBJECT_KIND__ASSETS, assets_bytes, hashes[1]),
        artifact(ROTA__OBJECT_KIND__BUILD_LOG, 100, hashes[2]),
    };
    Rota__Artifact *list[] = {&all[0], &all[1], &all[2]};
    kit_publish_to(k, account, ret_job);
    assert_true(kit_lease(k, "w", &lease));
    Rota__Reply *reply = kit_finish_left(k, &lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED, list, 3);
    assert_string_equal(kit_error(reply), "");
    return reply->finish->state;
}

static void a_bundle_and_its_assets_count_together(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    Rota__Status status = ROTA__STATUS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct kit_answer answer;
    kit_account(k, "shop", ROTA__TIER__P3, 0); /* 10 MB */
    assert_int_equal(build(k, "shop", 6000000, 4000000, job), ROTA__STATE__SUCCEEDED);
    assert_int_equal(build(k, "shop", 6000001, 4000000, job), ROTA__STATE__FAILED);
    size_t gone = 0;
    for (struct effect_object *o = k->fx.objects_gone; o; o = o->next)
        gone++;
    assert_int_equal(gone, 1); /* the bundle; the same assets are the good build's */
    request.op_case = ROTA__REQUEST__OP_STATUS;
    request.status = &status;
    status.job = job;
    kit_ask(k, &request, &answer);
    const Rota__Job *j = answer.reply.status->job;
    assert_string_equal(j->error->name, "BUNDLE_TOO_LARGE");
    assert_string_equal(j->error->text, "bundle and assets have 10000001 bytes, at most 10000000");
    assert_int_equal(j->n_artifact, 1);
    assert_int_equal(j->artifact[0]->kind, ROTA__OBJECT_KIND__BUILD_LOG);
    kit_answer_end(&answer);
    kit_check(k);
}

static uint64_t storage_of(struct engine_kit *k, const char *account)
{
    struct kit_answer answer;
    uint64_t bytes = kit_account_get(k, account, &answer)->account->storage_bytes;
    kit_answer_end(&answer);
    return bytes;
}

static void storage_counts_each_object_once_and_bounds_publishes(void **state)
{
    struct engine_kit *k = *state;
    char job[40];
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    kit_account(k, "shop", ROTA__TIER__P3, 0);
    set.account = (char *)"shop";
    set.set_storage_case = ROTA__ACCOUNT_SET__SET_STORAGE_STORAGE_BYTES_MAX;
    set.storage_bytes_max = 8000000;
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    build(k, "shop", 3000000, 1000000, job);
    assert_int_equal(storage_of(k, "shop"), 4000100);
    build(k, "shop", 3000000, 1000000, job); /* the very same objects */
    assert_int_equal(storage_of(k, "shop"), 4000100);
    engine_kit_restart(k);
    assert_int_equal(build(k, "shop", 3999901, 1000000, job),
                     ROTA__STATE__FAILED); /* a byte more */
    assert_int_equal(storage_of(k, "shop"), 4000100);
    assert_int_equal(build(k, "shop", 3999900, 1000000, job), ROTA__STATE__SUCCEEDED);
    assert_int_equal(storage_of(k, "shop"), 8000000);
    uint64_t seq = kit_seq(k);
    Rota__Reply *reply = kit_publish(k, "shop", NULL);
    assert_string_equal(kit_error(reply), "STORAGE_QUOTA");
    assert_string_equal(kit_text(reply), "artifacts of account \"shop\" take 8000000 of 8000000 "
                                         "bytes; old builds free them");
    assert_int_equal(kit_seq(k), seq);
    set.storage_bytes_max = 8000001;
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    assert_string_equal(kit_error(kit_publish(k, "shop", NULL)), "");
    kit_check(k);
}

/* ---- a crowd ---- */

static struct inbound *crowd_accounts(struct engine_kit *k, unsigned from)
{
    struct inbound *list = NULL;
    for (unsigned i = 0; i < BATCH; i++) {
        Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        char name[16];
        snprintf(name, sizeof name, "c%u", from + i);
        request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
        request.account_set = &set;
        set.account = name;
        set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
        set.tier = ROTA__TIER__P2;
        struct inbound *in = kit_request(k, &request, NULL);
        in->next = list;
        list = in;
    }
    return list;
}

static struct inbound *crowd_jobs(struct engine_kit *k, unsigned from)
{
    struct inbound *list = NULL;
    for (unsigned i = 0; i < BATCH; i++) {
        Rota__Publish publish = ROTA__PUBLISH__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        char name[16];
        snprintf(name, sizeof name, "c%u", from + i);
        request.op_case = ROTA__REQUEST__OP_PUBLISH;
        request.publish = &publish;
        publish.account = name;
        publish.app = publish.class_ = (char *)"task";
        struct inbound *in = kit_request(k, &request, NULL);
        in->next = list;
        list = in;
    }
    return list;
}

/* How long one turn takes that changes the cap, or a limit that is no cap. */
static double change_ms(struct engine_kit *k, uint32_t running_max, uint64_t builds_month)
{
    Rota__Limits limits;
    Rota__LimitsSet set = tier_set(ROTA__TIER__P2, &limits);
    limits.running_max = running_max;
    limits.builds_month = builds_month;
    uint64_t start_ns = clock_boot_ns();
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "");
    return (double)(clock_boot_ns() - start_ns) / 1e6;
}

/* Each has one job that runs, which is its cap, and one that waits: with a higher cap all of them
 * enter the ring. */
static void a_hundred_thousand_active_accounts_get_another_cap_in_one_turn(void **state)
{
    struct engine_kit *k = *state;
    static struct kit_run runs[64];
    static const struct kit_place place = {.pool = "task", .classes = {"task"}, .classes_n = 1};
    for (unsigned i = 0; i < CROWD; i += BATCH) {
        kit_turn(k, crowd_accounts(k, i));
        kit_turn(k, crowd_jobs(k, i));
        kit_turn(k, crowd_jobs(k, i));
    }
    size_t running = 0;
    for (size_t got = 1; got; running += got)
        got = kit_runs(k, &place, ARRAY_LEN(runs), runs);
    assert_int_equal(running, CROWD);
    struct pool *p = cache_pool(&k->engine->cache, "task");
    assert_int_equal(p->ring[2].count, 0);
    double quota_ms = change_ms(k, 0, 400), up_ms = change_ms(k, 2, 0);
    assert_int_equal(p->ring[2].count, CROWD);
    assert_int_equal(kit_rows(k, TABLE_RING), CROWD);
    kit_check(k);
    double down_ms = change_ms(k, 1, 0);
    assert_int_equal(p->ring[2].count, 0);
    assert_int_equal(kit_rows(k, TABLE_LEASE), CROWD); /* nothing was stopped */
    kit_check(k);
    printf("%u active accounts, one turn each: a higher cap %.0f ms, a lower one %.0f ms, another "
           "quota %.1f ms\n",
           CROWD, up_ms, down_ms, quota_ms);
    assert_true(up_ms < 5000 && down_ms < 5000);
}

/* Accounts that may go on now enter in the order of their numbers, which the log alone tells. */
static void those_who_may_go_on_enter_in_the_order_of_their_numbers(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease lease;
    Rota__Limits limits;
    char name[8];
    for (int i = 29; i >= 0; i--) { /* made in the order of their numbers, served in another */
        snprintf(name, sizeof name, "n%d", i);
        kit_plain(k, name, ROTA__TIER__P2);
    }
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "n%d", (i * 7) % 30);
        kit_publish_all(k, name, 2);
    }
    for (int i = 0; i < 30; i++)
        assert_true(kit_lease(k, "w", &lease));
    assert_false(kit_lease(k, "w", &lease)); /* all are at their cap */
    Rota__LimitsSet set = tier_set(ROTA__TIER__P2, &limits);
    limits.running_max = 2;
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "");
    for (int i = 29; i >= 0; i--) {
        assert_true(kit_lease(k, "w", &lease));
        snprintf(name, sizeof name, "n%d", i);
        assert_string_equal(lease.account, name);
    }
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(the_table_begins_as_it_ships),
        ENGINE_CASE(a_profile_holds_for_waiting_jobs_at_once),
        ENGINE_CASE(a_column_is_changed_and_the_others_stay),
        ENGINE_CASE(bad_tables_are_refused_by_column_and_change_nothing),
        ENGINE_CASE(own_values_take_the_place_of_the_tiers),
        ENGINE_CASE(a_bundle_and_its_assets_count_together),
        ENGINE_CASE(storage_counts_each_object_once_and_bounds_publishes),
        ENGINE_CASE(a_hundred_thousand_active_accounts_get_another_cap_in_one_turn),
        ENGINE_CASE(those_who_may_go_on_enter_in_the_order_of_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
