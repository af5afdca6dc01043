/* filter.h: which system calls the programs of a step may not make.
 *
 * A deny-list: Node, npm and every app's own tools run under it, and nobody knows all the calls
 * that those make. What it takes away is what no build needs: other processes, keys, mounts,
 * namespaces, the machine, and the kernel's youngest corners. bubblewrap loads it last of all,
 * right before the program. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>

enum filter_kind {
    FILTER_NODE, /* Node and npm: sockets of the usual families */
    FILTER_TOOL, /* rota-box and hermesc: no sockets */
    FILTER_COUNT
};

/* Makes the programs of all kinds. Main thread, once at start. */
MUST_USE int filters_make(void);

/* A file with the program of `kind`, read from its beginning: for bwrap --seccomp. Any thread. */
MUST_USE int filter_open(enum filter_kind kind, int *ret_fd);

/* Calls `each` with every rule in force, in words ("ptrace", "clone with CLONE_NEWUSER"); returns
 * how many there are. Any thread. */
size_t filter_rules(enum filter_kind kind, void (*each)(void *arg, const char *rule), void *arg);
