/* cache.h: what the queue thread keeps in RAM, rebuilt from the store at start.
 *
 * Nothing here grows with the backlog: one small struct per active account and pool, per live
 * lease, per connected worker. Accounts, tallies, pools and leases mirror the store; workers and
 * polls are sessions. Every change within a turn goes through the journal. Queue thread only. */
#pragma once

#include "engine/account_limits.h"
#include "engine/alarm.h"
#include "engine/auth.h"
#include "engine/board.h"
#include "engine/key_use.h"
#include "engine/map.h"
#include "net/inbox.h"
#include "rota.pb-c.h"
#include "sched/breaker.h"
#include "sched/bucket.h"
#include "sched/promise.h"
#include "sched/ring.h"
#include "sched/rotation.h"
#include "store/rows.h"

#include <base/undo.h>

enum {
    POOLS_MAX = 64,
    CLASSES_ALL_MAX = 256,
    ACCOUNTS_IDLE_MAX = 4096, /* accounts without jobs that stay in RAM */
    ACCOUNT_SEEN = 4,         /* pairs of address and app that an account may alternate between */
    OVER_MAX = 1024,          /* accounts in line for retention */
    WORKERS_MAX = 131072,     /* connected, or heard of in the last two lease times */
    BULKS_MAX = 16,           /* bulk acts that run at once */
};

struct pool {
    uint16_t number; /* from 1 */
    char name[POOL_NAME_MAX + 1];
    struct rotation rotation;
    struct ring ring[TIERS];
    struct ring polls; /* parked lease polls, longest parked first */
    uint32_t heat_slots;
    uint64_t heat_until_ms; /* Unix time */
    struct durations runs;  /* how long its runs took of late */
    struct pool_share {
        uint64_t ready[TIERS], leased;
    } share;        /* its jobs as of the last commit */
    uint8_t bars;   /* Rota__Bar: nothing is handed out */
    bool is_paused; /* by an operator; it is barred also while all its classes are closed */
    bool is_dirty;
};

/* May jobs of a class start now? From GATE_PAUSED on they may not. */
enum class_gate {
    GATE_OPEN,
    GATE_TRY,     /* its breaker's time is over: one run may start */
    GATE_PAUSED,  /* by an operator */
    GATE_BREAKER, /* by its breaker, until a time */
    GATE_PROBE,   /* half open: one run tries */
};

struct class
{
    char name[CLASS_NAME_MAX + 1];
    struct pool *pool;
    bool is_paused;
    struct breaker breaker; /* in broker time */
    enum class_gate gate;   /* what follows from both, as of the last look */
    bool has_aside;         /* jobs of it may be set aside (asides.c) */
    uint64_t try_ms;        /* GATE_TRY: when the next one of them is brought back */
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
    struct head {
        enum { HEAD_STORED, HEAD_KNOWN, HEAD_LOST } state;
        uint8_t priority;
        struct job_id job;
    } head; /* the ready job that is next (heads.c) */
};

/* What an account has had in one month (0: its ended jobs that are kept). */
struct usage {
    struct usage *next; /* of the same account */
    uint16_t month;
    struct usage_row now, stored;
};

/* A bucket of dispatch tokens (rates.h): of all, of a tier, of an account. */
struct rate {
    struct alarm alarm; /* set while it is dry: when the next token is there */
    uint8_t scope;      /* enum rate_scope */
    uint64_t number;    /* tier or account */
    struct account *account;
    struct bucket_row now, stored;
};

struct account {
    struct map_node by_number;
    uint64_t number;
    char id[ACCOUNT_ID_MAX + 1];
    uint8_t tier;
    uint8_t bars;                           /* Rota__Bar: any of them keeps it out of the rings */
    uint32_t running_own;                   /* the account's own cap; 0: the tier's */
    uint32_t running_max;                   /* the cap in force */
    uint32_t rate_own_n, rate_own_ms;       /* its own dispatch rate, when ms is set */
    struct rate *rate;                      /* NULL: it was never limited */
    struct limits limits;                   /* as account_limits() left them */
    uint32_t limits_version;                /* of the table that they come from */
    uint64_t limits_until_ms;               /* Unix time: an add-on ends; 0: to be computed anew */
    uint64_t storage_bytes, storage_stored; /* of its artifacts */
    uint64_t budget_ms;                     /* worker time a month; 0: none */
    struct usage *usage;
    uint32_t running; /* leased jobs over all pools */
    struct tally *tallies;
    struct account *dirty_next;
    bool is_dirty;
    bool is_over; /* in line for retention */
    /* abuse.c: publishes of late, so that the next one like them costs nothing. Only in RAM. */
    struct account_seen {
        uint64_t what;       /* address and app; 0: unused */
        uint32_t until_bt_s; /* broker time in seconds: looked at again after it */
    } seen[ACCOUNT_SEEN];
    uint8_t seen_next;
    uint64_t published_ms; /* its last publish; 0: not known */
    struct account_share {
        uint8_t tier;
        uint64_t ready, delayed, held, leased;
        bool waits, at_cap, barred;
        bool is_active; /* some of its jobs are ready or run */
    } share;            /* its part in the totals, as of the last commit */
};

struct lease {
    struct map_node by_job;
    struct job_id job, nonce;
    uint32_t epoch;
    uint64_t token;
    struct account *account;
    struct tally *tally;
    struct worker *worker;
    struct class *class; /* of its job; NULL: not looked up since the start */
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
    uint64_t checkpoint_seq;          /* event of the last checkpoint's first part; 0: none */
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
    struct key_uses key_uses;
    size_t accounts_kept;     /* when idle ones were last forgotten */
    uint64_t accounts_active; /* as of the last commit */
    struct account *dirty;
    struct alarms alarms;
    struct board_totals totals; /* as of the last commit */
    struct unfolded *unfolded;  /* of this process: ring buffer of UNFOLDED_MAX */
    uint64_t unfolded_first, unfolded_end;
    struct fold fold;
    bool fold_ended;          /* a batch came to its end in this turn */
    uint64_t polls_parked;    /* place of the last parked poll */
    uint8_t tier_bars[TIERS]; /* Rota__Bar of a whole tier, in every pool */
    struct tier_table tiers;  /* what each tier may have */
    struct rate rate_global, rate_tier[TIERS];
    uint16_t month;          /* of the last turn: its usage stays in RAM */
    uint64_t delayed_ms[2];  /* by enum due_clock: no job is due before */
    uint64_t schedule_ms;    /* Unix time: no schedule is due before */
    uint64_t source_due_ms;  /* Unix time: no dead job's source goes before */
    uint64_t object_due_ms;  /* Unix time: no one-off output goes before */
    uint64_t finished_ms;    /* Unix time: no job that is kept ended before */
    uint64_t over[OVER_MAX]; /* accounts that keep more ended jobs than they may */
    size_t over_n;
    struct job_id over_folds;  /* the line stands until the listing has come so far */
    struct job_id over_at;     /* how far the first of them has been walked */
    bool has_erase;            /* accounts are being erased */
    bool has_follow;           /* ended jobs whose children are still to be told */
    uint64_t bulks[BULKS_MAX]; /* bulk acts that run, by number, rising (bulk.h) */
    size_t bulks_n;
    uint64_t bulk_turn;  /* the one that was served last */
    uint64_t pauses_ms;  /* Unix time: no pause ends before */
    uint64_t classes_ms; /* broker time: no class opens, and no job is brought back, before */
    bool classes_odd;    /* some class is not open, or has jobs set aside */
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

/* heads.c: which ready job of a tally is next, so that nobody has to look for it. A row of `ready`
 * comes (before it is counted) or goes; when the next one is not known any more, it is looked up
 * once, at the end of the turn. */
void head_enter(struct cache *c, struct tally *t, uint8_t priority, struct job_id job);
void head_leave(struct cache *c, struct tally *t, uint8_t priority, struct job_id job);
MUST_USE int heads_settle(struct cache *c, struct txn *txn);

/* durations.c: as stored with a pool. */
struct durations durations_of(const struct pool_row *row);

/* Call after its counts, cap or tier changed: marks it for writing and puts it into the rings where
 * it belongs, out of those where it does not. */
void account_settle(struct cache *c, struct account *a);
/* The same for all, in the order of their numbers: what the log says of caps that changed for many
 * at once must tell in which order they entered. <0: no memory. */
MUST_USE int accounts_settle(struct cache *c);
/* Only marks it for writing. */
void account_mark(struct cache *c, struct account *a);
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

/* Of bars those that are stored: BAR_RATE follows from a bucket. */
static inline uint8_t bars_kept(uint8_t bars)
{
    return (uint8_t)(bars & ~(unsigned)ROTA__BAR__BAR_RATE);
}

/* Writes what changed: tallies, ring rows, pools, the hot row. Before the commit. */
MUST_USE int cache_flush(struct cache *c, struct txn *txn);
/* After the commit: what was written is what is stored; brings the totals up to date. */
void cache_committed(struct cache *c);
/* After an abort and the unwinding. */
void cache_aborted(struct cache *c);
void fold_aborted(struct cache *c); /* fold.c, for cache_aborted() alone */

/* usage.c and rates.c, for an account's way to the store alone. */
MUST_USE int usage_flush(struct account *a, struct txn *txn);
void usage_committed(const struct cache *c, struct account *a);
void usage_free(struct account *a);
/* 0, or 1 and the first difference on stderr: counts in RAM that are not the store's. */
MUST_USE int usage_compare(const struct cache *c, struct txn *txn);
MUST_USE int account_rate_flush(struct account *a, struct txn *txn);
MUST_USE int rates_flush(struct cache *c, struct txn *txn);
void rates_committed(struct cache *c);
