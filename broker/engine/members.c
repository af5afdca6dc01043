/* members.c: the people of an account. Their keys can do at most what their role may, so when a
 * role shrinks, or a member goes, their keys follow in the same turn. An account that ever had an
 * owner keeps one. */
#include "engine/keyring.h"

#include "email.h"

#include <errno.h>

/* ---- who is what ---- */

int member_role(struct txn *txn, uint64_t account, struct span email, Rota__MemberRole *ret_role)
{
    struct member_row row;
    struct key_buf k;
    int r = row_get(txn, &member_row_type, key_named(&k, account, email), &row);
    if (r == 0)
        *ret_role = (Rota__MemberRole)row.role;
    return r;
}

int caller_member(struct turn *t, struct span *ret_email)
{
    struct key_held key;
    *ret_email = span_of("", 0);
    if (!t->who.has_member)
        return 0;
    int r = turn_store(key_read(t, t->who.key_serial, &key));
    if (r == 0)
        *ret_email = key.row.member;
    return r;
}

int caller_rank(struct turn *t, Rota__MemberRole *ret_role)
{
    struct span email;
    *ret_role = ROTA__MEMBER_ROLE__OWNER;
    int r = caller_member(t, &email);
    if (r != 0 || !email.n)
        return r;
    return turn_store(member_role(t->txn, t->who.account, email, ret_role));
}

/* ---- one act on one member ---- */

struct act {
    uint64_t account;
    struct account *a;
    char email[EMAIL_LEN_MAX + 1];
    struct member_row row; /* as it was; role 0: not a member yet */
    Rota__MemberRole to;   /* 0: goes */
};

static int act_begin(struct turn *t, const char *account, const char *email, struct act *act)
{
    struct key_buf k;
    enum error_code code = auth_account(t->txn, &t->who, account, &act->account);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", account, error_row(code)->text);
    if (!email_read(email, act->email))
        return turn_refuse(t, E_EMAIL_INVALID, "\"%.100s\" is no e-mail address", email);
    int r = turn_store(cache_account(t->cache, t->txn, act->account, &act->a));
    if (r != 0)
        return r;
    if (act->a->bars & ROTA__BAR__BAR_ERASING)
        return turn_refuse(t, E_ACCOUNT_ERASING, "account \"%s\" is being erased", act->a->id);
    act->row = (struct member_row){.created_ms = t->now.wall_ms};
    r = row_get(t->txn, &member_row_type, key_named(&k, act->account, span_str(act->email)),
                &act->row);
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* An admin may neither make owners nor change or remove them. */
static int check_rank(struct turn *t, const struct act *act)
{
    Rota__MemberRole mine;
    int r = caller_rank(t, &mine);
    bool is_owners =
        act->row.role == ROTA__MEMBER_ROLE__OWNER || act->to == ROTA__MEMBER_ROLE__OWNER;
    if (r != 0 || mine == ROTA__MEMBER_ROLE__OWNER || !is_owners)
        return r;
    return turn_refuse(t, E_NOT_ALLOWED, "only an owner may make, change or remove an owner");
}

static int count_owners(struct turn *t, uint64_t account, size_t *ret_owners)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct member_row row;
    *ret_owners = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_MEMBER, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, key_u64(&k, account), &key, &value);
         r == 0 && get_be64(key.p) == account; r = cursor_next(cursor, &key, &value)) {
        r = row_decode(&member_row_type, key, value, &row);
        if (r < 0)
            return err_pass(r);
        *ret_owners += row.role == ROTA__MEMBER_ROLE__OWNER;
    }
    return r < 0 ? err_pass(r) : 0;
}

static int check_last_owner(struct turn *t, const struct act *act)
{
    size_t owners;
    if (act->row.role != ROTA__MEMBER_ROLE__OWNER || act->to == ROTA__MEMBER_ROLE__OWNER)
        return 0;
    int r = count_owners(t, act->account, &owners);
    if (r != 0 || owners > 1)
        return r;
    return turn_refuse(t, E_LAST_OWNER, "%s is the last owner of account \"%s\"", act->email,
                       act->a->id);
}

/* One member more or less stands in the account's own row. */
static int count_member(struct turn *t, const struct act *act, int by)
{
    struct account_row row;
    int r = turn_store(account_row_read(t, act->account, &row));
    if (r != 0)
        return r;
    if (by > 0 && row.members >= MEMBERS_MAX)
        return turn_refuse(t, E_MEMBER_LIMIT, "account \"%s\" has %d members, as many as it may",
                           act->a->id, MEMBERS_MAX);
    row.members = (uint16_t)(row.members + by);
    return account_row_write(t, act->account, &row);
}

static int narrow_visit(struct turn *t, struct key_held *key, void *arg)
{
    const struct act *act = arg;
    struct span email = span_str(act->email);
    if (key->row.member.n != email.n || memcmp(key->row.member.p, email.p, email.n) != 0)
        return 0;
    uint32_t now = key->row.scopes ? key->row.scopes : scopes_default((Rota__Role)key->row.role);
    uint32_t most = act->to ? scopes_of_member(act->to) : 0;
    return (now & most) == now ? 0 : key_narrow(t, key, now & most);
}

static int act_result(struct turn *t, const struct act *act, Rota__MemberRole role,
                      Rota__MemberResult **ret_result)
{
    Rota__MemberResult *result = arena_alloc(t->fx->arena, sizeof *result);
    Rota__Member *m = arena_alloc(t->fx->arena, sizeof *m);
    if (!result || !m)
        return err_raise(-ENOMEM);
    rota__member_result__init(result);
    rota__member__init(m);
    m->account = act->a->id;
    m->email = turn_str(t, span_str(act->email));
    m->role = role;
    m->created_ms = act->row.created_ms;
    result->member = m;
    *ret_result = result;
    return 0;
}

static const char *role_word(uint32_t role)
{
    static const char *const words[] = {"no member", "owner", "admin", "member"};
    return words[role < ARRAY_LEN(words) ? role : 0];
}

/* ---- the requests ---- */

static int member_write(struct turn *t, const struct act *act)
{
    struct key_buf k;
    struct member_row row = {.role = (uint8_t)act->to, .created_ms = act->row.created_ms};
    return turn_store(
        row_put(t->txn, &member_row_type, key_named(&k, act->account, span_str(act->email)), &row));
}

int turn_member_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__MemberSet *q = request->member_set;
    struct act act = {.to = q->role};
    if (!q->role)
        return turn_refuse(t, E_FIELD_MISSING, "member_set.role is not set");
    int r = act_begin(t, q->account, q->email, &act);
    if (r == 0)
        r = check_rank(t, &act);
    if (r == 0)
        r = check_last_owner(t, &act);
    if (r == 0 && !act.row.role)
        r = count_member(t, &act, 1);
    if (r == 0 && act.row.role != (uint8_t)act.to)
        r = trail_note(t, act.a->id, "%s: %s, was %s", act.email, role_word(act.to),
                       role_word(act.row.role));
    if (r == 0)
        r = member_write(t, &act);
    if (r == 0 && act.row.role)
        r = keys_of(t, act.account, narrow_visit, &act);
    return r == 0 ? act_result(t, &act, act.to, &reply->member_set) : r;
}

int turn_member_remove(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__MemberRemove *q = request->member_remove;
    struct act act = {.to = ROTA__MEMBER_ROLE__MEMBER_ROLE_NONE};
    struct key_buf k;
    int r = act_begin(t, q->account, q->email, &act);
    if (r == 0 && !act.row.role)
        r = turn_refuse(t, E_MEMBER_UNKNOWN, "account \"%s\" has no member %s", act.a->id,
                        act.email);
    if (r == 0)
        r = check_rank(t, &act);
    if (r == 0)
        r = check_last_owner(t, &act);
    if (r == 0)
        r = count_member(t, &act, -1);
    if (r == 0)
        r = trail_note(t, act.a->id, "%s: removed, was %s", act.email, role_word(act.row.role));
    if (r == 0)
        r = turn_store(
            txn_del(t->txn, TABLE_MEMBER, key_named(&k, act.account, span_str(act.email))));
    if (r == 0)
        r = keys_of(t, act.account, narrow_visit, &act);
    return r == 0 ? act_result(t, &act, (Rota__MemberRole)act.row.role, &reply->member_remove) : r;
}
