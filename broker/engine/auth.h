/* auth.h: who asks, and may they? Any thread.
 *
 * A credential is hashed with the instance's key, looked up once in the key table and kept in a
 * small cache. Each request of a key is counted, and bounded by the key's rate. Time is an
 * argument: Unix time. */
#pragma once

#include "engine/uses.h"
#include "errors.h"
#include "net/inbox.h"
#include "ops.h"
#include "rota.pb-c.h"
#include "store/store.h"

enum { ACCOUNT_ID_MAX = 64, KEY_PREFIX_MAX = 12, APP_NAME_MAX = 64, AUTH_TEXT_LEN = 199 };

struct principal {
    Rota__Role role;
    uint32_t key_serial;
    uint64_t account; /* number of the key's account */
    char account_id[ACCOUNT_ID_MAX + 1];
    char key_prefix[KEY_PREFIX_MAX + 1]; /* names the key in trails; no secret */
    uint32_t scopes;       /* 0: none for an account's key; others are not bounded by scopes then */
    uint32_t rate_minute;  /* requests; 0: not limited */
    uint64_t builds_month; /* 0: only the account's limit */
    uint64_t expires_ms;   /* 0: never */
    bool has_member;       /* it is a member's key: its row says whose */
    char app[APP_NAME_MAX + 1]; /* the one app that it is good for; "": all */
};

struct auth;
MUST_USE int auth_new(const char *environment, const uint8_t hash_key[32], struct auth **ret_auth);
struct auth *auth_free(struct auth *a);
DEFINE_FREEP(auth)

/* One request at the door. */
struct auth_call {
    const Rota__Request *request;
    const struct op_row *op;
    uint64_t wall_ms;
    bool
        is_counted; /* in: it was counted before, and is only looked at again; out: it is counted */
    char text[AUTH_TEXT_LEN + 1]; /* out: words for the refusal; "": the catalogue's */
};

/* E_OK and *ret_who, or the error to answer with. Checked are, in this order: environment, key, its
 * expiry and request rate, role and scopes, origin. A fault of the store is E_STORE_FAULT. Ping
 * needs no key: role ROLE_NONE. */
enum error_code auth_check(struct auth *a, struct txn *txn, struct auth_call *call,
                           struct principal *ret_who);

/* Role, scopes and app alone: the part that is a table. E_OK, E_NOT_ALLOWED, E_SCOPE_MISSING or
 * E_KEY_APP. */
enum error_code auth_allows(const struct principal *who, const struct op_row *op);
/* Does it carry all of these scopes, or is it not bounded by scopes? */
bool auth_has(const struct principal *who, uint32_t scopes);

/* The account that a request is about: `named`, or the key's own when that is empty.
 * E_ACCOUNT_UNKNOWN when there is none, E_NOT_ALLOWED when the key may not speak for it. */
enum error_code auth_account(struct txn *txn, const struct principal *who, const char *named,
                             uint64_t *ret_account);

/* May `who` see this account's jobs? (If not, they are answered as absent.) */
bool auth_sees(const struct principal *who, uint64_t account);
/* Is the key good for this app? E_OK or E_KEY_APP. */
enum error_code auth_app(const struct principal *who, struct span app);

/* The key's row is changed by the turn at hand: from here on it is read for each of its requests.
 * So requests behind the change in the same turn see it at once, everybody else with the commit. */
void auth_distrust(struct auth *a, uint32_t key_serial);

/* What keys did lately (uses.h). False: nothing but what is stored. */
bool auth_use(struct auth *a, uint32_t key_serial, struct use *ret_use);
/* The engine's own counts of the key are to be written too. A handler's result. */
MUST_USE int auth_use_touch(struct auth *a, struct txn *txn, uint32_t key_serial, uint64_t wall_ms);
size_t auth_uses_take(struct auth *a, struct use *ret_uses, size_t n);
void auth_uses_written(struct auth *a, const struct use *written, size_t n);
size_t auth_uses_waiting(struct auth *a);
