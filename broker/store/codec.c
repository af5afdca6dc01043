/* codec.c: rows by their table of fields.
 *
 * The checksum is two SipHashes, one after the other, because libsodium's takes one run of bytes
 * and the payload already stands in the database page: the first runs over the row's key, and its
 * answer and the version are mixed into the secret of the second, which runs over the payload. The
 * secret is public: the sum finds damage and rows under a wrong key, it does not keep anybody out.
 */
#include "store/codec.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

enum { HEAD_BYTES = 9, SUM_BYTES = 8 };

static_assert(SUM_BYTES == crypto_shorthash_BYTES, "the value's head holds one SipHash");

static const size_t kind_bytes[] = {
    [FIELD_U8] = 1,  [FIELD_U16] = 2,   [FIELD_U32] = 4,  [FIELD_U64] = 8,
    [FIELD_ID] = 16, [FIELD_HASH] = 32, [FIELD_SPAN] = 4, /* its length; the bytes follow */
};

static void sum_make(uint8_t version, struct span key, struct span payload, uint8_t ret[SUM_BYTES])
{
    uint8_t secret[crypto_shorthash_KEYBYTES] = "rota row sum v1";
    uint8_t of_key[SUM_BYTES];
    crypto_shorthash(of_key, key.p, key.n, secret);
    for (size_t i = 0; i < SUM_BYTES; i++)
        secret[i] ^= of_key[i];
    secret[SUM_BYTES] ^= version;
    crypto_shorthash(ret, payload.p, payload.n, secret);
}

/* ---- writing ---- */

static struct span member_span(const struct field *f, const void *row)
{
    struct span s;
    memcpy(&s, (const uint8_t *)row + f->offset, sizeof s);
    return s;
}

size_t row_size(const struct row_type *type, const void *row)
{
    size_t n = HEAD_BYTES;
    for (size_t i = 0; i < type->n; i++) {
        n += kind_bytes[type->fields[i].kind];
        if (type->fields[i].kind == FIELD_SPAN)
            n += member_span(&type->fields[i], row).n;
    }
    return n;
}

/* Numbers in memory are the machine's, in the row big-endian: a copy in reverse on little-endian.
 */
static void bytes_swap(uint8_t *to, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = BYTE_ORDER == LITTLE_ENDIAN ? from[n - 1 - i] : from[i];
}

static bool kind_is_number(enum field_kind kind)
{
    return kind <= FIELD_U64;
}

static uint8_t *field_encode(const struct field *f, const void *row, uint8_t *to)
{
    const uint8_t *member = (const uint8_t *)row + f->offset;
    size_t n = kind_bytes[f->kind];
    if (kind_is_number(f->kind)) {
        bytes_swap(to, member, n);
        return to + n;
    }
    if (f->kind != FIELD_SPAN) {
        memcpy(to, member, n);
        return to + n;
    }
    struct span s = member_span(f, row);
    assert(s.n <= UINT32_MAX);
    put_be32(to, (uint32_t)s.n);
    if (s.n)
        memcpy(to + n, s.p, s.n);
    return to + n + s.n;
}

void row_encode(const struct row_type *type, struct span key, const void *row, void *ret_value)
{
    uint8_t *value = ret_value, *to = value + HEAD_BYTES;
    for (size_t i = 0; i < type->n; i++)
        to = field_encode(&type->fields[i], row, to);
    value[0] = type->version;
    struct span payload = span_of(value + HEAD_BYTES, (size_t)(to - value) - HEAD_BYTES);
    sum_make(type->version, key, payload, value + 1);
}

static int row_write(struct txn *txn, const struct row_type *type, struct span key, const void *row,
                     bool is_append)
{
    void *p;
    int r = txn_reserve(txn, type->table, key, row_size(type, row), is_append, &p);
    if (r == 0)
        row_encode(type, key, row, p);
    return r;
}

int row_put(struct txn *txn, const struct row_type *type, struct span key, const void *row)
{
    return row_write(txn, type, key, row, false);
}

int row_append(struct txn *txn, const struct row_type *type, struct span key, const void *row)
{
    return row_write(txn, type, key, row, true);
}

/* ---- reading ---- */

/* Takes one field off the front of `rest`; false when it is cut short. */
static bool field_decode(const struct field *f, struct span *rest, void *row)
{
    uint8_t *member = (uint8_t *)row + f->offset;
    size_t n = kind_bytes[f->kind];
    if (rest->n < n)
        return false;
    const uint8_t *from = rest->p;
    size_t used = n;
    if (kind_is_number(f->kind)) {
        bytes_swap(member, from, n);
    } else if (f->kind != FIELD_SPAN) {
        memcpy(member, from, n);
    } else {
        struct span s = span_of(from + n, get_be32(from));
        if (rest->n - n < s.n)
            return false;
        memcpy(member, &s, sizeof s);
        used += s.n;
    }
    *rest = span_of(from + used, rest->n - used);
    return true;
}

static bool payload_decode(const struct row_type *type, uint8_t version, struct span rest,
                           void *row)
{
    memset(row, 0, type->size);
    for (size_t i = 0; i < type->n; i++) {
        if (rest.n == 0 && version < type->version)
            return true; /* an older row: the fields since then are zero */
        if (!field_decode(&type->fields[i], &rest, row))
            return false;
    }
    return rest.n == 0;
}

int row_decode(const struct row_type *type, struct span key, struct span value, void *ret_row)
{
    const uint8_t *p = value.p;
    if (value.n < HEAD_BYTES || p[0] == 0 || p[0] > type->version)
        return err_raise(-EBADMSG);
    struct span payload = span_of(p + HEAD_BYTES, value.n - HEAD_BYTES);
    uint8_t sum[SUM_BYTES];
    sum_make(p[0], key, payload, sum);
    if (memcmp(sum, p + 1, SUM_BYTES) != 0)
        return err_raise(-EBADMSG);
    return payload_decode(type, p[0], payload, ret_row) ? 0 : err_raise(-EBADMSG);
}

int row_get(struct txn *txn, const struct row_type *type, struct span key, void *ret_row)
{
    struct span value;
    int r = txn_get(txn, type->table, key, &value);
    return r ? r : row_decode(type, key, value, ret_row);
}
