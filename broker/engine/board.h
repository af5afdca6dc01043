/* board.h: what the queue thread lets everybody read of its memory: live leases with their
 * progress, connected workers, pools. Written by the engine right after a commit; read by any
 * thread. Values are copied out, never shared. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <base/id.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WORKER_NAME_MAX = 64,
    POOL_NAME_MAX = 32,
    CLASS_NAME_MAX = 32,
    CLASSES_MAX = 16,
    PHASE_NAME_MAX = 32,
    PROGRESS_TEXT_MAX = 160,
    VERSION_MAX = 32,
    RESOURCE_NAMES_MAX = 160, /* bytes of all names together */
    RESOURCE_WORD_MAX = 32,
};

/* What a worker says it has for its jobs. Names stand with a blank between them. */
struct board_resources {
    bool are_said;
    uint32_t cpus;
    uint64_t memory_bytes, workspace_bytes;
    char nodes[RESOURCE_NAMES_MAX + 1], managers[RESOURCE_NAMES_MAX + 1];
    char limits[RESOURCE_WORD_MAX + 1], isolation[RESOURCE_WORD_MAX + 1];
};

struct board_lease {
    struct job_id job;
    uint32_t epoch;
    uint64_t token;
    uint64_t account;
    uint16_t pool;
    uint8_t tier, attempt;
    bool cancelling;
    uint32_t percent;
    uint64_t granted_ms, timeout_ms;
    uint64_t granted_bt_ms; /* broker time */
    uint64_t version;       /* rises with each change; what watchers compare */
    char worker[WORKER_NAME_MAX + 1];
    char phase[PHASE_NAME_MAX + 1];
    char message[PROGRESS_TEXT_MAX + 1];
};

struct board_worker {
    char name[WORKER_NAME_MAX + 1];
    uint16_t pool;
    char pool_name[POOL_NAME_MAX + 1];
    char classes[CLASSES_MAX][CLASS_NAME_MAX + 1];
    uint32_t classes_n, slots;
    uint64_t seen_bt_ms; /* broker time of the last word */
    uint64_t rss_bytes;
    char version[VERSION_MAX + 1];
    bool draining;
    struct board_resources resources;
};

struct board_pool {
    uint16_t pool;
    char name[POOL_NAME_MAX + 1];
    uint32_t waiting_workers; /* parked lease polls */
    uint8_t bars;             /* Rota__Bar */
    uint32_t heat_slots;      /* to be kept warm */
    uint64_t heat_until_ms;   /* Unix time */
    uint64_t ready[4];        /* by tier; those of accounts at their cap, too */
    uint64_t ring[4];         /* by tier: accounts that may be served */
    uint64_t leased;
};

/* The workers of a pool, all together. */
struct board_crew {
    uint32_t workers, slots; /* connected and not draining; a worker that said no slots has one */
    uint32_t draining;       /* workers that take no new job */
    uint64_t
        seen_bt_ms; /* broker time of the last word of any, also of one that is gone; 0: none yet */
    uint64_t woken_ms; /* Unix time: workers are being started since then; 0: none are */
};

/* Per tier: accounts with waiting jobs, and of them those that are barred and those, not barred,
 * at their cap. Kept by the engine as it goes. */
struct board_tier {
    uint64_t ready, delayed, held, leased, accounts, at_cap, barred;
    uint8_t bars; /* Rota__Bar, of the tier itself */
};

struct board_totals {
    struct board_tier tier[4];
    uint64_t turns;
    uint64_t last_seq;  /* of the event log */
    uint64_t broker_ms; /* broker time of the last turn */
    uint64_t boot_ms;   /* boot time of the last turn: lets readers know the broker time of now */
};

struct board;
MUST_USE int board_new(struct board **ret_board);
struct board *board_free(struct board *b);
DEFINE_FREEP(board)

/* The engine's side. Puts replace by key (job; pool and name; pool). */
MUST_USE int board_put_lease(struct board *b, const struct board_lease *lease);
void board_drop_lease(struct board *b, struct job_id job);
MUST_USE int board_put_worker(struct board *b, const struct board_worker *worker);
void board_drop_worker(struct board *b, uint16_t pool, const char *name);
MUST_USE int board_put_pool(struct board *b, const struct board_pool *pool);
void board_put_totals(struct board *b, const struct board_totals *totals);

/* Workers of the pool are being started. Until one takes jobs, or `wall_ms` is 0. Any thread. */
void board_wake(struct board *b, uint16_t pool, uint64_t wall_ms);

/* The readers' side. */
enum board_outcome { BOARD_MISSING = 1 };
int board_pool(struct board *b, uint16_t pool, struct board_pool *ret_pool);
void board_crew(struct board *b, uint16_t pool, struct board_crew *ret_crew);
/* What a pool, or an account over all pools, runs, in the order in which it was put, at most `max`;
 * returns how many were written. */
struct board_run {
    struct job_id job;
    uint64_t granted_bt_ms;
};
size_t board_runs(struct board *b, uint16_t pool, struct board_run *ret_runs, size_t max);
size_t board_runs_of(struct board *b, uint64_t account, struct board_run *ret_runs, size_t max);
int board_lease(struct board *b, struct job_id job, struct board_lease *ret_lease);
void board_totals(struct board *b, struct board_totals *ret_totals);
/* Copies of all; the caller frees the array. */
MUST_USE int board_leases(struct board *b, struct board_lease **ret_all, size_t *ret_n);
MUST_USE int board_workers(struct board *b, struct board_worker **ret_all, size_t *ret_n);
MUST_USE int board_pools(struct board *b, struct board_pool **ret_all, size_t *ret_n);
