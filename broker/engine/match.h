/* match.h: which jobs a Where means, and in which tables they are looked for. Private to the
 * engine; of one transaction, a reader's or the turn's.
 *
 * A job is taken as `status` shows it: tier at publish, the pool that it is in now, a ready job of
 * an account that a review bars as held. "Published" is the time in its id: what published_ms says,
 * or a moment later when the clock had been put back before it. A reason is asked for as a whole or
 * by its first words. */
#pragma once

#include "engine/auth.h"
#include "engine/walk.h"
#include "store/rows.h"

enum { MATCH_TEXT_BYTES = 200 };

struct match {
    const Rota__Where *where; /* borrowed */
    uint64_t account;         /* 0: every one */
    uint32_t app;             /* its number in the account; 0: every one, or by its name */
    const char *app_name;     /* "": every one */
    uint16_t pool;            /* 0: every one */
    uint8_t platform, tiers;
    struct job_id lo, hi;        /* [lo, hi) by id */
    struct job_id fold;          /* the listing index is complete up to here */
    bool has_barred;             /* jobs that a review holds stand in no table of held ones */
    char text[MATCH_TEXT_BYTES]; /* what match_init() refused */
};

/* E_OK, or why this filter cannot be used; m->text has the words, "" for the catalogue's. An
 * account's key asks for its own jobs only, an app's key for that app's. */
enum error_code match_init(struct match *m, struct txn *txn, const struct principal *who,
                           const Rota__Where *where);

/* The stretches to walk, in the order of the direction: [m->lo, m->hi) in all, and of the jobs
 * that fit none is elsewhere. Down: newest first, but last finished first where only the index of
 * finish times can serve; up: always by id. Returns how many there are. */
enum { STRETCHES_MAX = 2 };
size_t match_plan(const struct match *m, bool is_up, struct stretch ret_all[STRETCHES_MAX]);
/* Bytes of the spots of that plan: an id's, or 8 more. */
size_t match_edge_bytes(const struct match *m, bool is_up);

/* What the job's own row says. */
bool match_row(const struct match *m, struct job_id id, const struct job_row *row);
/* Must its place be read too? */
bool match_asks_place(const struct match *m);
/* What its place says: state, pool, finish, error, reason. 0, or a fault of the store. */
MUST_USE int match_place(const struct match *m, struct txn *txn, struct job_id id,
                         const struct job_row *row, bool *ret_fits);
