/* child_init.c: pid 1 of a child's namespace.
 *
 * Order matters. First the death signal of the parent is asked for, then a look at the life pipe
 * covers the moment before; only then is anything started. The program is a child of init and not
 * init itself: a pid 1 ignores signals that it has no handler for and would have to reap orphans,
 * and programs are written for neither. When the program has ended, init leaves, and the kernel
 * kills what remains.
 *
 * Raw clone() is used for both steps: glibc's fork() takes the locks of malloc and stdio, which
 * another thread of the agent may hold at this very moment. */
#include "child_init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FD_OUT_OF_THE_WAY = 64, EXIT_NO_EXEC = 127 };

pid_t init_clone(unsigned long flags, int *ret_pidfd)
{
    if (ret_pidfd)
        flags |= CLONE_PIDFD;
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, ret_pidfd, 0, 0);
}

static void note(int fd, enum init_word word, int value)
{
    struct init_note n = {.word = word, .value = value};
    ssize_t r = write(fd, &n, sizeof n);
    (void)r; /* the parent is gone: so are we, soon */
}

__attribute__((noreturn)) static void leave(int fd, enum init_word word, int value)
{
    note(fd, word, value);
    _exit(EXIT_NO_EXEC);
}

/* Writes "ID ID 1" without stdio. */
static int map_write(const char *path, unsigned id)
{
    char digits[12], text[32];
    size_t n = sizeof digits, len = 0;
    do
        digits[--n] = (char)('0' + id % 10);
    while ((id /= 10) > 0);
    size_t width = sizeof digits - n;
    memcpy(text, digits + n, width);
    len += width;
    text[len++] = ' ';
    memcpy(text + len, digits + n, width);
    len += width;
    text[len++] = ' ';
    text[len++] = '1';
    text[len++] = '\n';
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t r = write(fd, text, len);
    close(fd);
    return r == (ssize_t)len ? 0 : -1;
}

/* The program keeps its uid, so that files it makes belong to whom they did without the namespace.
 */
static int user_map(const struct init_plan *p)
{
    /* Our copy of the agent is not dumpable, and the files of /proc/self would be root's. */
    prctl(PR_SET_DUMPABLE, 1);
    int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t r = write(fd, "deny", 4);
        close(fd);
        if (r != 4)
            return -1;
    }
    if (map_write("/proc/self/uid_map", p->uid) < 0)
        return -1;
    return map_write("/proc/self/gid_map", p->gid);
}

/* A /proc that shows this namespace only. Containers that mask parts of /proc forbid it: then the
 * host's stays, which shows more but gives no hold on anything. */
static bool proc_remount(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return false;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

static void signals_reset(void)
{
    struct sigaction a = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &a, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* All sources first move out of the way, so that no dup2() overwrites one that is still needed. */
static int descriptors_place(const struct init_plan *p)
{
    const int source[4] = {p->in_fd, p->out_fd, p->out_fd, p->line_fd};
    int high[4], pass[64];
    for (int i = 0; i < 4; i++)
        high[i] = source[i] < 0 ? -1 : fcntl(source[i], F_DUPFD_CLOEXEC, FD_OUT_OF_THE_WAY);
    for (size_t i = 0; i < p->pass_n; i++)
        pass[i] = fcntl(p->pass[i], F_DUPFD_CLOEXEC, FD_OUT_OF_THE_WAY);
    int status = fcntl(p->status_fd, F_DUPFD_CLOEXEC, FD_OUT_OF_THE_WAY);
    syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
    for (int i = 0; i < 4; i++)
        if (source[i] >= 0 && dup2(high[i], i) < 0)
            return -1;
    for (size_t i = 0; i < p->pass_n; i++)
        if (dup2(pass[i], 4 + (int)i) < 0)
            return -1;
    return status;
}

__attribute__((noreturn)) static void program_start(const struct init_plan *p)
{
    setsid();
    signals_reset();
    if (p->dir && chdir(p->dir) < 0)
        leave(p->status_fd, INIT_NO_EXEC, errno);
    int status = descriptors_place(p);
    if (status < 0)
        leave(p->status_fd, INIT_NO_EXEC, errno);
    execve(p->argv[0], (char *const *)p->argv, (char *const *)p->env);
    leave(status, INIT_NO_EXEC, errno);
}

/* Before it has made its group the program stands in ours, which must not hear of this. */
static void program_tell(pid_t program, int signal)
{
    if (kill(-program, signal) < 0)
        kill(program, signal);
}

/* Reaps whatever ends until it is the program, and hands SIGTERM on to its process group. All
 * signals are blocked here, so each of them waits until it is asked for. */
static int program_wait(pid_t program)
{
    sigset_t heard;
    sigemptyset(&heard);
    sigaddset(&heard, SIGCHLD);
    sigaddset(&heard, SIGTERM);
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == program)
            return status;
        if (pid < 0 && errno != EINTR)
            return 0x7f00; /* cannot be: the program is our child and not yet reaped */
        if (pid == 0 && sigwaitinfo(&heard, NULL) == SIGTERM)
            program_tell(program, SIGTERM);
    }
}

/* Init keeps the status pipe alone: an end of the program's pipes in its hands would hide their
 * end. */
static int init_close_rest(int status_fd)
{
    int fd = dup2(status_fd, 0);
    if (fd == 0)
        syscall(SYS_close_range, 1, ~0u, 0);
    return fd;
}

/* True while the parent lives. The death signal alone leaves a gap: a parent that died before it
 * was asked for never sends it. */
static bool parent_watch(int life_fd)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return false;
    struct pollfd p = {.fd = life_fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

/* Before the user namespace: the group's files belong to the agent's user out there. */
static int groups_join(const struct init_plan *p)
{
    for (size_t i = 0; i < p->join_n; i++)
        if (write(p->join[i], "0", 1) != 1)
            return -1;
    return 0;
}

void init_main(const struct init_plan *p)
{
    if (!parent_watch(p->life_fd))
        _exit(EXIT_NO_EXEC);
    if (groups_join(p) < 0)
        leave(p->status_fd, INIT_FAILED, errno);
    if (p->maps_user && user_map(p) < 0)
        leave(p->status_fd, INIT_FAILED, errno);
    setsid();
    /* The copy of the agent's memory in here is nobody's to read. */
    prctl(PR_SET_DUMPABLE, 0);
    bool has_proc = proc_remount();
    note(p->status_fd, INIT_READY, has_proc);
    if (!p->argv)
        _exit(0);
    pid_t program = init_clone(0, NULL);
    if (program < 0)
        leave(p->status_fd, INIT_FAILED, errno);
    if (program == 0)
        program_start(p);
    int fd = init_close_rest(p->status_fd);
    note(fd, INIT_ENDED, program_wait(program));
    _exit(0);
}
