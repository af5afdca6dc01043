/* auth.c: a direct-mapped cache from the credential's hash to its key row, under one lock, and a
 * bitmap of the keys revoked since the start, which always has the last word: an entry filled from
 * an older snapshot can be stale, but never lets a revoked key in. */
#include "engine/auth.h"

#include "apikey.h"
#include "store/keys.h"
#include "store/rows.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum { AUTH_CACHE_SIZE = 1024 };

struct entry {
    uint8_t hash[APIKEY_HASH_BYTES];
    struct principal who;
    bool is_used;
};

struct auth {
    pthread_mutex_t lock; /* cache and revoked */
    char environment[65];
    uint8_t hash_key[32];
    struct entry cache[AUTH_CACHE_SIZE];
    uint8_t *revoked; /* bit per serial */
    size_t revoked_bytes;
};

int auth_new(const char *environment, const uint8_t hash_key[32], struct auth **ret_auth)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&a->lock, NULL);
    memcpy(a->environment, environment, strnlen(environment, sizeof a->environment - 1));
    memcpy(a->hash_key, hash_key, sizeof a->hash_key);
    *ret_auth = a;
    return 0;
}

struct auth *auth_free(struct auth *a)
{
    if (a) {
        pthread_mutex_destroy(&a->lock);
        sodium_memzero(a->hash_key, sizeof a->hash_key);
        free(a->revoked);
        free(a);
    }
    return NULL;
}

static bool is_revoked(const struct auth *a, uint32_t serial)
{
    return serial / 8 < a->revoked_bytes && (a->revoked[serial / 8] & 1 << serial % 8);
}

void auth_revoke(struct auth *a, uint32_t serial)
{
    pthread_mutex_lock(&a->lock);
    if (serial / 8 >= a->revoked_bytes) {
        size_t n = serial / 8 + 64;
        uint8_t *more = realloc(a->revoked, n);
        if (!more)
            abort(); /* rather down than open to a revoked key */
        memset(more + a->revoked_bytes, 0, n - a->revoked_bytes);
        a->revoked = more;
        a->revoked_bytes = n;
    }
    a->revoked[serial / 8] |= (uint8_t)(1 << serial % 8);
    pthread_mutex_unlock(&a->lock);
}

static struct entry *slot(struct auth *a, const uint8_t hash[APIKEY_HASH_BYTES])
{
    return &a->cache[get_be16(hash) % AUTH_CACHE_SIZE];
}

static enum error_code from_cache(struct auth *a, const uint8_t hash[APIKEY_HASH_BYTES],
                                  struct principal *ret_who, bool *ret_found)
{
    enum error_code code = E_OK;
    pthread_mutex_lock(&a->lock);
    struct entry *e = slot(a, hash);
    *ret_found = e->is_used && sodium_memcmp(e->hash, hash, sizeof e->hash) == 0;
    if (*ret_found && is_revoked(a, e->who.key_serial))
        code = E_KEY_REVOKED;
    else if (*ret_found)
        *ret_who = e->who;
    pthread_mutex_unlock(&a->lock);
    return code;
}

static enum error_code from_store(struct auth *a, struct txn *txn,
                                  const uint8_t hash[APIKEY_HASH_BYTES], struct principal *ret_who)
{
    struct key_row key;
    struct account_row account;
    struct key_buf k;
    int r = row_get(txn, &key_row_type, span_of(hash, APIKEY_HASH_BYTES), &key);
    if (r == STORE_MISSING)
        return E_KEY_UNKNOWN;
    if (r != 0)
        return E_STORE_FAULT;
    if (key.revoked_ms)
        return E_KEY_REVOKED;
    *ret_who = (struct principal){
        .role = (Rota__Role)key.role, .key_serial = key.serial, .account = key.account};
    r = row_get(txn, &account_row_type, key_u64(&k, key.account), &account);
    if (r != 0 || account.id.n > ACCOUNT_ID_MAX || key.prefix.n > KEY_PREFIX_MAX)
        return E_STORE_FAULT;
    memcpy(ret_who->key_prefix, key.prefix.p, key.prefix.n);
    memcpy(ret_who->account_id, account.id.p, account.id.n);
    pthread_mutex_lock(&a->lock);
    enum error_code code = E_OK;
    if (is_revoked(a, key.serial)) {
        code = E_KEY_REVOKED;
    } else {
        struct entry *e = slot(a, hash);
        memcpy(e->hash, hash, sizeof e->hash);
        e->who = *ret_who;
        e->is_used = true;
    }
    pthread_mutex_unlock(&a->lock);
    return code;
}

enum error_code auth_check(struct auth *a, struct txn *txn, const Rota__Request *request,
                           const struct op_row *op, struct principal *ret_who)
{
    if (op->tag == ROTA__REQUEST__OP_PING && !request->credential[0]) {
        *ret_who = (struct principal){.role = ROTA__ROLE__ROLE_NONE};
        return E_OK;
    }
    if (strcmp(request->environment, a->environment) != 0)
        return E_WRONG_ENVIRONMENT;
    if (!request->credential[0])
        return E_KEY_MISSING;
    uint8_t hash[APIKEY_HASH_BYTES];
    bool found;
    struct principal who = {0};
    apikey_hash(a->hash_key, request->credential, hash);
    enum error_code code = from_cache(a, hash, &who, &found);
    if (!found)
        code = from_store(a, txn, hash, &who);
    if (code != E_OK)
        return code;
    if (!(op->roles & 1u << who.role))
        return E_NOT_ALLOWED;
    if (request->origin && who.role != ROTA__ROLE__GATEWAY)
        return E_ORIGIN_NOT_ALLOWED;
    *ret_who = who;
    return E_OK;
}

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
