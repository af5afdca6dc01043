/* sandbox.h: runs one step of the plan in bubblewrap: namespaces of its own for users, processes,
 * network, ipc and mounts, an empty environment, no capabilities, /usr and the step's own folders
 * and nothing else. Any thread; blocks. */
#pragma once

#include "cgroup.h"
#include "plan.h"
#include "sandbox_limits.h"
#include "space.h"
#include "tools.h"

#include <base/arena.h>
#include <base/err.h>
#include <child.h>

/* A folder or file of the host that this run sees besides the step's own. */
struct sandbox_mount {
    const char *from, *at;
    bool is_writable;
};

struct sandbox_run {
    const struct tools *tools;
    const struct space *space; /* NULL: the step has no mounts */
    const struct step *step;
    const char *words[WORD_COUNT];
    const struct limits *limits;
    const struct cgroups *cgroups; /* of kind NONE: a watchdog looks after the limits */
    const char *name;              /* of the cgroup; unique among those that run */
    /* "NAME=value", NULL-terminated, besides the step's; or NULL. On no command line. */
    const char *const *env;
    const char *net;                   /* the folder that becomes /net, for a step with has_net */
    const struct sandbox_mount *extra; /* come after the step's mounts, in this order */
    size_t extra_n;
    const void *input; /* for stdin; NULL: nothing */
    size_t input_bytes;
    int source_fd; /* appears as fd 6; -1: none */
    int stop_fd;
    void (*output)(void *arg, const void *p, size_t n);
    void (*line)(void *arg, const char *line, size_t n, bool is_cut);
    void *arg;
};

enum sandbox_outcome {
    SANDBOX_STOPPED = 1, /* stop_fd was raised: killed, nothing is left */
    SANDBOX_DEADLINE,    /* it ran for limits->wall_ms: killed */
    SANDBOX_MEMORY, /* it, or a part of it, was killed for want of memory, whatever its status */
    SANDBOX_TASKS,  /* it wanted more processes and threads than it may have */
    SANDBOX_BROKEN, /* it could not be set up; what bubblewrap said came as output */
};

/* The command line that sandbox_step() would run, out of the same tables: NULL-terminated, in
 * `arena`. */
MUST_USE int sandbox_line(const struct sandbox_run *run, struct arena *arena,
                          const char *const **ret_argv);

/* 0: the program ended by itself with *ret_status (128 + signal when one ended it). */
MUST_USE int sandbox_step(const struct sandbox_run *run, int *ret_status);
