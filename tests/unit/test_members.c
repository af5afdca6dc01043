/* test_members.c: who belongs to an account, and what follows for the keys. Why it matters:
 * somebody who left, or may do less, must not go on through a key that was forgotten. */
#include "key_kit.h"

#define OWNER  ROTA__MEMBER_ROLE__OWNER
#define ADMIN  ROTA__MEMBER_ROLE__ADMIN
#define MEMBER ROTA__MEMBER_ROLE__MEMBER

static void members_come_change_and_go_by_their_address(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_account(k, "other", ROTA__TIER__P1, 0);
    assert_string_equal(kit_member_set(k, NULL, "acme", "ann@EXAMPLE.org", OWNER), "");
    assert_string_equal(kit_member_set(k, NULL, "acme", "ann@example.org", OWNER), ""); /* same */
    assert_int_equal(kit_rows(k, TABLE_MEMBER), 1);
    assert_string_equal(kit_member_set(k, NULL, "other", "ann@example.org", MEMBER), "");
    assert_string_equal(kit_member_set(k, NULL, "acme", "bob@example.org", MEMBER), "");
    assert_int_equal(kit_rows(k, TABLE_MEMBER), 3);
    assert_string_equal(kit_member_set(k, NULL, "acme", "bob", MEMBER), "EMAIL_INVALID");
    assert_string_equal(kit_member_set(k, NULL, "none", "eve@example.org", MEMBER),
                        "ACCOUNT_UNKNOWN");
    assert_string_equal(
        kit_member_set(k, NULL, "acme", "eve@example.org", ROTA__MEMBER_ROLE__MEMBER_ROLE_NONE),
        "FIELD_MISSING");
    assert_string_equal(kit_member_remove(k, NULL, "acme", "eve@example.org"), "MEMBER_UNKNOWN");
    assert_string_equal(kit_member_remove(k, NULL, "acme", "bob@Example.Org"), "");
    assert_int_equal(kit_rows(k, TABLE_MEMBER), 2);
    struct account_row row;
    struct key_buf key;
    AUTO(txn) txn = kit_snapshot(k->store);
    assert_int_equal(row_get(txn, &account_row_type, key_u64(&key, 2), &row), 0);
    assert_int_equal(row.members, 1);
    assert_int_equal(row.id.n, 4);
    kit_check(k);
}

static void the_last_owner_stays(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_member_set(k, NULL, "acme", "ann@example.org", OWNER);
    kit_member_set(k, NULL, "acme", "bob@example.org", ADMIN);
    assert_string_equal(kit_member_set(k, NULL, "acme", "ann@example.org", ADMIN), "LAST_OWNER");
    assert_string_equal(kit_member_remove(k, NULL, "acme", "ann@example.org"), "LAST_OWNER");
    assert_string_equal(kit_member_set(k, NULL, "acme", "bob@example.org", OWNER), "");
    assert_string_equal(kit_member_set(k, NULL, "acme", "ann@example.org", ADMIN), "");
    assert_string_equal(kit_member_remove(k, NULL, "acme", "bob@example.org"), "LAST_OWNER");
    assert_string_equal(kit_member_remove(k, NULL, "acme", "ann@example.org"), "");
    assert_int_equal(kit_rows(k, TABLE_MEMBER), 1);
}

/* Every act of every rank on every rank. */
static void an_owner_may_do_all_an_admin_nothing_with_owners(void **state)
{
    struct engine_kit *k = *state;
    static const Rota__MemberRole roles[] = {OWNER, ADMIN, MEMBER};
    unsigned tried = 0, refused = 0;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_member_set(k, NULL, "acme", "olga@example.org", OWNER);
    kit_member_set(k, NULL, "acme", "adam@example.org", ADMIN);
    struct kit_key owner = kit_key(k, &(struct kit_wish){.account = "acme",
                                                         .has_rate = true,
                                                         .member = "olga@example.org",
                                                         .scopes = "member:write"});
    struct kit_key admin = kit_key(k, &(struct kit_wish){.account = "acme",
                                                         .has_rate = true,
                                                         .member = "adam@example.org",
                                                         .scopes = "member:write"});
    struct kit_key nobodys = kit_key_of(k, "acme", "member:write");
    const struct kit_key *callers[] = {&owner, &admin, &nobodys};
    for (size_t c = 0; c < sizeof callers / sizeof(struct kit_key *); c++)
        for (size_t from = 0; from < ARRAY_LEN(roles); from++)
            for (size_t to = 0; to <= ARRAY_LEN(roles); to++) {
                bool removes = to == ARRAY_LEN(roles);
                kit_member_remove(k, NULL, "acme", "x@example.org");
                kit_member_set(k, NULL, "acme", "x@example.org", roles[from]);
                const char *as = callers[c]->credential;
                const char *error = removes
                                        ? kit_member_remove(k, as, "acme", "x@example.org")
                                        : kit_member_set(k, as, "acme", "x@example.org", roles[to]);
                bool may = callers[c] != &admin ||
                           (roles[from] != OWNER && (removes || roles[to] != OWNER));
                assert_string_equal(error, may ? "" : "NOT_ALLOWED");
                refused += !may;
                tried++;
            }
    assert_string_equal(kit_member_set(k, admin.credential, "acme", "new@example.org", OWNER),
                        "NOT_ALLOWED");
    assert_string_equal(kit_member_set(k, admin.credential, "acme", "new@example.org", MEMBER), "");
    kit_account(k, "other", ROTA__TIER__P1, 0);
    assert_string_equal(kit_member_set(k, owner.credential, "other", "new@example.org", MEMBER),
                        "NOT_ALLOWED");
    printf("%u acts on members, %u refused\n", tried, refused);
    assert_int_equal(tried, 36);
}

/* What the key may do is found out by doing it. */
static void keys_shrink_with_the_role_in_the_same_turn(void **state)
{
    struct engine_kit *k = *state;
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    kit_member_set(k, NULL, "acme", "ann@example.org", OWNER);
    kit_member_set(k, NULL, "acme", "bob@example.org", ADMIN);
    kit_member_set(k, NULL, "acme", "bob@example.net", ADMIN); /* somebody else */
    struct kit_wish wish = {.account = "acme", .member = "bob@example.org", .has_rate = true};
    wish.scopes = "build:create app:write key:write";
    struct kit_key both = kit_key(k, &wish);
    wish.scopes = "key:write";
    struct kit_key only = kit_key(k, &wish);
    wish.scopes = "app:write";
    wish.member = "bob@example.net";
    struct kit_key other = kit_key(k, &wish);
    struct kit_key free_key = kit_key_of(k, "acme", "app:write");
    const struct kit_key *all[] = {&both, &other, &free_key};
    for (size_t i = 0; i < sizeof all / sizeof(struct kit_key *); i++) /* all in the cache */
        assert_string_equal(kit_app(k, all[i]->credential, "", "shop"), "");
    assert_string_equal(kit_revoke(k, only.credential, 4711), "KEY_UNKNOWN");
    Rota__MemberSet set = ROTA__MEMBER_SET__INIT;
    Rota__AppSet app_set = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT, behind = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_MEMBER_SET;
    request.member_set = &set;
    set.account = (char *)"acme";
    set.email = (char *)"bob@example.org";
    set.role = MEMBER;
    behind.op_case = ROTA__REQUEST__OP_APP_SET;
    behind.app_set = &app_set;
    app_set.app = (char *)"shop";
    struct inbound *in = kit_request(k, &request, NULL);
    uint64_t id = k->request_id;
    in->next = kit_request(k, &behind, both.credential);
    kit_turn(k, in);
    assert_string_equal(kit_error(kit_reply(k, id)), "");
    assert_string_equal(kit_error(kit_reply(k, id + 1)), "SCOPE_MISSING");
    assert_true(k->fx.keys_changed);
    assert_string_equal(kit_publish_as(k, both.credential, "shop"), "");
    assert_string_equal(kit_revoke(k, only.credential, 4711), "KEY_REVOKED"); /* nothing left */
    assert_string_equal(kit_app(k, other.credential, "", "shop"), "");
    assert_string_equal(kit_app(k, free_key.credential, "", "shop"), "");
    engine_kit_restart(k);
    assert_string_equal(kit_app(k, both.credential, "", "shop"), "SCOPE_MISSING");
    kit_member_set(k, NULL, "acme", "bob@example.org", OWNER); /* does not bring back */
    assert_string_equal(kit_app(k, both.credential, "", "shop"), "SCOPE_MISSING");
    kit_check(k);
}

static void keys_end_with_the_membership(void **state)
{
    struct engine_kit *k = *state;
    enum { KEYS = 100 };
    static struct kit_key key[KEYS];
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    kit_app(k, NULL, "acme", "shop");
    kit_member_set(k, NULL, "acme", "ann@example.org", OWNER);
    kit_member_set(k, NULL, "acme", "bob@example.org", MEMBER);
    for (int i = 0; i < KEYS; i++)
        key[i] = kit_key(
            k, &(struct kit_wish){.account = "acme", .member = i % 4 ? "bob@example.org" : NULL});
    uint64_t events = kit_rows(k, TABLE_EVENT);
    assert_string_equal(kit_member_remove(k, NULL, "acme", "bob@example.org"), "");
    assert_int_equal(kit_rows(k, TABLE_EVENT), events + 75); /* each key says so in the log */
    for (int i = 0; i < KEYS; i++)
        assert_string_equal(kit_publish_as(k, key[i].credential, "shop"),
                            i % 4 ? "KEY_REVOKED" : "");
    kit_member_set(k, NULL, "acme", "bob@example.org", MEMBER);
    assert_string_equal(kit_publish_as(k, key[1].credential, "shop"), "KEY_REVOKED");
    kit_check(k);
}

static void an_account_has_a_thousand_members_at_most(void **state)
{
    struct engine_kit *k = *state;
    char email[40];
    kit_account(k, "acme", ROTA__TIER__P1, 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(email, sizeof email, "m%d@example.org", i);
        assert_string_equal(kit_member_set(k, NULL, "acme", email, i ? MEMBER : OWNER), "");
    }
    assert_string_equal(kit_member_set(k, NULL, "acme", "more@example.org", MEMBER),
                        "MEMBER_LIMIT");
    assert_string_equal(kit_member_set(k, NULL, "acme", "m7@example.org", ADMIN), "");
    assert_string_equal(kit_member_remove(k, NULL, "acme", "m8@example.org"), "");
    assert_string_equal(kit_member_set(k, NULL, "acme", "more@example.org", MEMBER), "");
    assert_int_equal(kit_rows(k, TABLE_MEMBER), 1000);
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(members_come_change_and_go_by_their_address),
        ENGINE_CASE(the_last_owner_stays),
        ENGINE_CASE(an_owner_may_do_all_an_admin_nothing_with_owners),
        ENGINE_CASE(keys_shrink_with_the_role_in_the_same_turn),
        ENGINE_CASE(keys_end_with_the_membership),
        ENGINE_CASE(an_account_has_a_thousand_members_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
