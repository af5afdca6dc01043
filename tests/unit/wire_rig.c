/* wire_rig.c: what wire_check() lets through, protobuf-c must take. */
#undef NDEBUG
#include "wire_rig.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char job_text[] = "job_01jd4m9qk2v3x7y8z0abcdefgh";

void put_varint(struct wire_bytes *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        b->p[b->n++] = (uint8_t)(v | 0x80);
    b->p[b->n++] = (uint8_t)v;
    assert(b->n < WIRE_ROOM);
}

void put_number(struct wire_bytes *b, uint32_t number, uint64_t v)
{
    put_varint(b, number << 3);
    put_varint(b, v);
}

void put_run(struct wire_bytes *b, uint32_t number, const void *p, size_t n)
{
    put_varint(b, number << 3 | 2);
    put_varint(b, n);
    assert(b->n + n < WIRE_ROOM);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

enum error_code check(const ProtobufCMessageDescriptor *type, const struct wire_bytes *b,
                      struct wire_fault *fault)
{
    uint8_t *exact = malloc(b->n ? b->n : 1);
    assert_non_null(exact);
    memcpy(exact, b->p, b->n);
    *fault = (struct wire_fault){.code = E_OK};
    bool fits = wire_check(type, exact, b->n, fault);
    if (fits) {
        ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, b->n, exact);
        assert_non_null(m); /* what we let through, protobuf-c takes */
        protobuf_c_message_free_unpacked(m, NULL);
        fault->code = E_OK;
    } else {
        assert_int_not_equal(fault->code, E_OK);
        assert_true(fault->text[0] != 0);
        assert_non_null(memchr(fault->text, 0, sizeof fault->text));
    }
    free(exact);
    return fault->code;
}
