/* auth.c: a direct-mapped cache from the credential's hash to its key row, under one lock, and a
 * bitmap of the keys whose rows were changed since the start. Those are never taken from the cache:
 * a reader that filled an entry from an older snapshot cannot bring back what was revoked or taken
 * away. */
#include "engine/auth.h"

#include "apikey.h"
#include "store/keys.h"
#include "store/rows.h"

#include <base/clock.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { AUTH_CACHE_SIZE = 1024 };

struct entry {
    uint8_t hash[APIKEY_HASH_BYTES];
    struct principal who;
    bool is_used;
};

struct auth {
    pthread_mutex_t lock; /* everything below but the first three, which never change */
    char environment[65];
    bool is_production;
    uint8_t hash_key[32];
    struct entry cache[AUTH_CACHE_SIZE];
    uint8_t *changed; /* bit per serial */
    size_t changed_bytes;
    struct uses *uses;
};

int auth_new(const char *environment, const uint8_t hash_key[32], struct auth **ret_auth)
{
    AUTO(auth) a = calloc(1, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&a->lock, NULL);
    memcpy(a->environment, environment, strnlen(environment, sizeof a->environment - 1));
    a->is_production = strcmp(environment, "production") == 0;
    memcpy(a->hash_key, hash_key, sizeof a->hash_key);
    int r = uses_new(&a->uses);
    if (r < 0)
        return err_pass(r);
    *ret_auth = TAKE(a);
    return 0;
}

struct auth *auth_free(struct auth *a)
{
    if (a) {
        pthread_mutex_destroy(&a->lock);
        sodium_memzero(a->hash_key, sizeof a->hash_key);
        uses_free(a->uses);
        free(a->changed);
        free(a);
    }
    return NULL;
}

/* ---- who ---- */

static bool is_changed(const struct auth *a, uint32_t serial)
{
    return serial / 8 < a->changed_bytes && (a->changed[serial / 8] & 1 << serial % 8);
}

void auth_distrust(struct auth *a, uint32_t serial)
{
    pthread_mutex_lock(&a->lock);
    if (serial / 8 >= a->changed_bytes) {
        size_t n = serial / 8 + 64;
        uint8_t *more = realloc(a->changed, n);
        if (!more)
            abort(); /* rather down than open to a revoked key */
        memset(more + a->changed_bytes, 0, n - a->changed_bytes);
        a->changed = more;
        a->changed_bytes = n;
    }
    a->changed[serial / 8] |= (uint8_t)(1 << serial % 8);
    pthread_mutex_unlock(&a->lock);
}

static struct entry *slot(struct auth *a, const uint8_t hash[APIKEY_HASH_BYTES])
{
    return &a->cache[get_be16(hash) % AUTH_CACHE_SIZE];
}

static bool from_cache(struct auth *a, const uint8_t hash[APIKEY_HASH_BYTES],
                       struct principal *ret_who)
{
    pthread_mutex_lock(&a->lock);
    struct entry *e = slot(a, hash);
    bool found = e->is_used && sodium_memcmp(e->hash, hash, sizeof e->hash) == 0 &&
                 !is_changed(a, e->who.key_serial);
    if (found)
        *ret_who = e->who;
    pthread_mutex_unlock(&a->lock);
    return found;
}

static void to_cache(struct auth *a, const uint8_t hash[APIKEY_HASH_BYTES],
                     const struct principal *who)
{
    pthread_mutex_lock(&a->lock);
    struct entry *e = slot(a, hash);
    memcpy(e->hash, hash, sizeof e->hash);
    e->who = *who;
    e->is_used = true;
    pthread_mutex_unlock(&a->lock);
}

/* An account's key without any is of a time before scopes: it keeps what it could do then. */
static uint32_t scopes_of(const struct key_row *key)
{
    enum {
        BEFORE = SCOPE_BUILD_CREATE | SCOPE_BUILD_READ | SCOPE_BUILD_CONTROL |
                 SCOPE_SOURCEMAP_READ | SCOPE_APP_READ | SCOPE_APP_WRITE
    };
    return key->scopes || key->role != ROTA__ROLE__ACCOUNT ? key->scopes : BEFORE;
}

static enum error_code who_of(struct txn *txn, const struct key_row *key, struct principal *ret_who)
{
    struct key_buf k;
    struct account_row account;
    struct principal who = {.role = (Rota__Role)key->role,
                            .key_serial = key->serial,
                            .account = key->account,
                            .scopes = scopes_of(key),
                            .rate_minute = key->rate_minute,
                            .builds_month = key->builds_month,
                            .expires_ms = key->expires_ms,
                            .has_member = key->member.n > 0};
    if (key->prefix.n > KEY_PREFIX_MAX || key->app.n > APP_NAME_MAX)
        return E_STORE_FAULT;
    memcpy(who.key_prefix, key->prefix.p, key->prefix.n);
    memcpy(who.app, key->app.p, key->app.n);
    int r = row_get(txn, &account_row_type, key_u64(&k, key->account), &account);
    if (r != 0 || account.id.n > ACCOUNT_ID_MAX)
        return E_STORE_FAULT;
    memcpy(who.account_id, account.id.p, account.id.n);
    *ret_who = who;
    return E_OK;
}

static enum error_code from_store(struct auth *a, struct txn *txn,
                                  const uint8_t hash[APIKEY_HASH_BYTES], struct principal *ret_who)
{
    struct key_row key;
    int r = row_get(txn, &key_row_type, span_of(hash, APIKEY_HASH_BYTES), &key);
    if (r == STORE_MISSING)
        return E_KEY_UNKNOWN;
    if (r != 0)
        return E_STORE_FAULT;
    if (key.revoked_ms)
        return E_KEY_REVOKED;
    if (key.is_load && a->is_production)
        return E_LOAD_KEY;
    enum error_code code = who_of(txn, &key, ret_who);
    if (code == E_OK)
        to_cache(a, hash, ret_who);
    return code;
}

/* ---- how often ---- */

__attribute__((format(printf, 3, 4))) static enum error_code
refuse(struct auth_call *call, enum error_code code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(call->text, sizeof call->text, format, ap);
    va_end(ap);
    return code;
}

/* A key that was not used lately: what is written down of it. */
static int use_load(struct auth *a, struct txn *txn, uint32_t serial, uint64_t wall_ms)
{
    struct key_use_row row = {0};
    struct key_buf k;
    int r = row_get(txn, &key_use_row_type, key_u32(&k, serial), &row);
    if (r < 0)
        return err_pass(r);
    struct use use = {.serial = serial,
                      .requests = row.requests,
                      .last_used_ms = row.last_used_ms,
                      .bucket = {row.tat}};
    pthread_mutex_lock(&a->lock);
    r = uses_add(a->uses, &use, wall_ms);
    pthread_mutex_unlock(&a->lock);
    return r < 0 ? err_pass(r) : 0;
}

/* Takes the lock, the key's use being here; below 0 it is not taken. */
static int use_lock(struct auth *a, struct txn *txn, uint32_t serial, uint64_t wall_ms)
{
    pthread_mutex_lock(&a->lock);
    while (!uses_find(a->uses, serial)) {
        pthread_mutex_unlock(&a->lock);
        int r = use_load(a, txn, serial, wall_ms);
        if (r < 0)
            return err_pass(r);
        pthread_mutex_lock(&a->lock);
    }
    return 0;
}

static enum error_code count(struct auth *a, struct txn *txn, struct auth_call *call,
                             const struct principal *who)
{
    uint64_t free_ms = 0;
    char at[RFC3339_LEN + 1];
    int r = use_lock(a, txn, who->key_serial, call->wall_ms);
    if (r < 0)
        return r == -ENOMEM ? E_MEMORY : E_STORE_FAULT;
    bool is_in = uses_count(a->uses, who->key_serial, call->op->flags & OP_COUNTED,
                            who->rate_minute, call->wall_ms, &free_ms);
    pthread_mutex_unlock(&a->lock);
    if (!is_in)
        return refuse(call, E_RATE_LIMITED,
                      "%s has made its %u requests a minute; the next is free at %s",
                      who->key_prefix, who->rate_minute, rfc3339(free_ms, at));
    call->is_counted = true;
    return E_OK;
}

bool auth_use(struct auth *a, uint32_t serial, struct use *ret_use)
{
    pthread_mutex_lock(&a->lock);
    const struct use *use = uses_find(a->uses, serial);
    if (use)
        *ret_use = *use;
    pthread_mutex_unlock(&a->lock);
    return use != NULL;
}

int auth_use_touch(struct auth *a, struct txn *txn, uint32_t serial, uint64_t wall_ms)
{
    int r = use_lock(a, txn, serial, wall_ms);
    if (r < 0)
        return err_pass(r);
    uses_touch(a->uses, serial);
    pthread_mutex_unlock(&a->lock);
    return 0;
}

size_t auth_uses_take(struct auth *a, struct use *ret_uses, size_t n)
{
    pthread_mutex_lock(&a->lock);
    size_t taken = uses_take(a->uses, ret_uses, n);
    pthread_mutex_unlock(&a->lock);
    return taken;
}

void auth_uses_written(struct auth *a, const struct use *written, size_t n)
{
    pthread_mutex_lock(&a->lock);
    uses_written(a->uses, written, n);
    pthread_mutex_unlock(&a->lock);
}

size_t auth_uses_waiting(struct auth *a)
{
    pthread_mutex_lock(&a->lock);
    size_t waiting = uses_waiting(a->uses);
    pthread_mutex_unlock(&a->lock);
    return waiting;
}

/* ---- what ---- */

static bool is_bounded(const struct principal *who)
{
    return who->role == ROTA__ROLE__ACCOUNT || who->scopes;
}

bool auth_has(const struct principal *who, uint32_t scopes)
{
    return !is_bounded(who) || (who->scopes & scopes) == scopes;
}

enum error_code auth_allows(const struct principal *who, const struct op_row *op)
{
    if (!(op->roles & 1u << who->role))
        return E_NOT_ALLOWED;
    if (op->roles == R_ANY)
        return E_OK;
    if (is_bounded(who) && !(op->scopes & who->scopes))
        return E_SCOPE_MISSING;
    return who->app[0] && !(op->flags & OP_APPS) ? E_KEY_APP : E_OK;
}

/* The same, in words. */
static enum error_code judge(struct auth_call *call, const struct principal *who)
{
    char scopes[AUTH_TEXT_LEN / 2];
    enum error_code code = auth_allows(who, call->op);
    if (code == E_SCOPE_MISSING && call->op->scopes)
        return refuse(call, code, "%s needs a key with scope %s; %s has none such", call->op->name,
                      scopes_text(call->op->scopes, scopes, sizeof scopes), who->key_prefix);
    if (code == E_KEY_APP)
        return refuse(call, code, "key %s is good for app \"%s\" only, %s is about the account",
                      who->key_prefix, who->app, call->op->name);
    return code;
}

static enum error_code identify(struct auth *a, struct txn *txn, struct auth_call *call,
                                struct principal *ret_who)
{
    uint8_t hash[APIKEY_HASH_BYTES];
    char at[RFC3339_LEN + 1];
    apikey_hash(a->hash_key, call->request->credential, hash);
    if (!from_cache(a, hash, ret_who)) {
        enum error_code code = from_store(a, txn, hash, ret_who);
        if (code != E_OK)
            return code;
    }
    if (ret_who->expires_ms && call->wall_ms >= ret_who->expires_ms)
        return refuse(call, E_KEY_EXPIRED, "key %s expired at %s", ret_who->key_prefix,
                      rfc3339(ret_who->expires_ms, at));
    return E_OK;
}

enum error_code auth_check(struct auth *a, struct txn *txn, struct auth_call *call,
                           struct principal *ret_who)
{
    const Rota__Request *request = call->request;
    struct principal who = {0};
    call->text[0] = '\0';
    if (call->op->tag == ROTA__REQUEST__OP_PING && !request->credential[0]) {
        *ret_who = (struct principal){.role = ROTA__ROLE__ROLE_NONE};
        return E_OK;
    }
    if (strcmp(request->environment, a->environment) != 0)
        return E_WRONG_ENVIRONMENT;
    if (!request->credential[0])
        return E_KEY_MISSING;
    enum error_code code = identify(a, txn, call, &who);
    if (code == E_OK && !call->is_counted)
        code = count(a, txn, call, &who);
    if (code == E_OK)
        code = judge(call, &who);
    if (code == E_OK && request->origin && who.role != ROTA__ROLE__GATEWAY)
        code = E_ORIGIN_NOT_ALLOWED;
    if (code == E_OK)
        *ret_who = who;
    return code;
}

/* ---- whose ---- */

/* Operators and gateways speak for any account, an account's key for its own. */
static bool speaks_for_all(const struct principal *who)
{
    return who->role == ROTA__ROLE__OPERATOR || who->role == ROTA__ROLE__GATEWAY;
}

enum error_code auth_account(struct txn *txn, const struct principal *who, const char *named,
                             uint64_t *ret_account)
{
    if (!named || !named[0] || strcmp(named, who->account_id) == 0) {
        *ret_account = who->account;
        return E_OK;
    }
    if (!speaks_for_all(who))
        return E_NOT_ALLOWED;
    struct account_id_row row;
    int r = row_get(txn, &account_id_row_type, span_str(named), &row);
    if (r != 0)
        return r == STORE_MISSING ? E_ACCOUNT_UNKNOWN : E_STORE_FAULT;
    *ret_account = row.account;
    return E_OK;
}

bool auth_sees(const struct principal *who, uint64_t account)
{
    return speaks_for_all(who) || who->account == account;
}

enum error_code auth_app(const struct principal *who, struct span app)
{
    size_t n = strlen(who->app);
    return !n || (app.n == n && memcmp(app.p, who->app, n) == 0) ? E_OK : E_KEY_APP;
}
