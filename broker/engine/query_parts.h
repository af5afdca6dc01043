/* query_parts.h: what the files of the read lane share. Private to query*.c.
 *
 * Texts are copied into the arena; when it is full, query_str() gives "" and marks the answer as
 * short, so that only the places that take structs out of the arena need a check of their own. */
#pragma once

#include "engine/query.h"
#include "store/keys.h"
#include "store/rows.h"

enum {
    LIST_LIMIT_DEFAULT = 20,
    LIST_LIMIT_MAX = 100,
    LIST_COST_MAX = 80000, /* of one page: a row looked at costs 1, asking for its state: */
    LIST_COST_STATE = 8,
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

/* Name of a pool, "" when there is none. */
char *query_pool_name(struct query *q, uint16_t pool);
/* An account's own id by its number, "" when there is none. */
char *query_account_id(struct query *q, uint64_t account);

/* What a job is in at this snapshot. */
enum error_code query_state(struct query *q, struct job_id id, Rota__State *ret_state);
enum error_code query_job_row(struct query *q, struct job_id id, struct job_row *ret_row);
enum error_code query_job_fill(struct query *q, struct job_id id, const struct job_row *row,
                               Rota__Job **ret_job);

/* Ids under a prefix of a table, newest first. */
struct id_walk {
    struct cursor *cursor;
    struct key_buf prefix;
    size_t prefix_n;
    struct job_id below; /* start: ids below this one */
    bool has_begun;
};
int id_walk_open(struct id_walk *w, struct txn *txn, enum table t, struct span prefix,
                 struct job_id below);
void id_walk_close(struct id_walk *w);
/* 0 or STORE_MISSING at the end; the value is the row's in that table. */
int id_walk_next(struct id_walk *w, struct job_id *ret_id, struct span *ret_value);

/* Broker time of now. */
uint64_t query_broker_ms(const struct query *q, const struct board_totals *totals);

/* The workers with their jobs, as stats and worker_list show them. */
enum error_code query_workers(struct query *q, size_t bytes_max, Rota__WorkerStats ***ret_all,
                              size_t *ret_n);

/* Jobs that account `account` runs over all pools, and what waits. */
struct account_load {
    uint64_t ready, running;
};
int query_account_load(struct query *q, uint64_t account, struct account_load *ret_load);

/* One answer each; the table of query.c calls them. */
enum error_code query_status(struct query *q);
enum error_code query_list(struct query *q);
enum error_code query_watch(struct query *q);
enum error_code query_stats(struct query *q);
enum error_code query_next(struct query *q);
enum error_code query_worker_list(struct query *q);
enum error_code query_account_list(struct query *q);
enum error_code query_app_list(struct query *q);
enum error_code query_key_list(struct query *q);
