/* usage.h: what an account has had: builds of each UTC month, how they ended, what they cost, and
 * how many of its ended jobs are kept. Queue thread.
 *
 * A build is reserved at publish and given back when its job never ran or was lost to an
 * infrastructure fault, to the month that paid for it. Counts live with the account while it is in
 * RAM, change through the journal, and each changed month is written once per turn. */
#pragma once

#include "engine/job.h"

/* Is a build left in the month of now? 0 or E_QUOTA_EXCEEDED. */
MUST_USE int usage_check(struct turn *t, struct account *a);

/* How many ended jobs of each kind it keeps now. */
MUST_USE int usage_kept_of(struct turn *t, struct account *a, uint64_t *ret_succeeded,
                           uint64_t *ret_failed);

/* For job_move() alone: `before` goes to `s->to`; what it takes of the quota, gives back, has cost
 * and adds to the ended ones. A handler's result. */
MUST_USE int usage_moved(struct turn *t, const struct job *before, const struct job *after,
                         const struct step *s);

/* Ended jobs in this state are kept: `by` 1 or -1 for each that comes or goes. */
MUST_USE int usage_kept(struct turn *t, struct account *a, Rota__State state, int by);

/* The account is erased, and its rows are gone: nothing more is written of them. */
void usage_forget(struct turn *t, struct account *a);

/* The month that pays for the job. */
uint16_t charge_month(const struct job *j);
