/* sandbox_limits.h: what one program in a sandbox may use. Pure.
 *
 * Memory is what its processes hold; the files of the workspace have a limit of their own and come
 * on top. A tier that nobody knows gets the least. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct limits {
    uint64_t memory_bytes;
    uint64_t workspace_bytes; /* files in memory: the tmpfs bounds them, a cgroup counts them too */
    uint32_t tasks;           /* processes and threads */
    uint32_t cpus;
    uint32_t open_files; /* of one process */
    uint64_t file_bytes; /* one file that it writes */
    uint64_t wall_ms;    /* whatever the job's own timeout is */
};

struct limits limits_of(const char *tier, uint64_t workspace_bytes);

/* What the proxy beside a step may have: little, and never less time than the step. */
struct limits limits_of_proxy(struct limits of_step);

/* The tiers, best first; NULL behind the last. For those who print all. */
const char *limits_tier(size_t index);
