/* query.h: answers of the read lane, from one snapshot and the board. Reader threads; nothing here
 * waits for the writer. Each fills `reply` out of `arena`; an E_ code is the refusal, with `text`
 * (arena) when there is more to say than the catalogue. */
#pragma once

#include "engine/auth.h"
#include "engine/board.h"

#include <base/arena.h>

/* What the edge knows of the stores; each text is "" or as ArtifactStats says. */
struct query_health {
    const char *kind, *state, *error, *breaker;
    char text[200];
    uint32_t faults, full_percent;
    uint64_t open_until_ms, since_ms; /* Unix time; 0: none */
    bool store_is_full;
};

struct query {
    struct txn *txn; /* snapshot */
    struct board *board;
    struct store *store;
    struct arena *arena;
    struct auth *auth; /* NULL: what keys did lately is not known */
    const struct principal *who;
    const Rota__Request *request;
    Rota__Reply *reply;
    uint64_t wall_ms, boot_ms; /* now */
    uint64_t started_boot_ms;  /* when the broker began to serve */
    const char *environment;
    const struct query_health *health; /* for stats; NULL: not known */
    const char *text;                  /* out: what happened, else NULL */
    bool is_short;                     /* out: the arena could not hold the answer */
};

/* status, list, stats, next, worker_list, account_list, app_list, key_list, ping; and watch without
 * its waiting (watch.c of edge parks). */
enum error_code query_answer(struct query *q);

/* Has a watch something to say, or may it be parked until something changes? After query_answer()
 * of a watch. *ret_from is where the event log must be read on. */
bool query_watch_is_news(const struct query *q, uint64_t *ret_from);

/* One job as anybody may see it; also for watch. E_JOB_UNKNOWN when absent or not the caller's. */
enum error_code query_job(struct query *q, const char *job_text, Rota__Job **ret_job,
                          uint64_t *ret_version);
