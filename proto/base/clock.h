/* clock.h: the two clocks of the machine, in milliseconds. Any thread.
 *
 * Only edges read them; sched and engine get the time as an argument. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Since boot, sleep included; never steps. */
static inline uint64_t clock_boot_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Unix time; may step either way. */
static inline uint64_t clock_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline uint64_t clock_boot_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

enum { RFC3339_LEN = 24 };

/* "2026-11-20T09:12:38.123Z" and a NUL; returns `text`. */
char *rfc3339(uint64_t unix_ms, char text[RFC3339_LEN + 1]);
