/* limits_kit.h: an engine whose accounts have limits: setting them, and asking what is left. */
#pragma once

#include "pause_kit.h"

/* Of a tier and nothing of its own: with the tier's quota. */
void kit_plain(struct engine_kit *k, const char *id, Rota__Tier tier);
Rota__Reply *kit_account_set(struct engine_kit *k, Rota__AccountSet *set);
Rota__Reply *kit_limits_set(struct engine_kit *k, Rota__LimitsSet *set);
/* A whole profile, asserted to be taken. */
void kit_profile(struct engine_kit *k, const char *name);
/* n starts each per_ms of each account without a rate of its own; n 0: off. */
void kit_account_rate(struct engine_kit *k, uint32_t n, uint32_t per_ms);
Rota__Reply *kit_grant(struct engine_kit *k, const char *account, const char *addon,
                       uint64_t until_ms, bool dry_run);
Rota__Reply *kit_retry(struct engine_kit *k, const char *job);

/* What the words of a refusal are; "" when it was none. */
const char *kit_text(const Rota__Reply *reply);

/* Answers of the read lane, until kit_answer_end(). */
Rota__AccountGetResult *kit_account_get(struct engine_kit *k, const char *account,
                                        struct kit_answer *ret_answer);
Rota__UsageResult *kit_usage(struct engine_kit *k, const char *account, uint32_t months,
                             struct kit_answer *ret_answer);
/* Builds taken of this month. */
uint64_t kit_used(struct engine_kit *k, const char *account);

/* A published job's id, asserted to be accepted; in `ret_job`. */
void kit_publish_to(struct engine_kit *k, const char *account, char ret_job[40]);
/* Publishes until it is refused, at most `most`; how many were accepted. */
unsigned kit_publish_all(struct engine_kit *k, const char *account, unsigned most);
/* The next job fails for good by infrastructure faults: three attempts. */
void kit_kill(struct engine_kit *k);
/* To the first minute of the next month. */
void kit_next_month(struct engine_kit *k);
