/* test_addons.c: add-ons that lengthen the timeout: what is for sale, who has it until when, and
 * that a buyer hears before the sale when it changes nothing. They end by themselves: nobody has to
 * think of it, and no job gets minutes that nobody pays for. */
#include "limits_kit.h"

#define MIN_MS UINT64_C(60000)
static const uint64_t day_ms = 24ull * 3600 * 1000;

static uint64_t timeout_of(struct engine_kit *k, const char *account)
{
    struct kit_answer answer;
    uint64_t ms = kit_account_get(k, account, &answer)->limits->timeout_ms;
    kit_answer_end(&answer);
    return ms;
}

/* The error of a publish that asks for so many minutes. */
static const char *publish_min(struct engine_kit *k, const char *account, unsigned minutes)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.account = (char *)account;
    publish.app = publish.class_ = (char *)"task";
    publish.timeout_ms = (uint64_t)minutes * MIN_MS;
    return kit_error(kit_call(k, &request, NULL));
}

static Rota__AddonListResult *catalogue(struct engine_kit *k, struct kit_answer *answer)
{
    Rota__AddonList list = ROTA__ADDON_LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ADDON_LIST;
    request.addon_list = &list;
    kit_ask(k, &request, answer);
    assert_int_equal(answer->code, E_OK);
    return answer->reply.addon_list;
}

static Rota__Reply *addon_set(struct engine_kit *k, const char *name, uint32_t minutes,
                              bool recurring, bool retired)
{
    Rota__AddonSet set = ROTA__ADDON_SET__INIT;
    Rota__Addon addon = ROTA__ADDON__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ADDON_SET;
    request.addon_set = &set;
    set.addon = &addon;
    addon.name = (char *)name;
    addon.timeout_minutes = minutes;
    addon.price_cents = 700;
    addon.recurring = recurring;
    addon.retired = retired;
    return kit_call(k, &request, NULL);
}

static Rota__Reply *grant_end(struct engine_kit *k, const char *account, uint32_t grant)
{
    Rota__AddonGrant end = ROTA__ADDON_GRANT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ADDON_GRANT;
    request.addon_grant = &end;
    end.account = (char *)account;
    end.end_grant = grant;
    return kit_call(k, &request, NULL);
}

static void a_new_environment_sells_the_founding_two(void **state)
{
    struct kit_answer answer;
    Rota__AddonListResult *list = catalogue(*state, &answer);
    assert_int_equal(list->n_addon, 2);
    assert_string_equal(list->addon[0]->name, "plus-10");
    assert_int_equal(list->addon[0]->timeout_minutes, 10);
    assert_int_equal(list->addon[0]->price_cents, 900);
    assert_false(list->addon[0]->recurring);
    assert_string_equal(list->addon[1]->name, "plus-5");
    assert_int_equal(list->addon[1]->timeout_minutes, 5);
    assert_int_equal(list->addon[1]->price_cents, 500);
    assert_true(list->addon[1]->recurring);
    kit_answer_end(&answer);
}

/* The plan's table: free 5, enterprise 30 whatever is bought; starter 10, 15, 20, 20; pro 15, 20,
 * 25, 25. Each with its words before the sale. */
static void what_each_tier_gains_is_said_before_the_sale(void **state)
{
    struct engine_kit *k = *state;
    static const struct {
        Rota__Tier tier;
        unsigned base, with_5, with_10, with_both;
        const char *warns_5, *warns_10;
    } plan[] = {
        {ROTA__TIER__P3, 5, 5, 5, 5,
         "this add-on has no effect on this tier: free builds have their most, 5 min",
         "this add-on has no effect on this tier: free builds have their most, 5 min"},
        {ROTA__TIER__P2, 10, 15, 20, 20, "", ""},
        {ROTA__TIER__P1, 15, 20, 25, 25, "", ""},
        {ROTA__TIER__P0, 30, 30, 30, 30,
         "this add-on has no effect on this tier: enterprise builds have their most, 30 min",
         "this add-on has no effect on this tier: enterprise builds have their most, 30 min"},
    };
    uint64_t until_ms = k->now.wall_ms + 30 * day_ms;
    for (size_t i = 0; i < ARRAY_LEN(plan); i++) {
        char name[8];
        snprintf(name, sizeof name, "t%zu", i);
        kit_plain(k, name, plan[i].tier);
        uint64_t rows = kit_rows(k, TABLE_GRANT), seq = kit_seq(k);
        Rota__AddonGrantResult *g = kit_grant(k, name, "plus-5", until_ms, true)->addon_grant;
        assert_int_equal(g->timeout_ms_before, plan[i].base * MIN_MS);
        assert_int_equal(g->timeout_ms_after, plan[i].with_5 * MIN_MS);
        assert_string_equal(g->warning, plan[i].warns_5);
        g = kit_grant(k, name, "plus-10", 0, true)->addon_grant;
        assert_int_equal(g->timeout_ms_after, plan[i].with_10 * MIN_MS);
        assert_string_equal(g->warning, plan[i].warns_10);
        assert_int_equal(kit_rows(k, TABLE_GRANT), rows); /* nothing was changed */
        assert_int_equal(kit_seq(k), seq);
        assert_int_equal(timeout_of(k, name), plan[i].base * MIN_MS);
        g = kit_grant(k, name, "plus-10", 0, false)->addon_grant; /* allowed all the same */
        assert_int_equal(g->grant->grant, 1);
        g = kit_grant(k, name, "plus-5", until_ms, false)->addon_grant;
        assert_int_equal(g->timeout_ms_after, plan[i].with_both * MIN_MS);
        assert_int_equal(timeout_of(k, name), plan[i].with_both * MIN_MS);
        assert_string_equal(publish_min(k, name, plan[i].with_both), "");
        assert_string_equal(publish_min(k, name, plan[i].with_both + 1), "TIMEOUT_INVALID");
    }
    assert_int_equal(kit_rows(k, TABLE_GRANT), 8);
    kit_check(k);
}

static void a_part_that_counts_is_named(void **state)
{
    struct engine_kit *k = *state;
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    kit_plain(k, "shop", ROTA__TIER__P1);
    kit_grant(k, "shop", "plus-5", k->now.wall_ms + day_ms, false);
    Rota__AddonGrantResult *g = kit_grant(k, "shop", "plus-10", 0, true)->addon_grant;
    assert_string_equal(g->warning, "this add-on adds 5 of its 10 min: pro builds end at 25 min");
    set.account = (char *)"shop";
    set.set_timeout_case = ROTA__ACCOUNT_SET__SET_TIMEOUT_TIMEOUT_MS;
    set.timeout_ms = 40 * MIN_MS;
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    g = kit_grant(k, "shop", "plus-10", 0, true)->addon_grant;
    assert_int_equal(g->timeout_ms_after, 40 * MIN_MS);
    assert_string_equal(g->warning,
                        "this add-on has no effect on this tier: the account's own timeout of "
                        "40 min takes the place of the tier's");
}

static void an_add_on_ends_by_itself(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    kit_plain(k, "shop", ROTA__TIER__P2);
    kit_grant(k, "shop", "plus-5", k->now.wall_ms + 30 * day_ms, false);
    kit_grant(k, "shop", "plus-5", k->now.wall_ms + 10 * day_ms, false);
    assert_string_equal(publish_min(k, "shop", 20), "");
    kit_pass(k, 10 * day_ms - 10);
    assert_string_equal(publish_min(k, "shop", 20), "");
    kit_pass(k, 10);
    assert_string_equal(publish_min(k, "shop", 20), "TIMEOUT_INVALID");
    assert_string_equal(publish_min(k, "shop", 15), "");
    engine_kit_restart(k);
    assert_string_equal(publish_min(k, "shop", 15), "");
    kit_pass(k, 20 * day_ms);
    assert_string_equal(publish_min(k, "shop", 11), "TIMEOUT_INVALID");
    assert_int_equal(timeout_of(k, "shop"), 10 * MIN_MS);
    Rota__AccountGetResult *get = kit_account_get(k, "shop", &answer);
    assert_int_equal(get->n_grant, 2); /* a record stays */
    assert_false(get->grant[0]->active || get->grant[1]->active);
    assert_int_equal(get->limits->addon_minutes, 0);
    kit_answer_end(&answer);
    kit_check(k);
}

static void the_months_say_how_many_minutes_were_paid(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    kit_plain(k, "shop", ROTA__TIER__P2);
    kit_grant(k, "shop", "plus-5", k->now.wall_ms + 40 * day_ms, false);
    kit_next_month(k);
    kit_grant(k, "shop", "plus-10", 0, false);
    kit_next_month(k);
    Rota__UsageResult *u = kit_usage(k, "shop", 4, &answer);
    assert_int_equal(u->month[0]->timeout_addon_minutes, 10); /* the first has ended */
    assert_int_equal(u->month[1]->timeout_addon_minutes, 10);
    assert_int_equal(u->month[2]->timeout_addon_minutes, 5);
    assert_int_equal(u->month[3]->timeout_addon_minutes, 0);
    kit_answer_end(&answer);
}

static void an_operator_ends_one_at_once(void **state)
{
    struct engine_kit *k = *state;
    kit_plain(k, "shop", ROTA__TIER__P1);
    kit_grant(k, "shop", "plus-10", 0, false);
    assert_string_equal(publish_min(k, "shop", 25), "");
    Rota__AddonGrantResult *g = grant_end(k, "shop", 1)->addon_grant;
    assert_int_equal(g->timeout_ms_before, 25 * MIN_MS);
    assert_int_equal(g->timeout_ms_after, 15 * MIN_MS);
    assert_false(g->grant->active);
    uint64_t until_ms = g->grant->until_ms;
    assert_string_equal(publish_min(k, "shop", 25), "TIMEOUT_INVALID");
    g = grant_end(k, "shop", 1)->addon_grant; /* said twice: it stays ended when it was */
    assert_int_equal(g->grant->until_ms, until_ms);
    assert_string_equal(kit_error(grant_end(k, "shop", 2)), "GRANT_UNKNOWN");
    kit_check(k);
}

static void bad_grants_are_refused_by_name(void **state)
{
    struct engine_kit *k = *state;
    uint64_t later_ms = k->now.wall_ms + day_ms;
    kit_plain(k, "shop", ROTA__TIER__P2);
    assert_string_equal(kit_error(kit_grant(k, "shop", "plus-7", 0, false)), "ADDON_UNKNOWN");
    assert_string_equal(kit_error(kit_grant(k, "nobody", "plus-5", later_ms, false)),
                        "ACCOUNT_UNKNOWN");
    assert_string_equal(kit_error(kit_grant(k, "shop", "plus-5", 0, false)), "ADDON_UNTIL");
    assert_string_equal(kit_error(kit_grant(k, "shop", "plus-5", 1000, false)), "ADDON_UNTIL");
    assert_string_equal(kit_error(kit_grant(k, "shop", "plus-10", 1000, true)), "ADDON_UNTIL");
    assert_string_equal(kit_error(kit_grant(k, "shop", "", 0, false)), "FIELD_MISSING");
    assert_string_equal(kit_error(addon_set(k, "plus-10", 10, false, true)), "");
    assert_string_equal(kit_error(kit_grant(k, "shop", "plus-10", 0, false)), "ADDON_RETIRED");
    assert_string_equal(kit_error(addon_set(k, "none", 0, false, false)), "FIELD_INVALID");
    assert_string_equal(kit_error(addon_set(k, "", 5, false, false)), "FIELD_MISSING");
    assert_int_equal(kit_rows(k, TABLE_GRANT), 0);
    assert_int_equal(timeout_of(k, "shop"), 10 * MIN_MS);
}

/* What was bought is not changed by what is sold later. */
static void a_changed_add_on_is_for_those_who_get_it_then(void **state)
{
    struct engine_kit *k = *state;
    kit_plain(k, "early", ROTA__TIER__P1);
    kit_plain(k, "late", ROTA__TIER__P1);
    kit_grant(k, "early", "plus-10", 0, false);
    assert_string_equal(kit_error(addon_set(k, "plus-10", 1, false, false)), "");
    kit_grant(k, "late", "plus-10", 0, false);
    assert_int_equal(timeout_of(k, "early"), 25 * MIN_MS);
    assert_int_equal(timeout_of(k, "late"), 16 * MIN_MS);
}

static void catalogue_and_grants_are_bounded(void **state)
{
    struct engine_kit *k = *state;
    unsigned added = 0, given = 0;
    char name[16];
    Rota__Reply *reply;
    do {
        snprintf(name, sizeof name, "more-%u", added);
        reply = addon_set(k, name, 1, false, false);
        added += !reply->error;
    } while (!reply->error);
    assert_string_equal(kit_error(reply), "ADDON_LIMIT");
    assert_int_equal(kit_rows(k, TABLE_ADDON), 64);
    assert_string_equal(kit_error(addon_set(k, "more-1", 2, false, false)), ""); /* a change */
    kit_plain(k, "shop", ROTA__TIER__P2);
    while (!(reply = kit_grant(k, "shop", "more-0", 0, false))->error)
        given++;
    assert_string_equal(kit_error(reply), "GRANT_LIMIT");
    assert_int_equal(given, 32);
    assert_int_equal(timeout_of(k, "shop"), 20 * MIN_MS);
    grant_end(k, "shop", 3); /* what has ended makes room */
    reply = kit_grant(k, "shop", "more-0", 0, false);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->addon_grant->grant->grant, 33);
    assert_int_equal(kit_rows(k, TABLE_GRANT), 32);
    assert_string_equal(kit_error(grant_end(k, "shop", 3)), "GRANT_UNKNOWN");
    kit_check(k);
    printf("%u add-ons, %u grants of one account\n", added + 2, given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_new_environment_sells_the_founding_two),
        ENGINE_CASE(what_each_tier_gains_is_said_before_the_sale),
        ENGINE_CASE(a_part_that_counts_is_named),
        ENGINE_CASE(an_add_on_ends_by_itself),
        ENGINE_CASE(the_months_say_how_many_minutes_were_paid),
        ENGINE_CASE(an_operator_ends_one_at_once),
        ENGINE_CASE(bad_grants_are_refused_by_name),
        ENGINE_CASE(a_changed_add_on_is_for_those_who_get_it_then),
        ENGINE_CASE(catalogue_and_grants_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
