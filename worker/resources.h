/* resources.h: what this worker has for its jobs, as every heartbeat declares it.
 *
 * The machine's part is read from the kernel; the rest are the words that the runner's check() has
 * put into the log's line worker.runner, so that the line and the broker's table say the same.
 * Read by worker/sandbox/resources.c, once at start, after that check. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RESOURCES_NAMES_MAX = 16, RESOURCES_WORD_MAX = 32 };

struct resources_names {
    char name[RESOURCES_NAMES_MAX][RESOURCES_WORD_MAX + 1];
    size_t n;
};

struct resources {
    uint32_t cpus;         /* that we may use: by affinity and by the quota of each cgroup above */
    uint64_t memory_bytes; /* of the machine, or the least that a cgroup above leaves us */
    uint64_t workspace_bytes;               /* of each slot; 0: jobs have none */
    struct resources_names node, manager;   /* "v22.13.0", "npm-11.19.1" */
    char limits[RESOURCES_WORD_MAX + 1];    /* "cgroup-v2", …, "none" */
    char isolation[RESOURCES_WORD_MAX + 1]; /* "bubblewrap", "pid-namespace" */
};

/* Where the kernel's files are, and what it says of the machine; a test has its own. */
struct resources_host {
    const char *root; /* "/sys/fs/cgroup" */
    const char *self; /* "/proc/self/cgroup" */
    uint32_t cpus;
    uint64_t memory_bytes;
};

void resources_read(const struct resources_host *host, const char *said, struct resources *ret);
/* The same on this machine, for us. */
void resources_here(const char *said, struct resources *ret);
