/* arena.h: memory that lives for one turn or one request and goes as a whole.
 *
 * Bounded: `max` bytes, then NULL. Also speaks protobuf-c's allocator, so that a message unpacked
 * into it needs no free. Single thread. */
#pragma once

#include "base/err.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct arena;

MUST_USE int arena_new(size_t max, struct arena **ret_arena);
struct arena *arena_free(struct arena *a);

/* 16-byte aligned and zeroed; NULL when `max` is reached. */
void *arena_alloc(struct arena *a, size_t n);
char *arena_str(struct arena *a, const char *s);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *format, ...);

/* Forgets everything, keeps the memory for the next turn. */
void arena_reset(struct arena *a);

ProtobufCAllocator *arena_allocator(struct arena *a);
