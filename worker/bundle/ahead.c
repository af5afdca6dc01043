/* ahead.c: the step blocks a thread of its own in sandbox_step(); the pipe behind its fd 6 is the
 * rest, and the end of that pipe is the end of the rest. */
#include "ahead.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { HELD_MAX = 16 * 1024, PIECE_BYTES = 1 << 20 };

struct ahead {
    struct sandbox_run run;
    struct sandbox_mount *extra; /* run.extra, our own */
    pthread_t thread;
    int rest_fd, read_fd; /* the pipe; -1 once closed */
    int stop_fd, end_fd;  /* eventfd: kill it; it has ended */
    int outcome, status;  /* of sandbox_step(); behind end_fd */

    pthread_mutex_t lock;
    bool is_given; /* else it waits, and `rest` is nothing yet */
    struct ahead_rest rest;
    char held[HELD_MAX];
    size_t held_n;
};

/* ---- on its own thread ---- */

static void held_add(struct ahead *a, const void *p, size_t n)
{
    size_t room = sizeof a->held - a->held_n;
    if (n > room)
        n = room;
    memcpy(a->held + a->held_n, p, n);
    a->held_n += n;
}

static void on_output(void *arg, const void *p, size_t n)
{
    struct ahead *a = arg;
    pthread_mutex_lock(&a->lock);
    if (a->is_given)
        a->rest.output(a->rest.arg, p, n);
    else
        held_add(a, p, n);
    pthread_mutex_unlock(&a->lock);
}

/* There is nothing to say before there is something to do. */
static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    struct ahead *a = arg;
    pthread_mutex_lock(&a->lock);
    if (a->is_given)
        a->rest.line(a->rest.arg, line, n, is_cut);
    pthread_mutex_unlock(&a->lock);
}

static void *step_run(void *arg)
{
    struct ahead *a = arg;
    a->outcome = sandbox_step(&a->run, &a->status);
    if (eventfd_write(a->end_fd, 1) < 0)
        abort(); /* its counter cannot be full */
    return NULL;
}

/* ---- start and end ---- */

/* A program may open its fd 6 by name, which asks for the file's owner. */
static int pipe_make(struct ahead *a)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_raise(-errno);
    a->read_fd = fds[0];
    a->rest_fd = fds[1];
    if (fcntl(a->rest_fd, F_SETFL, O_NONBLOCK) < 0 ||
        fchown(a->read_fd, a->run.tools->owner, (gid_t)-1) < 0)
        return err_raise(-errno);
    return 0;
}

static int extra_copy(struct ahead *a)
{
    size_t bytes = a->run.extra_n * sizeof *a->extra;
    if (bytes == 0)
        return 0;
    a->extra = malloc(bytes);
    if (!a->extra)
        return err_raise(-ENOMEM);
    memcpy(a->extra, a->run.extra, bytes);
    a->run.extra = a->extra;
    return 0;
}

static int ahead_open(struct ahead *a)
{
    int r = extra_copy(a);
    if (r == 0)
        r = pipe_make(a);
    if (r < 0)
        return err_pass(r);
    a->stop_fd = eventfd(0, EFD_CLOEXEC);
    a->end_fd = eventfd(0, EFD_CLOEXEC);
    if (a->stop_fd < 0 || a->end_fd < 0)
        return err_raise(-errno);
    a->run.source_fd = a->read_fd;
    a->run.stop_fd = a->stop_fd;
    a->run.output = on_output;
    a->run.line = on_line;
    a->run.arg = a;
    return 0;
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static struct ahead *ahead_close(struct ahead *a)
{
    fd_close(&a->rest_fd);
    fd_close(&a->read_fd);
    fd_close(&a->stop_fd);
    fd_close(&a->end_fd);
    pthread_mutex_destroy(&a->lock);
    free(a->extra);
    free(a);
    return NULL;
}

int ahead_start(const struct sandbox_run *run, struct ahead **ret_ahead)
{
    struct ahead *a = calloc(1, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    a->run = *run;
    a->rest_fd = a->read_fd = a->stop_fd = a->end_fd = -1;
    pthread_mutex_init(&a->lock, NULL);
    int r = ahead_open(a);
    if (r == 0)
        r = -pthread_create(&a->thread, NULL, step_run, a);
    if (r < 0) {
        ahead_close(a);
        return err_raise(r);
    }
    *ret_ahead = a;
    return 0;
}

static bool is_raised(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

bool ahead_is_waiting(const struct ahead *a)
{
    return !a->is_given && !is_raised(a->end_fd);
}

static void ahead_stop(const struct ahead *a)
{
    if (eventfd_write(a->stop_fd, 1) < 0)
        abort(); /* its counter cannot be full */
}

struct ahead *ahead_free(struct ahead *a)
{
    if (!a)
        return NULL;
    ahead_stop(a);
    pthread_join(a->thread, NULL);
    return ahead_close(a);
}

/* ---- finishing ---- */

static void rest_begin(struct ahead *a, const struct ahead_rest *rest)
{
    pthread_mutex_lock(&a->lock);
    a->rest = *rest;
    a->is_given = true;
    if (a->held_n > 0)
        rest->output(rest->arg, a->held, a->held_n);
    pthread_mutex_unlock(&a->lock);
}

/* Whoever ends without reading all has its reasons, and its end tells them. */
static void piece_give(struct ahead *a)
{
    ssize_t n = sendfile(a->rest_fd, a->rest.fd, NULL, PIECE_BYTES);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        fd_close(&a->rest_fd);
}

/* 0 when it has ended; or what ended it. */
static int wait_end(struct ahead *a, uint64_t deadline_ms)
{
    for (;;) {
        struct pollfd p[] = {{.fd = a->end_fd, .events = POLLIN},
                             {.fd = a->rest.stop_fd, .events = POLLIN},
                             {.fd = a->rest_fd, .events = POLLOUT}};
        uint64_t now_ms = clock_boot_ms();
        if (now_ms >= deadline_ms)
            return SANDBOX_DEADLINE;
        uint64_t left_ms = deadline_ms - now_ms;
        if (poll(p, ARRAY_LEN(p), left_ms < 60000 ? (int)left_ms : 60000) < 0 && errno != EINTR)
            return err_raise(-errno);
        if (p[0].revents)
            return 0;
        if (p[1].revents)
            return SANDBOX_STOPPED;
        if (p[2].revents)
            piece_give(a);
    }
}

int ahead_finish(struct ahead *a, const struct ahead_rest *rest, int *ret_status)
{
    if (lseek(rest->fd, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    rest_begin(a, rest);
    int r = wait_end(a, clock_boot_ms() + rest->wall_ms);
    if (r != 0)
        ahead_stop(a);
    struct pollfd end = {.fd = a->end_fd, .events = POLLIN};
    while (poll(&end, 1, -1) < 0 && errno == EINTR) {
    }
    *ret_status = a->status;
    return r != 0 ? r : a->outcome < 0 ? err_raise(a->outcome) : a->outcome;
}
