/* query_parts.h: what the files of the read lane share. Private to query*.c.
 *
 * Texts are copied into the arena; when it is full, query_str() gives "" and marks the answer as
 * short, so that only the places that take structs out of the arena need a check of their own. */
#pragma once

#include "engine/account_limits.h"
#include "engine/query.h"
#include "engine/walk.h"
#include "store/keys.h"
#include "store/rows.h"

enum {
    LIST_LIMIT_DEFAULT = 20,
    LIST_LIMIT_MAX = 100,
    LIST_COST_MAX = 80000, /* of one page (search.h) */
    EVENTS_LIMIT_DEFAULT = 100,
    EVENTS_LIMIT_MAX = 1000,
    EVENTS_SCAN_MAX = 10000,      /* looked at for one answer */
    ANSWER_BYTES_MAX = 200 << 10, /* fits into a message of TCP, and leaves room for the envelope */
    HEADS_SCAN_MAX = 50000,       /* accounts whose head job is looked at for oldest_ms */
};

/* The E_ code of a fault of the store (below 0). */
enum error_code query_fault(int r);

/* Copies; never NULL. */
char *query_str(struct query *q, struct span text);
char *query_text(struct query *q, const char *text);

/* An array of n pointers in the arena (for repeated fields), or NULL. */
void *query_array(struct query *q, size_t n);

/* Struct out of the arena, initialised as protobuf-c wants it; NULL without memory. */
#define QUERY_NEW(q, ret, type, init_fn)                                                           \
    do {                                                                                           \
        (ret) = arena_alloc((q)->arena, sizeof(type));                                             \
        if (ret)                                                                                   \
            init_fn(ret);                                                                          \
        else                                                                                       \
            (q)->is_short = true;                                                                  \
    } while (0)

/* How many rows a page has when so many were asked for; 0: the default. */
size_t query_limit(uint32_t asked);
/* The number that a cursor is; "" is 0. False: no number of ours. */
bool query_number(const char *text, uint64_t *ret_number);
/* The account that a list is about: the one named, the key's own, or for operators who name none
 * all of them: 0. */
enum error_code query_account_named(struct query *q, const char *named, uint64_t *ret_account);

/* Name of a pool, "" when there is none. */
char *query_pool_name(struct query *q, uint16_t pool);
/* An account's own id by its number, "" when there is none. */
char *query_account_id(struct query *q, uint64_t account);

enum error_code query_job_row(struct query *q, struct job_id id, struct job_row *ret_row);
enum error_code query_job_fill(struct query *q, struct job_id id, const struct job_row *row,
                               Rota__Job **ret_job);

/* One page of what a match means, newest first. */
struct match;
struct found {
    Rota__Job **job; /* arena */
    size_t n, limit, bytes;
    struct spot edge; /* where the next page begins; of edge_n bytes */
    size_t edge_n;
    uint64_t seen; /* rows looked at */
    bool is_full;  /* there may be more */
};
/* match_init() with the words of its refusal in q->text. */
enum error_code query_match(struct query *q, const Rota__Where *where, struct match *m);
/* `limit` 0: the default; `edge` NULL: from the newest on. */
enum error_code found_read(struct query *q, const struct match *m, uint32_t limit,
                           const struct spot *edge, struct found *ret_found);

/* Broker time of now. */
uint64_t query_broker_ms(const struct query *q, const struct board_totals *totals);

/* The workers with their jobs, as stats and worker_list show them. */
enum error_code query_workers(struct query *q, size_t bytes_max, Rota__WorkerStats ***ret_all,
                              size_t *ret_n);

/* Jobs that account `account` runs over all pools, and what waits. */
struct account_load {
    uint64_t ready, running, delayed, held;
};
int query_account_load(struct query *q, uint64_t account, struct account_load *ret_load);

/* An account as its operator, or it itself, may see it. 0 or below. */
int query_account(struct query *q, const struct tier_table *table, uint64_t account,
                  const struct account_row *row, Rota__Account **ret_account);

/* query_reviews.c: a ready job of the account as people see it: held while a review bars the
 * account. 0 or <0. */
int query_job_review(struct query *q, uint64_t account, Rota__Job *job);

/* One answer each; the table of query.c calls them. */
enum error_code query_status(struct query *q);
enum error_code query_list(struct query *q);
enum error_code query_watch(struct query *q);
enum error_code query_stats(struct query *q);
enum error_code query_next(struct query *q);
enum error_code query_why(struct query *q);
enum error_code query_worker_list(struct query *q);
enum error_code query_account_list(struct query *q);
enum error_code query_app_list(struct query *q);
enum error_code query_key_list(struct query *q);
enum error_code query_find(struct query *q);
enum error_code query_bulk_list(struct query *q);
enum error_code query_preset_list(struct query *q);
enum error_code query_schedule_list(struct query *q);
enum error_code query_var_list(struct query *q);
enum error_code query_member_list(struct query *q);
enum error_code query_review_list(struct query *q);
enum error_code query_limits_get(struct query *q);
enum error_code query_addon_list(struct query *q);
enum error_code query_account_get(struct query *q);
enum error_code query_usage(struct query *q);
enum error_code query_pause_list(struct query *q);
enum error_code query_trail_list(struct query *q);
