/* cache.h: what the queue thread keeps in RAM, rebuilt from the store at start.
 *
 * Nothing here grows with the backlog: one small struct per active account and pool, per live
 * lease, per connected worker. Accounts, tallies, pools and leases mirror the store; workers and
 * polls are sessions. Every change within a turn goes through the journal. Queue thread only. */
#pragma once

#include "engine/alarm.h"
#include "engine/auth.h"
#include "engine/board.h"
#include "engine/map.h"
#include "net/inbox.h"
#include "rota.pb-c.h"
#include "sched/ring.h"
#include "sched/rotation.h"
#include "store/rows.h"

#include <base/undo.h>

enum {
    POOLS_MAX = 64,
    CLASSES_ALL_MAX = 256,
    ACCOUNTS_IDLE_MAX = 4096, /* accounts without jobs that stay in RAM */
    WORKERS_MAX = 131072,     /* connected, or heard of in the last two lease times */
};

struct pool {
    uint16_t number; /* from 1 */
    char name[POOL_NAME_MAX + 1];
    struct rotation rotation;
    struct ring ring[TIERS];
    struct ring polls; /* parked lease polls, longest parked first */
    uint32_t heat_slots;
    uint64_t heat_until_ms; /* Unix time */
    uint8_t bars;           /* Rota__Bar: nothing is handed out */
    bool is_dirty;
};

struct class
{
    char name[CLASS_NAME_MAX + 1];
    struct pool *pool;
};

/* What an account has in one pool. `now` changes as the turn goes; `stored` is what the database
 * has. */
struct tally {
    struct tally *next; /* of the same account */
    struct account *account;
    struct pool *pool;
    struct ring_node node;
    struct tally_row now, stored;
    uint8_t stored_tier; /* ring of stored.turn */
};

struct account {
    struct map_node by_number;
    uint64_t number;
    char id[ACCOUNT_ID_MAX + 1];
    uint8_t tier;
    uint8_t bars;         /* Rota__Bar: any of them keeps it out of the rings */
    uint32_t running_own; /* the account's own cap; 0: the tier's */
    uint32_t running;     /* leased jobs over all pools */
    struct tally *tallies;
    struct account *dirty_next;
    bool is_dirty;
    struct account_share {
        uint8_t tier;
        uint64_t ready, delayed, held, leased;
        bool waits, at_cap;
    } share; /* its part in the totals, as of the last commit */
};

struct lease {
    struct map_node by_job;
    struct job_id job, nonce;
    uint32_t epoch;
    uint64_t token;
    struct account *account;
    struct tally *tally;
    struct worker *worker;
    struct lease *worker_next, *worker_prev;
    uint8_t tier, attempt;
    uint64_t granted_ms, granted_bt_ms, timeout_ms, cancel_ms;
    uint64_t silent_bt_ms; /* lost when no word has come by then */
    uint64_t told_bt_ms;   /* when its worker last heard of the cancel */
    struct alarm alarm;
    uint64_t version;
    struct lease_progress {
        uint32_t percent;
        char phase[PHASE_NAME_MAX + 1];
        char message[PROGRESS_TEXT_MAX + 1];
    } progress;
};

/* A parked lease call. */
struct poll {
    struct ring_node node; /* in pool->polls */
    struct alarm alarm;
    struct worker *worker;
    struct reply_to to;
    uint32_t jobs_max;
    bool answers_now; /* wait_ms was 0: nothing at the end of the turn is an answer too */
    struct job_id nonce;
    bool has_finish; /* finish_and_lease: what became of the finish */
    Rota__State finish_state;
    enum error_code finish_error;
    uint32_t key_serial;
};

struct worker {
    struct map_node by_name;
    struct pool *pool;
    struct lease *leases;
    struct poll *poll;
    uint32_t leases_n;
    bool beat_parked;
    struct reply_to beat_to;
    uint64_t beat_until_bt_ms;
    uint32_t key_serial;
    struct alarm alarm; /* the parked heartbeat, or silence */
    struct board_worker facts;
    uint32_t told_heat_slots;
    uint64_t told_heat_until_ms;
};

/* A job that is in `job` but not yet in `job_of`. */
struct unfolded {
    struct job_id id;
    uint64_t account;
    uint32_t app;
};
enum { UNFOLDED_MAX = 65536, FOLD_BATCH_MAX = 32768 };

/* How far the fold has come (fold.c). */
struct fold {
    struct unfolded *batch; /* FOLD_BATCH_MAX: being gathered, or sorted and being written */
    size_t n, at;
    struct job_id last; /* newest of the batch */
    struct job_id done; /* newest of all whole batches so far: meta "fold" */
    bool is_sealed;     /* gathered and sorted */
    bool is_own;        /* from `unfolded`, else from the tail that an earlier process left */
    bool has_tail;
    struct job_id tail_at, tail_end; /* the last one read of that tail, and its end */
};

/* Counters that survive: one row of meta, written once per turn. */
struct hot_row {
    uint64_t event_seq, ring_turn, account_number, broker_ms;
    uint32_t key_serial, epoch;
    uint16_t pool_number;
    struct job_id last_job;
    uint64_t waits; /* rows of `waits_on`: none, and no end of a job looks for children */
    uint64_t trail_seq, review, bulk; /* last numbers given */
};
extern const struct row_type hot_row_type;
struct span hot_key(void);

struct cache {
    struct undo *undo;
    struct hot_row hot;
    bool hot_dirty;
    struct pool *pools[POOLS_MAX + 1]; /* by number */
    size_t pools_n;
    struct class classes[CLASSES_ALL_MAX];
    size_t classes_n;
    struct map accounts, leases, workers;
    size_t accounts_kept; /* when idle ones were last forgotten */
    struct account *dirty;
    struct alarms alarms;
    struct board_totals totals; /* as of the last commit */
    struct unfolded *unfolded;  /* of this process: ring buffer of UNFOLDED_MAX */
    uint64_t unfolded_first, unfolded_end;
    struct fold fold;
    bool fold_ended;          /* a batch came to its end in this turn */
    uint64_t polls_parked;    /* place of the last parked poll */
    uint8_t tier_bars[TIERS]; /* Rota__Bar of a whole tier, in every pool */
    uint64_t delayed_ms[2];   /* by enum due_clock: no job is due before */
    bool has_follow;          /* ended jobs whose children are still to be told */
};

MUST_USE int cache_init(struct cache *c);
void cache_deinit(struct cache *c);

/* Fills an empty cache. Leases get a full window from `broker_ms` on. What a changed tier table
 * moved is marked for writing: flush, commit, cache_committed(). -EBADMSG: a row is damaged. */
MUST_USE int cache_load(struct cache *c, struct txn *txn, uint64_t broker_ms, uint64_t lease_ms);

/* Between turns, the journal empty: room for what one turn can add; forgets idle accounts. */
MUST_USE int cache_tend(struct cache *c);

/* 0 when both hold the same accounts, tallies, rings, pools and leases; else 1, the first
 * difference on stderr. */
int cache_compare(const struct cache *a, const struct cache *b);

struct pool *cache_pool(const struct cache *c, const char *name);
struct class *cache_class(struct cache *c, const char *name);

/* The account, read from the store when it is not in RAM. STORE_MISSING: no such account. */
MUST_USE int cache_account(struct cache *c, struct txn *txn, uint64_t number,
                           struct account **ret_account);
struct account *cache_account_known(const struct cache *c, uint64_t number);
/* Its tally in the pool, made when absent; NULL without memory. */
struct tally *account_tally(struct cache *c, struct account *a, struct pool *p);
uint32_t account_running_max(const struct account *a);
/* Call after its counts, cap or tier changed: marks it for writing and puts it into the rings where
 * it belongs, out of those where it does not. */
void account_settle(struct cache *c, struct account *a);
/* Another tier: leaves the rings of the old one; settle puts it into the new one's. */
void account_move(struct cache *c, struct account *a, uint8_t tier);

struct lease *cache_lease(const struct cache *c, struct job_id job);
struct lease *lease_new(struct cache *c, struct job_id job, struct tally *t, struct worker *w);
void lease_drop(struct cache *c, struct lease *l);

struct worker *cache_worker(const struct cache *c, const struct pool *p, const char *name);
struct worker *worker_new(struct cache *c, struct pool *p, const char *name);
void worker_drop(struct cache *c, struct worker *w);

struct pool *pool_new(struct cache *c, uint16_t number, const char *name);

/* The tiers of the pool in which somebody may be served: rotation's E. */
uint8_t pool_eligible(const struct cache *c, const struct pool *p);

/* Writes what changed: tallies, ring rows, pools, the hot row. Before the commit. */
MUST_USE int cache_flush(struct cache *c, struct txn *txn);
/* After the commit: what was written is what is stored; brings the totals up to date. */
void cache_committed(struct cache *c);
/* After an abort and the unwinding. */
void cache_aborted(struct cache *c);
void fold_aborted(struct cache *c); /* fold.c, for cache_aborted() alone */
