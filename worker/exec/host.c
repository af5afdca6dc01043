/* host.c: the program runs on the host's file system, in a pid namespace of its own: for the
 * operator's own programs and jobs that he trusts.
 *
 * What it changes out there stays, so one that is stopped is asked first, by SIGTERM, and may clean
 * up behind itself. A cancelled job is gone within 2 s: the grace takes half of them. */
#include "child.h"
#include "exec.h"

#include <base/clock.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GRACE_MS = 1000 };

int host_check(const struct runner_settings *s, char said[RUNNER_SAID_MAX])
{
    bool has_proc = false;
    int r = child_probe(&has_proc);
    if (r < 0) {
        snprintf(said, RUNNER_SAID_MAX,
                 "no pid namespace can be made (%s): run as root, or allow user namespaces "
                 "(sysctl user.max_user_namespaces)",
                 strerror(-r));
        return RUNNER_UNUSABLE;
    }
    snprintf(said, RUNNER_SAID_MAX, "path=%s sandbox=no root=%s pid-namespace=yes own-proc=%s",
             s->path, geteuid() == 0 ? "yes" : "no", has_proc ? "yes" : "no");
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
        exec_judge(end->status, end->signal, ret);
    return 0;
}

int host_run(struct build *b, struct build_result *ret)
{
    struct exec_env facts;
    const char *path = b->settings->path;
    const char *const argv[] = {path, NULL};
    const char *env[1 + EXEC_ENV_MAX + 1] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    exec_env_fill(b, &facts);
    memcpy(env + 1, facts.all, sizeof facts.all);
    struct progress progress = {.build = b};
    const struct child_spec spec = {.argv = argv,
                                    .env = env,
                                    .input = b->spec,
                                    .input_bytes = b->spec_bytes,
                                    .stop_fd = b->stop_fd,
                                    .grace_ms = GRACE_MS,
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
