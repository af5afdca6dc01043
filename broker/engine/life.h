/* life.h: what an account keeps with the broker besides its jobs, and how all of it ends: presets,
 * schedules, variables, retention, erasure. Private to the engine. Queue thread. */
#pragma once

#include "engine/offer.h"

/* The account that a request names, or the key's own. */
MUST_USE int named_account(struct turn *t, const char *named, struct account **ret_account);
/* One more or less of the things that the account's row counts; `full` when it has `most`. */
MUST_USE int named_count(struct turn *t, const struct account *a, uint16_t most, int by,
                         uint16_t *(*member)(struct account_row *row), enum error_code full);

/* A publish that is kept to be used again: without what belongs to one job alone; else `code`. */
MUST_USE int template_check(struct turn *t, const Rota__Publish *q, enum error_code code);
MUST_USE int template_pack(struct turn *t, const Rota__Publish *q, struct span *ret_packed);

/* *ret_q: `q`, or a copy that has from its preset what it does not say itself. */
MUST_USE int preset_apply(struct turn *t, const Rota__Publish *q, const Rota__Publish **ret_q);

/* Publishes what is due, a few a turn. */
MUST_USE int schedules_some(struct turn *t);

/* retention.c. Whom the counts of kept jobs say to look at (after a job's end). */
MUST_USE int retention_note(struct turn *t, struct account *a);
MUST_USE int retention_some(struct turn *t);
bool retention_is_due(const struct cache *c); /* some account is to be walked on */
/* The job and all that is its own: row, end, listings, idempotency key, artifacts. It has ended and
 * its listing is folded. */
MUST_USE int job_forget(struct turn *t, struct job_id id);
bool job_is_folded(const struct turn *t, struct job_id id);

/* A dead job may be tried again, so its source is kept for a day. */
MUST_USE int source_keep(struct turn *t, struct job_id id);
MUST_USE int source_kept(struct turn *t, const struct job *j, bool *ret_is_kept);
MUST_USE int source_unkeep(struct turn *t, const struct job *j);

/* outputs.c. A job has left these: one-off outputs are held until they are fetched, or for a day.
 */
MUST_USE int outputs_keep(struct turn *t, struct job_id id, const Rota__Finish *q);
MUST_USE int outputs_some(struct turn *t);
/* Gives up every object that an ended job left and still holds. */
MUST_USE int artifacts_release(struct turn *t, const struct job *j);

/* erase.c: accounts that are going, a slice a turn. */
MUST_USE int erase_some(struct turn *t);
