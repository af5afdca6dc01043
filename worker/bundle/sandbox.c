/* sandbox.c: writes bubblewrap's command line and reads its status.
 *
 * bubblewrap says on a descriptor of its own whether the program was started and how it ended, so
 * that a sandbox which could not be made is never taken for a build that failed. Besides what every
 * option's name says: user namespaces are forbidden inside, so the kernel's least tried corners
 * stay out of reach; bubblewrap's own tmpfs ones (the root, /dev) become read-only at the end, or
 * they would be unlimited space. The filter of system calls comes last, on a descriptor. Folders of
 * /usr that administrators fill by hand are covered. */
#include "sandbox.h"

#include "watchdog.h"

#include <base/auto.h>
#include <base/clock.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGV_MAX = 4096, ARENA_BYTES_MAX = 1024 * 1024, STATUS_TEXT_MAX = 2048 };

DEFINE_FREEP(arena)

struct line {
    const char *v[ARGV_MAX];
    size_t n;
    bool is_full;
    struct arena *arena;
};

static void add(struct line *l, const char *word)
{
    if (word && l->n + 1 < ARGV_MAX)
        l->v[l->n++] = word;
    else
        l->is_full = true;
}

static void add_all(struct line *l, const char *const *words)
{
    for (; *words; words++)
        add(l, *words);
}

static void add_mount(struct line *l, const char *how, const char *from, const char *at)
{
    add(l, how);
    add(l, from);
    add(l, at);
}

static const char *const frame[] = {"--unshare-user",
                                    "--unshare-all",
                                    "--disable-userns",
                                    "--die-with-parent",
                                    "--new-session",
                                    "--uid",
                                    "65534",
                                    "--gid",
                                    "65534",
                                    "--hostname",
                                    "build",
                                    "--cap-drop",
                                    "ALL",
                                    "--clearenv",
                                    "--json-status-fd",
                                    "4",
                                    "--seccomp",
                                    "5",
                                    "--ro-bind",
                                    "/usr",
                                    "/usr",
                                    "--symlink",
                                    "usr/bin",
                                    "/bin",
                                    "--symlink",
                                    "usr/sbin",
                                    "/sbin",
                                    "--symlink",
                                    "usr/lib",
                                    "/lib",
                                    "--symlink",
                                    "usr/lib64",
                                    "/lib64",
                                    "--proc",
                                    "/proc",
                                    "--dev",
                                    "/dev",
                                    "--symlink",
                                    "/w/tmp",
                                    "/tmp",
                                    NULL};

static const char *const frame_env[] = {"--setenv", "PATH",     "/rota:/usr/bin:/bin",
                                        "--setenv", "HOME",     "/w/home",
                                        "--setenv", "TMPDIR",   "/w/tmp",
                                        "--setenv", "LANG",     "C.UTF-8",
                                        "--setenv", "CI",       "1",
                                        "--setenv", "NO_COLOR", "1",
                                        NULL};

static const char *const frame_end[] = {"--remount-ro", "/dev",   "--remount-ro", "/",
                                        "--chdir",      "/w/app", "--",           NULL};

/* Filled by hand on many machines, and none of a build's business. */
static const char *const covered[] = {"/usr/local", "/usr/etc", "/usr/src"};

/* What TLS and, for the proxy alone, name resolution need; no keys lie in these. */
static const char *const tls_files[] = {"/etc/ssl/certs", "/etc/ssl/openssl.cnf"};
static const char *const name_files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"};

/* Programs look for a proxy in different places; npm's is in its npmrc. */
static const char *const proxy_env[] = {"HTTPS_PROXY", "HTTP_PROXY",       "https_proxy",
                                        "http_proxy",  "YARN_HTTPS_PROXY", "YARN_HTTP_PROXY"};

static bool is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_frame(struct line *l, const struct tools *t)
{
    if (t->setpriv[0])
        add_all(l, (const char *const[]){t->setpriv, "--reuid=65534", "--regid=65534",
                                         "--clear-groups", "--inh-caps=-all", NULL});
    add(l, t->bwrap);
    add_all(l, frame);
    for (size_t i = 0; i < ARRAY_LEN(covered); i++)
        if (is_folder(covered[i]))
            add_mount(l, "--ro-bind", arena_printf(l->arena, "%s/none", t->always), covered[i]);
    add_mount(l, "--ro-bind", t->always, "/rota");
    add_mount(l, "--ro-bind", arena_printf(l->arena, "%s/passwd", t->always), "/etc/passwd");
    add_mount(l, "--ro-bind", arena_printf(l->arena, "%s/group", t->always), "/etc/group");
    add_all(l, frame_env);
}

static void add_authorities(struct line *l, const struct tools *t)
{
    for (size_t i = 0; i < ARRAY_LEN(tls_files); i++)
        add_mount(l, "--ro-bind-try", tls_files[i], tls_files[i]);
    if (t->has_cafile)
        add_mount(l, "--ro-bind", arena_printf(l->arena, "%s/cafile", t->net), "/net/cafile");
    if (!t->has_extra_ca)
        return;
    add_mount(l, "--ro-bind", arena_printf(l->arena, "%s/extra-ca", t->net), "/net/extra-ca");
    add_mount(l, "--setenv", "NODE_EXTRA_CA_CERTS", "/net/extra-ca");
}

/* The proxy's own: the host's network, and nothing of any app. */
static void add_host_net(struct line *l, const struct tools *t)
{
    add(l, "--share-net");
    for (size_t i = 0; i < ARRAY_LEN(name_files); i++)
        add_mount(l, "--ro-bind-try", name_files[i], name_files[i]);
    add_authorities(l, t);
}

/* A loopback address of its own, with the forwarder behind it. */
static void add_net(struct line *l, const struct sandbox_run *run)
{
    add_mount(l, "--ro-bind", run->net, "/net");
    add_authorities(l, run->tools);
    add_mount(l, "--ro-bind", arena_printf(l->arena, "%s/git-ca", run->tools->net), "/net/git-ca");
    for (size_t i = 0; i < ARRAY_LEN(proxy_env); i++)
        add_mount(l, "--setenv", proxy_env[i], NPMRC_PROXY_URL);
}

static void add_extra(struct line *l, const struct sandbox_run *run)
{
    for (size_t i = 0; i < run->extra_n; i++)
        add_mount(l, run->extra[i].is_writable ? "--bind" : "--ro-bind", run->extra[i].from,
                  run->extra[i].at);
}

static void add_step(struct line *l, const struct sandbox_run *run)
{
    const struct step *s = run->step;
    bool has_app = false;
    for (size_t i = 0; i < STEP_MOUNTS_MAX && s->mounts[i].at; i++) {
        add_mount(l, s->mounts[i].is_writable ? "--bind" : "--ro-bind",
                  arena_printf(l->arena, "%s/%s", run->space->path, s->mounts[i].from),
                  s->mounts[i].at);
        has_app = has_app || strncmp(s->mounts[i].at, "/w/app", 6) == 0;
    }
    if (!has_app)
        add_all(l, (const char *const[]){"--dir", "/w/app", NULL});
    add_extra(l, run);
    for (size_t i = 0; i < STEP_ENV_MAX && s->env[i][0]; i++)
        add_mount(l, "--setenv", s->env[i][0], s->env[i][1]);
    if (run->env)
        add_all(l, (const char *const[]){"--args", run->source_fd < 0 ? "6" : "7", NULL});
}

/* A quota lets a build use whichever processors are free; without one it is held to some. */
static void add_cpus(struct line *l, const struct sandbox_run *run)
{
    unsigned slot = 0;
    if (run->cgroups && run->cgroups->has_cpu)
        return;
    if (run->name)
        sscanf(run->name, "slot-%u", &slot);
    add(l, arena_printf(l->arena, "cpus=%u:%u", run->limits->cpus, slot));
}

/* rota-box sets the limits and becomes the program. */
static void add_limits(struct line *l, const struct sandbox_run *run)
{
    const struct limits *limits = run->limits;
    add(l, "/rota/box");
    add(l, "confine");
    add(l, "core=1"); /* not 0: see private.c */
    add(l, arena_printf(l->arena, "fsize=%llu", (unsigned long long)limits->file_bytes));
    add(l, arena_printf(l->arena, "nofile=%u", limits->open_files));
    add(l, arena_printf(l->arena, "nproc=%u", limits->tasks));
    add_cpus(l, run);
    add(l, "--");
}

static void add_command(struct line *l, const struct sandbox_run *run)
{
    add_limits(l, run);
    if (run->step->has_net)
        add_all(l, (const char *const[]){"/rota/box", "forward", "/net/proxy.sock",
                                         NPMRC_PROXY_PORT, "--", NULL});
    for (size_t i = 0; i < STEP_ARGS_MAX; i++) {
        const struct step_arg *a = &run->step->args[i];
        if (!a->text && a->word == WORD_NONE)
            break;
        add(l, a->text ? a->text : run->words[a->word]);
    }
}

static int line_write(struct line *l, const struct sandbox_run *run)
{
    add_frame(l, run->tools);
    if (run->step->is_proxy)
        add_host_net(l, run->tools);
    if (run->step->has_net)
        add_net(l, run);
    add_step(l, run);
    add_all(l, frame_end);
    add_command(l, run);
    l->v[l->n] = NULL;
    return l->is_full ? err_raise(-E2BIG) : 0;
}

/* {"exit-code": N} comes only when the program was really started. */
static bool status_read(int fd, int *ret_status)
{
    char text[STATUS_TEXT_MAX];
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    const char *at = strstr(text, "\"exit-code\":");
    return at && sscanf(at, "\"exit-code\": %d", ret_status) == 1;
}

/* ---- running ---- */

struct running {
    const struct sandbox_run *run;
    const struct cgroup *group; /* or NULL */
    int outcome;                /* what a look saw */
};

static void on_output(void *arg, const void *p, size_t n)
{
    const struct running *g = arg;
    g->run->output(g->run->arg, p, n);
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    const struct running *g = arg;
    g->run->line(g->run->arg, line, n, is_cut);
}

/* What the kernel's own counts say. Whoever met a limit is lost, whatever it makes of it: a tool
 * may lose a worker for want of memory, start another, and end with 0; a fork bomb never ends. */
static int group_look(const struct cgroup *group)
{
    struct cgroup_end counts;
    cgroup_read(group, &counts);
    return counts.oom_kills > 0 ? SANDBOX_MEMORY : counts.tasks_denied > 0 ? SANDBOX_TASKS : 0;
}

/* Looking costs little and lets at most a quarter of a second pass. A look that fails is left out:
 * the next one comes. */
static int on_tick(void *arg, pid_t init)
{
    struct running *g = arg;
    if (g->group)
        return g->outcome = group_look(g->group);
    struct watchdog_seen seen = {0};
    if (watchdog_look("/proc", init, &seen) < 0)
        return 0;
    if (seen.memory_bytes > g->run->limits->memory_bytes)
        g->outcome = SANDBOX_MEMORY;
    else if (seen.tasks >= g->run->limits->tasks)
        g->outcome = SANDBOX_TASKS;
    return g->outcome;
}

static int group_make(const struct sandbox_run *run, struct cgroup **ret_group)
{
    if (run->cgroups->kind == CGROUP_NONE)
        return 0;
    int r = cgroup_new(run->cgroups, run->name, run->limits, ret_group);
    return r < 0 ? err_pass(r) : 0;
}

/* What was counted goes before what the program says of itself. */
static int end_judge(const struct running *g, int ended, int status)
{
    int counted = g->group ? group_look(g->group) : 0;
    if (ended == CHILD_STOPPED)
        return SANDBOX_STOPPED;
    if (ended == CHILD_DEADLINE)
        return SANDBOX_DEADLINE;
    if (ended == CHILD_TICK)
        return g->outcome;
    if (counted != 0)
        return counted;
    return ended == 0 && status >= 0 ? 0 : SANDBOX_BROKEN;
}

static int word_write(int fd, const char *text, size_t n)
{
    int r = write_all(fd, text, n);
    return r < 0 ? err_pass(r) : write_all(fd, "", 1);
}

/* What the run's variables hold may be secret, and everybody on the machine can read a command
 * line: bubblewrap reads these from a file in memory. */
static int env_write(const char *const *env, int *ret_fd)
{
    AUTO_FD fd = memfd_create("environment", MFD_CLOEXEC);
    if (fd < 0)
        return err_raise(-errno);
    for (const char *const *e = env; *e; e++) {
        size_t n = strcspn(*e, "=");
        const char *value = (*e)[n] ? *e + n + 1 : "";
        int r = word_write(fd, "--setenv", strlen("--setenv"));
        if (r == 0)
            r = word_write(fd, *e, n);
        if (r == 0)
            r = word_write(fd, value, strlen(value));
        if (r < 0)
            return err_pass(r);
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static struct child_spec spec_of(struct running *g, const char *const *argv)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const struct sandbox_run *run = g->run;
    return (struct child_spec){.argv = argv,
                               .env = env,
                               .dir = "/",
                               .input = run->input,
                               .input_bytes = run->input_bytes,
                               .stop_fd = run->stop_fd,
                               .deadline_ms = clock_boot_ms() + run->limits->wall_ms,
                               .output = on_output,
                               .line = run->line ? on_line : NULL,
                               .arg = g,
                               .tick = on_tick,
                               .tick_ms = WATCHDOG_MS,
                               .join = g->group ? g->group->procs : NULL,
                               .join_n = g->group ? g->group->procs_n : 0};
}

static int program_run(const struct sandbox_run *run, const char *const *argv, int *ret_status)
{
    AUTO(cgroup) group = NULL;
    AUTO_FD filter = -1;
    AUTO_FD env = -1;
    int pipe_fds[2];
    int r = filter_open(run->step->filter, &filter);
    if (r == 0 && run->env)
        r = env_write(run->env, &env);
    if (r == 0)
        r = group_make(run, &group);
    if (r < 0)
        return err_pass(r);
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_raise(-errno);
    AUTO_FD from = pipe_fds[0];
    AUTO_FD to = pipe_fds[1];
    struct running g = {.run = run, .group = group};
    struct child_spec spec = spec_of(&g, argv);
    const int pass[] = {to, filter, run->source_fd, env};
    for (size_t i = 0; i < ARRAY_LEN(pass); i++)
        if (pass[i] >= 0)
            spec.pass[spec.pass_n++] = pass[i];
    struct child_end end;
    r = child_run(&spec, &end);
    if (r < 0)
        return err_pass(r);
    int status = -1;
    if (!status_read(from, &status))
        status = -1;
    r = end_judge(&g, r, status);
    if (r == 0)
        *ret_status = status;
    return r;
}

int sandbox_line(const struct sandbox_run *run, struct arena *arena, const char *const **ret_argv)
{
    struct line *l = arena_alloc(arena, sizeof *l);
    if (!l)
        return err_raise(-ENOMEM);
    l->arena = arena;
    int r = line_write(l, run);
    if (r < 0)
        return err_pass(r);
    *ret_argv = l->v;
    return 0;
}

int sandbox_step(const struct sandbox_run *run, int *ret_status)
{
    AUTO(arena) arena = NULL;
    const char *const *argv = NULL;
    int r = arena_new(ARENA_BYTES_MAX, &arena);
    if (r == 0)
        r = sandbox_line(run, arena, &argv);
    return r < 0 ? err_pass(r) : program_run(run, argv, ret_status);
}
