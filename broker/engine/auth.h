/* auth.h: who asks, and may they? Any thread.
 *
 * A credential is hashed with the instance's key, looked up once in the key table and kept in a
 * small cache; auth_revoke() overrules the cache after the commit of a revoke, before its reply. */
#pragma once

#include "errors.h"
#include "net/inbox.h"
#include "ops.h"
#include "rota.pb-c.h"
#include "store/store.h"

enum { ACCOUNT_ID_MAX = 64, KEY_PREFIX_MAX = 12 };

struct principal {
    Rota__Role role;
    uint32_t key_serial;
    uint64_t account; /* number of the key's account */
    char account_id[ACCOUNT_ID_MAX + 1];
    char key_prefix[KEY_PREFIX_MAX + 1]; /* names the key in trails; no secret */
};

struct auth;
MUST_USE int auth_new(const char *environment, const uint8_t hash_key[32], struct auth **ret_auth);
struct auth *auth_free(struct auth *a);
DEFINE_FREEP(auth)

/* E_OK and *ret_who, or the error to answer with; environment, key, role and origin are checked. A
 * fault of the store is E_STORE_FAULT. Ping needs no key: role ROLE_NONE. */
enum error_code auth_check(struct auth *a, struct txn *txn, const Rota__Request *request,
                           const struct op_row *op, struct principal *ret_who);

/* The account that a request is about: `named`, or the key's own when that is empty.
 * E_ACCOUNT_UNKNOWN when there is none, E_NOT_ALLOWED when the key may not speak for it. */
enum error_code auth_account(struct txn *txn, const struct principal *who, const char *named,
                             uint64_t *ret_account);

/* May `who` see this account's jobs? (If not, they are answered as absent.) */
bool auth_sees(const struct principal *who, uint64_t account);

/* The key is refused from here on, whatever a cache or an older snapshot says. */
void auth_revoke(struct auth *a, uint32_t key_serial);
