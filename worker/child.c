/* child.c: the agent's side of a child: pipes, clone, pump, kill, reap.
 *
 * One poll() waits for output, for lines, for init's end and for the stop. Nothing here waits for
 * end of file: a program may hand its stdout to a stranger outside of the namespace, who would hold
 * the pipe open for ever. When init is reaped everything inside is dead, so what is left in the
 * pipes is all there will ever be, and it is read without waiting.
 *
 * stdin is a sealed file in memory and not a pipe: no feeding, and no SIGPIPE when the program does
 * not want it. */
#include "child.h"

#include "child_init.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PUMP_BYTES = 16384, PUMP_ROUNDS_MAX = 1024 };

/* What ends the pump besides the end of init. */
struct until {
    int stop_fd;
    uint64_t deadline_ms;
    bool ticks;
};

struct child {
    const struct child_spec *spec;
    pid_t pid;
    int pidfd;
    int in_fd;
    int out[2], line[2], status[2], life[2]; /* [0] is read, [1] written */
    char text[CHILD_LINE_MAX + 1];
    size_t text_n;
    bool is_cut;
};

static void child_deinit(struct child *c)
{
    int all[] = {c->pidfd,   c->in_fd,     c->out[0],    c->out[1],  c->line[0],
                 c->line[1], c->status[0], c->status[1], c->life[0], c->life[1]};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            close(all[i]);
}

static void fd_drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int input_open(const struct child_spec *spec, int *ret_fd)
{
    AUTO_FD fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_raise(-errno);
    int r = write_all(fd, spec->input, spec->input_bytes);
    if (r < 0)
        return err_pass(r);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return err_raise(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* The reading end does not wait; the writing end, the program's, does. */
static int pipe_open(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_raise(-errno);
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        return err_raise(-errno);
    return 0;
}

static int output_open(struct child *c)
{
    if (c->spec->output)
        return pipe_open(c->out);
    c->out[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return c->out[1] < 0 ? err_raise(-errno) : 0;
}

/* To be followed by child_deinit(), whatever the answer. */
static int child_init(const struct child_spec *spec, struct child *c)
{
    *c = (struct child){.spec = spec,
                        .pidfd = -1,
                        .in_fd = -1,
                        .out = {-1, -1},
                        .line = {-1, -1},
                        .status = {-1, -1},
                        .life = {-1, -1}};
    int r = input_open(spec, &c->in_fd);
    if (r < 0)
        return err_pass(r);
    if ((r = output_open(c)) < 0)
        return err_pass(r);
    if (spec->line && (r = pipe_open(c->line)) < 0)
        return err_pass(r);
    if ((r = pipe_open(c->status)) < 0)
        return err_pass(r);
    if ((r = pipe_open(c->life)) < 0)
        return err_pass(r);
    return 0;
}

/* Signals stay out between clone() and the reset in the child: a handler of ours must not run in
 * the copy. */
static pid_t clone_quietly(struct init_plan *plan, unsigned long flags, int *ret_pidfd)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = init_clone(flags, ret_pidfd);
    if (pid == 0)
        init_main(plan);
    int e = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = e;
    return pid;
}

/* Root makes a pid namespace by right; anybody else needs a user namespace around it. */
static int child_start(struct child *c)
{
    const struct child_spec *s = c->spec;
    struct init_plan plan = {.argv = s->argv,
                             .env = s->env,
                             .dir = s->dir,
                             .in_fd = c->in_fd,
                             .out_fd = c->out[1],
                             .line_fd = c->line[1],
                             .pass = s->pass,
                             .pass_n = s->pass_n,
                             .join = s->join,
                             .join_n = s->join_n,
                             .status_fd = c->status[1],
                             .life_fd = c->life[0],
                             .uid = geteuid(),
                             .gid = getegid()};
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS;
    c->pid = clone_quietly(&plan, flags, &c->pidfd);
    if (c->pid < 0 && errno == EPERM) {
        plan.maps_user = true;
        c->pid = clone_quietly(&plan, flags | CLONE_NEWUSER, &c->pidfd);
    }
    if (c->pid < 0) {
        c->pidfd = -1;
        return err_raise(-errno);
    }
    fd_drop(&c->in_fd);
    fd_drop(&c->out[1]);
    fd_drop(&c->line[1]);
    fd_drop(&c->status[1]);
    return 0;
}

static void line_end(struct child *c)
{
    c->text[c->text_n] = '\0';
    if (c->text_n > 0 || c->is_cut)
        c->spec->line(c->spec->arg, c->text, c->text_n, c->is_cut);
    c->text_n = 0;
    c->is_cut = false;
}

static void lines_take(struct child *c, const char *p, size_t n)
{
    while (n > 0) {
        const char *end = memchr(p, '\n', n);
        size_t part = end ? (size_t)(end - p) : n;
        size_t room = CHILD_LINE_MAX - c->text_n;
        size_t take = part < room ? part : room;
        memcpy(c->text + c->text_n, p, take);
        c->text_n += take;
        c->is_cut = c->is_cut || take < part;
        if (end)
            line_end(c);
        size_t used = part + (end ? 1 : 0);
        p += used;
        n -= used;
    }
}

/* Reads once what is there. False: nothing now, or never again (then the descriptor is closed). */
static bool pump_out(struct child *c)
{
    char bytes[PUMP_BYTES];
    ssize_t n = c->out[0] < 0 ? -1 : read(c->out[0], bytes, sizeof bytes);
    if (n == 0)
        fd_drop(&c->out[0]);
    if (n <= 0)
        return false;
    c->spec->output(c->spec->arg, bytes, (size_t)n);
    return true;
}

static bool pump_line(struct child *c)
{
    char bytes[PUMP_BYTES];
    ssize_t n = c->line[0] < 0 ? -1 : read(c->line[0], bytes, sizeof bytes);
    if (n == 0)
        fd_drop(&c->line[0]);
    if (n <= 0)
        return false;
    lines_take(c, bytes, (size_t)n);
    return true;
}

/* A pipe holds at most 1 MiB unless somebody outside goes on writing: hence the bound. */
static void pump_rest(struct child *c)
{
    int rounds = 0;
    while (pump_out(c) && rounds++ < PUMP_ROUNDS_MAX)
        continue;
    while (pump_line(c) && rounds++ < PUMP_ROUNDS_MAX)
        continue;
    if (c->text_n > 0 || c->is_cut)
        line_end(c);
}

static int poll_ms(const struct until *u, uint64_t tick_at_ms)
{
    uint64_t now = clock_boot_ms(), at = u->deadline_ms;
    if (u->ticks && (at == 0 || tick_at_ms < at))
        at = tick_at_ms;
    if (at == 0)
        return -1;
    uint64_t left = at > now ? at - now : 0;
    return left > 60000 ? 60000 : (int)left;
}

static bool tick_kills(const struct child *c, uint64_t *tick_at_ms)
{
    uint64_t now = clock_boot_ms();
    if (now < *tick_at_ms)
        return false;
    *tick_at_ms = now + c->spec->tick_ms;
    return c->spec->tick(c->spec->arg, c->pid) != 0;
}

/* Until init ends (0), or until it must. */
static int child_pump(struct child *c, const struct until *u)
{
    uint64_t tick_at_ms = clock_boot_ms() + c->spec->tick_ms;
    for (;;) {
        struct pollfd p[] = {{.fd = c->pidfd, .events = POLLIN},
                             {.fd = u->stop_fd, .events = POLLIN},
                             {.fd = c->out[0], .events = POLLIN},
                             {.fd = c->line[0], .events = POLLIN}};
        if (poll(p, ARRAY_LEN(p), poll_ms(u, tick_at_ms)) < 0 && errno != EINTR)
            return err_raise(-errno);
        if (p[1].revents)
            return CHILD_STOPPED;
        if (u->deadline_ms > 0 && clock_boot_ms() >= u->deadline_ms)
            return CHILD_DEADLINE;
        if (u->ticks && tick_kills(c, &tick_at_ms))
            return CHILD_TICK;
        pump_out(c);
        pump_line(c);
        if (p[0].revents)
            return 0;
    }
}

static void child_signal(const struct child *c, int signal)
{
    syscall(SYS_pidfd_send_signal, c->pidfd, signal, NULL, 0);
}

/* Init hands SIGTERM on. What the program still says is heard. True: it ended within its grace. */
static bool child_ends_gently(struct child *c, int why)
{
    uint64_t grace_ms = c->spec->grace_ms;
    if (grace_ms == 0 || (why != CHILD_STOPPED && why != CHILD_DEADLINE))
        return false;
    const struct until u = {.stop_fd = -1, .deadline_ms = clock_boot_ms() + grace_ms};
    child_signal(c, SIGTERM);
    return child_pump(c, &u) == 0;
}

/* SIGKILL to init takes the whole namespace; waitpid() returns only when all of it is gone. */
static void child_reap(struct child *c, bool kills)
{
    if (kills)
        child_signal(c, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static int child_judge(struct child *c, struct child_end *ret_end, bool *ret_has_proc)
{
    struct init_note n;
    bool is_ready = false;
    while (read(c->status[0], &n, sizeof n) == (ssize_t)sizeof n) {
        if (n.word == INIT_FAILED)
            return err_raise(-n.value);
        if (n.word == INIT_NO_EXEC) {
            *ret_end = (struct child_end){.status = -1, .exec_errno = n.value};
            return CHILD_NO_EXEC;
        }
        if (n.word == INIT_ENDED) {
            bool by_signal = WIFSIGNALED(n.value);
            *ret_end = (struct child_end){.status = by_signal ? -1 : WEXITSTATUS(n.value),
                                          .signal = by_signal ? WTERMSIG(n.value) : 0};
            return 0;
        }
        is_ready = true;
        *ret_has_proc = n.value;
    }
    if (is_ready && !c->spec->argv)
        return 0;
    /* Init itself was killed from outside (by the kernel for want of memory, or by hand). */
    *ret_end = (struct child_end){.status = -1, .signal = SIGKILL};
    return is_ready ? 0 : err_raise(-EPROTO);
}

static int child_go(const struct child_spec *spec, struct child_end *ret_end, bool *ret_has_proc)
{
    assert(spec->pass_n <= CHILD_PASS_MAX);
    __attribute__((cleanup(child_deinit))) struct child c;
    int r = child_init(spec, &c);
    if (r < 0)
        return err_pass(r);
    if ((r = child_start(&c)) < 0)
        return err_pass(r);
    const struct until u = {spec->stop_fd, spec->deadline_ms, spec->tick != NULL};
    int ended = child_pump(&c, &u);
    child_reap(&c, ended != 0 && !child_ends_gently(&c, ended));
    pump_rest(&c);
    if (ended < 0)
        return err_pass(ended);
    r = child_judge(&c, ret_end, ret_has_proc);
    /* A program that ended in the same moment as it was stopped counts as stopped: one answer. */
    if (ended > 0)
        return ended;
    return r < 0 ? err_pass(r) : r;
}

int child_run(const struct child_spec *spec, struct child_end *ret_end)
{
    assert(spec->argv && spec->argv[0] && spec->env);
    bool has_proc;
    return child_go(spec, ret_end, &has_proc);
}

int child_probe(bool *ret_has_proc)
{
    const struct child_spec nothing = {.stop_fd = -1};
    struct child_end end;
    int r = child_go(&nothing, &end, ret_has_proc);
    return r < 0 ? err_pass(r) : r;
}
