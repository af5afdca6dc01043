/* test_abuse_engine.c: which accounts the engine takes for one person, by what they do: every set
 * of signs that can be, one sign more or less each time, at a publish and at a finish, and what is
 * not to count: this very machine, what is too old, what is only close in the wrong way. A false
 * sign holds an innocent account; a missing one lets a farm of free accounts through. */
#include "abuse_kit.h"

#include "engine/abuse_parts.h"

#define FARM "203.0.113.7"

enum { OTHERS = 3, MINUTE_MS = 60000, DAY_MS = 86400000 };

static const char *account_of(unsigned i)
{
    static char id[4][16];
    static unsigned at;
    char *to = id[at++ % 4];
    snprintf(to, 16, "acc-%u", i);
    return to;
}

static void next_day(struct engine_kit *k)
{
    kit_pass(k, DAY_MS - k->now.wall_ms % DAY_MS + 8ull * 60 * MINUTE_MS);
}

/* ---- every set of signs ---- */

struct scene {
    struct engine_kit *k;
    struct kit_key gateway;
    unsigned set; /* of enum abuse_signal: what the newcomer shares with the others */
};

static void others_publish(struct scene *s)
{
    for (unsigned i = 0; i < OTHERS; i++) {
        char address[32];
        snprintf(address, sizeof address, "198.51.100.%u", i + 1);
        kit_app(s->k, account_of(i), s->set & ABUSE_NAMES ? "Flower Shop" : account_of(100 + i));
        assert_string_equal(
            kit_publish_from(s->k, &s->gateway, account_of(i),
                             s->set & ABUSE_NAMES ? "Flower Shop" : account_of(100 + i),
                             s->set & ABUSE_IP && i == 0 ? FARM : address),
            "");
        kit_build(s->k, s->set & ABUSE_HASH ? 7 : (uint8_t)(10 + i));
    }
}

/* The others first; then the newcomer does as the set says. */
static void play(struct scene *s)
{
    struct engine_kit *k = s->k;
    kit_key(k, ROTA__ROLE__GATEWAY, "", &s->gateway);
    next_day(k);
    for (unsigned i = 0; i < OTHERS; i++)
        kit_account(k, account_of(i), ROTA__TIER__P3, 0);
    if (!(s->set & ABUSE_SAME_DAY))
        next_day(k);
    kit_account(k, "new", ROTA__TIER__P3, 0);
    kit_app(k, "new", "totally else");
    others_publish(s);
    kit_pass(k, s->set & ABUSE_MINUTES ? 4 * MINUTE_MS : 6 * MINUTE_MS);
    kit_app(k, "new", "fLower-sHops 2");
    assert_string_equal(kit_publish_from(k, &s->gateway, "new",
                                         s->set & ABUSE_NAMES ? "fLower-sHops 2" : "totally else",
                                         s->set & ABUSE_IP ? FARM : "198.51.100.200"),
                        "");
}

static unsigned weight_of(unsigned set)
{
    static const unsigned plan[] = {30, 20, 10, 15, 10};
    unsigned sum = 0;
    for (unsigned i = 0; i < 5; i++)
        sum += set & 1u << i ? plan[i] : 0;
    return sum;
}

static Rota__ReviewState expected_state(unsigned score)
{
    return score > 80   ? ROTA__REVIEW_STATE__REVIEW_HELD
           : score > 50 ? ROTA__REVIEW_STATE__REVIEW_FLAGGED
                        : ROTA__REVIEW_STATE__REVIEW_NONE;
}

static void expect(struct scene *s, unsigned set, bool at_finish)
{
    struct kit_review review = kit_review_of(s->k, "new");
    unsigned score = weight_of(set);
    if (score <= 50) {
        assert_int_equal(review.review, 0);
        return;
    }
    assert_int_equal(review.signals, set);
    assert_int_equal(review.score, score);
    assert_int_equal(review.points, score);
    assert_int_equal(review.state, expected_state(score));
    assert_int_equal(review.at_finish, at_finish);
}

/* One set; returns how many reviews it opened for the newcomer. */
static unsigned set_play(unsigned set)
{
    struct engine_kit kit, *k = &kit;
    struct scene s = {.k = k, .set = set};
    unsigned before_finish = set & ~(unsigned)ABUSE_HASH;
    if (!(set & (ABUSE_IP | ABUSE_NAMES)))
        before_finish = 0; /* nothing else links it to anybody yet */
    engine_kit_setup(k, 1 << 28);
    play(&s);
    expect(&s, before_finish, false);
    bool was_flagged = weight_of(before_finish) > 50;
    struct kit_review first = kit_review_of(k, "new");
    struct kit_lease lease;
    assert_true(kit_lease(k, "w", &lease));
    assert_string_equal(lease.account, "new");
    kit_finish_bundle(k, &lease, set & ABUSE_HASH ? 7 : 99);
    bool rose =
        weight_of(set) > 50 && weight_of(set) > (was_flagged ? weight_of(before_finish) : 0);
    expect(&s, set, rose);
    if (was_flagged && rose) {
        struct kit_review second = kit_review_of(k, "new");
        assert_int_equal(second.prior, first.review);
        first = kit_review(k, first.review);
        assert_int_equal(first.state, ROTA__REVIEW_STATE__REVIEW_REPLACED);
        assert_int_equal(first.replaced_by, second.review);
        assert_false(first.at_finish);
        assert_string_equal(first.job, second.job);
    }
    kit_check(k);
    engine_kit_teardown(k);
    return was_flagged + rose;
}

static void every_set_of_signs_scores_its_sum(void **state)
{
    unsigned sets = 0, reviews = 0, flagged = 0, held = 0;
    for (unsigned set = 0; set <= ABUSE_ALL; set++) {
        bool links = set & (ABUSE_HASH | ABUSE_IP | ABUSE_NAMES);
        if (!links && set)
            continue; /* the same day or minutes as a stranger is no sign */
        reviews += set_play(set);
        sets++;
        flagged += weight_of(set) > 50 && weight_of(set) <= 80;
        held += weight_of(set) > 80;
    }
    printf("%u sets of signs: %u flag, %u holds; %u reviews opened\n", sets, flagged, held,
           reviews);
    assert_int_equal(sets, 29);
    assert_int_equal(flagged, 10);
    assert_int_equal(held, 1);
}

static void the_same_day_and_minutes_of_strangers_are_no_sign(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key gateway;
    kit_key(k, ROTA__ROLE__GATEWAY, "", &gateway);
    for (unsigned i = 0; i < 10; i++) {
        char address[32], app[32];
        snprintf(address, sizeof address, "198.51.100.%u", i + 1);
        snprintf(app, sizeof app, "%c%c%c%c%c%c", 'a' + (int)i, 'b' + (int)i, 'm' - (int)i,
                 'c' + (int)i, 'z' - (int)i, 'k' + (int)i);
        kit_account(k, account_of(i), ROTA__TIER__P3, 0);
        kit_app(k, account_of(i), app);
        assert_string_equal(kit_publish_from(k, &gateway, account_of(i), app, address), "");
        kit_build(k, (uint8_t)(50 + i));
    }
    assert_int_equal(kit_rows(k, TABLE_REVIEW), 0);
    kit_check(k);
}

/* ---- bundles ---- */

static void build_of(struct engine_kit *k, unsigned account, uint8_t hash)
{
    assert_string_equal(kit_error(kit_publish(k, account_of(account), NULL)), "");
    kit_build(k, hash);
}

static void the_fourth_account_with_a_bundle_counts_and_the_third_does_not(void **state)
{
    struct engine_kit *k = *state;
    for (unsigned i = 0; i < 5; i++)
        kit_account(k, account_of(i), ROTA__TIER__P3, 0);
    /* All of one day, one family and within minutes: 10 + 15 + 10, no flag without the bundle. */
    for (unsigned i = 0; i < 3; i++)
        build_of(k, i, 7);
    for (unsigned i = 0; i < 3; i++)
        build_of(k, i, 7); /* again: still three accounts */
    assert_int_equal(kit_rows(k, TABLE_REVIEW), 0);
    build_of(k, 3, 7);
    struct kit_review review = kit_review_of(k, account_of(3));
    assert_int_equal(review.signals, ABUSE_ALL & ~(unsigned)ABUSE_IP);
    assert_int_equal(review.score, 65);
    assert_true(review.at_finish);
    assert_int_equal(kit_rows(k, TABLE_REVIEW), 1);
    /* Now the first three have it as well: known at their next publish, without another build. */
    kit_pass(k, 2ull * MINUTE_MS);
    assert_string_equal(kit_error(kit_publish(k, account_of(0), NULL)), "");
    review = kit_review_of(k, account_of(0));
    assert_int_equal(review.score, 65);
    assert_false(review.at_finish);
    kit_check(k);
}

/* Seen by abuse_random: until the hourly purge the mark of a shared bundle outlived its own row. */
static void a_bundle_of_its_own_that_is_too_old_counts_no_more(void **state)
{
    struct engine_kit *k = *state;
    for (unsigned i = 0; i < 5; i++)
        kit_account(k, account_of(i), ROTA__TIER__P3, 0);
    for (unsigned i = 0; i < 4; i++)
        build_of(k, i, 7);
    k->now.wall_ms += 80ull * DAY_MS;
    for (unsigned i = 1; i < 5; i++)
        build_of(k, i, 7);
    uint64_t reviews = kit_rows(k, TABLE_REVIEW);
    k->now.wall_ms += 11ull * DAY_MS;
    kit_pass(k, 61000); /* looked at anew, and not yet purged */
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_HASH), 5); /* still there */
    assert_string_equal(kit_error(kit_publish(k, account_of(0), NULL)), "");
    assert_int_equal(kit_rows(k, TABLE_REVIEW), reviews);
    assert_int_equal(kit_review_of(k, account_of(0)).review, 0);
}

static void a_failed_build_leaves_no_bundle(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease lease;
    kit_account(k, "one", ROTA__TIER__P3, 0);
    assert_string_equal(kit_error(kit_publish(k, "one", NULL)), "");
    assert_true(kit_lease(k, "w", &lease));
    assert_string_equal(kit_error(kit_finish(k, &lease, ROTA__OUTCOME__OUTCOME_FAILED)), "");
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_HASH), 0);
}

/* ---- addresses ---- */

static uint64_t addresses(struct engine_kit *k)
{
    assert_int_equal(kit_rows(k, TABLE_ADDRESS) > 0,
                     kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_IP) > 0);
    return kit_rows(k, TABLE_ADDRESS);
}

static void this_very_machine_is_no_address(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key gateway, own;
    static const char *const local[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1",
                                        "::",        "0.0.0.0",   ""};
    kit_key(k, ROTA__ROLE__GATEWAY, "", &gateway);
    kit_account(k, "one", ROTA__TIER__P3, 0);
    kit_key(k, ROTA__ROLE__ACCOUNT, "one", &own);
    kit_app(k, "one", "app");
    assert_string_equal(kit_error(kit_publish(k, "one", NULL)), "");
    assert_string_equal(kit_publish_peer(k, &own, "app", "", true), "");
    assert_string_equal(kit_publish_peer(k, &own, "app", "127.0.0.1", true), "");
    assert_string_equal(kit_publish_peer(k, &own, "app", "192.0.2.1", true), "");
    for (size_t i = 0; i < ARRAY_LEN(local); i++)
        assert_string_equal(kit_publish_from(k, &gateway, "one", "app", local[i]), "");
    assert_int_equal(addresses(k), 0);
    /* A gateway's own end of the connection is not its client's. */
    assert_string_equal(kit_publish_peer(k, &gateway, "app", "192.0.2.1", false), "APP_UNKNOWN");
    assert_int_equal(addresses(k), 0);
    assert_string_equal(kit_publish_peer(k, &own, "app", "192.0.2.1", false), "");
    assert_int_equal(addresses(k), 1);
    printf("%zu local addresses and 3 local connections left no trace\n", ARRAY_LEN(local));
}

static void an_origin_is_taken_from_gateways_alone(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key own;
    kit_account(k, "one", ROTA__TIER__P3, 0);
    kit_key(k, ROTA__ROLE__ACCOUNT, "one", &own);
    kit_app(k, "one", "app");
    assert_string_equal(kit_publish_from(k, &own, "one", "app", FARM), "ORIGIN_NOT_ALLOWED");
    assert_int_equal(addresses(k), 0);
}

static void one_line_is_one_address_however_it_is_written(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key gateway;
    static const char *const same[][2] = {{FARM, "::ffff:" FARM},
                                          {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"}};
    static const char *const other[][2] = {{FARM, "203.0.113.8"},
                                           {"2001:db8:1:2::1", "2001:db8:1:3::1"}};
    kit_key(k, ROTA__ROLE__GATEWAY, "", &gateway);
    kit_account(k, "one", ROTA__TIER__P3, 0);
    kit_app(k, "one", "app");
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        struct abuse_value a, b, c;
        assert_true(abuse_address_value(k->engine, same[i][0], &a));
        assert_true(abuse_address_value(k->engine, same[i][1], &b));
        assert_true(abuse_address_value(k->engine, other[i][1], &c));
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_not_equal(&a, &c, sizeof a);
        assert_string_equal(kit_publish_from(k, &gateway, "one", "app", same[i][0]), "");
        assert_string_equal(kit_publish_from(k, &gateway, "one", "app", same[i][1]), "");
    }
    assert_int_equal(kit_rows(k, TABLE_ADDRESS), 4);
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_IP), 2);
}

static void values_cannot_be_told_without_the_instances_key(void **state)
{
    struct engine_kit *k = *state;
    struct abuse_value a, b;
    uint8_t sha256[32] = {7};
    assert_true(abuse_address_value(k->engine, FARM, &a));
    struct abuse_value bundle = abuse_bundle_value(k->engine, sha256);
    k->hash_key[0] ^= 1;
    assert_true(abuse_address_value(k->engine, FARM, &b));
    assert_memory_not_equal(&a, &b, sizeof a);
    b = abuse_bundle_value(k->engine, sha256);
    assert_memory_not_equal(&bundle, &b, sizeof bundle);
    k->hash_key[0] ^= 1;
}

static void a_job_keeps_no_address(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key gateway;
    struct job_id id;
    struct key_buf b;
    struct job_row row;
    kit_key(k, ROTA__ROLE__GATEWAY, "", &gateway);
    kit_account(k, "one", ROTA__TIER__P3, 0);
    kit_app(k, "one", "app");
    assert_string_equal(kit_publish_from(k, &gateway, "one", "app", FARM), "");
    assert_int_equal(job_id_parse(kit_published(k)->job, &id), 0);
    AUTO(txn) txn = kit_snapshot(k->store);
    assert_int_equal(row_get(txn, &job_row_type, key_id(&b, id), &row), 0);
    assert_int_equal(row.client_address.n, 0);
    assert_int_equal(row.principal.n, strlen("someone"));
    assert_int_equal(addresses(k), 1);
}

/* ---- what a publish costs ---- */

static uint64_t abuse_writes;

static void count_write(void *arg, enum table t, struct span key, struct span value)
{
    (void)arg;
    (void)key;
    (void)value;
    abuse_writes += t == TABLE_SIGNAL || t == TABLE_ADDRESS || t == TABLE_REVIEW;
}

static void the_same_publish_again_costs_nothing_for_a_minute(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key gateway;
    kit_key(k, ROTA__ROLE__GATEWAY, "", &gateway);
    kit_account(k, "one", ROTA__TIER__P3, 0);
    kit_account(k, "two", ROTA__TIER__P3, 0);
    for (unsigned i = 0; i < 2; i++) {
        kit_app(k, i ? "two" : "one", "flower");
        kit_app(k, i ? "two" : "one", "garden");
    }
    assert_string_equal(kit_publish_from(k, &gateway, "two", "flower", FARM), "");
    store_collect(k->store, count_write, NULL);
    abuse_writes = 0;
    for (unsigned i = 0; i < 100; i++)
        assert_string_equal(kit_publish_from(k, &gateway, "one", i % 2 ? "flower" : "garden",
                                             i % 4 < 2 ? FARM : "203.0.113.99"),
                            "");
    uint64_t first = abuse_writes;
    kit_pass(k, 61000);
    abuse_writes = 0;
    for (unsigned i = 0; i < 100; i++)
        assert_string_equal(kit_publish_from(k, &gateway, "one", i % 2 ? "flower" : "garden",
                                             i % 4 < 2 ? FARM : "203.0.113.99"),
                            "");
    printf(
        "100 publishes, 2 apps and 2 addresses in turn: %llu rows written, a minute later %llu\n",
        (unsigned long long)first, (unsigned long long)abuse_writes);
    assert_true(first <= 40 && abuse_writes <= 40 && abuse_writes >= 8);
    abuse_writes = 0;
    for (unsigned i = 0; i < 100; i++)
        assert_string_equal(kit_error(kit_publish(k, "two", NULL)), "");
    assert_true(abuse_writes <= 6); /* its app is made, and that is all */
    store_collect(k->store, NULL, NULL);
    kit_check(k);
}

/* ---- names ---- */

static uint64_t family_of(struct engine_kit *k, const char *account, const char *app)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    struct key_buf b;
    struct app_row row;
    uint64_t number = 0;
    struct account_id_row id;
    assert_int_equal(row_get(txn, &account_id_row_type, span_str(account), &id), 0);
    number = id.account;
    assert_int_equal(row_get(txn, &app_row_type, key_named(&b, number, span_str(app)), &row), 0);
    return row.family;
}

static void similar_names_are_a_family_for_a_week_and_equal_ones_for_good(void **state)
{
    struct engine_kit *k = *state;
    for (unsigned i = 0; i < 4; i++)
        kit_account(k, account_of(i), ROTA__TIER__P3, 0);
    kit_app(k, account_of(0), "Flower");
    kit_app(k, account_of(1), "flowers!");
    kit_app(k, account_of(1), "2048");
    kit_app(k, account_of(1), "calculator");
    uint64_t family = family_of(k, account_of(0), "Flower");
    assert_true(family);
    assert_int_equal(family_of(k, account_of(1), "flowers!"), family);
    assert_int_equal(family_of(k, account_of(1), "2048"), 0);
    assert_true(family_of(k, account_of(1), "calculator") != family);
    kit_pass(k, 8ull * DAY_MS);
    kit_app(k, account_of(2), "FLOWER 9");
    kit_app(k, account_of(3), "flow-er");
    assert_int_equal(family_of(k, account_of(2), "FLOWER 9"), family);
    assert_int_equal(family_of(k, account_of(3), "flow-er"), family);
    kit_pass(k, 8ull * DAY_MS);
    kit_app(k, account_of(2), "floweret");
    assert_true(family_of(k, account_of(2), "floweret") != family);
    assert_int_equal(kit_signals(k, ROTA__SIGNAL_KIND__SIGNAL_NAMES), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_of_signs_scores_its_sum),
        ENGINE_CASE(the_same_day_and_minutes_of_strangers_are_no_sign),
        ENGINE_CASE(the_fourth_account_with_a_bundle_counts_and_the_third_does_not),
        ENGINE_CASE(a_bundle_of_its_own_that_is_too_old_counts_no_more),
        ENGINE_CASE(a_failed_build_leaves_no_bundle),
        ENGINE_CASE(this_very_machine_is_no_address),
        ENGINE_CASE(an_origin_is_taken_from_gateways_alone),
        ENGINE_CASE(one_line_is_one_address_however_it_is_written),
        ENGINE_CASE(values_cannot_be_told_without_the_instances_key),
        ENGINE_CASE(a_job_keeps_no_address),
        ENGINE_CASE(the_same_publish_again_costs_nothing_for_a_minute),
        ENGINE_CASE(similar_names_are_a_family_for_a_week_and_equal_ones_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
