/* ahead.h: a step whose program is started before all that it works on is there.
 *
 * It loads itself, reads what there is, and waits on fd 6 for the rest. It runs in the same sandbox
 * under the same limits as any step; what it prints before it is given the rest is kept, up to a
 * bound. One thread starts, finishes and frees it. */
#pragma once

#include "sandbox.h"

#include <base/auto.h>
#include <base/err.h>
#include <stdbool.h>

struct ahead;

/* Of `run`, source_fd, stop_fd, output, line and arg are not looked at. What the others point to is
 * borrowed until ahead_free(), except the array of `extra`. */
MUST_USE int ahead_start(const struct sandbox_run *run, struct ahead **ret_ahead);

/* It was started, has not ended, and was given nothing. */
bool ahead_is_waiting(const struct ahead *a);

struct ahead_rest {
    int fd; /* a file, read from its beginning */
    int stop_fd;
    uint64_t wall_ms; /* from now on */
    void (*output)(void *arg, const void *p, size_t n);
    void (*line)(void *arg, const char *line, size_t n, bool is_cut);
    void *arg;
};

/* Gives it the rest and waits for its end, which is told as sandbox_step() does. `output` and
 * `line` are called on a thread of ahead's while the caller waits here. Once only. */
MUST_USE int ahead_finish(struct ahead *a, const struct ahead_rest *rest, int *ret_status);

/* Kills it if it still runs. */
struct ahead *ahead_free(struct ahead *a);
DEFINE_FREEP(ahead)
