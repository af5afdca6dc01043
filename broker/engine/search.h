/* search.h: the jobs that a match means, one after the other, from any spot on. Private to the
 * engine; of one transaction. Nothing may be written between search_begin() and search_end(). */
#pragma once

#include "engine/match.h"

enum {
    SEARCH_COST_PLACE = 8, /* a row looked at costs 1, asking for its place so much more */
};

struct search {
    const struct match *match;
    struct txn *txn;
    struct stretch all[STRETCHES_MAX];
    size_t n, at;
    bool is_up, is_open;
    struct walk walk;
    struct spot edge; /* where to begin again; of edge_n bytes */
    size_t edge_n;
    uint64_t seen, cost;
};

/* `edge`: that of an earlier search of the same match and direction; NULL: from the beginning. */
void search_begin(struct search *s, struct txn *txn, const struct match *m, bool is_up,
                  const struct spot *edge);
void search_end(struct search *s);

/* Looks at one more. STORE_MISSING: there is none. Else *ret_fits; and when it does, its id and its
 * row, borrowed until the next call. Jobs whose row is gone are passed over. */
MUST_USE int search_next(struct search *s, bool *ret_fits, struct job_id *ret_id,
                         struct job_row *ret_row);
