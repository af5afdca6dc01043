/* calls.c: keeps nng 1.5.2 from closing a pipe while it reads from it.
 *
 * The fault: a pipe is closed while the head of a message has been read and its callback has not
 * run yet. The close marks the stream's aio as stopped; the callback then asks for the message's
 * body, is told "stopped", and nobody is told anything further. The thread that takes pipes apart
 * waits for that read for ever, and with it every pipe that goes later: no descriptor is closed any
 * more, no removal is reported, and nng_close() never returns (mended upstream by #1636 and its
 * kin). A close a moment later, when the whole message was read, only loses that message's memory.
 * It takes a client that leaves while it has requests under way and answers coming: the answer
 * meets EPIPE, the pipe is closed for that, in the middle of reading. Measured: 1 in 20 such
 * departures, and 1 in 20 calls of nng_pipe_close() or nng_close() while a client sends.
 *
 * The cure: only reading ever ends a pipe, because then no read is under way. An answer to a
 * vanished peer is told to wait (EAGAIN), and an error on a connection is shown to nng as something
 * to read; the read meets the end of the stream right behind the last request. We hang up the same
 * way: a line that was hung up reads as ended (line.c, which also keeps that end back while an
 * answer is on its way).
 *
 * Symbols of the program go before those of the C library, so defining the functions here is all it
 * takes, whether nng is linked as a shared library or not. Only lines are treated so, which are the
 * ipc and tcp pipes behind their hello: an error during the hello has to end the handshake, and on
 * tls a read may not follow. Which descriptor a pipe has, nng does not say; but when it is asked
 * for an option of the connection, it asks the kernel in the same thread, through our getsockopt().
 */
#include "net/calls.h"

#include "net/line.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic bool is_guarding = true;
static _Thread_local int asked_fd = -1;

void calls_guard(bool is_on)
{
    is_guarding = is_on;
}

#define OVER_LIBC __attribute__((visibility("default")))

static size_t bytes_of(const struct msghdr *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->msg_iovlen; i++)
        n += m->msg_iov[i].iov_len;
    return n;
}

OVER_LIBC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t n = syscall(SYS_sendmsg, fd, message, flags);
    if (!line_is_begun(fd))
        return n;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
        errno = EAGAIN;
    if (n >= 0)
        line_wrote(fd, (size_t)n == bytes_of(message));
    else if (errno == EAGAIN)
        line_is_blocked(fd);
    return n;
}

/* An error is kept back like an end; the next read then meets the end. */
OVER_LIBC ssize_t readv(int fd, const struct iovec *parts, int parts_n)
{
    ssize_t n = line_is_hung_up(fd) ? 0 : syscall(SYS_readv, fd, parts, parts_n);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)) || line_may_end(fd))
        return n;
    errno = EAGAIN;
    return -1;
}

OVER_LIBC int getsockopt(int fd, int level, int name, void *value, socklen_t *value_n)
{
    asked_fd = fd;
    return (int)syscall(SYS_getsockopt, fd, level, name, value, value_n);
}

OVER_LIBC int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    int n = epoll_pwait(epfd, events, max, timeout_ms, NULL);
    for (int i = 0; is_guarding && i < n; i++)
        if (events[i].events & (EPOLLERR | EPOLLHUP))
            events[i].events = (events[i].events & ~(uint32_t)(EPOLLERR | EPOLLHUP)) | EPOLLIN;
    return n;
}

bool calls_are_guarded(void)
{
    /* By name, as nng's own calls are bound. */
    return dlsym(RTLD_DEFAULT, "sendmsg") == (void *)sendmsg &&
           dlsym(RTLD_DEFAULT, "readv") == (void *)readv &&
           dlsym(RTLD_DEFAULT, "getsockopt") == (void *)getsockopt &&
           dlsym(RTLD_DEFAULT, "epoll_wait") == (void *)epoll_wait;
}

int calls_fd(nng_pipe pipe)
{
    bool flag;
    uint64_t uid;
    asked_fd = -1;
    if (!is_guarding || nng_pipe_get_bool(pipe, NNG_OPT_TLS_VERIFIED, &flag) == 0)
        return -1;
    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 &&
        nng_pipe_get_bool(pipe, NNG_OPT_TCP_NODELAY, &flag) != 0)
        return -1;
    return asked_fd;
}
