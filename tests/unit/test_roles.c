/* test_roles.c: who may call what: every operation by every role with no scopes, each scope alone,
 * all but one, and all, with keys for one app and for all apps.
 *
 * The table below is written from docs/KEYS.md, not from ops.def: a wrong row there is found here.
 * Why it matters: what no test expects to be refused is, sooner or later, let through. */
#include "engine_kit.h"

#include "apikey.h"
#include "ops.h"

enum { ROLES = 4 };

/* O(perator), A(ccount), W(orker), G(ateway); the scopes that open it, with a blank around each;
 * may a key of one app call it? */
static const struct expected {
    const char *op, *roles, *scopes;
    bool by_app;
} table[] = {
    {"ping", "OAWG", "*", true},
    {"publish", "OAG", " build:create ", true},
    {"publish_many", "OAG", " build:create ", true},
    {"lease", "OW", "", false},
    {"finish", "OW", "", false},
    {"finish_and_lease", "OW", "", false},
    {"lease_release", "OW", "", false},
    {"source_pin", "OW", "", false},
    {"heartbeat", "OW", "", false},
    {"log", "OW", "", false},
    {"cancel", "OAG", " build:control ", true},
    {"status", "OAG", " build:read ", true},
    {"list", "OAG", " build:read ", true},
    {"watch", "OAG", " build:read ", true},
    {"stats", "O", " operate:read ", false},
    {"next", "O", " operate:read ", false},
    {"worker_list", "O", " operate:read ", false},
    {"heat", "O", " operate:write ", false},
    {"sign_upload", "OAWG", " build:create ", true},
    {"sign_download", "OAWG", " build:read sourcemap:read ", true},
    {"attest", "OW", "", false},
    {"fetched", "OAG", " build:read ", true},
    {"account_set", "O", " operate:write ", false},
    {"account_list", "O", " operate:read ", false},
    {"app_set", "OAG", " app:write ", true},
    {"app_list", "OAG", " app:read ", true},
    {"key_create", "OA", " key:write ", false},
    {"key_list", "OA", " key:read ", false},
    {"key_revoke", "OA", " key:write ", false},
    {"log_read", "OAG", " build:read ", true},
    {"why", "OAG", " build:read ", true},
    {"hold", "OAG", " build:control ", true},
    {"job_release", "OAG", " build:control ", true},
    {"retry", "OAG", " build:control ", true},
    {"move", "O", " operate:write ", false},
    {"find", "OAG", " build:read ", false},
    {"bulk_start", "O", " operate:write ", false},
    {"bulk_list", "O", " operate:read ", false},
    {"bulk_stop", "O", " operate:write ", false},
    {"pause_set", "O", " operate:write ", false},
    {"pause_list", "O", " operate:read ", false},
    {"limits_get", "OAG", " account:read ", false},
    {"limits_set", "O", " operate:write ", false},
    {"addon_set", "O", " operate:write ", false},
    {"addon_list", "OAG", " account:read ", false},
    {"addon_grant", "O", " operate:write ", false},
    {"account_get", "OAG", " account:read ", false},
    {"account_erase", "OA", " account:erase ", false},
    {"usage", "OAG", " account:read ", false},
    {"member_set", "OA", " member:write ", false},
    {"member_remove", "OA", " member:write ", false},
    {"member_list", "OA", " member:read ", false},
    {"var_set", "OAG", " secret:write ", true},
    {"var_list", "OAG", " app:read ", true},
    {"var_read", "OW", "", false},
    {"preset_set", "OAG", " app:write ", false},
    {"preset_list", "OAG", " app:read ", false},
    {"schedule_set", "OAG", " build:create ", false},
    {"schedule_list", "OAG", " build:read ", false},
    {"review_list", "O", " operate:read ", false},
    {"review_get", "O", " operate:read ", false},
    {"review_decide", "O", " operate:write ", false},
    {"address_list", "O", " operate:write ", false},
    {"trail_list", "O", " operate:read ", false},
    {"key_usage", "OA", " key:read ", false},
};

/* Written once more, so that a scope that is renamed or moved is noticed too. */
static const char *const scope_names[] = {
    "build:create", "build:read",   "build:control", "sourcemap:read", "app:read",
    "app:write",    "secret:write", "account:read",  "account:erase",  "key:read",
    "key:write",    "member:read",  "member:write",  "operate:read",   "operate:write",
};
enum { NAMES = ARRAY_LEN(scope_names) };

static const struct expected *expected_of(const char *op)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(table[i].op, op) == 0)
            return &table[i];
    fail_msg("no expectation is written for %s", op);
    return NULL;
}

/* A key of the test: it need not be one that could be made. */
struct key {
    char text[APIKEY_TEXT_LEN + 1];
    char role; /* letter */
    uint32_t scopes;
    bool has_app;
};

static bool opens(const struct expected *e, uint32_t scopes)
{
    char word[40];
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(word, sizeof word, " %s ", scope_names[i]);
        if (scopes >> i & 1 && strstr(e->scopes, word))
            return true;
    }
    return false;
}

static enum error_code judge(const struct expected *e, const struct key *key)
{
    uint32_t scopes = key->scopes;
    if (key->role == 'A' && !scopes)
        scopes = 0x3f; /* of a time before scopes: all that it could do then */
    if (!strchr(e->roles, key->role))
        return E_NOT_ALLOWED;
    if (strcmp(e->scopes, "*") == 0)
        return E_OK;
    if (scopes && !opens(e, scopes))
        return E_SCOPE_MISSING;
    return key->has_app && !e->by_app ? E_KEY_APP : E_OK;
}

static const struct {
    char letter;
    Rota__Role role;
} roles[ROLES] = {{'O', ROTA__ROLE__OPERATOR},
                  {'A', ROTA__ROLE__ACCOUNT},
                  {'W', ROTA__ROLE__WORKER},
                  {'G', ROTA__ROLE__GATEWAY}};

/* Puts a key's row straight into the store. */
static void key_put(struct engine_kit *k, struct txn *txn, struct key *key, uint32_t serial)
{
    uint8_t hash[APIKEY_HASH_BYTES];
    struct key_row row = {.serial = serial,
                          .account = 1,
                          .scopes = key->scopes,
                          .prefix = span_of(key->text, APIKEY_PREFIX_LEN),
                          .app = span_str(key->has_app ? "shop" : "")};
    for (size_t i = 0; i < ROLES; i++)
        if (roles[i].letter == key->role)
            row.role = (uint8_t)roles[i].role;
    apikey_make(false, key->text);
    apikey_hash(k->hash_key, key->text, hash);
    assert_int_equal(row_put(txn, &key_row_type, span_of(hash, sizeof hash), &row), 0);
}

/* None, each alone, all but each, all. */
static uint32_t scope_set(size_t i)
{
    const uint32_t all = (1u << NAMES) - 1;
    if (i == 0)
        return 0;
    if (i <= NAMES)
        return 1u << (i - 1);
    return i <= (size_t)2 * NAMES ? all & ~(1u << (i - 1 - NAMES)) : all;
}
enum { SETS = 2 * NAMES + 2, KEYS = ROLES * SETS * 2 };

static struct key keys[KEYS];

static void keys_make(struct engine_kit *k)
{
    AUTO(txn) txn = NULL;
    uint32_t serial = 100;
    size_t n = 0;
    assert_int_equal(store_begin(k->store, &txn), 0);
    for (size_t role = 0; role < ROLES; role++)
        for (size_t set = 0; set < SETS; set++)
            for (int has_app = 0; has_app < 2; has_app++, n++) {
                keys[n] = (struct key){
                    .role = roles[role].letter, .scopes = scope_set(set), .has_app = has_app == 1};
                key_put(k, txn, &keys[n], serial++);
            }
    assert_int_equal(n, KEYS);
    assert_int_equal(store_commit(&txn), 0);
}

static const struct op_row *op_at(size_t i)
{
    return op_row(ROTA__REQUEST__OP_PING + (uint32_t)i);
}

static void every_operation_by_every_kind_of_key(void **state)
{
    struct engine_kit *k = *state;
    unsigned tried = 0, let_in = 0, ops = 0;
    keys_make(k);
    AUTO(txn) txn = kit_snapshot(k->store);
    for (const struct op_row *op; (op = op_at(ops)); ops++) {
        const struct expected *e = expected_of(op->name);
        for (size_t i = 0; i < KEYS; i++, tried++) {
            Rota__Request request = ROTA__REQUEST__INIT;
            struct principal who;
            request.environment = (char *)"development";
            request.credential = keys[i].text;
            struct auth_call call = {.request = &request, .op = op, .wall_ms = k->now.wall_ms};
            enum error_code got = auth_check(k->auth, txn, &call, &who);
            if (got != judge(e, &keys[i]))
                fail_msg("%s by %c with scopes %x%s: %s", op->name, keys[i].role, keys[i].scopes,
                         keys[i].has_app ? " for one app" : "", got ? error_row(got)->name : "ok");
            let_in += got == E_OK;
        }
    }
    assert_int_equal(ops, ARRAY_LEN(table));
    printf("%u operations, %d kinds of keys: %u combinations, %u let in\n", ops, KEYS, tried,
           let_in);
    assert_int_equal(tried, ARRAY_LEN(table) * KEYS);
}

/* Should a principal ever come without its scopes: an account's may do nothing then. */
static void an_account_without_scopes_may_do_nothing(void **state)
{
    (void)state;
    struct principal who = {.role = ROTA__ROLE__ACCOUNT};
    unsigned refused = 0;
    for (size_t i = 1; op_at(i); i++)
        refused += auth_allows(&who, op_at(i)) != E_OK;
    assert_int_equal(refused, ARRAY_LEN(table) - 1); /* all but ping */
    assert_false(auth_has(&who, SCOPE_BUILD_READ));
    who.role = ROTA__ROLE__OPERATOR;
    assert_true(auth_has(&who, SCOPE_BUILD_READ));
    who.scopes = SCOPE_OPERATE_READ;
    assert_false(auth_has(&who, SCOPE_BUILD_READ));
}

static void the_scopes_are_those_that_are_written_down(void **state)
{
    (void)state;
    assert_int_equal(SCOPES, NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        assert_string_equal(scope_name(i), scope_names[i]);
        assert_int_equal(scope_by_name(scope_names[i]), 1u << i);
    }
    assert_int_equal(scope_by_name("build:destroy"), 0);
    assert_int_equal(scope_by_name(""), 0);
    char text[400], tiny[16];
    scopes_text(UINT32_MAX, text, sizeof text);
    assert_non_null(strstr(text, "build:create build:read build:control"));
    assert_string_equal(scopes_text(3, tiny, sizeof tiny), "build:create");
}

/* What a role, a member, and a key for one app may carry at most. */
static void nobody_may_carry_more_than_is_written_down(void **state)
{
    (void)state;
    const uint32_t account = (1u << 13) - 1, gateway = (1u << 8) - 1, app = (1u << 7) - 1;
    assert_int_equal(scopes_of_role(ROTA__ROLE__OPERATOR), (1u << NAMES) - 1);
    assert_int_equal(scopes_of_role(ROTA__ROLE__ACCOUNT), account);
    assert_int_equal(scopes_of_role(ROTA__ROLE__GATEWAY), gateway);
    assert_int_equal(scopes_of_role(ROTA__ROLE__WORKER), 0);
    assert_int_equal(scopes_of_app(), app);
    assert_int_equal(scopes_of_member(ROTA__MEMBER_ROLE__OWNER), account);
    assert_int_equal(scopes_of_member(ROTA__MEMBER_ROLE__ADMIN), account & ~(1u << 8));
    assert_int_equal(scopes_of_member(ROTA__MEMBER_ROLE__MEMBER),
                     1 | 2 | 4 | 8 | 1u << 4 | 1u << 7);
    assert_int_equal(scopes_of_member(ROTA__MEMBER_ROLE__MEMBER_ROLE_NONE), 0);
    assert_int_equal(scopes_default(ROTA__ROLE__ACCOUNT), 1 | 2);
    assert_int_equal(scopes_default(ROTA__ROLE__OPERATOR), 0);
}

/* ---- the same at the doors that requests come through ---- */

/* A request of this operation with nothing set. */
static Rota__Request *empty_request(const struct op_row *op, Rota__Request *request)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(&rota__request__descriptor, op->tag);
    static union {
        uint64_t align;
        uint8_t bytes[1024];
    } message;
    const ProtobufCMessageDescriptor *type = f->descriptor;
    assert_true(type->sizeof_message <= sizeof message);
    rota__request__init(request);
    type->message_init((ProtobufCMessage *)(void *)&message);
    void *at = &message;
    memcpy((char *)request + f->offset, &at, sizeof at);
    request->op_case = (Rota__Request__OpCase)op->tag;
    return request;
}

/* What the engine, or the query, says to it: "" for anything that is not about who asks. */
static const char *refusal(struct engine_kit *k, const struct op_row *op, const struct key *key)
{
    static const char *const about[] = {"NOT_ALLOWED", "SCOPE_MISSING", "KEY_APP"};
    Rota__Request request;
    const Rota__Reply *reply = kit_call(k, empty_request(op, &request), key->text);
    for (size_t i = 0; reply && i < ARRAY_LEN(about); i++)
        if (strcmp(kit_error(reply), about[i]) == 0)
            return about[i];
    return "";
}

/* Turns with keys of each role: no scopes, a wrong one, all. */
static void the_turn_asks_the_same_table(void **state)
{
    struct engine_kit *k = *state;
    unsigned tried = 0, refused = 0;
    keys_make(k);
    for (size_t i = 0; op_at(i); i++) {
        const struct op_row *op = op_at(i);
        const struct expected *e = expected_of(op->name);
        if (op->lane != LANE_TURN)
            continue;
        for (size_t n = 0; n < KEYS; n++) {
            const struct key *key = &keys[n];
            enum error_code want = judge(e, key);
            /* Those let in are many and do something: one of them is enough. */
            if (want == E_OK && (key->has_app || key->scopes != scope_set(SETS - 1)))
                continue;
            const char *got = refusal(k, op, key);
            if (strcmp(got, want ? error_row(want)->name : "") != 0 && want)
                fail_msg("%s by %c with scopes %x: %s", op->name, key->role, key->scopes, got);
            refused += *got != '\0';
            tried++;
        }
    }
    kit_check(k);
    printf("%u requests in turns, %u refused for who asked\n", tried, refused);
    assert_true(refused > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_without_scopes_may_do_nothing),
        cmocka_unit_test(the_scopes_are_those_that_are_written_down),
        cmocka_unit_test(nobody_may_carry_more_than_is_written_down),
        ENGINE_CASE(every_operation_by_every_kind_of_key),
        ENGINE_CASE(the_turn_asks_the_same_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
