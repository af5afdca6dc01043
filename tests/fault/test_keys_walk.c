/* test_keys_walk.c: every call into LMDB may fail while keys are made, used, counted, narrowed and
 * revoked.
 *
 * One scenario runs again and again; in run N the Nth call fails with one code. A turn that faults
 * ends the broker, as exit 74 does, and the store is opened again. Then: a key that was given out
 * is good, one that was said to be revoked is not, what a member may no longer do his key may not,
 * the quota counts exactly the jobs that there are, and no table knows a key that another does not.
 */
#include "fault/lmdb_fault.h"
#include "unit/key_kit.h"

#include <errno.h>
#include <lmdb.h>

enum { CALLS_MAX = 5000, PUBLISHES = 3 };

struct walk {
    struct engine_kit k;
    struct kit_key quota, members, gone;
    bool has_quota, has_members, has_gone, was_narrowed, was_revoked;
    unsigned published, died, refused;
};

/* After a fault the broker is gone; a new one opens the store. */
static void heal(struct walk *w)
{
    if (!w->k.fault)
        return;
    w->died++;
    w->k.fault = 0;
    fault_arm(0, 0);
    engine_kit_close(&w->k);
    engine_kit_open(&w->k);
}

/* The call was answered, and well. (Without a reply the turn has failed.) */
static bool call(struct walk *w, Rota__Request *request, const char *as, Rota__Reply **ret_reply)
{
    *ret_reply = kit_call(&w->k, request, as);
    bool good = *ret_reply && !(*ret_reply)->error;
    if (*ret_reply && !good) {
        assert_true((*ret_reply)->error->retryable);
        w->refused++;
    }
    return good;
}

static bool make(struct walk *w, const char *member, uint64_t builds, struct kit_key *ret_key)
{
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    char *scopes[] = {(char *)"build:create", (char *)"app:write"};
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    create.account = (char *)"acme";
    create.role = ROTA__ROLE__ACCOUNT;
    create.scope = scopes;
    create.n_scope = ARRAY_LEN(scopes);
    create.member = (char *)member;
    create.builds_month = builds;
    bool good = call(w, &request, NULL, &reply);
    if (good) {
        ret_key->serial = reply->key_create->key->serial;
        snprintf(ret_key->credential, sizeof ret_key->credential, "%s",
                 reply->key_create->credential);
    }
    heal(w);
    return good;
}

static void publish(struct walk *w)
{
    Rota__Publish q = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &q;
    q.app = (char *)"shop";
    q.class_ = (char *)"task";
    w->published += call(w, &request, w->quota.credential, &reply);
    heal(w);
}

static bool narrow(struct walk *w)
{
    Rota__MemberSet set = ROTA__MEMBER_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    request.op_case = ROTA__REQUEST__OP_MEMBER_SET;
    request.member_set = &set;
    set.account = (char *)"acme";
    set.email = (char *)"bob@example.org";
    set.role = ROTA__MEMBER_ROLE__MEMBER;
    bool good = call(w, &request, NULL, &reply);
    heal(w);
    return good;
}

static bool revoke_key(struct walk *w)
{
    Rota__KeyRevoke q = ROTA__KEY_REVOKE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    request.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
    request.key_revoke = &q;
    q.serial = w->gone.serial;
    bool good = call(w, &request, NULL, &reply);
    heal(w);
    return good;
}

static void begin(struct walk *w)
{
    kit_account(&w->k, "acme", ROTA__TIER__P0, 0);
    assert_string_equal(kit_app(&w->k, NULL, "acme", "shop"), "");
    assert_string_equal(
        kit_member_set(&w->k, NULL, "acme", "bob@example.org", ROTA__MEMBER_ROLE__ADMIN), "");
}

static void scenario(struct walk *w)
{
    w->has_quota = make(w, "", 10, &w->quota);
    w->has_members = make(w, "bob@example.org", 0, &w->members);
    w->has_gone = make(w, "", 0, &w->gone);
    for (int i = 0; i < PUBLISHES && w->has_quota; i++)
        publish(w);
    w->was_narrowed = narrow(w);
    w->was_revoked = w->has_gone && revoke_key(w);
    kit_pass(&w->k, 11000); /* what is written now and then */
    heal(w);
}

static void judge(struct walk *w)
{
    struct engine_kit *k = &w->k;
    fault_arm(0, 0);
    k->may_fail = false;
    engine_kit_close(k);
    engine_kit_open(k);
    kit_check(k);
    assert_int_equal(kit_rows(k, TABLE_KEY), kit_rows(k, TABLE_KEY_OF));
    assert_int_equal(kit_rows(k, TABLE_KEY), kit_rows(k, TABLE_KEY_SERIAL));
    assert_true(kit_rows(k, TABLE_JOB) >= w->published);
    if (w->has_quota)
        assert_int_equal(kit_key_use_row(k, w->quota.serial).month_builds, kit_rows(k, TABLE_JOB));
    if (w->has_members && w->was_narrowed)
        assert_string_equal(kit_app(k, w->members.credential, "", "shop"), "SCOPE_MISSING");
    if (w->has_members)
        assert_string_equal(kit_publish_as(k, w->members.credential, "shop"), "");
    if (w->was_revoked)
        assert_string_equal(kit_publish_as(k, w->gone.credential, "shop"), "KEY_REVOKED");
    kit_pass(k, 11000);
    kit_check(k);
}

static void walk_with(int code, const char *name)
{
    uint64_t n = 1, refused = 0, died = 0;
    for (;; n++) {
        assert_true(n < CALLS_MAX);
        struct walk w = {.published = 0};
        engine_kit_setup(&w.k, 64 << 20);
        begin(&w);
        w.k.may_fail = true;
        fault_arm(n, code);
        scenario(&w);
        bool hit = fault_hit() != NULL || w.died;
        judge(&w);
        refused += w.refused;
        died += w.died;
        engine_kit_teardown(&w.k);
        if (!hit)
            break;
    }
    printf("%s: %llu calls failed in turn: %llu refusals, %llu restarts, every quota exact\n", name,
           (unsigned long long)(n - 1), (unsigned long long)refused, (unsigned long long)died);
    assert_true(n > 50);
}

static void eio(void **state)
{
    (void)state;
    walk_with(EIO, "EIO");
}

static void map_full(void **state)
{
    (void)state;
    walk_with(MDB_MAP_FULL, "MAP_FULL");
}

static void no_memory(void **state)
{
    (void)state;
    walk_with(ENOMEM, "ENOMEM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(eio), cmocka_unit_test(map_full),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
