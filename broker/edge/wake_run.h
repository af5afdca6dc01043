/* wake_run.h: runs an operator's program with what a pool lacks in its environment. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a pool lacks. */
struct wake_need {
    uint64_t backlog;      /* jobs that could begin */
    uint32_t slots;        /* that take jobs now */
    uint32_t slots_wanted; /* in all; 0: it lacks nothing */
};

/* Is it an absolute path to a program that we may run? */
bool wake_program_is_good(const char *program);

/* Starts `program` without a shell and without arguments, in a session of its own, its output on
 * our stderr, with ROTA_POOL, ROTA_BACKLOG, ROTA_SLOTS_NOW, ROTA_SLOTS_WANTED and a few words of
 * our own environment (PATH, HOME, ...), but no other. A rota-worker that it starts takes ROTA_POOL
 * for its --pool; the other names are no option of it. The caller waits for *ret_pid. */
MUST_USE int wake_run(const char *program, const char *pool, const struct wake_need *need,
                      pid_t *ret_pid);
