/* amount.h: numbers, rates and moments as they stand in options. Pure but for the clock that the
 * caller reads. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* Powers of 1000, and of 1024 where the tiers count so: storage and memory. */
#define AMOUNT_MB     UINT64_C(1000000)
#define AMOUNT_GIB    (UINT64_C(1) << 30)
#define AMOUNT_MINUTE UINT64_C(60000)

/* A decimal number up to `most`; false when the text is none. */
bool amount_read(const char *text, uint64_t most, uint64_t *ret_n);

/* A number of `unit`s, so that the product fits. */
bool amount_read_in(const char *text, uint64_t unit, uint64_t *ret_n);

/* "10/60": ten in sixty seconds; "off": n 0 in a minute. */
bool amount_rate_read(const char *text, Rota__Rate *ret_rate);
enum { AMOUNT_RATE_LEN = 47 };
char *amount_rate_text(uint32_t n, uint32_t per_ms, char text[AMOUNT_RATE_LEN + 1]);

/* "2026-12-01", "2026-12-01T18:30Z", or a time from now as text_duration_parse() reads it. */
bool amount_moment_read(const char *text, uint64_t now_ms, uint64_t *ret_unix_ms);
