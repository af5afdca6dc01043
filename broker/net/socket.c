/* socket.c: walks over /proc/self/fd.
 *
 * nng 1.5.2 names neither the descriptor of a listener nor that of a pipe, and a connection that a
 * dead listener took in is no pipe at all: its client has shaken hands, sends its request, and
 * would wait for ever, because it sees a healthy connection. The kernel tells it apart: nobody
 * reads it, so its bytes stay unread, while a living pipe is read at once. To shut such a
 * connection down is, for nng, the same as the peer going away. Should a descriptor be closed and
 * reused between look and shutdown, the worst is that another client has to connect again. */
#include "net/socket.h"

#include <base/auto.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { DEAF_MS = 50, SUSPECTS_STEP = 256 };

static bool in6_is_loopback(const struct in6_addr *a)
{
    return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

bool address_is_loopback(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        return in6_is_loopback(&((const struct sockaddr_in6 *)address)->sin6_addr);
    default:
        return false;
    }
}

static bool in_is_same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_port == b->sin_port &&
           (a->sin_addr.s_addr == htonl(INADDR_ANY) || a->sin_addr.s_addr == b->sin_addr.s_addr);
}

static bool in6_is_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port && (IN6_IS_ADDR_UNSPECIFIED(&a->sin6_addr) ||
                                            IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr));
}

bool address_is_same(const struct sockaddr *bound, const struct sockaddr *other)
{
    if (bound->sa_family != other->sa_family)
        return false;
    switch (bound->sa_family) {
    case AF_UNIX:
        return strcmp(((const struct sockaddr_un *)bound)->sun_path,
                      ((const struct sockaddr_un *)other)->sun_path) == 0;
    case AF_INET:
        return in_is_same((const struct sockaddr_in *)bound, (const struct sockaddr_in *)other);
    case AF_INET6:
        return in6_is_same((const struct sockaddr_in6 *)bound, (const struct sockaddr_in6 *)other);
    default:
        return false;
    }
}

enum socket_role { NO_SOCKET_OF_IT, LISTENING, CONNECTED };

/* What the descriptor is to the address. */
static enum socket_role role_of(int fd, const struct sockaddr *address)
{
    struct sockaddr_storage name = {0}; /* zeroed: the kernel may leave a path without a NUL */
    socklen_t name_n = sizeof name - 1, listens_n = sizeof(int);
    int listens = 0;
    if (getsockname(fd, (struct sockaddr *)&name, &name_n) != 0 ||
        !address_is_same(address, (struct sockaddr *)&name) ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_n) != 0)
        return NO_SOCKET_OF_IT;
    return listens ? LISTENING : CONNECTED;
}

/* Calls `look` with each of our descriptors, until it answers with a fault. */
static int each_descriptor(int (*look)(void *arg, int fd), void *arg)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return err_raise(-errno);
    int r = 0;
    struct dirent *entry;
    while (r == 0 && (entry = readdir(dir))) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && fd != dirfd(dir))
            r = look(arg, (int)fd);
    }
    closedir(dir);
    return r;
}

/* The filter lets the kernel drop every new connection; the pause lets a call of nng that is in
 * accept() at this moment come back. With the descriptor replaced under such a call, nng would try
 * again at once and without end. */
static int replace_one(void *arg, int fd)
{
    if (role_of(fd, arg) != LISTENING)
        return 0;
    struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = 1, .filter = &none};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
        return err_raise(-errno);
    poll(NULL, 0, DEAF_MS);
    AUTO_FD empty = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (empty < 0 || dup3(empty, fd, O_CLOEXEC) < 0)
        return err_raise(-errno);
    return 0;
}

int listening_replace(const struct sockaddr *address)
{
    struct sockaddr_storage copy = {0};
    memcpy(&copy, address,
           address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                         : sizeof(struct sockaddr_in6));
    int r = each_descriptor(replace_one, &copy);
    return r < 0 ? err_pass(r) : 0;
}

struct collection {
    const struct sockaddr *address;
    struct suspect *list;
    size_t n, room;
};

static int collect_one(void *arg, int fd)
{
    struct collection *c = arg;
    struct stat st;
    if (role_of(fd, c->address) != CONNECTED || fstat(fd, &st) != 0)
        return 0;
    if (c->n == c->room) {
        size_t room = c->room + SUSPECTS_STEP;
        struct suspect *list = realloc(c->list, room * sizeof *list);
        if (!list)
            return err_raise(-ENOMEM);
        c->list = list;
        c->room = room;
    }
    c->list[c->n++] = (struct suspect){.fd = fd, .inode = st.st_ino};
    return 0;
}

int suspects_collect(const struct sockaddr *address, struct suspect **ret_suspects, size_t *ret_n)
{
    struct collection c = {.address = address};
    int r = each_descriptor(collect_one, &c);
    if (r < 0) {
        free(c.list);
        return err_pass(r);
    }
    *ret_suspects = c.list;
    *ret_n = c.n;
    return 0;
}

/* True while the connection is still under suspicion. */
static bool look_once_more(struct suspect *s, uint32_t *hung_up)
{
    struct stat st;
    int unread = 0;
    if (fstat(s->fd, &st) != 0 || st.st_ino != s->inode || ioctl(s->fd, FIONREAD, &unread) != 0)
        return false;
    if (unread > 0 && s->was_unread) {
        shutdown(s->fd, SHUT_RDWR);
        ++*hung_up;
        return false;
    }
    bool is_cleared = s->was_unread && unread == 0;
    s->was_unread = unread > 0;
    return !is_cleared;
}

size_t suspects_look(struct suspect *suspects, size_t n, uint32_t *hung_up)
{
    size_t stay = 0;
    for (size_t i = 0; i < n; i++)
        if (look_once_more(&suspects[i], hung_up))
            suspects[stay++] = suspects[i];
    return stay;
}
