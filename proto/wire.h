/* wire.h: is this run of bytes a message that we may unpack?
 *
 * Walks the raw protobuf bytes along the descriptors, before any memory is taken: framing, wire
 * types, nesting, unknown fields, and the bounds of limits.def (length, count, form). Pure; any
 * thread; no allocation. */
#pragma once

#include "errors.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_BYTES_MAX = 1024 * 1024, WIRE_TEXT_MAX = 160 };

struct wire_fault {
    enum error_code code;
    char text[WIRE_TEXT_MAX]; /* names the field: "publish.app: 70 bytes, at most 64" */
};

/* True when `bytes` may be unpacked as `type`. Else *ret_fault says why. */
bool wire_check(const ProtobufCMessageDescriptor *type, const void *bytes, size_t n,
                struct wire_fault *ret_fault);

/* What a Request is about without unpacking it: the tag of its operation (0: none) and its id.
 * Only after wire_check(). */
void wire_peek(const void *bytes, size_t n, uint32_t *ret_op_tag, uint64_t *ret_request_id);
