/* key_kit.c: see key_kit.h. */
#include "key_kit.h"

char kit_job[40];

static size_t words_split(char *text, char **words)
{
    size_t n = 0;
    for (char *at = text; *at;) {
        words[n++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    return n;
}

static void key_read(const Rota__KeyCreateResult *result, struct kit_key *key)
{
    const Rota__Key *m = result->key;
    *key = (struct kit_key){.serial = m->serial,
                            .rate_minute = m->rate_minute,
                            .expires_ms = m->expires_ms,
                            .builds_month = m->builds_month};
    snprintf(key->credential, sizeof key->credential, "%s", result->credential);
    snprintf(key->prefix, sizeof key->prefix, "%s", m->prefix);
    snprintf(key->member, sizeof key->member, "%s", m->member);
    snprintf(key->app, sizeof key->app, "%s", m->app);
    for (size_t i = 0, n = 0; i < m->n_scope; i++)
        n += (size_t)snprintf(key->scopes + n, sizeof key->scopes - n, "%s%s", i ? " " : "",
                              m->scope[i]);
}

const char *kit_key_try(struct engine_kit *k, const struct kit_wish *wish, struct kit_key *ret_key)
{
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char scopes[320], *words[20];
    snprintf(scopes, sizeof scopes, "%s", wish->scopes ? wish->scopes : "");
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    create.n_scope = words_split(scopes, words);
    create.scope = words;
    create.account = (char *)(wish->account ? wish->account : "");
    create.member = (char *)(wish->member ? wish->member : "");
    create.app = (char *)(wish->app ? wish->app : "");
    create.role = wish->role ? wish->role : ROTA__ROLE__ACCOUNT;
    create.expires_ms = wish->expires_ms;
    create.builds_month = wish->builds_month;
    create.load = wish->load;
    if (wish->has_rate)
        create.set_rate_case = ROTA__KEY_CREATE__SET_RATE_RATE_MINUTE;
    create.rate_minute = wish->rate_minute;
    Rota__Reply *reply = kit_call(k, &request, wish->as);
    if (!reply->error)
        key_read(reply->key_create, ret_key);
    return kit_error(reply);
}

struct kit_key kit_key(struct engine_kit *k, const struct kit_wish *wish)
{
    struct kit_key key;
    assert_string_equal(kit_key_try(k, wish, &key), "");
    return key;
}

struct kit_key kit_key_of(struct engine_kit *k, const char *account, const char *scopes)
{
    return kit_key(k, &(struct kit_wish){.account = account, .scopes = scopes, .has_rate = true});
}

const char *kit_revoke(struct engine_kit *k, const char *as, uint32_t serial)
{
    Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
    request.key_revoke = &revoke;
    revoke.serial = serial;
    return kit_error(kit_call(k, &request, as));
}

const char *kit_member_set(struct engine_kit *k, const char *as, const char *account,
                           const char *email, Rota__MemberRole role)
{
    Rota__MemberSet set = ROTA__MEMBER_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_MEMBER_SET;
    request.member_set = &set;
    set.account = (char *)account;
    set.email = (char *)email;
    set.role = role;
    return kit_error(kit_call(k, &request, as));
}

const char *kit_member_remove(struct engine_kit *k, const char *as, const char *account,
                              const char *email)
{
    Rota__MemberRemove gone = ROTA__MEMBER_REMOVE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_MEMBER_REMOVE;
    request.member_remove = &gone;
    gone.account = (char *)account;
    gone.email = (char *)email;
    return kit_error(kit_call(k, &request, as));
}

const char *kit_publish_as(struct engine_kit *k, const char *as, const char *app)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = (char *)app;
    publish.class_ = (char *)"task";
    Rota__Reply *reply = kit_call(k, &request, as);
    if (!reply->error)
        snprintf(kit_job, sizeof kit_job, "%s", reply->publish->job);
    return kit_error(reply);
}

const char *kit_app(struct engine_kit *k, const char *as, const char *account, const char *app)
{
    Rota__AppSet set = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_APP_SET;
    request.app_set = &set;
    set.account = (char *)account;
    set.app = (char *)app;
    return kit_error(kit_call(k, &request, as));
}

struct kit_usage kit_key_usage(struct engine_kit *k, uint32_t serial)
{
    Rota__KeyUsage usage = ROTA__KEY_USAGE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_KEY_USAGE;
    request.key_usage = &usage;
    usage.serial = serial;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    const Rota__KeyUsageResult *result = reply->key_usage;
    struct kit_usage u = {.requests = result->requests,
                          .builds = result->builds,
                          .builds_used = result->builds_used,
                          .last_used_ms = result->key->last_used_ms};
    for (size_t i = 0; i < result->n_count; i++)
        u.count[result->count[i]->state] = result->count[i]->jobs;
    return u;
}

struct key_use_row kit_key_use_row(struct engine_kit *k, uint32_t serial)
{
    struct key_use_row row = {0};
    struct key_buf key;
    AUTO(txn) txn = kit_snapshot(k->store);
    int r = row_get(txn, &key_use_row_type, key_u32(&key, serial), &row);
    assert_true(r == 0 || r == STORE_MISSING);
    return row;
}
