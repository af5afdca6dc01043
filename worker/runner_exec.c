/* runner_exec.c: runner exec:PATH. One program of the operator's, run for each job.
 *
 * PATH runs with no arguments and no shell, on the host's file system, in a pid namespace of its
 * own. It reads the spec on stdin, finds the job's facts and the app's variables in its environment
 * and nothing else there, and may write progress lines to fd 3. Exit 0: done. Exit 75: an
 * infrastructure fault, tried again. Anything else is the job's failure. The classes it serves are
 * the operator's choice; bytes that nobody trusts belong into the bundle runner, which has a
 * sandbox. */
#include "build.h"
#include "child.h"
#include "progress.h"

#include <base/clock.h>
#include <base/exit.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ENV_TEXT_MAX = 128, VARS_MAX = 64 };

static int exec_check(const struct runner_settings *s, char said[RUNNER_SAID_MAX])
{
    if (s->path[0] != '/' || access(s->path, X_OK) < 0) {
        snprintf(said, RUNNER_SAID_MAX,
                 "%s cannot be executed: give --runner exec: an absolute path to a program",
                 s->path);
        return RUNNER_UNUSABLE;
    }
    bool has_proc = false;
    int r = child_probe(&has_proc);
    if (r < 0) {
        snprintf(said, RUNNER_SAID_MAX,
                 "no pid namespace can be made (%s): run as root, or allow user namespaces "
                 "(sysctl user.max_user_namespaces)",
                 strerror(-r));
        return RUNNER_UNUSABLE;
    }
    snprintf(said, RUNNER_SAID_MAX, "path=%s root=%s pid-namespace=yes own-proc=%s", s->path,
             geteuid() == 0 ? "yes" : "no", has_proc ? "yes" : "no");
    return 0;
}

static void on_output(void *arg, const void *p, size_t n)
{
    struct progress *progress = arg;
    build_log(progress->build, p, n);
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    progress_line(arg, line, n, is_cut, clock_boot_ms());
}

/* The words of the runner contract, in its own words to the user. */
static void ended(const struct child_end *end, struct build_result *ret)
{
    if (end->signal != 0)
        build_fail(ret, E_RUNNER_FAILED, "the runner was ended by signal %d (%s)", end->signal,
                   strsignal(end->signal));
    else if (end->status == EXIT_TRY_AGAIN)
        build_fail(ret, E_RUNNER_FAULT, "the runner ended with 75: an infrastructure fault");
    else if (end->status != 0)
        build_fail(ret, E_RUNNER_FAILED, "the runner ended with exit status %d", end->status);
    else
        ret->outcome = BUILD_SUCCEEDED;
}

static int judge(int r, const struct child_end *end, const char *path, struct build_result *ret)
{
    if (r < 0)
        return err_pass(r);
    if (r == CHILD_STOPPED || r == CHILD_DEADLINE)
        ret->outcome = BUILD_STOPPED;
    else if (r == CHILD_NO_EXEC)
        build_fail(ret, E_RUNNER_FAULT, "%s cannot be started: %s", path,
                   strerror(end->exec_errno));
    else
        ended(end, ret);
    return 0;
}

static int exec_run(struct build *b, struct build_result *ret)
{
    char id[ENV_TEXT_MAX], account[ENV_TEXT_MAX], tier[ENV_TEXT_MAX], attempt[ENV_TEXT_MAX];
    snprintf(id, sizeof id, "ROTA_JOB_ID=%s", b->job);
    snprintf(account, sizeof account, "ROTA_ACCOUNT=%s", b->account);
    snprintf(tier, sizeof tier, "ROTA_TIER=%s", b->tier);
    snprintf(attempt, sizeof attempt, "ROTA_ATTEMPT=%u", b->attempt);
    const char *path = b->settings->path;
    const char *const argv[] = {path, NULL};
    const char *env[5 + VARS_MAX + 1] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", id, account, tier,
        attempt};
    for (size_t i = 0; i < b->vars && i < VARS_MAX; i++)
        env[5 + i] = b->var[i].text;
    struct progress progress = {.build = b};
    const struct child_spec spec = {.argv = argv,
                                    .env = env,
                                    .input = b->spec,
                                    .input_bytes = b->spec_bytes,
                                    .stop_fd = b->stop_fd,
                                    .output = on_output,
                                    .line = on_line,
                                    .arg = &progress};
    struct child_end end = {0};
    uint64_t began_ms = clock_boot_ms();
    int r = child_run(&spec, &end);
    progress_end(&progress);
    build_phase_add(ret, "run", clock_boot_ms() - began_ms);
    return judge(r, &end, path, ret);
}

const struct runner runner_exec = {
    .name = "exec", .class = "task", .check = exec_check, .run = exec_run};
