/* sandbox.h: runs one step of the plan in bubblewrap: namespaces of its own for users, processes,
 * network, ipc and mounts, an empty environment, no capabilities, /usr and the step's own folders
 * and nothing else. Any thread; blocks. */
#pragma once

#include "plan.h"
#include "space.h"
#include "tools.h"

#include <base/err.h>
#include <child.h>

struct sandbox_run {
    const struct tools *tools;
    const struct space *space; /* NULL: the step has no mounts */
    const struct step *step;
    const char *words[WORD_COUNT];
    int source_fd; /* appears as fd 5; -1: none */
    int stop_fd;
    void (*output)(void *arg, const void *p, size_t n);
    void (*line)(void *arg, const char *line, size_t n, bool is_cut);
    void *arg;
};

enum sandbox_outcome {
    SANDBOX_STOPPED = 1, /* stop_fd was raised: killed, nothing is left */
    SANDBOX_BROKEN,      /* it could not be set up; what bubblewrap said came as output */
};

/* 0: the program ended by itself with *ret_status (128 + signal when one ended it). */
MUST_USE int sandbox_step(const struct sandbox_run *run, int *ret_status);
