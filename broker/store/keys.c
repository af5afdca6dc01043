/* keys.c: keys are built field by field at the end of the buffer's used part; integers big-endian,
 * so that bytes sort as numbers. */
#include "store/keys.h"

#include <assert.h>

struct key_end {
    struct key_buf *buf;
    size_t n;
};

static void add_bytes(struct key_end *k, const void *p, size_t n)
{
    assert(n <= KEY_BYTES_MAX - k->n);
    if (n)
        memcpy(k->buf->b + k->n, p, n);
    k->n += n;
}

static void add_u8(struct key_end *k, uint8_t v)
{
    add_bytes(k, &v, 1);
}

#define DEFINE_ADD(bits)                                                                           \
    static void add_u##bits(struct key_end *k, uint##bits##_t v)                                   \
    {                                                                                              \
        uint8_t b[sizeof v];                                                                       \
        put_be##bits(b, v);                                                                        \
        add_bytes(k, b, sizeof b);                                                                 \
    }
DEFINE_ADD(16)
DEFINE_ADD(32)
DEFINE_ADD(64)

static void add_id(struct key_end *k, struct job_id id)
{
    add_bytes(k, id.b, sizeof id.b);
}

static struct span key_done(const struct key_end *k)
{
    return span_of(k->buf->b, k->n);
}

#define DEFINE_KEY(bits)                                                                           \
    struct span key_u##bits(struct key_buf *buf, uint##bits##_t v)                                 \
    {                                                                                              \
        struct key_end k = {buf, 0};                                                               \
        add_u##bits(&k, v);                                                                        \
        return key_done(&k);                                                                       \
    }
DEFINE_KEY(16)
DEFINE_KEY(32)
DEFINE_KEY(64)

struct span key_id(struct key_buf *buf, struct job_id id)
{
    struct key_end k = {buf, 0};
    add_id(&k, id);
    return key_done(&k);
}

struct span key_ready(struct key_buf *buf, uint16_t pool, uint64_t account, uint8_t priority,
                      struct job_id id)
{
    struct key_end k = {buf, 0};
    add_u16(&k, pool);
    add_u64(&k, account);
    add_u8(&k, priority);
    add_id(&k, id);
    return key_done(&k);
}

struct span key_ring(struct key_buf *buf, uint16_t pool, uint8_t tier, uint64_t turn)
{
    struct key_end k = {buf, 0};
    add_u16(&k, pool);
    add_u8(&k, tier);
    add_u64(&k, turn);
    return key_done(&k);
}

struct span key_tally(struct key_buf *buf, uint64_t account, uint16_t pool)
{
    struct key_end k = {buf, 0};
    add_u64(&k, account);
    add_u16(&k, pool);
    return key_done(&k);
}

struct span key_source_due(struct key_buf *buf, uint64_t due_ms, struct job_id id)
{
    struct key_end k = {buf, 0};
    add_u64(&k, due_ms);
    add_id(&k, id);
    return key_done(&k);
}

struct span key_waits_on(struct key_buf *buf, struct job_id parent, struct job_id child)
{
    struct key_end k = {buf, 0};
    add_id(&k, parent);
    add_id(&k, child);
    return key_done(&k);
}

struct span key_due(struct key_buf *buf, uint8_t clock, uint64_t due_ms, struct job_id id)
{
    struct key_end k = {buf, 0};
    add_u8(&k, clock);
    add_u64(&k, due_ms);
    add_id(&k, id);
    return key_done(&k);
}

struct span key_of_account(struct key_buf *buf, uint64_t account, struct job_id id)
{
    struct key_end k = {buf, 0};
    add_u8(&k, 'A');
    add_u64(&k, account);
    add_id(&k, id);
    return key_done(&k);
}

struct span key_of_app(struct key_buf *buf, uint64_t account, uint32_t app, struct job_id id)
{
    struct key_end k = {buf, 0};
    add_u8(&k, 'P');
    add_u64(&k, account);
    add_u32(&k, app);
    add_id(&k, id);
    return key_done(&k);
}

struct span key_of_finished(struct key_buf *buf, uint64_t finished_ms, struct job_id id)
{
    struct key_end k = {buf, 0};
    add_u8(&k, 'F');
    add_u64(&k, finished_ms);
    add_id(&k, id);
    return key_done(&k);
}

struct span key_named(struct key_buf *buf, uint64_t account, struct span name)
{
    struct key_end k = {buf, 0};
    add_u64(&k, account);
    add_bytes(&k, name.p, name.n);
    return key_done(&k);
}

struct span key_app_var(struct key_buf *buf, uint64_t account, uint32_t app, struct span name)
{
    struct key_end k = {buf, 0};
    add_u64(&k, account);
    add_u32(&k, app);
    add_bytes(&k, name.p, name.n);
    return key_done(&k);
}

struct span key_schedule_due(struct key_buf *buf, uint64_t next_ms, uint64_t account,
                             struct span name)
{
    struct key_end k = {buf, 0};
    add_u64(&k, next_ms);
    add_u64(&k, account);
    add_bytes(&k, name.p, name.n);
    return key_done(&k);
}

struct span key_usage(struct key_buf *buf, uint64_t account, uint16_t month)
{
    struct key_end k = {buf, 0};
    add_u64(&k, account);
    add_u16(&k, month);
    return key_done(&k);
}

struct span key_of_key(struct key_buf *buf, uint64_t account, uint32_t serial)
{
    struct key_end k = {buf, 0};
    add_u64(&k, account);
    add_u32(&k, serial);
    return key_done(&k);
}

struct span key_grant(struct key_buf *buf, uint64_t account, uint32_t grant)
{
    struct key_end k = {buf, 0};
    add_u64(&k, account);
    add_u32(&k, grant);
    return key_done(&k);
}

struct span key_bucket(struct key_buf *buf, uint8_t scope, uint64_t number)
{
    struct key_end k = {buf, 0};
    add_u8(&k, scope);
    add_u64(&k, number);
    return key_done(&k);
}

struct span key_pause(struct key_buf *buf, uint8_t scope, struct span name)
{
    struct key_end k = {buf, 0};
    add_u8(&k, scope);
    add_bytes(&k, name.p, name.n);
    return key_done(&k);
}

struct span key_pause_due(struct key_buf *buf, uint64_t until_ms, uint8_t scope, struct span name)
{
    struct key_end k = {buf, 0};
    add_u8(&k, 0);
    add_u64(&k, until_ms);
    add_u8(&k, scope);
    add_bytes(&k, name.p, name.n);
    return key_done(&k);
}

struct span key_aside(struct key_buf *buf, struct span class, uint64_t account, uint8_t priority,
                      struct job_id id)
{
    struct key_end k = {buf, 0};
    add_bytes(&k, class.p, class.n);
    add_u8(&k, 0);
    add_u64(&k, account);
    add_u8(&k, priority);
    add_id(&k, id);
    return key_done(&k);
}

struct span key_supersede(struct key_buf *buf, uint64_t account, uint32_t app, uint8_t platform,
                          const uint8_t ref[SIGNAL_VALUE_BYTES])
{
    struct key_end k = {buf, 0};
    add_u64(&k, account);
    add_u32(&k, app);
    add_u8(&k, platform);
    add_bytes(&k, ref, SIGNAL_VALUE_BYTES);
    return key_done(&k);
}

struct span key_signal(struct key_buf *buf, uint8_t kind, const uint8_t value[SIGNAL_VALUE_BYTES],
                       uint64_t account)
{
    struct key_end k = {buf, 0};
    add_u8(&k, kind);
    add_bytes(&k, value, SIGNAL_VALUE_BYTES);
    add_u64(&k, account);
    return key_done(&k);
}

struct span key_signal_of(struct key_buf *buf, uint64_t account, uint8_t kind,
                          const uint8_t value[SIGNAL_VALUE_BYTES])
{
    struct key_end k = {buf, 0};
    add_u8(&k, 'A');
    add_u64(&k, account);
    add_u8(&k, kind);
    add_bytes(&k, value, SIGNAL_VALUE_BYTES);
    return key_done(&k);
}

struct span key_app_new(struct key_buf *buf, uint64_t created_ms, uint64_t account, uint32_t app)
{
    struct key_end k = {buf, 0};
    add_u64(&k, created_ms);
    add_u64(&k, account);
    add_u32(&k, app);
    return key_done(&k);
}

struct span key_pattern(struct key_buf *buf, uint8_t kind, const uint8_t value[SIGNAL_VALUE_BYTES])
{
    struct key_end k = {buf, 0};
    add_u8(&k, kind);
    add_bytes(&k, value, SIGNAL_VALUE_BYTES);
    return key_done(&k);
}

struct span key_idem(struct key_buf *buf, struct span idempotency_key, uint64_t account)
{
    struct key_end k = {buf, 0};
    add_bytes(&k, idempotency_key.p, idempotency_key.n);
    add_u8(&k, 0);
    add_u64(&k, account);
    return key_done(&k);
}

struct span key_object(struct key_buf *buf, uint8_t kind, uint64_t account,
                       const uint8_t sha256[32])
{
    struct key_end k = {buf, 0};
    add_u8(&k, kind);
    add_u64(&k, account);
    add_bytes(&k, sha256, 32);
    return key_done(&k);
}

struct job_id key_tail_id(struct span key)
{
    struct job_id id;
    assert(key.n >= sizeof id.b);
    memcpy(id.b, (const uint8_t *)key.p + key.n - sizeof id.b, sizeof id.b);
    return id;
}
