/* keyring.h: API keys as they stand in the store, and what becomes of them. Private to the engine.
 * Queue thread.
 *
 * A key's row stands under the keyed hash of its text; its serial and its account lead to it. An
 * account has at most KEYS_MAX keys in force; of those revoked the last KEYS_REVOKED_KEPT stay to
 * be looked at. */
#pragma once

#include "apikey.h"
#include "engine/turn.h"

enum { KEYS_MAX = 2000, KEYS_REVOKED_KEPT = 1000, KEY_RATE_DEFAULT = 100, MEMBERS_MAX = 1000 };

/* A key whose texts are the turn's, so that its row can be written again. */
struct key_held {
    uint8_t hash[APIKEY_HASH_BYTES];
    struct key_row row;
};

/* Stores a key's row under its hash, its serial and its account. A store result. */
MUST_USE int key_write(struct txn *txn, const uint8_t *hash_key, const char *text,
                       const struct key_row *row);
/* A store result. */
MUST_USE int key_read(struct turn *t, uint32_t serial, struct key_held *ret_key);
/* The key that a request names by serial or by its first characters; E_KEY_UNKNOWN also for one of
 * an account that the caller does not speak for. A handler's result, as all below. */
MUST_USE int key_find(struct turn *t, uint32_t serial, const char *prefix,
                      struct key_held *ret_key);

MUST_USE int key_revoke(struct turn *t, struct key_held *key);
/* What the key may do from now on; without anything left it is revoked. */
MUST_USE int key_narrow(struct turn *t, struct key_held *key, uint32_t scopes);
/* Calls `visit` for each key of the account that is in force. It may change the key. */
typedef int key_visitor(struct turn *t, struct key_held *key, void *arg);
MUST_USE int keys_of(struct turn *t, uint64_t account, key_visitor *visit, void *arg);
/* The account goes: its keys are revoked and forgotten, as many as *budget says; it is lowered. */
MUST_USE int keys_forget_some(struct turn *t, uint64_t account, unsigned *budget);
/* May the account have one more? Makes room among the revoked ones. */
MUST_USE int keys_make_room(struct turn *t, uint64_t account);

/* A database of a time before keys were found by their account. A store result. */
MUST_USE int keys_index(struct txn *txn);

MUST_USE int key_event(struct turn *t, Rota__EventKind kind, const struct key_row *row);
MUST_USE int key_message(struct turn *t, const struct key_row *row, Rota__Key **ret_key);
/* "build:create build:read", in the arena. */
const char *key_scopes_text(struct turn *t, uint32_t scopes);

/* members.c. STORE_MISSING: the account has no such member. A store result. */
MUST_USE int member_role(struct txn *txn, uint64_t account, struct span email,
                         Rota__MemberRole *ret_role);
/* What the caller counts as when it acts on the account's members and keys: its member's role; an
 * operator, or a key that is nobody's, counts as an owner. A handler's result. */
MUST_USE int caller_rank(struct turn *t, Rota__MemberRole *ret_role);
/* The caller's own member; "" when it has none. */
MUST_USE int caller_member(struct turn *t, struct span *ret_email);
