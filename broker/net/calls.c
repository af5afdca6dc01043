/* calls.c: keeps nng 1.5.2 from closing a pipe while it reads from it.
 *
 * The fault: a pipe is closed while the head of a message has been read and its callback has not
 * run yet. The close marks the stream's aio as stopped; the callback then asks for the message's
 * body, is told "stopped", and nobody is told anything further. The thread that takes pipes apart
 * waits for that read for ever, and with it every pipe that goes later: no descriptor is closed any
 * more, no removal is reported, and nng_close() never returns (mended upstream by #1636 and its
 * kin). It takes a client that leaves while it has requests under way and answers coming: the
 * answer meets EPIPE, the pipe is closed for that, in the middle of reading. Measured: 1 in 20 such
 * departures.
 *
 * The cure: only reading ever finds out that the peer is gone, because then no read is under way.
 * An answer to a vanished peer is told to wait (EAGAIN), and an error on a connection is shown to
 * nng as something to read; the read meets the end of the stream right behind the last request.
 * Symbols of the program go before those of the C library, so defining the two functions here is
 * all it takes, whether nng is linked as a shared library or not. Only whole SP messages are
 * treated so: not the hello (an error there has to end the handshake) and not TLS records (there a
 * read may not follow).                        */
#include "net/calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic bool is_guarding = true;

void calls_guard(bool is_on)
{
    is_guarding = is_on;
}

#define OVER_LIBC __attribute__((visibility("default")))

/* The head that nng puts before each message: on ipc a 1 and eight bytes of length, on tcp the
 * eight alone. */
static bool is_sp_message(const struct msghdr *m)
{
    if (m->msg_iovlen < 2)
        return false; /* a hello, or the rest of a message that went out in part */
    const uint8_t *head = m->msg_iov[0].iov_base;
    return (m->msg_iov[0].iov_len == 9 && head[0] == 1) ||
           (m->msg_iov[0].iov_len == 8 && head[0] == 0);
}

OVER_LIBC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t n = syscall(SYS_sendmsg, fd, message, flags);
    if (is_guarding && n < 0 && (errno == EPIPE || errno == ECONNRESET) && is_sp_message(message))
        errno = EAGAIN;
    return n;
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
           dlsym(RTLD_DEFAULT, "epoll_wait") == (void *)epoll_wait;
}
