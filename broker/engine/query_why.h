/* query_why.h: one answer of `why` as it is made. Private to query_why*.c. */
#pragma once

#include "engine/query_outlook.h"

struct why {
    struct query *q;
    struct job_id id;
    struct job_row row;
    const Rota__Job *job;
    struct state_row state;
    struct account_row account;
    struct tally_row tally; /* of its account in its pool */
    uint64_t running;       /* jobs of its account, over all pools */
    uint32_t cap;
    uint8_t priority;
    uint64_t broker_ms; /* now */
    struct outlook o;
    struct place place; /* of a ready job */
    Rota__WhyResult *result;
};

/* Does this keep the job from its start? When it does, reason and text are set, and what belongs to
 * them. <0: the store. */
typedef int why_look(struct why *w, bool *ret_holds);

/* query_why_ready.c: a ready job; *ret_is_free: nothing but its turn, or a worker, is between it
 * and its start. */
int why_ready(struct why *w, bool *ret_is_free);

/* query_why_bars.c: pauses and rates, for ready jobs and held ones. */
why_look why_class, why_erasing, why_account_paused, why_pool_paused, why_tier_paused,
    why_account_rate, why_tier_rate;

/* Reason and one sentence. */
__attribute__((format(printf, 3, 4))) void why_say(struct why *w, const char *reason,
                                                   const char *format, ...);
