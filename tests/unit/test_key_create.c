/* test_key_create.c: what a new key may be, and who may make it. Why it matters: a key that can
 * make a stronger one is as strong as that one, whatever its own scopes say. */
#include "key_kit.h"

#define DAY_MS (24ull * 3600 * 1000)

static void begin_account(struct engine_kit *k)
{
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    assert_string_equal(kit_app(k, NULL, "acme", "shop"), "");
    assert_string_equal(kit_app(k, NULL, "acme", "till"), "");
}

static void a_key_has_its_roles_default_unless_it_is_told_otherwise(void **state)
{
    struct engine_kit *k = *state;
    begin_account(k);
    struct kit_key key = kit_key(k, &(struct kit_wish){.account = "acme"});
    assert_string_equal(key.scopes, "build:create build:read");
    assert_int_equal(key.rate_minute, 100);
    assert_int_equal(key.expires_ms, 0);
    assert_int_equal(key.builds_month, 0);
    assert_int_equal(strncmp(key.credential, "rota_test_", 10), 0);
    assert_int_equal(strncmp(key.credential, key.prefix, 12), 0);
    key = kit_key(k, &(struct kit_wish){.role = ROTA__ROLE__WORKER});
    assert_string_equal(key.scopes, "");
    assert_int_equal(key.rate_minute, 0);
    key = kit_key(k, &(struct kit_wish){.role = ROTA__ROLE__OPERATOR, .scopes = "operate:read"});
    assert_string_equal(key.scopes, "operate:read");
    key = kit_key(k, &(struct kit_wish){.account = "acme",
                                        .scopes = "sourcemap:read build:read build:read",
                                        .app = "shop",
                                        .expires_ms = k->now.wall_ms + DAY_MS,
                                        .has_rate = true,
                                        .rate_minute = 7,
                                        .builds_month = 9});
    assert_string_equal(key.scopes, "build:read sourcemap:read");
    assert_string_equal(key.app, "shop");
    assert_int_equal(key.rate_minute, 7);
    assert_int_equal(key.builds_month, 9);
    kit_check(k);
}

static void a_wish_that_cannot_be_is_refused_by_name_and_leaves_no_trace(void **state)
{
    struct engine_kit *k = *state;
    begin_account(k);
    assert_string_equal(
        kit_member_set(k, NULL, "acme", "bob@example.org", ROTA__MEMBER_ROLE__MEMBER), "");
    uint64_t keys = kit_rows(k, TABLE_KEY), trail = kit_rows(k, TABLE_TRAIL);
    uint64_t past_ms = k->now.wall_ms;
    const struct {
        struct kit_wish wish;
        const char *error;
    } bad[] = {
        {{.account = "nobody"}, "ACCOUNT_UNKNOWN"},
        {{.role = (Rota__Role)9}, "ROLE_UNKNOWN"},
        {{.scopes = "build:destroy"}, "SCOPE_UNKNOWN"},
        {{.scopes = "operate:read"}, "SCOPE_UNKNOWN"},
        {{.role = ROTA__ROLE__WORKER, .scopes = "build:read"}, "SCOPE_UNKNOWN"},
        {{.role = ROTA__ROLE__GATEWAY, .scopes = "key:write"}, "SCOPE_UNKNOWN"},
        {{.role = ROTA__ROLE__WORKER, .app = "shop"}, "FIELD_INVALID"},
        {{.role = ROTA__ROLE__OPERATOR, .member = "bob@example.org"}, "FIELD_INVALID"},
        {{.account = "acme", .app = "none"}, "APP_UNKNOWN"},
        {{.account = "acme", .app = "shop", .scopes = "account:read"}, "SCOPE_UNKNOWN"},
        {{.account = "acme", .member = "bob"}, "EMAIL_INVALID"},
        {{.account = "acme", .member = "eve@example.org"}, "MEMBER_UNKNOWN"},
        {{.account = "acme", .member = "bob@example.org", .scopes = "key:write"}, "SCOPE_UNKNOWN"},
        {{.account = "acme", .expires_ms = past_ms}, "EXPIRY_INVALID"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct kit_key key;
        const char *error = kit_key_try(k, &bad[i].wish, &key);
        if (strcmp(error, bad[i].error) != 0)
            fail_msg("case %zu: %s, not %s", i, error, bad[i].error);
    }
    assert_int_equal(kit_rows(k, TABLE_KEY), keys);
    assert_int_equal(kit_rows(k, TABLE_KEY_OF), keys);
    assert_int_equal(kit_rows(k, TABLE_KEY_SERIAL), keys);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), trail);
    kit_check(k);
    printf("%zu wishes refused, no row\n", ARRAY_LEN(bad));
}

static void an_accounts_key_gives_no_more_than_it_has(void **state)
{
    struct engine_kit *k = *state;
    uint64_t end_ms = k->now.wall_ms + DAY_MS;
    struct kit_key key;
    begin_account(k);
    kit_account(k, "other", ROTA__TIER__P1, 0);
    struct kit_key boss = kit_key(k, &(struct kit_wish){.account = "acme",
                                                        .scopes = "build:create key:write app:read",
                                                        .has_rate = true,
                                                        .rate_minute = 500,
                                                        .builds_month = 20,
                                                        .expires_ms = end_ms});
    const struct {
        struct kit_wish wish;
        const char *error;
    } bad[] = {
        {{.account = "other"}, "NOT_ALLOWED"},
        {{.role = ROTA__ROLE__WORKER}, "NOT_ALLOWED"},
        {{.role = ROTA__ROLE__OPERATOR}, "NOT_ALLOWED"},
        {{.role = ROTA__ROLE__GATEWAY}, "NOT_ALLOWED"},
        {{.scopes = "build:read"}, "SCOPE_MISSING"},
        {{.scopes = "app:read account:erase"}, "SCOPE_MISSING"},
        {{.has_rate = true, .rate_minute = 501}, "NOT_ALLOWED"},
        {{.has_rate = true, .rate_minute = 0}, "NOT_ALLOWED"}, /* 0 is without a limit */
        {{.builds_month = 21}, "NOT_ALLOWED"},
        {{.expires_ms = end_ms + 1}, "NOT_ALLOWED"},
        {{.load = true}, "NOT_ALLOWED"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct kit_wish wish = bad[i].wish;
        wish.as = boss.credential;
        const char *error = kit_key_try(k, &wish, &key);
        if (strcmp(error, bad[i].error) != 0)
            fail_msg("case %zu: %s, not %s", i, error, bad[i].error);
    }
    key = kit_key(k, &(struct kit_wish){.as = boss.credential}); /* what it has of the default */
    assert_string_equal(key.scopes, "build:create");
    assert_int_equal(key.rate_minute, 100);
    assert_int_equal(key.builds_month, 20);
    assert_int_equal(key.expires_ms, end_ms);
    key = kit_key(k, &(struct kit_wish){.as = boss.credential,
                                        .scopes = "app:read",
                                        .has_rate = true,
                                        .rate_minute = 500,
                                        .builds_month = 1,
                                        .expires_ms = end_ms - 1});
    assert_int_equal(key.rate_minute, 500);
    assert_string_equal(kit_key_try(k, &(struct kit_wish){.as = key.credential}, &key),
                        "SCOPE_MISSING"); /* it cannot make keys at all */
    printf("%zu ways to more refused\n", ARRAY_LEN(bad));
    kit_check(k);
}

static void a_members_key_makes_keys_for_members_of_its_rank(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key key;
    begin_account(k);
    kit_member_set(k, NULL, "acme", "olga@example.org", ROTA__MEMBER_ROLE__OWNER);
    kit_member_set(k, NULL, "acme", "adam@example.org", ROTA__MEMBER_ROLE__ADMIN);
    kit_member_set(k, NULL, "acme", "mia@example.org", ROTA__MEMBER_ROLE__MEMBER);
    const char *all = "build:create build:read key:write member:write";
    struct kit_key admin = kit_key(
        k, &(struct kit_wish){.account = "acme", .member = "adam@example.org", .scopes = all});
    key = kit_key(k, &(struct kit_wish){.as = admin.credential});
    assert_string_equal(key.member, "adam@example.org"); /* never a key that is nobody's */
    key = kit_key(k, &(struct kit_wish){.as = admin.credential, .member = "mia@example.org"});
    assert_string_equal(key.member, "mia@example.org");
    assert_string_equal(
        kit_key_try(k, &(struct kit_wish){.as = admin.credential, .member = "olga@example.org"},
                    &key),
        "NOT_ALLOWED");
    assert_string_equal(kit_key_try(k,
                                    &(struct kit_wish){.as = admin.credential,
                                                       .member = "mia@example.org",
                                                       .scopes = "key:write"},
                                    &key),
                        "SCOPE_UNKNOWN");
    struct kit_key owner = kit_key(k, &(struct kit_wish){.account = "acme",
                                                         .member = "olga@example.org",
                                                         .scopes = "account:erase key:write"});
    key = kit_key(k, &(struct kit_wish){.as = owner.credential,
                                        .member = "olga@EXAMPLE.org",
                                        .scopes = "account:erase"});
    assert_string_equal(key.member, "olga@example.org");
    kit_check(k);
}

/* ---- load tests ---- */

static void a_load_key_has_no_rate_and_production_lets_it_in_nowhere(void **state)
{
    struct engine_kit *k = *state;
    begin_account(k);
    struct kit_key load = kit_key(k, &(struct kit_wish){.account = "acme", .load = true});
    assert_int_equal(load.rate_minute, 0);
    assert_string_equal(kit_publish_as(k, load.credential, "shop"), "");
    /* The same database, taken for production: made from a copy, say. */
    struct auth *production = NULL;
    assert_int_equal(auth_new("production", k->hash_key, &production), 0);
    AUTO(txn) txn = kit_snapshot(k->store);
    Rota__Request request = ROTA__REQUEST__INIT;
    struct principal who;
    request.environment = (char *)"production";
    struct auth_call call = {
        .request = &request, .op = op_row(ROTA__REQUEST__OP_PUBLISH), .wall_ms = k->now.wall_ms};
    request.credential = load.credential;
    assert_int_equal(auth_check(production, txn, &call, &who), E_LOAD_KEY);
    assert_int_equal(auth_check(production, txn, &call, &who), E_LOAD_KEY); /* not by a cache */
    request.credential = k->credential;
    assert_int_equal(auth_check(production, txn, &call, &who), E_OK);
    auth_free(production);
}

/* ---- how many ---- */

static void an_account_has_its_fill_of_keys_and_the_oldest_revoked_ones_go(void **state)
{
    struct engine_kit *k = *state;
    struct kit_key key, first = {.serial = 0};
    unsigned made = 0;
    begin_account(k);
    const struct kit_wish wish = {.account = "acme"};
    const char *error;
    while (*(error = kit_key_try(k, &wish, &key)) == '\0') {
        first = made++ ? first : key;
        assert_true(made <= 2000);
    }
    assert_string_equal(error, "KEY_LIMIT");
    assert_int_equal(made, 2000);
    for (uint32_t serial = first.serial; serial < first.serial + 1200; serial++)
        assert_string_equal(kit_revoke(k, NULL, serial), "");
    assert_int_equal(kit_rows(k, TABLE_KEY), 1 + 2000);
    kit_key(k, &wish); /* lets go of some that are more than 1,000 */
    assert_int_equal(kit_rows(k, TABLE_KEY), 1 + 800 + 1 + 1200 - 32);
    for (int i = 0; i < 20; i++)
        kit_key(k, &wish);
    assert_int_equal(kit_rows(k, TABLE_KEY), 1 + 800 + 21 + 999);
    assert_int_equal(kit_rows(k, TABLE_KEY_OF), kit_rows(k, TABLE_KEY));
    assert_int_equal(kit_rows(k, TABLE_KEY_SERIAL), kit_rows(k, TABLE_KEY));
    assert_string_equal(kit_revoke(k, NULL, first.serial), "KEY_UNKNOWN");
    assert_string_equal(kit_publish_as(k, first.credential, "shop"), "KEY_UNKNOWN");
    kit_check(k);
    printf("%u keys, 1,200 revoked, %llu rows kept\n", made,
           (unsigned long long)kit_rows(k, TABLE_KEY));
}

/* A database of a time before the index gets it when it is opened. */
static void keys_of_an_older_database_are_found_by_their_account(void **state)
{
    struct engine_kit *k = *state;
    begin_account(k);
    struct kit_key a = kit_key_of(k, "acme", "build:read"), b = kit_key_of(k, "acme", "app:read");
    assert_string_equal(kit_revoke(k, NULL, a.serial), "");
    AUTO(txn) txn = NULL;
    struct key_buf key;
    assert_int_equal(store_begin(k->store, &txn), 0);
    assert_int_equal(txn_del(txn, TABLE_KEY_OF, key_of_key(&key, 1, 1)), 0);
    assert_int_equal(txn_del(txn, TABLE_KEY_OF, key_of_key(&key, 2, a.serial)), 0);
    assert_int_equal(txn_del(txn, TABLE_KEY_OF, key_of_key(&key, 2, b.serial)), 0);
    assert_int_equal(store_commit(&txn), 0);
    engine_kit_restart(k);
    assert_int_equal(kit_rows(k, TABLE_KEY_OF), 3);
    struct key_of_row row;
    AUTO(txn) seen = kit_snapshot(k->store);
    assert_int_equal(row_get(seen, &key_of_row_type, key_of_key(&key, 2, a.serial), &row), 0);
    assert_int_equal(row.is_revoked, 1);
    assert_int_equal(row_get(seen, &key_of_row_type, key_of_key(&key, 2, b.serial), &row), 0);
    assert_int_equal(row.is_revoked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_key_has_its_roles_default_unless_it_is_told_otherwise),
        ENGINE_CASE(a_wish_that_cannot_be_is_refused_by_name_and_leaves_no_trace),
        ENGINE_CASE(an_accounts_key_gives_no_more_than_it_has),
        ENGINE_CASE(a_members_key_makes_keys_for_members_of_its_rank),
        ENGINE_CASE(a_load_key_has_no_rate_and_production_lets_it_in_nowhere),
        ENGINE_CASE(an_account_has_its_fill_of_keys_and_the_oldest_revoked_ones_go),
        ENGINE_CASE(keys_of_an_older_database_are_found_by_their_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
