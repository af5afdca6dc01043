/* bucket.h: at most n starts each per_ms, as a token bucket in one number.
 *
 * The bucket holds n tokens, is full at first, and fills again evenly: one token each per_ms / n.
 * Kept by the rule of cell rates (GCRA): the only memory is the time at which the bucket would be
 * full again. So nothing has to tick, a bucket at rest costs nothing, and storing it is storing one
 * integer. n and per_ms are arguments: changing them takes effect at the next question.
 *
 * Rounding: times are kept in units of 2^-20 ms, and the time of one token is rounded up to one. So
 * no window ever sees more than n + n * elapsed / per_ms takes; the long-run rate is exact when
 * per_ms * 2^20 divides by n (10 in 60,000 ms) and else too low by less than n / (per_ms * 2^20)
 * of itself (3 in 1,000 ms: one token in 5 years).
 *
 * n 0: off, all is free and nothing is written. Pure; `now_ms` may stand still or go back. A bucket
 * that is emptier than empty, because the clock went back or n and per_ms changed, counts as one
 * with a single token: one take at once, then the rate. Times from the year 2248 on (2^43 ms) are
 * not limited. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Durable. All zero: full. */
struct bucket {
    uint64_t full_at; /* in 2^-20 ms since 1970; in the past: full */
};

/* When the next token is there; `now_ms` when one is there already. */
uint64_t bucket_free_at(const struct bucket *b, uint32_t n, uint32_t per_ms, uint64_t now_ms);

/* Takes a token. false: there is none, nothing changed. */
bool bucket_take(struct bucket *b, uint32_t n, uint32_t per_ms, uint64_t now_ms);
