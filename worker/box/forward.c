/* forward.c: one poll() over the listener, both ends of each pair, and the program's end.
 *
 * Each way of a pair is a buffer of its own: it is read when it is empty and written when it is
 * full, so a slow reader holds up its own pair alone and memory has a bound. An end of file is
 * handed on as one (shutdown), and a pair goes when both ways have ended or either end has failed.
 * When the program has ended nobody is left to read: the rest goes with the process. */
#include "forward.h"

#include <arpa/inet.h>
#include <base/auto.h>
#include <base/exit.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAY_BYTES = 32 * 1024, BACKLOG = 128, SIGNAL_BASE = 128, EXIT_NOT_STARTED = 126 };

struct way {
    char *bytes; /* from when the first came, to the end of the pair */
    size_t from, to;
    bool is_ended, is_told; /* end of file was read; was handed on */
};

struct pair {
    int fd[2];         /* the program's end, the proxy's end; -1: a free place */
    struct way way[2]; /* way[i]: what was read from fd[i], for the other */
};

struct forward {
    struct sockaddr_un to;
    int listener, program;
    struct pair pair[FORWARD_PAIRS_MAX];
    unsigned pairs;
};

static int complain(const char *what)
{
    fprintf(stderr, "rota-box forward: %s: %s\n", what, strerror(errno));
    return EXIT_IO;
}

static void pair_end(struct forward *f, struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        close(p->fd[i]);
        free(p->way[i].bytes);
    }
    *p = (struct pair){.fd = {-1, -1}};
    f->pairs--;
}

static struct pair *pair_free(struct forward *f)
{
    for (size_t i = 0; i < FORWARD_PAIRS_MAX; i++)
        if (f->pair[i].fd[0] < 0)
            return &f->pair[i];
    return NULL;
}

/* Connecting to a socket file is done at once: it waits only where the proxy's backlog is full,
 * and then waiting is right. */
static int proxy_connect(const struct forward *f)
{
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&f->to, sizeof f->to) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    return TAKE_FD(fd);
}

static void pair_begin(struct forward *f)
{
    struct pair *p = pair_free(f);
    AUTO_FD inner = p ? accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    AUTO_FD outer = inner < 0 ? -1 : proxy_connect(f);
    if (outer < 0)
        return;
    p->fd[0] = TAKE_FD(inner);
    p->fd[1] = TAKE_FD(outer);
    f->pairs++;
}

/* ---- one way of a pair ---- */

static short events_of(const struct pair *p, int end)
{
    const struct way *out = &p->way[end], *in = &p->way[!end];
    return (short)((out->from == out->to && !out->is_ended ? POLLIN : 0) |
                   (in->from < in->to ? POLLOUT : 0));
}

static bool is_later(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* False: the pair has failed. */
static bool way_read(struct way *w, int fd)
{
    if (!w->bytes && !(w->bytes = malloc(WAY_BYTES)))
        return false;
    ssize_t n = read(fd, w->bytes, WAY_BYTES);
    if (n > 0) {
        w->from = 0;
        w->to = (size_t)n;
    }
    w->is_ended = n == 0;
    return n >= 0 || is_later(n);
}

static bool way_write(struct way *w, int fd)
{
    if (w->from < w->to) {
        ssize_t n = send(fd, w->bytes + w->from, w->to - w->from, MSG_NOSIGNAL);
        if (n < 0 && !is_later(n))
            return false;
        w->from += n > 0 ? (size_t)n : 0;
    }
    if (w->is_ended && w->from == w->to && !w->is_told) {
        w->is_told = true;
        return shutdown(fd, SHUT_WR) == 0;
    }
    return true;
}

static bool pair_move(struct pair *p, const struct pollfd q[2])
{
    for (int i = 0; i < 2; i++)
        if (q[i].revents && events_of(p, i) & POLLIN && !way_read(&p->way[i], p->fd[i]))
            return false;
    for (int i = 0; i < 2; i++)
        if (!way_write(&p->way[i], p->fd[!i]))
            return false;
    bool is_broken = (q[0].revents | q[1].revents) & (POLLERR | POLLNVAL);
    return !is_broken && !(p->way[0].is_told && p->way[1].is_told);
}

/* ---- all of them ---- */

enum { FIRST = 2 };

static void pairs_move(struct forward *f, const struct pollfd *q)
{
    for (size_t i = 0; i < FORWARD_PAIRS_MAX; i++) {
        struct pair *p = &f->pair[i];
        if (p->fd[0] >= 0 && !pair_move(p, q + FIRST + 2 * i))
            pair_end(f, p);
    }
}

/* An end that is neither to be read nor written now is left out: its hang-up would wake us without
 * end. */
static struct pollfd end_of(const struct pair *p, int end)
{
    short events = 0;
    if (p->fd[end] >= 0)
        events = events_of(p, end);
    return (struct pollfd){.fd = events ? p->fd[end] : -1, .events = events};
}

/* Until the program ends; then its pidfd is readable. */
static int pump(struct forward *f)
{
    static struct pollfd q[FIRST + 2 * FORWARD_PAIRS_MAX];
    for (;;) {
        q[0] = (struct pollfd){.fd = f->program, .events = POLLIN};
        q[1] = (struct pollfd){.fd = f->pairs < FORWARD_PAIRS_MAX ? f->listener : -1,
                               .events = POLLIN};
        for (size_t i = 0; i < FORWARD_PAIRS_MAX; i++)
            for (int end = 0; end < 2; end++)
                q[FIRST + 2 * i + (size_t)end] = end_of(&f->pair[i], end);
        if (poll(q, ARRAY_LEN(q), -1) < 0 && errno != EINTR)
            return complain("poll");
        if (q[0].revents)
            return 0;
        pairs_move(f, q);
        if (q[1].revents)
            pair_begin(f);
    }
}

/* ---- the program ---- */

static int listen_open(const char *port, int *ret_fd)
{
    char *end = NULL;
    unsigned long number = strtoul(port, &end, 10);
    if (*end || number == 0 || number > UINT16_MAX)
        return EXIT_USAGE;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)number)};
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(fd, BACKLOG) < 0)
        return complain("the loopback address");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int program_start(char **argv, pid_t *ret_pid)
{
    pid_t self = getpid(), pid = fork();
    if (pid < 0)
        return complain("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == self)
            execv(argv[0], argv);
        fprintf(stderr, "%s cannot be started: %s\n", argv[0], strerror(errno));
        _exit(EXIT_NOT_STARTED);
    }
    *ret_pid = pid;
    return 0;
}

static int program_end(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(status) ? SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
}

int box_forward(char **args)
{
    static struct forward f = {.to = {.sun_family = AF_UNIX}};
    pid_t pid;
    if (!args[0] || !args[1] || !args[2] || strcmp(args[2], "--") != 0 || !args[3] ||
        strlen(args[0]) >= sizeof f.to.sun_path)
        return EXIT_USAGE;
    memcpy(f.to.sun_path, args[0], strlen(args[0]) + 1);
    for (size_t i = 0; i < FORWARD_PAIRS_MAX; i++)
        f.pair[i].fd[0] = f.pair[i].fd[1] = -1;
    int r = listen_open(args[1], &f.listener);
    if (r == 0)
        r = program_start(args + 3, &pid);
    if (r != 0)
        return r;
    f.program = (int)syscall(SYS_pidfd_open, pid, 0);
    if (f.program < 0)
        return complain("pidfd_open");
    r = pump(&f);
    return r == 0 ? program_end(pid) : r;
}
