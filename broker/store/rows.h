/* rows.h: what stands in each table. A row's fields and their order: rows.c. Keys: keys.h. Strings
 * are spans, borrowed from the database on reading. Times: `_ms` is Unix time, `_bt_ms` broker time
 * (boot time plus an offset kept in meta: never steps back). */
#pragma once

#include "store/codec.h"

#include <base/id.h>

/* The immutable job, appended at publish. */
struct job_row {
    uint64_t account;
    uint32_t app; /* number of the app in its account; 0: none */
    uint16_t pool;
    uint8_t platform; /* enum platform */
    uint8_t priority; /* 1 first .. 9 */
    uint8_t tier;     /* at publish */
    uint8_t attempts_max;
    uint32_t key_slot; /* of the key file, for sealed sources; 0: none */
    uint64_t timeout_ms;
    uint64_t published_ms;
    uint64_t source_bytes;
    /* client_address: empty since addresses have a table and a time of their own. */
    struct span account_id, app_name, class, source, spec, principal, client_address,
        idempotency_key;
    struct span ref;
    uint32_t key_serial; /* of the key it was published with */
    uint8_t supersedes;  /* stands in `supersede` under its ref */
    uint8_t is_charged;  /* took a build of its month's quota */
    struct span after;   /* ids of the jobs it was published to wait for, 16 bytes each */
};
extern const struct row_type job_row_type;

/* Where a job that has not ended differs from its row. None: it is ready, or leased for the first
 * time, in the pool and with the priority of its row. Beside a lease, the attempt that runs is not
 * yet counted here. */
struct state_row {
    uint8_t attempt;  /* attempts that were started */
    uint8_t priority; /* 0: the job's */
    uint16_t pool;    /* 0: the job's */
    uint64_t due_ms;  /* delayed: when; key of its row in `delayed` */
    struct span reason, error_name, error_text;
    uint8_t state;         /* Rota__State: 0 or READY, DELAYED, HELD */
    uint8_t due_clock;     /* enum due_clock of due_ms */
    uint16_t waits;        /* delayed: jobs it still waits for; then due_ms is 0 */
    uint64_t since_ms;     /* held or delayed: since when */
    struct span by;        /* held: by whom */
    uint16_t charge_month; /* the month (sched/month.h) that pays for it; 0: that of its publish */
    struct span commit; /* of a git source: what its ref is for this job; empty: not fetched yet */
};
enum due_clock { DUE_BROKER, DUE_WALL };
extern const struct row_type state_row_type;

struct tally_row {
    uint32_t ready, running, delayed, held;
    uint64_t turn;    /* place in the ring of its (pool, tier); 0: in none */
    uint64_t head_ms; /* publish of the ready job that is next; 0: none, or not known yet */
};
extern const struct row_type tally_row_type;

struct ring_row {
    uint64_t account;
};
extern const struct row_type ring_row_type;

/* READY, DELAYED, WAITS_ON, HELD, JOB_OF and ASIDE rows: the key says it all, but for why. */
struct mark_row {
    struct span why;
};
extern const struct row_type ready_row_type, delayed_row_type, waits_on_row_type, held_row_type,
    follow_row_type, source_due_row_type, job_of_row_type, aside_row_type, object_due_row_type;

struct lease_row {
    uint32_t epoch;
    uint64_t token;      /* = dispatch number of the pool */
    struct job_id nonce; /* 16 bytes of the worker's */
    uint64_t account;
    uint16_t pool;
    uint8_t tier, attempt;
    uint64_t granted_ms, granted_bt_ms;
    uint64_t timeout_ms;
    uint64_t cancel_ms; /* 0: not cancelled */
    struct span worker, cancel_reason;
};
extern const struct row_type lease_row_type;

struct done_row {
    uint8_t state; /* Rota__State */
    uint8_t attempt;
    uint32_t epoch;
    uint64_t token;
    uint64_t started_ms, finished_ms;
    struct span worker, reason, error_name, error_text, error_hint;
    struct span facts;       /* packed Rota__Finish: artifacts, phase times, attestation */
    uint64_t artifact_bytes; /* counted to the account's storage */
    uint16_t pool;           /* it ended in; 0: the job's */
    uint8_t is_refunded;     /* its month's quota was given back */
    uint16_t charge_month;   /* as in the state */
    struct span commit;      /* likewise */
};
extern const struct row_type done_row_type;

struct pool_row {
    uint8_t c, n, n_max;
    uint64_t number;
    uint32_t heat_slots;
    uint64_t heat_until_ms;
    struct span name;
    uint64_t run_ms_mean, run_ms_dev, run_count; /* of recent jobs (sched/promise.h) */
    uint8_t is_paused;
};
extern const struct row_type pool_row_type;

struct class_row {
    uint16_t pool;
    uint8_t is_paused;
    uint8_t breaker_state, breaker_faults; /* sched/breaker.h */
    uint32_t breaker_open_ms;
    uint64_t breaker_until_ms; /* broker time */
    uint64_t breaker_probe;
};
extern const struct row_type class_row_type;

struct account_row {
    uint8_t tier;
    uint8_t has_builds, builds_unlimited;
    uint64_t builds_month;
    uint32_t running_max; /* 0: the tier's */
    uint32_t apps;        /* last app number given */
    uint64_t created_ms;
    struct span id;
    uint8_t bars; /* Rota__Bar but BAR_RATE */
    uint32_t rate_n, rate_ms;
    uint64_t timeout_ms, bundle_bytes_max, source_bytes_max, storage_bytes_max; /* 0: the tier's */
    uint64_t storage_bytes; /* of its artifacts */
    uint32_t grants;        /* last grant number given */
    uint32_t created_day;   /* UTC day: created_ms / 86,400,000 */
    struct span name, notes;
    uint16_t vars, presets, schedules, members; /* how many it has */
    uint64_t budget_ms;                         /* worker time a month; 0: none */
};
extern const struct row_type account_row_type;

struct account_id_row {
    uint64_t account;
};
extern const struct row_type account_id_row_type;

struct app_row {
    uint32_t number;
    uint8_t platforms; /* bit (1 << enum platform) */
    uint8_t archived;
    uint64_t created_ms;
    uint32_t key_slot; /* of the app's key in the key directory; 0: none yet */
    uint16_t vars;
    uint64_t family; /* keyed hash of the folded name it is alike to (abuse); 0: none */
    struct span repository;
};
extern const struct row_type app_row_type;

struct key_row {
    uint32_t serial;
    uint64_t account;
    uint8_t role; /* Rota__Role */
    uint64_t created_ms, revoked_ms;
    struct span prefix, name;
    uint32_t scopes; /* bit per scope of scopes.def; 0: the role's default */
    uint64_t expires_ms;
    uint32_t rate_minute;
    uint64_t builds_month;
    struct span member, app;
    uint8_t is_load; /* of the load account: refused in production */
};
extern const struct row_type key_row_type;

struct key_serial_row {
    uint8_t hash[32];
};
extern const struct row_type key_serial_row_type;

struct key_of_row {
    uint8_t is_revoked;
};
extern const struct row_type key_of_row_type;

struct idem_row {
    struct job_id job;
    uint8_t request_hash[32];
};
extern const struct row_type idem_row_type;

struct event_row {
    struct span packed; /* Rota__Event with account_number in place of account */
};
extern const struct row_type event_row_type;

struct object_row {
    uint64_t size;
    uint32_t jobs; /* that refer to it */
};
extern const struct row_type object_row_type;

struct going_row {
    struct span account_id; /* part of the object's name; the account itself may be erased */
};
extern const struct row_type going_row_type;

struct meta_row {
    struct span value;
};
extern const struct row_type meta_row_type;

/* One month of an account; month 0: its ended jobs that are still kept, in succeeded and failed. */
struct usage_row {
    uint64_t used, succeeded, failed, cancelled, dead, worker_ms;
};
extern const struct row_type usage_row_type;

struct bucket_row {
    uint64_t tat;   /* sched/bucket.h, in broker time */
    uint8_t is_dry; /* its owner has BAR_RATE */
};
extern const struct row_type bucket_row_type;

struct addon_row {
    uint32_t timeout_minutes;
    uint64_t price_cents;
    uint8_t is_recurring, is_retired;
};
extern const struct row_type addon_row_type;

struct grant_row {
    uint32_t timeout_minutes;
    uint64_t since_ms, until_ms;
    struct span addon;
};
extern const struct row_type grant_row_type;

struct supersede_row {
    struct job_id job;
};
extern const struct row_type supersede_row_type;

struct pause_row {
    uint64_t since_ms, until_ms;
    struct span reason, by;
};
extern const struct row_type pause_row_type;

struct member_row {
    uint8_t role; /* Rota__MemberRole */
    uint64_t created_ms;
};
extern const struct row_type member_row_type;

struct app_var_row {
    uint8_t is_secret;
    uint64_t set_ms;
    struct span value; /* sealed when it is a secret */
};
extern const struct row_type app_var_row_type;

struct preset_row {
    struct span publish; /* packed Rota__Publish */
};
extern const struct row_type preset_row_type;

struct schedule_row {
    uint8_t is_off;
    uint64_t next_ms;
    struct job_id last_job;
    struct span cron, publish, last_error, principal;
    uint32_t key_serial;
};
extern const struct row_type schedule_row_type, schedule_due_row_type;

struct key_use_row {
    uint64_t last_used_ms, requests, builds;
    uint16_t month;
    uint64_t month_builds;
    uint64_t succeeded, failed, timed_out, cancelled, dead;
    uint64_t tat; /* of its request bucket */
};
extern const struct row_type key_use_row_type;

struct signal_row {
    uint64_t first_ms, last_ms; /* seen */
    uint64_t published_ms;      /* of the newest job that it was seen with */
};
extern const struct row_type signal_row_type;

struct address_row {
    uint64_t first_ms, last_ms;
};
extern const struct row_type address_row_type;

struct review_row {
    struct span packed; /* Rota__Review with account_number in place of account */
    uint64_t account;
    uint8_t state;
};
extern const struct row_type review_row_type;

/* An account's newest review, also when it is decided; or the review that confirmed a pattern. */
struct review_open_row {
    uint64_t review;
    uint8_t state; /* Rota__ReviewState */
    uint64_t since_ms;
};
extern const struct row_type review_open_row_type, pattern_row_type;

struct app_new_row {
    uint64_t family;    /* as in the app's row */
    struct span folded; /* its name, folded */
};
extern const struct row_type app_new_row_type;

struct trail_row {
    struct span packed; /* Rota__TrailEntry */
};
extern const struct row_type trail_row_type;

struct bulk_row {
    struct span packed;  /* Rota__Bulk */
    struct job_id at;    /* jobs below it have been looked at */
    struct job_id until; /* the newest job when it began: later ones are none of its business */
    uint8_t has_ended;
    uint64_t account; /* of the key that began it */
};
extern const struct row_type bulk_row_type;

struct erase_row {
    uint64_t since_ms;
    struct job_id newest; /* of its jobs when it began */
    struct span id;       /* the account's own */
};
extern const struct row_type erase_row_type;
