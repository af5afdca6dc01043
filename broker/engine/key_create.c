/* key_create.c: API keys are made and shown once. Nobody gives away more than he has: a key that an
 * account's own key makes is of the same account and role, for no longer, for no more requests and
 * builds, with scopes out of its maker's; a member's key makes keys for members of his rank at
 * most. One rule, one function, one row of the table. */
#include "engine/keyring.h"

#include "email.h"

#include <base/clock.h>
#include <errno.h>

/* One key on its way. */
struct wish {
    const Rota__KeyCreate *q;
    uint64_t account;
    struct account *a;
    bool is_given;         /* by an account's own key: bounded by what that has */
    uint32_t scopes, most; /* `most`: what the key may carry by its role, member and app */
    uint32_t rate_minute;
    uint64_t expires_ms, builds_month;
    struct span member;
};

static int check_account(struct turn *t, struct wish *w)
{
    const char *named = w->q->account;
    enum error_code code = auth_account(t->txn, &t->who, named, &w->account);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", named, error_row(code)->text);
    int r = turn_store(cache_account(t->cache, t->txn, w->account, &w->a));
    if (r == 0 && w->a->bars & ROTA__BAR__BAR_ERASING)
        return turn_refuse(t, E_ACCOUNT_ERASING, "account \"%s\" is being erased", w->a->id);
    return r;
}

static int check_role(struct turn *t, struct wish *w)
{
    Rota__Role role = w->q->role;
    if (role <= ROTA__ROLE__ROLE_NONE || role > ROTA__ROLE__GATEWAY)
        return turn_refuse(t, E_ROLE_UNKNOWN, "no role %d", (int)role);
    if (w->is_given && role != ROTA__ROLE__ACCOUNT)
        return turn_refuse(t, E_NOT_ALLOWED, "an account's key makes keys of role account only");
    w->most = scopes_of_role(role);
    return 0;
}

/* Keys of another role belong to no member and to no app. */
static int check_owned(struct turn *t, struct wish *w)
{
    bool is_account = w->q->role == ROTA__ROLE__ACCOUNT;
    if (is_account || (!w->q->member[0] && !w->q->app[0]))
        return 0;
    return turn_refuse(t, E_FIELD_INVALID, "key_create.%s: only a key of role account has one",
                       w->q->member[0] ? "member" : "app");
}

/* What a member's key makes belongs to a member too: to himself, when nobody is named. */
static int check_member(struct turn *t, struct wish *w)
{
    char email[EMAIL_LEN_MAX + 1];
    Rota__MemberRole mine, theirs;
    int r = caller_member(t, &w->member);
    if (r != 0)
        return r;
    if (w->q->member[0] && !email_read(w->q->member, email))
        return turn_refuse(t, E_EMAIL_INVALID, "\"%.100s\" is no e-mail address", w->q->member);
    if (w->q->member[0])
        w->member = span_of(turn_str(t, span_str(email)), strlen(email));
    if (!w->member.n)
        return 0;
    r = member_role(t->txn, w->account, w->member, &theirs);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_MEMBER_UNKNOWN, "account \"%s\" has no member %s", w->a->id, email);
    r = turn_store(r);
    if (r == 0)
        r = caller_rank(t, &mine);
    if (r == 0 && theirs < mine)
        return turn_refuse(t, E_NOT_ALLOWED, "only an owner makes keys for an owner");
    w->most &= scopes_of_member(theirs);
    return r;
}

static int check_app(struct turn *t, struct wish *w)
{
    struct app_row row;
    struct key_buf k;
    if (!w->q->app[0])
        return 0;
    int r = row_get(t->txn, &app_row_type, key_named(&k, w->account, span_str(w->q->app)), &row);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_APP_UNKNOWN, "account \"%s\" has no app \"%s\"", w->a->id,
                           w->q->app);
    w->most &= scopes_of_app();
    return turn_store(r);
}

static int read_scopes(struct turn *t, struct wish *w)
{
    for (size_t i = 0; i < w->q->n_scope; i++) {
        uint32_t scope = scope_by_name(w->q->scope[i]);
        if (!scope)
            return turn_refuse(t, E_SCOPE_UNKNOWN, "no scope \"%.40s\"", w->q->scope[i]);
        w->scopes |= scope;
    }
    return 0;
}

/* Nothing named: the role's default, as far as it may be given. */
static int check_scopes(struct turn *t, struct wish *w)
{
    uint32_t mine = w->is_given ? t->who.scopes : UINT32_MAX;
    int r = read_scopes(t, w);
    if (r != 0)
        return r;
    if (!w->scopes)
        w->scopes = scopes_default(w->q->role) & w->most & mine;
    if (w->scopes & ~w->most)
        return turn_refuse(t, E_SCOPE_UNKNOWN,
                           "a key of this role, of this member or for one app may not carry %s",
                           key_scopes_text(t, w->scopes & ~w->most));
    if (w->scopes & ~mine)
        return turn_refuse(t, E_SCOPE_MISSING, "your key does not carry %s, so it cannot give it",
                           key_scopes_text(t, w->scopes & ~mine));
    if (!w->scopes && w->q->role == ROTA__ROLE__ACCOUNT)
        return turn_refuse(t, E_SCOPE_MISSING, "nothing of the default can be given: name scopes");
    return 0;
}

static int check_expiry(struct turn *t, struct wish *w)
{
    char at[RFC3339_LEN + 1];
    uint64_t mine_ms = w->is_given ? t->who.expires_ms : 0;
    w->expires_ms = w->q->expires_ms ? w->q->expires_ms : mine_ms;
    if (w->expires_ms && w->expires_ms <= t->now.wall_ms)
        return turn_refuse(t, E_EXPIRY_INVALID, "the key would have expired at %s",
                           rfc3339(w->expires_ms, at));
    if (mine_ms && w->expires_ms > mine_ms)
        return turn_refuse(t, E_NOT_ALLOWED, "the key may not outlive yours, which expires at %s",
                           rfc3339(mine_ms, at));
    return 0;
}

/* 0 is no limit, so it is more than any other number. */
static bool is_more(uint64_t a, uint64_t b)
{
    return b && (!a || a > b);
}

static int check_rate(struct turn *t, struct wish *w)
{
    uint32_t mine = w->is_given ? t->who.rate_minute : 0;
    bool is_set = w->q->set_rate_case == ROTA__KEY_CREATE__SET_RATE_RATE_MINUTE;
    if (is_set)
        w->rate_minute = w->q->rate_minute;
    else if (w->q->role == ROTA__ROLE__ACCOUNT && !w->q->load)
        w->rate_minute = is_more(KEY_RATE_DEFAULT, mine) ? mine : KEY_RATE_DEFAULT;
    if (is_more(w->rate_minute, mine))
        return turn_refuse(t, E_NOT_ALLOWED,
                           "your key makes %u requests a minute: it gives no more", mine);
    return 0;
}

static int check_builds(struct turn *t, struct wish *w)
{
    uint64_t mine = w->is_given ? t->who.builds_month : 0;
    w->builds_month = w->q->builds_month ? w->q->builds_month : mine;
    if (is_more(w->builds_month, mine))
        return turn_refuse(t, E_NOT_ALLOWED, "your key has %llu builds a month: it gives no more",
                           (unsigned long long)mine);
    return 0;
}

static int check_load(struct turn *t, struct wish *w)
{
    if (!w->q->load)
        return 0;
    if (w->is_given)
        return turn_refuse(t, E_NOT_ALLOWED, "only an operator makes keys for load tests");
    if (strcmp(t->engine->config.environment, "production") == 0)
        return turn_refuse(t, E_LOAD_KEY, "this is production: no key for load tests is made here");
    return 0;
}

static int check_room(struct turn *t, struct wish *w)
{
    return keys_make_room(t, w->account);
}

static int (*const rules[])(struct turn *t, struct wish *w) = {
    check_account, check_role, check_owned,  check_member, check_app,  check_scopes,
    check_expiry,  check_rate, check_builds, check_load,   check_room,
};

static struct key_row row_of(struct turn *t, const struct wish *w, const char *text)
{
    SET(t->undo, t->cache->hot.key_serial, t->cache->hot.key_serial + 1);
    t->cache->hot_dirty = true;
    return (struct key_row){.serial = t->cache->hot.key_serial,
                            .account = w->account,
                            .role = (uint8_t)w->q->role,
                            .created_ms = t->now.wall_ms,
                            .prefix = span_of(text, APIKEY_PREFIX_LEN),
                            .name = span_str(w->q->name),
                            .scopes = w->scopes,
                            .expires_ms = w->expires_ms,
                            .rate_minute = w->rate_minute,
                            .builds_month = w->builds_month,
                            .member = w->member,
                            .app = span_str(w->q->app),
                            .is_load = w->q->load ? 1 : 0};
}

static int note(struct turn *t, const struct wish *w, const struct key_row *row)
{
    static const char *const roles[] = {"", "operator", "account", "worker", "gateway"};
    return trail_note(t, turn_str(t, row->prefix),
                      "makes key %u of account \"%s\", role %s, scopes: %s%s%s%s%s", row->serial,
                      w->a->id, roles[row->role],
                      row->scopes ? key_scopes_text(t, row->scopes) : "not bounded",
                      row->member.n ? ", member " : "", turn_str(t, row->member),
                      row->app.n ? ", app " : "", w->q->app);
}

int turn_key_create(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const struct engine_config *config = &t->engine->config;
    struct wish w = {.q = request->key_create, .is_given = t->who.role == ROTA__ROLE__ACCOUNT};
    char *text = arena_alloc(t->fx->arena, APIKEY_TEXT_LEN + 1);
    Rota__KeyCreateResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = text && result ? 0 : err_raise(-ENOMEM);
    for (size_t i = 0; i < ARRAY_LEN(rules) && r == 0; i++)
        r = rules[i](t, &w);
    if (r != 0)
        return r;
    rota__key_create_result__init(result);
    apikey_make(strcmp(config->environment, "production") == 0, text);
    struct key_row row = row_of(t, &w, text);
    r = turn_store(key_write(t->txn, config->hash_key, text, &row));
    if (r == 0)
        r = key_event(t, ROTA__EVENT_KIND__EVENT_KEY_CREATED, &row);
    if (r == 0)
        r = note(t, &w, &row);
    if (r == 0)
        r = key_message(t, &row, &result->key);
    result->credential = text;
    reply->key_create = result;
    return r;
}
