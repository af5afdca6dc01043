/* query_preview.h: the next dispatches of a pool, if nothing else happened. Private to query*.c.
 *
 * Plays the rule of the scheduler over one snapshot: rotation_next() chooses the tier, the lowest
 * turn of the tier's ring the account, the ready table its head job. Bars hold: of the pool and of
 * tiers as they are now, of accounts because who is barred stands in no ring. Jobs of a class that
 * is closed are passed over. Not played, because only time will tell: runs that end (so an account
 * at its cap stays out), delayed jobs that fall due, rates that are used up or free somebody. */
#pragma once

#include "engine/query_outlook.h"

enum { NEXT_COUNT_DEFAULT = 10, NEXT_COUNT_MAX = 100 };

struct preview;

MUST_USE int preview_new(struct query *q, const struct outlook *o, struct preview **ret_preview);
/* The account as if it had this tier and this cap, before the first step. E_ACCOUNT_UNKNOWN. */
enum error_code preview_suppose(struct preview *p, const Rota__WhatIf *what_if);
/* One dispatch. STORE_MISSING: nobody may be served any more. */
MUST_USE int preview_step(struct preview *p, struct job_id *ret_job, uint8_t *ret_tier);
/* Closes what it holds; its memory is the query's. */
void preview_end(struct preview *p);
