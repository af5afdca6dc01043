/* test_abuse_records.c: what is kept against abuse: it is read on the record alone, goes when its
 * time is over, survives a restart, and can be forgotten with its account. */
#include "abuse_kit.h"

#include "engine/abuse_parts.h"

#define OTHER "203.0.113.77"

enum { MINUTE_MS = 60000 };

static const uint64_t day_ms = 86400000;

static void stats_show(struct engine_kit *k, uint64_t ready, uint64_t held)
{
    struct kit_answer a;
    const Rota__StatsResult *stats = kit_stats(k, &a);
    assert_int_equal(stats->tier[3]->ready, ready);
    assert_int_equal(stats->tier[3]->held, held);
    kit_answer_end(&a);
}

/* ---- reading ---- */

static void evidence_is_read_on_the_record_and_listed_without_names(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    struct kit_review held = farm_held(&f, k);
    for (unsigned i = 5; i < 30; i++)
        farm_member(&f, i);
    unsigned all = kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_NONE, "", 100);
    /* All but the first, which had nobody to be like; the fourth is held. */
    assert_int_equal(all, 28);
    for (uint32_t limit = 1; limit <= 28; limit += 9)
        assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_NONE, "", limit), all);
    assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_HELD, "", 20), 1);
    assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_REPLACED, "", 20), 1);
    assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_NONE, farm_id(7), 20), 1);
    assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_NONE, farm_id(3), 20), 2);
    uint64_t trail = kit_rows(k, TABLE_TRAIL);
    Rota__ReviewGet q = ROTA__REVIEW_GET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_REVIEW_GET;
    request.review_get = &q;
    q.review = held.review;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->review_get->review->n_evidence, 5);
    assert_int_equal(reply->review_get->review->evidence[0]->n_account, 3);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), trail + 1);
    q.review = 999;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "REVIEW_UNKNOWN");
    /* Of many, twenty are named and all that were looked at are counted. */
    struct kit_review last = kit_review_of(k, farm_id(29));
    q.review = last.review;
    reply = kit_call(k, &request, NULL);
    assert_int_equal(reply->review_get->review->evidence[0]->n_account, 20);
    assert_int_equal(reply->review_get->review->evidence[0]->others, 28);
    kit_check(k);
}

static Rota__Reply *addresses_read(struct engine_kit *k, const char *account, const char *reason)
{
    Rota__AddressList q = ROTA__ADDRESS_LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ADDRESS_LIST;
    request.address_list = &q;
    q.account = (char *)account;
    q.reason = (char *)reason;
    return kit_call(k, &request, NULL);
}

static void addresses_are_read_for_a_reason_and_on_the_record(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    farm_begin(&f, k);
    farm_member(&f, 0);
    assert_string_equal(kit_publish_from(k, &f.gateway, farm_id(0), "flower shop", OTHER), "");
    uint64_t trail = kit_rows(k, TABLE_TRAIL);
    assert_string_equal(kit_error(addresses_read(k, farm_id(0), "")), "REASON_NEEDED");
    assert_string_equal(kit_error(addresses_read(k, "", "why")), "FIELD_MISSING");
    assert_string_equal(kit_error(addresses_read(k, "nobody", "why")), "ACCOUNT_UNKNOWN");
    assert_int_equal(kit_rows(k, TABLE_TRAIL), trail);
    Rota__Reply *reply = addresses_read(k, farm_id(0), "a complaint, ticket 12");
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->address_list->n_address, 2);
    for (size_t i = 0; i < 2; i++) {
        const Rota__Address *a = reply->address_list->address[i];
        assert_string_equal(a->address, i ? OTHER : FARM_ADDRESS);
        assert_string_equal(a->purpose, "abuse prevention");
        assert_int_equal(a->expires_ms, a->last_ms + 30 * day_ms);
    }
    assert_int_equal(kit_rows(k, TABLE_TRAIL), trail + 1);
}

/* ---- time ---- */

static void purge(struct engine_kit *k, uint64_t ms)
{
    kit_pass(k, ms);
    for (unsigned i = 0; i < 20; i++)
        kit_pass(k, 1000);
}

static void what_is_kept_goes_when_its_time_is_over(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    farm_held(&f, k);
    uint64_t addresses = kit_rows(k, TABLE_ADDRESS), news = kit_rows(k, TABLE_APP_NEW);
    assert_true(addresses == 4 && news == 4);
    purge(k, 6 * day_ms);
    assert_int_equal(kit_rows(k, TABLE_APP_NEW), 4);
    purge(k, 2 * day_ms);
    assert_int_equal(kit_rows(k, TABLE_APP_NEW), 0);
    purge(k, 21 * day_ms);
    assert_int_equal(kit_rows(k, TABLE_ADDRESS), 4);
    purge(k, 2 * day_ms);
    assert_int_equal(kit_rows(k, TABLE_ADDRESS), 0);
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_IP), 0);
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_HASH), 4);
    purge(k, 58 * day_ms + day_ms / 2);
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_HASH), 4);
    purge(k, day_ms);
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_HASH), 0);
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_NAMES), 4);
    assert_int_equal(kit_rows(k, TABLE_SIGNAL), 8); /* the names, each twice; nothing hangs on */
    printf("addresses 30 days, bundles 90, new apps 7: %llu rows gone\n",
           addresses + news + 2ull * (4 + 4) + 4 + 4);
    kit_check(k);
}

static void a_row_that_is_due_counts_no_more_even_before_it_is_gone(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    farm_begin(&f, k);
    farm_member(&f, 0);
    kit_account(k, "late", ROTA__TIER__P3, 0);
    kit_app(k, "late", "something else");
    /* No turn in between: the purge had no chance. */
    k->now.wall_ms += 31 * day_ms;
    assert_string_equal(kit_publish_from(k, &f.gateway, "late", "something else", FARM_ADDRESS),
                        "");
    struct effects fx;
    assert_int_equal(effects_init(&fx), 0);
    AUTO(txn) txn = kit_snapshot(k->store);
    struct turn t = {.engine = k->engine,
                     .cache = &k->engine->cache,
                     .undo = k->engine->cache.undo,
                     .txn = txn,
                     .fx = &fx,
                     .now = k->now};
    struct abuse_case c = {.published_ms = k->now.wall_ms};
    struct abuse_value value;
    assert_int_equal(cache_account(t.cache, txn, kit_account_number(k, "late"), &c.account), 0);
    assert_true(abuse_address_value(k->engine, FARM_ADDRESS, &value));
    assert_int_equal(abuse_look(&t, &c, ROTA__SIGNAL_KIND__SIGNAL_IP, &value), 0);
    assert_int_equal(c.link[ROTA__SIGNAL_KIND__SIGNAL_IP - 1].n, 0);
    assert_false(c.link[ROTA__SIGNAL_KIND__SIGNAL_IP - 1].counts);
    undo_unwind(k->engine->cache.undo);
    effects_deinit(&fx);
}

/* ---- restarts ---- */

static void a_restart_changes_nothing(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    struct kit_lease lease;
    farm_begin(&f, k);
    for (unsigned i = 0; i < 3; i++) {
        farm_member(&f, i);
        engine_kit_restart(k);
        kit_pass(k, 1000); /* jobs of before are listed */
        kit_build(k, FARM_HASH);
    }
    farm_member(&f, 3);
    assert_string_equal(farm_publish(&f, 3), "");
    assert_true(kit_lease(k, "w", &lease));
    engine_kit_restart(k);
    kit_finish_bundle(k, &lease, FARM_HASH);
    struct kit_review held = kit_review_of(k, farm_id(3));
    assert_int_equal(held.score, 85);
    engine_kit_restart(k);
    assert_int_equal(kit_bars(k, farm_id(3)), ROTA__BAR__BAR_REVIEW);
    assert_false(kit_lease(k, "w", &lease));
    stats_show(k, 0, 1);
    kit_check(k);
    assert_string_equal(
        kit_decide(k, held.review, ROTA__REVIEW_STATE__REVIEW_CONFIRMED, "Ann", "a farm"), "");
    engine_kit_restart(k);
    assert_string_equal(farm_publish(&f, 3), "ACCOUNT_BLOCKED");
    farm_build(&f, 4);
    assert_int_equal(kit_review_of(k, farm_id(4)).cites, held.review);
    assert_string_equal(
        kit_decide(k, held.review, ROTA__REVIEW_STATE__REVIEW_RELEASED, "Ann", "sorry"), "");
    engine_kit_restart(k);
    assert_true(kit_lease(k, "w", &lease));
    assert_string_equal(lease.account, farm_id(3));
    kit_check(k);
}

/* The minutes are told from memory; what a restart forgets of it stands in the listing of jobs. */
static void the_last_publish_of_others_is_known_after_a_restart(void **state)
{
    struct engine_kit *k = *state;
    static const char *const apps[] = {"orchestra", "limestone", "buttercup", "waterwheel"};
    struct kit_farm f;
    struct kit_lease lease;
    farm_begin(&f, k);
    for (unsigned i = 0; i < 4; i++) {
        kit_account(k, farm_id(i), ROTA__TIER__P3, 1);
        kit_app(k, farm_id(i), apps[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(kit_publish_from(k, &f.gateway, farm_id(i), apps[i], ""), "");
        kit_build(k, FARM_HASH);
    }
    kit_pass(k, 60ull * MINUTE_MS);
    assert_string_equal(kit_publish_from(k, &f.gateway, farm_id(0), apps[0], ""), "");
    assert_true(kit_lease(k, "w", &lease));
    assert_string_equal(kit_error(kit_finish(k, &lease, ROTA__OUTCOME__OUTCOME_FAILED)), "");
    kit_pass(k, 1000); /* listed */
    engine_kit_restart(k);
    kit_pass(k, 2ull * MINUTE_MS);
    assert_string_equal(kit_publish_from(k, &f.gateway, farm_id(3), apps[3], ""), "");
    kit_build(k, FARM_HASH);
    assert_int_equal(kit_review_of(k, farm_id(3)).score, 55);
    assert_int_equal(kit_review_of(k, farm_id(3)).signals,
                     ABUSE_HASH | ABUSE_SAME_DAY | ABUSE_MINUTES);
}

/* ---- erasing ---- */

static bool names_account(struct engine_kit *k, uint64_t review, const char *account)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    struct arena *arena = NULL;
    Rota__Review *r;
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    assert_int_equal(review_read(txn, arena, review, true, &r), 0);
    bool found = strcmp(r->account, account) == 0;
    for (size_t i = 0; i < r->n_evidence; i++)
        for (size_t n = 0; n < r->evidence[i]->n_account; n++)
            found |= strcmp(r->evidence[i]->account[n], account) == 0;
    arena_free(arena);
    return found;
}

static void an_account_can_be_forgotten_a_slice_at_a_time(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    struct effects fx;
    struct kit_review held = farm_held(&f, k);
    uint64_t number = kit_account_number(k, farm_id(3)), flagged = held.prior;
    uint64_t signals = kit_rows(k, TABLE_SIGNAL);
    unsigned slices = 0, rows = 0;
    assert_true(flagged);
    assert_true(names_account(k, held.review, farm_id(3)));
    assert_int_equal(effects_init(&fx), 0);
    for (unsigned left = 0; left == 0; slices++) {
        AUTO(txn) txn = NULL;
        assert_int_equal(store_begin(k->store, &txn), 0);
        struct turn t = {.engine = k->engine,
                         .cache = &k->engine->cache,
                         .undo = k->engine->cache.undo,
                         .txn = txn,
                         .fx = &fx,
                         .now = k->now};
        left = 2;
        assert_int_equal(abuse_forget_account(&t, number, &left), 0);
        rows += 2 - left;
        assert_int_equal(store_commit(&txn), 0);
        assert_true(slices < 20);
    }
    effects_deinit(&fx);
    printf("%u rows forgotten in %u slices of 2\n", rows, slices);
    /* Bundle (its mark goes with it), address, name, new app; the address in clear; two reviews. */
    assert_int_equal(rows, 7);
    assert_int_equal(kit_rows(k, TABLE_SIGNAL), signals - 8);
    assert_int_equal(kit_rows(k, TABLE_ADDRESS), 3);
    assert_int_equal(kit_rows(k, TABLE_APP_NEW), 3);
    struct kit_review after = kit_review(k, held.review);
    assert_int_equal(after.state, ROTA__REVIEW_STATE__REVIEW_DISMISSED);
    assert_int_equal(after.signals, 0);
    assert_string_equal(after.job, "");
    assert_int_equal(kit_review(k, flagged).signals, 0);
    assert_int_equal(kit_review_of(k, farm_id(3)).review, 0);
    assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_HELD, "", 20), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(evidence_is_read_on_the_record_and_listed_without_names),
        ENGINE_CASE(addresses_are_read_for_a_reason_and_on_the_record),
        ENGINE_CASE(what_is_kept_goes_when_its_time_is_over),
        ENGINE_CASE(a_row_that_is_due_counts_no_more_even_before_it_is_gone),
        ENGINE_CASE(a_restart_changes_nothing),
        ENGINE_CASE(the_last_publish_of_others_is_known_after_a_restart),
        ENGINE_CASE(an_account_can_be_forgotten_a_slice_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
