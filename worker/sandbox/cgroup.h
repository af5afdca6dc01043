/* cgroup.h: limits that the kernel itself keeps, for one program at a time in a group of its own.
 *
 * Found once at start, in this order: cgroup v2, when the folder that the agent is in belongs to it
 * alone and memory and pids can be handed on; cgroup v1, in the folder that the operator named;
 * else there is none, and a watchdog takes over (watchdog.h). cgroups_find() on the main thread
 * while there is one; the rest from any thread, one group at a time from one. */
#pragma once

#include "sandbox_limits.h"

#include <base/auto.h>
#include <base/err.h>
#include <stdbool.h>

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

enum { CGROUP_PATH_MAX = 512, CGROUP_WHY_MAX = 200, CGROUP_FOLDERS_MAX = 3 };

struct cgroups {
    enum cgroup_kind kind;
    /* v2: one folder. v1: memory, pids, cpu. */
    char folder[CGROUP_FOLDERS_MAX][CGROUP_PATH_MAX];
    size_t folders;
    bool has_cpu;
    char why[CGROUP_WHY_MAX]; /* NONE: why the others could not be used */
};

/* Where the kernel's files are; a test points it at recorded ones. */
struct cgroup_host {
    const char *root; /* "/sys/fs/cgroup" */
    const char *self; /* "/proc/self/cgroup" */
    const char *told; /* v1: the operator's folder below each controller, or NULL */
    int pid;          /* ours */
};

/* Kind NONE is an answer, not a fault. */
void cgroups_find(const struct cgroup_host *host, struct cgroups *ret_groups);
/* The same on this machine, for us. */
void cgroups_here(const char *told, struct cgroups *ret_groups);
/* "cgroup-v2", for a log. */
const char *cgroups_text(const struct cgroups *groups);

struct cgroup_end {
    uint64_t oom_kills;    /* processes that the kernel killed for want of memory in the group */
    uint64_t tasks_denied; /* forks that the limit refused */
};

struct cgroup {
    const struct cgroups *groups;
    char name[64];
    int procs[CGROUP_FOLDERS_MAX]; /* a process that writes "0" there joins */
    size_t procs_n;
    struct cgroup_end before; /* a folder that could not be removed keeps its counts */
};

/* Makes a group `name` with these limits. */
MUST_USE int cgroup_new(const struct cgroups *groups, const char *name, const struct limits *limits,
                        struct cgroup **ret_group);
void cgroup_read(const struct cgroup *group, struct cgroup_end *ret_end);
/* Removes it; everything inside must have ended. */
struct cgroup *cgroup_free(struct cgroup *group);
DEFINE_FREEP(cgroup)
