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
    FIELD(job_row, ref, SPAN),
    FIELD(job_row, key_serial, U32),
    FIELD(job_row, supersedes, U8),
    FIELD(job_row, is_charged, U8),
    FIELD(job_row, after, SPAN),
};
ROW_TYPE(job_row, JOB, 2);

static const struct field state_row_fields[] = {
    FIELD(state_row, attempt, U8),       FIELD(state_row, priority, U8),
    FIELD(state_row, pool, U16),         FIELD(state_row, due_ms, U64),
    FIELD(state_row, reason, SPAN),      FIELD(state_row, error_name, SPAN),
    FIELD(state_row, error_text, SPAN),  FIELD(state_row, state, U8),
    FIELD(state_row, due_clock, U8),     FIELD(state_row, waits, U16),
    FIELD(state_row, since_ms, U64),     FIELD(state_row, by, SPAN),
    FIELD(state_row, charge_month, U16), FIELD(state_row, commit, SPAN),
};
ROW_TYPE(state_row, STATE, 3);

static const struct field tally_row_fields[] = {
    FIELD(tally_row, ready, U32), FIELD(tally_row, running, U32), FIELD(tally_row, delayed, U32),
    FIELD(tally_row, held, U32),  FIELD(tally_row, turn, U64),    FIELD(tally_row, head_ms, U64),
};
ROW_TYPE(tally_row, TALLY, 2);

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
MARK_TYPE(follow_row_type, FOLLOW);
MARK_TYPE(source_due_row_type, SOURCE_DUE);
MARK_TYPE(object_due_row_type, OBJECT_DUE);
MARK_TYPE(job_of_row_type, JOB_OF);
MARK_TYPE(aside_row_type, ASIDE);

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
    FIELD(done_row, state, U8),           FIELD(done_row, attempt, U8),
    FIELD(done_row, epoch, U32),          FIELD(done_row, token, U64),
    FIELD(done_row, started_ms, U64),     FIELD(done_row, finished_ms, U64),
    FIELD(done_row, worker, SPAN),        FIELD(done_row, reason, SPAN),
    FIELD(done_row, error_name, SPAN),    FIELD(done_row, error_text, SPAN),
    FIELD(done_row, error_hint, SPAN),    FIELD(done_row, facts, SPAN),
    FIELD(done_row, artifact_bytes, U64), FIELD(done_row, pool, U16),
    FIELD(done_row, is_refunded, U8),     FIELD(done_row, charge_month, U16),
    FIELD(done_row, commit, SPAN),
};
ROW_TYPE(done_row, DONE, 3);

static const struct field pool_row_fields[] = {
    FIELD(pool_row, c, U8),           FIELD(pool_row, n, U8),
    FIELD(pool_row, n_max, U8),       FIELD(pool_row, number, U64),
    FIELD(pool_row, heat_slots, U32), FIELD(pool_row, heat_until_ms, U64),
    FIELD(pool_row, name, SPAN),      FIELD(pool_row, run_ms_mean, U64),
    FIELD(pool_row, run_ms_dev, U64), FIELD(pool_row, run_count, U64),
    FIELD(pool_row, is_paused, U8),
};
ROW_TYPE(pool_row, POOL, 2);

static const struct field class_row_fields[] = {
    FIELD(class_row, pool, U16),
    FIELD(class_row, is_paused, U8),
    FIELD(class_row, breaker_state, U8),
    FIELD(class_row, breaker_faults, U8),
    FIELD(class_row, breaker_open_ms, U32),
    FIELD(class_row, breaker_until_ms, U64),
    FIELD(class_row, breaker_probe, U64),
};
ROW_TYPE(class_row, CLASS, 2);

static const struct field account_row_fields[] = {
    FIELD(account_row, tier, U8),
    FIELD(account_row, has_builds, U8),
    FIELD(account_row, builds_unlimited, U8),
    FIELD(account_row, builds_month, U64),
    FIELD(account_row, running_max, U32),
    FIELD(account_row, apps, U32),
    FIELD(account_row, created_ms, U64),
    FIELD(account_row, id, SPAN),
    FIELD(account_row, bars, U8),
    FIELD(account_row, rate_n, U32),
    FIELD(account_row, rate_ms, U32),
    FIELD(account_row, timeout_ms, U64),
    FIELD(account_row, bundle_bytes_max, U64),
    FIELD(account_row, source_bytes_max, U64),
    FIELD(account_row, storage_bytes_max, U64),
    FIELD(account_row, storage_bytes, U64),
    FIELD(account_row, grants, U32),
    FIELD(account_row, created_day, U32),
    FIELD(account_row, name, SPAN),
    FIELD(account_row, notes, SPAN),
    FIELD(account_row, vars, U16),
    FIELD(account_row, presets, U16),
    FIELD(account_row, schedules, U16),
    FIELD(account_row, members, U16),
    FIELD(account_row, budget_ms, U64),
};
ROW_TYPE(account_row, ACCOUNT, 3);

static const struct field account_id_row_fields[] = {FIELD(account_id_row, account, U64)};
ROW_TYPE(account_id_row, ACCOUNT_ID, 1);

static const struct field app_row_fields[] = {
    FIELD(app_row, number, U32),     FIELD(app_row, platforms, U8),    FIELD(app_row, archived, U8),
    FIELD(app_row, created_ms, U64), FIELD(app_row, key_slot, U32),    FIELD(app_row, vars, U16),
    FIELD(app_row, family, U64),     FIELD(app_row, repository, SPAN),
};
ROW_TYPE(app_row, APP, 2);

static const struct field key_row_fields[] = {
    FIELD(key_row, serial, U32),       FIELD(key_row, account, U64),
    FIELD(key_row, role, U8),          FIELD(key_row, created_ms, U64),
    FIELD(key_row, revoked_ms, U64),   FIELD(key_row, prefix, SPAN),
    FIELD(key_row, name, SPAN),        FIELD(key_row, scopes, U32),
    FIELD(key_row, expires_ms, U64),   FIELD(key_row, rate_minute, U32),
    FIELD(key_row, builds_month, U64), FIELD(key_row, member, SPAN),
    FIELD(key_row, app, SPAN),         FIELD(key_row, is_load, U8),
};
ROW_TYPE(key_row, KEY, 2);

static const struct field key_serial_row_fields[] = {FIELD(key_serial_row, hash, HASH)};
ROW_TYPE(key_serial_row, KEY_SERIAL, 1);

static const struct field key_of_row_fields[] = {FIELD(key_of_row, is_revoked, U8)};
ROW_TYPE(key_of_row, KEY_OF, 1);

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

static const struct field going_row_fields[] = {FIELD(going_row, account_id, SPAN)};
ROW_TYPE(going_row, GOING, 1);

static const struct field meta_row_fields[] = {FIELD(meta_row, value, SPAN)};
ROW_TYPE(meta_row, META, 1);

static const struct field usage_row_fields[] = {
    FIELD(usage_row, used, U64),   FIELD(usage_row, succeeded, U64),
    FIELD(usage_row, failed, U64), FIELD(usage_row, cancelled, U64),
    FIELD(usage_row, dead, U64),   FIELD(usage_row, worker_ms, U64),
};
ROW_TYPE(usage_row, USAGE, 1);

static const struct field bucket_row_fields[] = {
    FIELD(bucket_row, tat, U64),
    FIELD(bucket_row, is_dry, U8),
};
ROW_TYPE(bucket_row, BUCKET, 1);

static const struct field addon_row_fields[] = {
    FIELD(addon_row, timeout_minutes, U32),
    FIELD(addon_row, price_cents, U64),
    FIELD(addon_row, is_recurring, U8),
    FIELD(addon_row, is_retired, U8),
};
ROW_TYPE(addon_row, ADDON, 1);

static const struct field grant_row_fields[] = {
    FIELD(grant_row, timeout_minutes, U32),
    FIELD(grant_row, since_ms, U64),
    FIELD(grant_row, until_ms, U64),
    FIELD(grant_row, addon, SPAN),
};
ROW_TYPE(grant_row, GRANT, 1);

static const struct field supersede_row_fields[] = {
    FIELD(supersede_row, job, ID),
};
ROW_TYPE(supersede_row, SUPERSEDE, 1);

static const struct field pause_row_fields[] = {
    FIELD(pause_row, since_ms, U64),
    FIELD(pause_row, until_ms, U64),
    FIELD(pause_row, reason, SPAN),
    FIELD(pause_row, by, SPAN),
};
ROW_TYPE(pause_row, PAUSE, 1);

static const struct field member_row_fields[] = {
    FIELD(member_row, role, U8),
    FIELD(member_row, created_ms, U64),
};
ROW_TYPE(member_row, MEMBER, 1);

static const struct field app_var_row_fields[] = {
    FIELD(app_var_row, is_secret, U8),
    FIELD(app_var_row, set_ms, U64),
    FIELD(app_var_row, value, SPAN),
};
ROW_TYPE(app_var_row, APP_VAR, 1);

static const struct field preset_row_fields[] = {
    FIELD(preset_row, publish, SPAN),
};
ROW_TYPE(preset_row, PRESET, 1);

static const struct field schedule_row_fields[] = {
    FIELD(schedule_row, is_off, U8),      FIELD(schedule_row, next_ms, U64),
    FIELD(schedule_row, last_job, ID),    FIELD(schedule_row, cron, SPAN),
    FIELD(schedule_row, publish, SPAN),   FIELD(schedule_row, last_error, SPAN),
    FIELD(schedule_row, principal, SPAN), FIELD(schedule_row, key_serial, U32),
};
ROW_TYPE(schedule_row, SCHEDULE, 1);
MARK_TYPE(schedule_due_row_type, SCHEDULE_DUE);

static const struct field key_use_row_fields[] = {
    FIELD(key_use_row, last_used_ms, U64), FIELD(key_use_row, requests, U64),
    FIELD(key_use_row, builds, U64),       FIELD(key_use_row, month, U16),
    FIELD(key_use_row, month_builds, U64), FIELD(key_use_row, succeeded, U64),
    FIELD(key_use_row, failed, U64),       FIELD(key_use_row, timed_out, U64),
    FIELD(key_use_row, cancelled, U64),    FIELD(key_use_row, dead, U64),
    FIELD(key_use_row, tat, U64),
};
ROW_TYPE(key_use_row, KEY_USE, 1);

static const struct field signal_row_fields[] = {
    FIELD(signal_row, first_ms, U64),
    FIELD(signal_row, last_ms, U64),
    FIELD(signal_row, published_ms, U64),
};
ROW_TYPE(signal_row, SIGNAL, 1);

static const struct field address_row_fields[] = {
    FIELD(address_row, first_ms, U64),
    FIELD(address_row, last_ms, U64),
};
ROW_TYPE(address_row, ADDRESS, 1);

static const struct field review_row_fields[] = {
    FIELD(review_row, packed, SPAN),
    FIELD(review_row, account, U64),
    FIELD(review_row, state, U8),
};
ROW_TYPE(review_row, REVIEW, 1);

static const struct field review_open_row_fields[] = {
    FIELD(review_open_row, review, U64),
    FIELD(review_open_row, state, U8),
    FIELD(review_open_row, since_ms, U64),
};
ROW_TYPE(review_open_row, REVIEW_OPEN, 1);
const struct row_type pattern_row_type = {
    .table = TABLE_PATTERN,
    .version = 1,
    .fields = review_open_row_fields,
    .n = ARRAY_LEN(review_open_row_fields),
    .size = sizeof(struct review_open_row),
};

static const struct field app_new_row_fields[] = {
    FIELD(app_new_row, family, U64),
    FIELD(app_new_row, folded, SPAN),
};
ROW_TYPE(app_new_row, APP_NEW, 1);

static const struct field trail_row_fields[] = {
    FIELD(trail_row, packed, SPAN),
};
ROW_TYPE(trail_row, TRAIL, 1);

static const struct field bulk_row_fields[] = {
    FIELD(bulk_row, packed, SPAN),  FIELD(bulk_row, at, ID),       FIELD(bulk_row, until, ID),
    FIELD(bulk_row, has_ended, U8), FIELD(bulk_row, account, U64),
};
ROW_TYPE(bulk_row, BULK, 1);

static const struct field erase_row_fields[] = {
    FIELD(erase_row, since_ms, U64),
    FIELD(erase_row, newest, ID),
    FIELD(erase_row, id, SPAN),
};
ROW_TYPE(erase_row, ERASE, 1);
