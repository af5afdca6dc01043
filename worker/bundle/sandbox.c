/* sandbox.c: writes bubblewrap's command line and reads its status.
 *
 * bubblewrap says on a descriptor of its own whether the program was started and how it ended, so
 * that a sandbox which could not be made is never taken for a build that failed. Besides what every
 * option's name says: user namespaces are forbidden inside, so the kernel's least tried corners
 * stay out of reach; bubblewrap's own tmpfs ones (the root, /dev) become read-only at the end, or
 * they would be unlimited space. Folders of /usr that administrators fill by hand are covered. */
#include "sandbox.h"

#include <base/arena.h>
#include <base/auto.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGV_MAX = 192, ARENA_BYTES_MAX = 256 * 1024, STATUS_TEXT_MAX = 2048 };

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

/* What name resolution and TLS need; no keys lie in these. */
static const char *const net_files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
                                        "/etc/ssl/certs", "/etc/ssl/openssl.cnf"};

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

static void add_net(struct line *l, const struct tools *t)
{
    add(l, "--share-net");
    for (size_t i = 0; i < ARRAY_LEN(net_files); i++)
        add_mount(l, "--ro-bind-try", net_files[i], net_files[i]);
    add_mount(l, "--ro-bind", t->net, "/net");
    if (t->has_extra_ca)
        add_all(l, (const char *const[]){"--setenv", "NODE_EXTRA_CA_CERTS", "/net/extra-ca", NULL});
}

static void add_step(struct line *l, const struct sandbox_run *run)
{
    const struct step *s = run->step;
    bool has_app = false;
    for (size_t i = 0; i < STEP_MOUNTS_MAX && s->mounts[i].at; i++) {
        add_mount(l, s->mounts[i].is_writable ? "--bind" : "--ro-bind",
                  arena_printf(l->arena, "%s/%s", run->space->path, s->mounts[i].from),
                  s->mounts[i].at);
        has_app = true;
    }
    if (!has_app)
        add_all(l, (const char *const[]){"--dir", "/w/app", NULL});
    for (size_t i = 0; i < STEP_ENV_MAX && s->env[i][0]; i++)
        add_mount(l, "--setenv", s->env[i][0], s->env[i][1]);
}

static void add_command(struct line *l, const struct sandbox_run *run)
{
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
    if (run->step->has_net)
        add_net(l, run->tools);
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

static int program_run(const struct sandbox_run *run, const struct line *l, int *ret_status)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_raise(-errno);
    AUTO_FD from = pipe_fds[0];
    AUTO_FD to = pipe_fds[1];
    struct child_spec spec = {.argv = l->v,
                              .env = env,
                              .dir = "/",
                              .stop_fd = run->stop_fd,
                              .output = run->output,
                              .line = run->line,
                              .arg = run->arg,
                              .pass = {to, run->source_fd},
                              .pass_n = run->source_fd < 0 ? 1 : 2};
    struct child_end end;
    int r = child_run(&spec, &end);
    if (r < 0)
        return err_pass(r);
    if (r == CHILD_STOPPED)
        return SANDBOX_STOPPED;
    return r == 0 && status_read(from, ret_status) ? 0 : SANDBOX_BROKEN;
}

int sandbox_step(const struct sandbox_run *run, int *ret_status)
{
    AUTO(arena) arena = NULL;
    int r = arena_new(ARENA_BYTES_MAX, &arena);
    if (r < 0)
        return err_pass(r);
    struct line l = {.arena = arena};
    r = line_write(&l, run);
    if (r < 0)
        return err_pass(r);
    return program_run(run, &l, ret_status);
}
