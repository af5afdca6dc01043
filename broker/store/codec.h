/* codec.h: one row as bytes and back.
 *
 * Value: version (1 byte), SipHash-2-4 of key, version and payload (8 bytes; how: codec.c),
 * payload. The payload is the row's fields in the order of its table of fields, integers
 * big-endian, spans with a 32-bit length before them. A reader accepts any version up to its own:
 * fields that a shorter, older payload lacks read as zero, so a row type grows by adding fields at
 * its end and raising its version; any other change needs a new reader and a fixture written by the
 * old build. Pure; any thread.                            */
#pragma once

#include "store/store.h"

#include <base/bytes.h>
#include <stdint.h>

enum field_kind { FIELD_U8, FIELD_U16, FIELD_U32, FIELD_U64, FIELD_ID, FIELD_HASH, FIELD_SPAN };

struct field {
    enum field_kind kind;
    uint16_t offset; /* of the member in the row */
    const char *name;
};

struct row_type {
    enum table table;
    uint8_t version;
    const struct field *fields;
    size_t n;
    size_t size; /* of the struct */
};

#define FIELD(row, member, KIND)                                                                   \
    {                                                                                              \
        FIELD_##KIND, (uint16_t)offsetof(struct row, member), #member                              \
    }

/* Encodes `row` straight into the database. is_append: key above all of the table. */
MUST_USE int row_put(struct txn *txn, const struct row_type *type, struct span key,
                     const void *row);
MUST_USE int row_append(struct txn *txn, const struct row_type *type, struct span key,
                        const void *row);
/* 0, STORE_MISSING, or -EBADMSG: the checksum or the form is wrong. Spans in the row are borrowed.
 */
MUST_USE int row_get(struct txn *txn, const struct row_type *type, struct span key, void *ret_row);
/* For rows that a cursor found. */
MUST_USE int row_decode(const struct row_type *type, struct span key, struct span value,
                        void *ret_row);
size_t row_size(const struct row_type *type, const void *row);
void row_encode(const struct row_type *type, struct span key, const void *row, void *ret_value);
