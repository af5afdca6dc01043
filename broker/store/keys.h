/* keys.h: how a row is found. Each maker fills a small buffer in the caller's hands; the span
 * points into it. Pure. */
#pragma once

#include <base/bytes.h>
#include <base/id.h>

enum { KEY_BYTES_MAX = 288, SIGNAL_VALUE_BYTES = 16 };
enum { READY_PRIORITY_AT = 2 + 8, READY_KEY_BYTES = 2 + 8 + 1 + 16 };

struct key_buf {
    uint8_t b[KEY_BYTES_MAX];
};

struct span key_u16(struct key_buf *k, uint16_t v);
struct span key_u32(struct key_buf *k, uint32_t v);
struct span key_u64(struct key_buf *k, uint64_t v);
struct span key_id(struct key_buf *k, struct job_id id);
struct span key_ready(struct key_buf *k, uint16_t pool, uint64_t account, uint8_t priority,
                      struct job_id id);
struct span key_ring(struct key_buf *k, uint16_t pool, uint8_t tier, uint64_t turn);
struct span key_tally(struct key_buf *k, uint64_t account, uint16_t pool);
struct span key_due(struct key_buf *k, uint8_t clock, uint64_t due_ms, struct job_id id);
struct span key_source_due(struct key_buf *k, uint64_t due_ms, struct job_id id);
struct span key_waits_on(struct key_buf *k, struct job_id parent, struct job_id child);
struct span key_of_account(struct key_buf *k, uint64_t account, struct job_id id);
struct span key_of_app(struct key_buf *k, uint64_t account, uint32_t app, struct job_id id);
struct span key_of_finished(struct key_buf *k, uint64_t finished_ms, struct job_id id);
/* An account's own thing of a name: app, member, preset, schedule, address. */
struct span key_named(struct key_buf *k, uint64_t account, struct span name);
struct span key_app_var(struct key_buf *k, uint64_t account, uint32_t app, struct span name);
struct span key_schedule_due(struct key_buf *k, uint64_t next_ms, uint64_t account,
                             struct span name);
struct span key_of_key(struct key_buf *k, uint64_t account, uint32_t serial);
struct span key_usage(struct key_buf *k, uint64_t account, uint16_t month);
struct span key_grant(struct key_buf *k, uint64_t account, uint32_t grant);
struct span key_bucket(struct key_buf *k, uint8_t scope, uint64_t number);
struct span key_pause(struct key_buf *k, uint8_t scope, struct span name);
/* Of its row under scope 0, where pauses stand by their end. */
struct span key_pause_due(struct key_buf *k, uint64_t until_ms, uint8_t scope, struct span name);
/* A job set aside while its class is closed. */
struct span key_aside(struct key_buf *k, struct span class, uint64_t account, uint8_t priority,
                      struct job_id id);
struct span key_supersede(struct key_buf *k, uint64_t account, uint32_t app, uint8_t platform,
                          const uint8_t ref[SIGNAL_VALUE_BYTES]);
struct span key_signal(struct key_buf *k, uint8_t kind, const uint8_t value[SIGNAL_VALUE_BYTES],
                       uint64_t account);
/* The same row found by its account. */
struct span key_signal_of(struct key_buf *k, uint64_t account, uint8_t kind,
                          const uint8_t value[SIGNAL_VALUE_BYTES]);
struct span key_app_new(struct key_buf *k, uint64_t created_ms, uint64_t account, uint32_t app);
struct span key_pattern(struct key_buf *k, uint8_t kind, const uint8_t value[SIGNAL_VALUE_BYTES]);
struct span key_idem(struct key_buf *k, struct span idempotency_key, uint64_t account);
struct span key_object(struct key_buf *k, uint8_t kind, uint64_t account, const uint8_t sha256[32]);

/* The parts again, of keys that came from a cursor (the caller knows the table). */
struct job_id key_tail_id(struct span key);
