/* watchdog.h: looks at what a child and all that it started hold, by /proc: for machines whose
 * cgroups cannot be used. One thread. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { WATCHDOG_MS = 250 };

enum watchdog_outcome { WATCHDOG_FOUND = 1 };

struct watchdog_seen {
    uint64_t memory_bytes; /* private and shared anonymous pages, and what of them is swapped out */
    uint32_t processes;
    uint32_t tasks; /* threads of all of them */
};

/* `proc`: a folder like /proc. `top` counts as well; zeros when it is gone. */
MUST_USE int watchdog_look(const char *proc, pid_t top, struct watchdog_seen *ret_seen);

/* Shows `visit` every process of that tree until it says true: then WATCHDOG_FOUND. */
MUST_USE int watchdog_find(const char *proc, pid_t top, bool (*visit)(void *arg, pid_t pid),
                           void *arg);
