/* month.h: calendar months in UTC, the unit that builds are counted in.
 *
 * A month is a number: years since 1970 times 12, plus 0 for January to 11 for December. Times are
 * Unix milliseconds. Pure. */
#pragma once

#include <stdint.h>

enum { MONTH_LEN = 7 };

/* Times beyond the last month that fits, April 7431, are taken for that month. */
uint16_t month_of(uint64_t unix_ms);

/* The first millisecond of a month; of the next one: month_start_ms(month + 1u). `month` is at most
 * UINT16_MAX + 1. */
uint64_t month_start_ms(uint32_t month);

/* 28 to 31. */
unsigned month_days(uint16_t month);

/* "2026-12" and a NUL; returns `text`. */
char *month_text(uint16_t month, char text[MONTH_LEN + 1]);
