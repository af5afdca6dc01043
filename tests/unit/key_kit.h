/* key_kit.h: short words for keys and members in tests of the engine. */
#pragma once

#include "engine_kit.h"

/* A key that was made; scopes as one text with blanks between them. */
struct kit_key {
    char credential[64];
    char prefix[16];
    char scopes[320];
    uint32_t serial, rate_minute;
    uint64_t expires_ms, builds_month;
    char member[256], app[80];
};

/* What is asked for; all may be left out. `scopes` has blanks between the names. */
struct kit_wish {
    const char *account, *scopes, *member, *app, *as; /* as: who asks; NULL: the operator */
    Rota__Role role;                                  /* none: account */
    uint64_t expires_ms, builds_month;
    bool has_rate, load;
    uint32_t rate_minute;
};

/* "" and *ret_key, or the error's name. */
const char *kit_key_try(struct engine_kit *k, const struct kit_wish *wish, struct kit_key *ret_key);
struct kit_key kit_key(struct engine_kit *k, const struct kit_wish *wish);
/* One of account `account` with these scopes, made by the operator, without a rate. */
struct kit_key kit_key_of(struct engine_kit *k, const char *account, const char *scopes);

/* Each "" or the error's name. `as`: a credential. */
const char *kit_revoke(struct engine_kit *k, const char *as, uint32_t serial);
const char *kit_member_set(struct engine_kit *k, const char *as, const char *account,
                           const char *email, Rota__MemberRole role);
const char *kit_member_remove(struct engine_kit *k, const char *as, const char *account,
                              const char *email);
const char *kit_publish_as(struct engine_kit *k, const char *as, const char *app);
const char *kit_app(struct engine_kit *k, const char *as, const char *account, const char *app);
/* The id of the job of the last kit_publish_as(). */
extern char kit_job[40];

struct kit_usage {
    uint64_t requests, builds, builds_used, last_used_ms, count[ROTA__STATE__DEAD + 1];
};
struct kit_usage kit_key_usage(struct engine_kit *k, uint32_t serial);
/* What stands in the store of the key: zeros when there is nothing. */
struct key_use_row kit_key_use_row(struct engine_kit *k, uint32_t serial);
