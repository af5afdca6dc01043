/* exec.h: runner exec:PATH, one program of the operator's, run for each job, and the two ways it
 * runs: in a sandbox (boxed.c), or as it was before there was one, on the host (host.c).
 *
 * PATH runs with no arguments and no shell. It reads the spec on stdin, finds the job's facts and
 * the app's variables in its environment and nothing else there, and may write progress lines to
 * fd 3. Exit 0: done. Exit 75: an infrastructure fault, tried again. Anything else is the job's
 * failure. */
#pragma once

#include "progress.h"
#include "runner.h"

enum {
    EXEC_TEXT_MAX = 128,
    EXEC_FACTS = 4,
    EXEC_VARS_MAX = 64,
    EXEC_ENV_MAX = EXEC_FACTS + EXEC_VARS_MAX
};

/* What the program finds in its environment besides PATH. */
struct exec_env {
    char fact[EXEC_FACTS][EXEC_TEXT_MAX];
    const char *all[EXEC_ENV_MAX + 1]; /* NULL-terminated */
};
void exec_env_fill(const struct build *b, struct exec_env *ret_env);

/* The contract's words for how it ended: `signal` not 0: by that signal. */
void exec_judge(int status, int signal, struct build_result *ret);

/* Each as runner->check and runner->run. */
MUST_USE int host_check(const struct runner_settings *s, char said[RUNNER_SAID_MAX]);
MUST_USE int host_run(struct build *b, struct build_result *ret);
MUST_USE int boxed_check(const struct runner_settings *s, char said[RUNNER_SAID_MAX]);
MUST_USE int boxed_run(struct build *b, struct build_result *ret);
MUST_USE int boxed_explain(const struct runner_settings *s, const char *phase, FILE *to);
