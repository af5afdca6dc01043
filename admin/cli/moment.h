/* moment.h: points of time as people write them. Pure: the caller reads the clock. */
#pragma once

#include <stdint.h>

enum moment_outcome { MOMENT_INVALID = 1 };

/* A moment, and how far it reaches: a date stands for its whole day. */
struct moment {
    uint64_t unix_ms, unit_ms;
};

/* "2026-11-20" (UTC), RFC 3339 as "2026-11-20T09:12:38.5Z" or "2026-11-20 09:12+01:00", or an age:
 * "90s", "5m", "2h", "3d" before `now_ms`. A number alone is none of these. */
__attribute__((warn_unused_result)) int moment_read(const char *text, uint64_t now_ms,
                                                    struct moment *ret_moment);
