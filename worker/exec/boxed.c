/* boxed.c: the program runs in a sandbox of its own, as the steps of a build do: /usr and what
 * --exec-read names (below /in) read-only, an empty workspace in memory, no network, limits by the
 * job's tier. What it leaves in /w/out becomes the job's outputs. */
#include "exec.h"

#include "call.h"
#include "explain.h"
#include "frame.h"
#include "outputs.h"
#include "swap.h"
#include "words.h"

#include <base/clock.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct step step = {
    .name = "exec",
    .phase = "run",
    .filter = FILTER_NODE, /* sockets: it has an empty network of its own */
    .failure = E_RUNNER_FAILED,
    .mounts = {{"app", "/w/app", true},
               {"out", "/w/out", true},
               {"home", "/w/home", true},
               {"tmp", "/w/tmp", true}},
    .args = {{"/rota/run", WORD_NONE}},
};

enum { STATUS_SIGNAL = 128, READS_MAX = 32 };

static struct setup setup; /* written once, by check(), before there are threads */

/* ---- check ---- */

/* Root's sandboxes run as nobody, who must be able to read and start it. */
static int program_bind(const char *path, char why[TOOLS_WHY_MAX])
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return frame_missing(why, "%s is no regular file", path);
    if (setup.tools.owner != geteuid() && (st.st_mode & 05) != 05)
        return frame_missing(why, "%s runs as nobody in its sandbox: chmod o+rx it", path);
    int r = frame_bind(path, setup.tools.always, "run");
    return r < 0 ? err_pass(r) : 0;
}

/* Its last name, below /in. */
static const char *read_place(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_read_twice(const struct runner_settings *s, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(read_place(s->read[k]), read_place(s->read[i])) == 0)
            return true;
    return false;
}

static int reads_check(const struct runner_settings *s, char why[TOOLS_WHY_MAX])
{
    for (size_t i = 0; i < s->read_n; i++)
        if (s->read[i][0] != '/' || access(s->read[i], R_OK) < 0)
            return frame_missing(why, "--exec-read %s: give an absolute path that can be read",
                                 s->read[i]);
        else if (!*read_place(s->read[i]) || is_read_twice(s, i))
            return frame_missing(why, "--exec-read %s: /in/%s must be one thing's name", s->read[i],
                                 read_place(s->read[i]));
    return 0;
}

int boxed_check(const struct runner_settings *s, char said[RUNNER_SAID_MAX])
{
    char why[TOOLS_WHY_MAX] = "";
    program_note();
    int r = filters_make();
    if (r == 0)
        r = reads_check(s, why);
    if (r == 0)
        r = space_enter(&setup.root, why);
    if (r == 0)
        r = frame_make(&setup.root, &setup.tools, why);
    if (r == 0)
        r = frame_probe(&setup.tools, why);
    if (r == 0)
        r = program_bind(s->path, why);
    if (r < 0)
        return err_pass(r);
    if (r > 0) {
        snprintf(said, RUNNER_SAID_MAX, "%.380s; or trust it: --exec-host", why);
        return RUNNER_UNUSABLE;
    }
    cgroups_here(s->cgroup, &setup.cgroups);
    r = swap_check_here(&setup.root, &setup.cgroups, s->allow_swap, why);
    if (r < 0)
        return err_pass(r);
    if (r > 0) {
        snprintf(said, RUNNER_SAID_MAX, "%s", why);
        return RUNNER_UNUSABLE;
    }
    snprintf(said, RUNNER_SAID_MAX,
             "path=%.200s sandbox=yes limits-by=%s sandbox-uid=%u user-namespace=%s "
             "workspace_bytes=%llu",
             s->path, cgroups_text(&setup.cgroups), (unsigned)setup.tools.owner,
             setup.root.has_user_namespace ? "own" : "host",
             (unsigned long long)s->workspace_bytes);
    return 0;
}

int boxed_explain(const struct runner_settings *s, const char *phase, FILE *to)
{
    if (strcmp(phase, "all") != 0 && strcmp(phase, step.phase) != 0 &&
        strcmp(phase, step.name) != 0)
        return RUNNER_UNUSABLE;
    int r = explain_step(s, &step, to);
    for (size_t i = 0; i < s->read_n && r == 0; i++)
        fprintf(to, "mount ro %s /in/%s\n", s->read[i], read_place(s->read[i]));
    return r;
}

/* ---- run ---- */

struct boxed {
    struct build *build;
    struct progress progress;
    struct words words;
};

static void on_output(void *arg, const void *p, size_t n)
{
    struct boxed *x = arg;
    words_add(&x->words, p, n);
}

static void on_word(void *arg, const char *line, size_t n)
{
    const struct boxed *x = arg;
    build_log(x->build, line, n);
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    struct boxed *x = arg;
    progress_line(&x->progress, line, n, is_cut, clock_boot_ms());
}

static bool was_not_started(const struct words *words)
{
    return strstr(words->tail, "/rota/run cannot be started:") != NULL;
}

static const struct {
    int outcome;
    enum error_code error;
} struck[] = {{SANDBOX_DEADLINE, E_TIMED_OUT},
              {SANDBOX_MEMORY, E_OUT_OF_MEMORY},
              {SANDBOX_TASKS, E_PIDS_LIMIT},
              {SANDBOX_BROKEN, E_SANDBOX_FAILED}};

static void judge(const struct boxed *x, const struct space *space, int outcome, int status,
                  struct build_result *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(struck); i++)
        if (outcome == struck[i].outcome)
            build_fail(ret, struck[i].error, NULL);
    if (outcome == SANDBOX_STOPPED)
        ret->outcome = BUILD_STOPPED;
    else if (outcome != 0)
        return;
    else if (status != 0 && was_not_started(&x->words))
        build_fail(ret, E_RUNNER_FAULT, "%s cannot be started in its sandbox",
                   x->build->settings->path);
    else if (status != 0 && space_is_full(space))
        build_fail(ret, E_WORKSPACE_FULL, NULL);
    else if (status > STATUS_SIGNAL)
        exec_judge(0, status - STATUS_SIGNAL, ret);
    else
        exec_judge(status, 0, ret);
}

static int program_run(struct boxed *x, const struct space *space, const char *name,
                       struct build_result *ret)
{
    struct build *b = x->build;
    struct sandbox_mount read[READS_MAX];
    char place[READS_MAX][NAME_MAX + 8];
    struct limits limits = limits_of(b->tier, b->settings->workspace_bytes);
    struct exec_env env;
    size_t reads = b->settings->read_n < READS_MAX ? b->settings->read_n : READS_MAX;
    for (size_t i = 0; i < reads; i++) {
        snprintf(place[i], sizeof place[i], "/in/%s", read_place(b->settings->read[i]));
        read[i] = (struct sandbox_mount){b->settings->read[i], place[i], false};
    }
    exec_env_fill(b, &env);
    const struct sandbox_run run = {.tools = &setup.tools,
                                    .space = space,
                                    .step = &step,
                                    .limits = &limits,
                                    .cgroups = &setup.cgroups,
                                    .name = name,
                                    .env = env.all,
                                    .extra = read,
                                    .extra_n = reads,
                                    .input = b->spec,
                                    .input_bytes = b->spec_bytes,
                                    .source_fd = -1,
                                    .stop_fd = b->stop_fd,
                                    .output = on_output,
                                    .line = on_line,
                                    .arg = x};
    int status = 0;
    words_begin(&x->words);
    int r = sandbox_step(&run, &status);
    words_end(&x->words);
    progress_end(&x->progress);
    if (r < 0)
        return err_pass(r);
    judge(x, space, r, status, ret);
    return 0;
}

int boxed_run(struct build *b, struct build_result *ret)
{
    AUTO(space) space = NULL;
    char name[32];
    struct boxed x = {.build = b, .progress = {.build = b}};
    x.words = (struct words){.line = on_word, .arg = &x};
    snprintf(name, sizeof name, "slot-%u", b->slot);
    uint64_t began_ms = clock_boot_ms();
    int r = space_new(&setup.root, name, b->settings->workspace_bytes, setup.tools.owner, &space);
    if (r == 0)
        r = program_run(&x, space, name, ret);
    build_phase_add(ret, step.phase, clock_boot_ms() - began_ms);
    if (r == 0 && ret->outcome == BUILD_SUCCEEDED)
        r = outputs_deliver(b, &setup, space, ret);
    return r < 0 ? err_pass(r) : 0;
}
