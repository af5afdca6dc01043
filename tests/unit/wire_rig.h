/* wire_rig.h: wire bytes written by hand, and a check that reads them where their memory ends. */
#pragma once

#include "wire.h"

enum { WIRE_ROOM = 256 * 1024 };

struct wire_bytes {
    size_t n;
    uint8_t p[WIRE_ROOM];
};

extern const char job_text[]; /* a well-formed job id */

void put_varint(struct wire_bytes *b, uint64_t v);
void put_number(struct wire_bytes *b, uint32_t number, uint64_t v);
void put_run(struct wire_bytes *b, uint32_t number, const void *p, size_t n);

/* wire_check() on a copy that ends where its allocation ends, so that ASan sees a byte read too
 * far. What passes is unpacked. E_OK, or the fault's code. */
enum error_code check(const ProtobufCMessageDescriptor *type, const struct wire_bytes *b,
                      struct wire_fault *fault);
