/* uses.h: what the keys have done since they were last written down: requests, when, and what is
 * left of their request rate. In RAM only; the engine writes it now and then (key_use.c).
 *
 * Holds the keys that were used lately: one that is written down and whose bucket is full again may
 * leave. Not thread-safe: auth.c calls under its lock. */
#pragma once

#include "sched/bucket.h"

#include <base/auto.h>
#include <base/err.h>
#include <stddef.h>
#include <stdint.h>

struct use {
    uint32_t serial;
    uint64_t requests, last_used_ms;
    struct bucket bucket;
};

struct uses;
MUST_USE int uses_new(struct uses **ret_uses);
struct uses *uses_free(struct uses *u);
DEFINE_FREEP(uses)

/* NULL: not here; then it is to be read from the store and added. */
const struct use *uses_find(struct uses *u, uint32_t serial);
/* -ENOMEM. One that is here already stays as it is. */
MUST_USE int uses_add(struct uses *u, const struct use *stored, uint64_t wall_ms);

/* One request more of a key that is here. When it counts against the rate (`is_rated`) it takes a
 * token: false, and nothing is counted, when there is none before *ret_free_ms. Others are worth
 * writing down once a minute. */
bool uses_count(struct uses *u, uint32_t serial, bool is_rated, uint32_t rate_minute,
                uint64_t wall_ms, uint64_t *ret_free_ms);

/* One that is here has something else to be written down with it. */
void uses_touch(struct uses *u, uint32_t serial);

/* Copies those that are to be written down, longest waiting first; they wait on until
 * uses_written() says that just these were committed. */
size_t uses_take(struct uses *u, struct use *ret_uses, size_t n);
void uses_written(struct uses *u, const struct use *written, size_t n);
size_t uses_waiting(const struct uses *u);
