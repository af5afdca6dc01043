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
    struct span account_id, app_name, class, source, spec, principal, client_address,
        idempotency_key;
};
extern const struct row_type job_row_type;

struct state_row {
    uint8_t attempt; /* attempts that were started */
    uint8_t priority;
    uint16_t pool;
    uint64_t due_ms;
    struct span reason, error_name, error_text;
};
extern const struct row_type state_row_type;

struct tally_row {
    uint32_t ready, running, delayed, held;
    uint64_t turn; /* place in the ring of its (pool, tier); 0: in none */
};
extern const struct row_type tally_row_type;

struct ring_row {
    uint64_t account;
};
extern const struct row_type ring_row_type;

/* READY, DELAYED, WAITS_ON, HELD and JOB_OF rows: the key says it all, but for why. */
struct mark_row {
    struct span why;
};
extern const struct row_type ready_row_type, delayed_row_type, waits_on_row_type, held_row_type,
    job_of_row_type;

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
    struct span facts; /* packed Rota__Finish: artifacts, phase times, attestation */
};
extern const struct row_type done_row_type;

struct pool_row {
    uint8_t c, n, n_max;
    uint64_t number;
    uint32_t heat_slots;
    uint64_t heat_until_ms;
    struct span name;
};
extern const struct row_type pool_row_type;

struct class_row {
    uint16_t pool;
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
};
extern const struct row_type app_row_type;

struct key_row {
    uint32_t serial;
    uint64_t account;
    uint8_t role; /* Rota__Role */
    uint64_t created_ms, revoked_ms;
    struct span prefix, name;
};
extern const struct row_type key_row_type;

struct key_serial_row {
    uint8_t hash[32];
};
extern const struct row_type key_serial_row_type;

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

struct meta_row {
    struct span value;
};
extern const struct row_type meta_row_type;
