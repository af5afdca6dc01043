/* account_limits.h: what accounts may have: the table of tiers as it stands in the store, and the
 * limits in force for one account: its tier's row, its own values over it, and its add-ons.
 *
 * The queue thread keeps the table in struct cache and each account's limits with the account: they
 * are computed anew when the table's version has changed, when the account was set, and when an
 * add-on has come to its end. Readers compute them from their snapshot. */
#pragma once

#include "rota.pb-c.h"
#include "sched/limits.h"
#include "store/rows.h"

struct account;
struct cache;
struct turn;

enum {
    PROFILE_NAME_MAX = 32,
    GRANTS_MAX = 32, /* of one account: those that have ended make room for new ones */
    ADDONS_MAX = 64, /* in the catalogue, with those that were retired */
    ADDON_NAME_MAX = 32,
};

/* ---- any thread, any transaction: 0 or below ---- */

/* The table as stored, or the one that ships; *ret_profile (arrays of PROFILE_NAME_MAX + 1) may be
 * NULL. */
MUST_USE int limits_table_read(struct txn *txn, struct tier_table *ret_table, char *ret_profile);
/* As the message that is stored and answered. `m` brings four `tier`, two rates and `profile`. */
struct limits_message {
    Rota__LimitsResult result;
    Rota__Limits tier[TIERS], *tiers[TIERS];
    Rota__Rate global_rate, account_rate;
};
void limits_message(const struct tier_table *table, const char *profile,
                    struct limits_message *ret_message);

/* An account's add-ons, also ended ones, in the order they were given. */
struct grant {
    uint32_t number, timeout_minutes;
    uint64_t since_ms, until_ms;
    char addon[ADDON_NAME_MAX + 1];
};
MUST_USE int grants_read(struct txn *txn, uint64_t account, struct grant ret_grants[GRANTS_MAX],
                         size_t *ret_n);
bool grant_counts(const struct grant *g, uint64_t now_ms);

/* Of an account whose row is at hand. */
MUST_USE int limits_read(struct txn *txn, const struct tier_table *table, uint64_t account,
                         const struct account_row *row, uint64_t now_ms, struct limits *ret_limits);
/* The same from nothing but its number; what it has of storage too. STORE_MISSING. */
MUST_USE int limits_read_account(struct txn *txn, uint64_t account, uint64_t now_ms,
                                 struct limits *ret_limits);
struct limits_own limits_own_of(const struct account_row *row);
void limits_fill(const struct limits *l, Rota__Limits *m);

/* ---- queue thread ---- */

/* An account that has just been read. */
void account_limits_begin(struct cache *c, struct account *a, const struct account_row *row);
/* *ret_limits points into the account and is good until the next call. A handler's result. */
MUST_USE int account_limits(struct turn *t, struct account *a, const struct limits **ret_limits);
/* Its row, its tier or its add-ons changed: computed anew when somebody asks. */
void account_limits_forget(struct turn *t, struct account *a);

/* addons.c: what the catalogue begins with. A store result. */
MUST_USE int addons_init(struct txn *txn);

/* "2026-12-01T00:00Z", in `text`. */
enum { MINUTE_TEXT_LEN = 17 };
const char *minute_text(uint64_t unix_ms, char text[MINUTE_TEXT_LEN + 1]);
