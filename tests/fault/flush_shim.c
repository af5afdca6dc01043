/* flush_shim.c: an LD_PRELOAD library that counts flushes to the disk, can fail one of them, and
 * notes in which order flushes and sends to sockets happened.
 *
 * A flush is fdatasync, fsync, or a write on a descriptor opened with O_DSYNC: LMDB writes its meta
 * page that way, so a shim that only knew fdatasync would miss half of each commit.
 *
 *   FLUSH_SHIM_LOG=FILE   one line an event, in order: "flush fdatasync 12", "flush pwrite 13",
 *                         "failed fdatasync 14", "send sendmsg". A flush is noted when it is done,
 * a send before it is made: "flush" above "send" means that it truly was earlier
 *   FLUSH_SHIM_FAIL_AT=N  the Nth flush answers EIO and does nothing
 *   FLUSH_SHIM_PATH=TEXT  counts only files whose path contains TEXT (say, data.mdb) */
#undef _FILE_OFFSET_BITS /* it would rename pwrite to pwrite64, and both names must be caught */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
    pthread_once_t once;
    pthread_mutex_t lock;
    int log_fd;
    unsigned long flushes, fail_at;
    const char *path;
} shim = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER, .log_fd = -1};

static void settings_read(void)
{
    const char *log = getenv("FLUSH_SHIM_LOG"), *at = getenv("FLUSH_SHIM_FAIL_AT");
    shim.path = getenv("FLUSH_SHIM_PATH");
    shim.fail_at = at ? strtoul(at, NULL, 10) : 0;
    if (log)
        shim.log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* By the bare system call: write() is one of ours. */
static void note(const char *what, const char *call, unsigned long n)
{
    if (shim.log_fd < 0)
        return;
    char line[80];
    int len = n ? snprintf(line, sizeof line, "%s %s %lu\n", what, call, n)
                : snprintf(line, sizeof line, "%s %s\n", what, call);
    long r = syscall(SYS_write, shim.log_fd, line, (size_t)len);
    (void)r;
}

static bool is_watched(int fd)
{
    if (!shim.path)
        return true;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return false;
    path[n] = 0;
    return strstr(path, shim.path) != NULL;
}

static bool is_dsync(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DSYNC);
}

static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Takes the number of the flush that begins; true: it must fail. */
static bool flush_begin(const char *call, unsigned long *ret_n)
{
    pthread_once(&shim.once, settings_read);
    pthread_mutex_lock(&shim.lock);
    *ret_n = ++shim.flushes;
    bool must_fail = *ret_n == shim.fail_at;
    pthread_mutex_unlock(&shim.lock);
    if (must_fail)
        note("failed", call, *ret_n);
    return must_fail;
}

static void *next_of(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f)
        abort();
    return f;
}

/* The body of one wrapper: the next library's function, wrapped as a flush, as a send, or bare. */
#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (!next)                                                                                     \
        *(void **)&next = next_of(#name);                                                          \
    pthread_once(&shim.once, settings_read)

#define AS_FLUSH(name, call)                                                                       \
    unsigned long flush_n;                                                                         \
    if (flush_begin(#name, &flush_n)) {                                                            \
        errno = EIO;                                                                               \
        return -1;                                                                                 \
    }                                                                                              \
    __typeof__(call) flush_result = (call);                                                        \
    note("flush", #name, flush_n);                                                                 \
    return flush_result

int fdatasync(int fd)
{
    NEXT(fdatasync);
    if (!is_watched(fd))
        return next(fd);
    AS_FLUSH(fdatasync, next(fd));
}

int fsync(int fd)
{
    NEXT(fsync);
    if (!is_watched(fd))
        return next(fd);
    AS_FLUSH(fsync, next(fd));
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    NEXT(pwrite);
    if (!is_dsync(fd) || !is_watched(fd))
        return next(fd, p, n, at);
    AS_FLUSH(pwrite, next(fd, p, n, at));
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    NEXT(pwrite64);
    if (!is_dsync(fd) || !is_watched(fd))
        return next(fd, p, n, at);
    AS_FLUSH(pwrite, next(fd, p, n, at));
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    NEXT(pwritev);
    if (!is_dsync(fd) || !is_watched(fd))
        return next(fd, v, n, at);
    AS_FLUSH(pwritev, next(fd, v, n, at));
}

ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
    NEXT(pwritev64);
    if (!is_dsync(fd) || !is_watched(fd))
        return next(fd, v, n, at);
    AS_FLUSH(pwritev, next(fd, v, n, at));
}

ssize_t write(int fd, const void *p, size_t n)
{
    NEXT(write);
    if (is_socket(fd))
        note("send", "write", 0);
    if (!is_dsync(fd) || !is_watched(fd))
        return next(fd, p, n);
    AS_FLUSH(write, next(fd, p, n));
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    NEXT(writev);
    if (is_socket(fd))
        note("send", "writev", 0);
    if (!is_dsync(fd) || !is_watched(fd))
        return next(fd, v, n);
    AS_FLUSH(writev, next(fd, v, n));
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    NEXT(send);
    note("send", "send", 0);
    return next(fd, p, n, flags);
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to,
               socklen_t to_n)
{
    NEXT(sendto);
    note("send", "sendto", 0);
    return next(fd, p, n, flags, to, to_n);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    NEXT(sendmsg);
    note("send", "sendmsg", 0);
    return next(fd, m, flags);
}
