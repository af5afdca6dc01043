/* rows.c: the fields of every row in their order on the disk. To let a row grow: add the field at
 * the end of its table, raise the version, and add a value written by the old build to the codec's
 * tests. */
#include "store/rows.h"

#include <stddef.h>

#define ROW_TYPE(row, T, ver)                                                                      \
    const struct row_type row##_type = {                                                           \
        .table = TABLE_##T,                                                                        \
        .version = (ver),                                                                          \
        .fields = row##_fields,                                                                    \
        .n = ARRAY_LEN(row##_fields),                                                              \
        .size = sizeof(struct row),                                                                \
    }

static const struct field job_row_fields[] = {
    FIELD(job_row, account, U64),
    FIELD(job_row, app, U32),
    FIELD(job_row, pool, U16),
    FIELD(job_row, platform, U8),
    FIELD(job_row, priority, U8),
    FIELD(job_row, tier, U8),
    FIELD(job_row, attempts_max, U8),
    FIELD(job_row, key_slot, U32),
    FIELD(job_row, timeout_ms, U64),
    FIELD(job_row, published_ms, U64),
    FIELD(job_row, source_bytes, U64),
    FIELD(job_row, account_id, SPAN),
    FIELD(job_row, app_name, SPAN),
    FIELD(job_row, class, SPAN),
    FIELD(job_row, source, SPAN),
    FIELD(job_row, spec, SPAN),
    FIELD(job_row, principal, SPAN),
    FIELD(job_row, client_address, SPAN),
    FIELD(job_row, idempotency_key, SPAN),
};
ROW_TYPE(job_row, JOB, 1);

static const struct field state_row_fields[] = {
    FIELD(state_row, attempt, U8),      FIELD(state_row, priority, U8),
    FIELD(state_row, pool, U16),        FIELD(state_row, due_ms, U64),
    FIELD(state_row, reason, SPAN),     FIELD(state_row, error_name, SPAN),
    FIELD(state_row, error_text, SPAN),
};
ROW_TYPE(state_row, STATE, 1);

static const struct field tally_row_fields[] = {
    FIELD(tally_row, ready, U32), FIELD(tally_row, running, U32), FIELD(tally_row, delayed, U32),
    FIELD(tally_row, held, U32),  FIELD(tally_row, turn, U64),
};
ROW_TYPE(tally_row, TALLY, 1);

static const struct field ring_row_fields[] = {FIELD(ring_row, account, U64)};
ROW_TYPE(ring_row, RING, 1);

static const struct field mark_row_fields[] = {FIELD(mark_row, why, SPAN)};

#define MARK_TYPE(name, T)                                                                         \
    const struct row_type name = {                                                                 \
        .table = TABLE_##T,                                                                        \
        .version = 1,                                                                              \
        .fields = mark_row_fields,                                                                 \
        .n = ARRAY_LEN(mark_row_fields),                                                           \
        .size = sizeof(struct mark_row),                                                           \
    }
MARK_TYPE(ready_row_type, READY);
MARK_TYPE(delayed_row_type, DELAYED);
MARK_TYPE(waits_on_row_type, WAITS_ON);
MARK_TYPE(held_row_type, HELD);
MARK_TYPE(job_of_row_type, JOB_OF);

static const struct field lease_row_fields[] = {
    FIELD(lease_row, epoch, U32),          FIELD(lease_row, token, U64),
    FIELD(lease_row, nonce, ID),           FIELD(lease_row, account, U64),
    FIELD(lease_row, pool, U16),           FIELD(lease_row, tier, U8),
    FIELD(lease_row, attempt, U8),         FIELD(lease_row, granted_ms, U64),
    FIELD(lease_row, granted_bt_ms, U64),  FIELD(lease_row, timeout_ms, U64),
    FIELD(lease_row, cancel_ms, U64),      FIELD(lease_row, worker, SPAN),
    FIELD(lease_row, cancel_reason, SPAN),
};
ROW_TYPE(lease_row, LEASE, 1);

static const struct field done_row_fields[] = {
    FIELD(done_row, state, U8),        FIELD(done_row, attempt, U8),
    FIELD(done_row, epoch, U32),       FIELD(done_row, token, U64),
    FIELD(done_row, started_ms, U64),  FIELD(done_row, finished_ms, U64),
    FIELD(done_row, worker, SPAN),     FIELD(done_row, reason, SPAN),
    FIELD(done_row, error_name, SPAN), FIELD(done_row, error_text, SPAN),
    FIELD(done_row, error_hint, SPAN), FIELD(done_row, facts, SPAN),
};
ROW_TYPE(done_row, DONE, 1);

static const struct field pool_row_fields[] = {
    FIELD(pool_row, c, U8),           FIELD(pool_row, n, U8),
    FIELD(pool_row, n_max, U8),       FIELD(pool_row, number, U64),
    FIELD(pool_row, heat_slots, U32), FIELD(pool_row, heat_until_ms, U64),
    FIELD(pool_row, name, SPAN),
};
ROW_TYPE(pool_row, POOL, 1);

static const struct field class_row_fields[] = {FIELD(class_row, pool, U16)};
ROW_TYPE(class_row, CLASS, 1);

static const struct field account_row_fields[] = {
    FIELD(account_row, tier, U8),
    FIELD(account_row, has_builds, U8),
    FIELD(account_row, builds_unlimited, U8),
    FIELD(account_row, builds_month, U64),
    FIELD(account_row, running_max, U32),
    FIELD(account_row, apps, U32),
    FIELD(account_row, created_ms, U64),
    FIELD(account_row, id, SPAN),
};
ROW_TYPE(account_row, ACCOUNT, 1);

static const struct field account_id_row_fields[] = {FIELD(account_id_row, account, U64)};
ROW_TYPE(account_id_row, ACCOUNT_ID, 1);

static const struct field app_row_fields[] = {
    FIELD(app_row, number, U32),
    FIELD(app_row, platforms, U8),
    FIELD(app_row, archived, U8),
    FIELD(app_row, created_ms, U64),
};
ROW_TYPE(app_row, APP, 1);

static const struct field key_row_fields[] = {
    FIELD(key_row, serial, U32),     FIELD(key_row, account, U64),    FIELD(key_row, role, U8),
    FIELD(key_row, created_ms, U64), FIELD(key_row, revoked_ms, U64), FIELD(key_row, prefix, SPAN),
    FIELD(key_row, name, SPAN),
};
ROW_TYPE(key_row, KEY, 1);

static const struct field key_serial_row_fields[] = {FIELD(key_serial_row, hash, HASH)};
ROW_TYPE(key_serial_row, KEY_SERIAL, 1);

static const struct field idem_row_fields[] = {
    FIELD(idem_row, job, ID),
    FIELD(idem_row, request_hash, HASH),
};
ROW_TYPE(idem_row, IDEM, 1);

static const struct field event_row_fields[] = {FIELD(event_row, packed, SPAN)};
ROW_TYPE(event_row, EVENT, 1);

static const struct field object_row_fields[] = {
    FIELD(object_row, size, U64),
    FIELD(object_row, jobs, U32),
};
ROW_TYPE(object_row, OBJECT, 1);

static const struct field meta_row_fields[] = {FIELD(meta_row, value, SPAN)};
ROW_TYPE(meta_row, META, 1);
