/* probe.c: the SP wire protocol by hand, small enough to be read at a glance.
 *
 *   hello, both ways:  00 'S' 'P' 00  <16-bit protocol>  00 00        REQ is 0x30, REP 0x31
 *   message:           [01 on ipc]  <64-bit length>  <32-bit id, top bit set>  <body>
 *
 * Any failure but our own is "silent": to refuse, to hang up and to say nothing all mean that a
 * client would not be served. */
#include "net/probe.h"

#include "rota.pb-c.h"

#include <base/auto.h>
#include <base/bytes.h>
#include <base/clock.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { HELLO_BYTES = 8, PING_BYTES_MAX = 64, REPLY_BYTES_MAX = 512, ID_BYTES = 4 };
static const uint8_t hello_req[HELLO_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const uint8_t hello_rep[HELLO_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

struct call {
    int fd, stop_fd;
    uint64_t deadline_ms;
};

/* 0 when the socket is ready for `events`. */
static int await(const struct call *c, short events)
{
    struct pollfd fds[] = {{.fd = c->fd, .events = events}, {.fd = c->stop_fd, .events = POLLIN}};
    for (;;) {
        uint64_t now_ms = clock_boot_ms();
        if (now_ms >= c->deadline_ms)
            return PROBE_SILENT;
        int n = poll(fds, ARRAY_LEN(fds), (int)(c->deadline_ms - now_ms));
        if (n < 0 && errno != EINTR)
            return err_raise(-errno);
        if (n > 0)
            return fds[1].revents ? PROBE_STOPPED : 0;
    }
}

static int send_bytes(const struct call *c, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = send(c->fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
        if (k > 0) {
            done += (size_t)k;
            continue;
        }
        if (errno != EAGAIN)
            return PROBE_SILENT;
        int r = await(c, POLLOUT);
        if (r)
            return r;
    }
    return 0;
}

static int receive_bytes(const struct call *c, void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = recv(c->fd, (char *)p + done, n - done, 0);
        if (k > 0) {
            done += (size_t)k;
            continue;
        }
        if (k == 0 || errno != EAGAIN)
            return PROBE_SILENT;
        int r = await(c, POLLIN);
        if (r)
            return r;
    }
    return 0;
}

static int open_call(struct call *c, const struct sockaddr *address, socklen_t address_n)
{
    c->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return err_raise(-errno);
    if (connect(c->fd, address, address_n) == 0)
        return 0;
    if (errno == ECONNREFUSED || errno == ENOENT)
        return PROBE_REFUSED;
    if (errno != EINPROGRESS)
        return PROBE_SILENT; /* on AF_UNIX also EAGAIN: the backlog is full, nobody accepts */
    int r = await(c, POLLOUT);
    if (r)
        return r;
    int fault = 0;
    socklen_t fault_n = sizeof fault;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &fault, &fault_n);
    return fault == 0 ? 0 : fault == ECONNREFUSED ? PROBE_REFUSED : PROBE_SILENT;
}

static int send_ping(const struct call *c, bool is_ipc, uint64_t request_id)
{
    Rota__Ping ping = ROTA__PING__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.request_id = request_id;
    request.op_case = ROTA__REQUEST__OP_PING;
    request.ping = &ping;
    uint8_t message[1 + 8 + ID_BYTES + PING_BYTES_MAX] = {1};
    uint8_t *length = message + (is_ipc ? 1 : 0), *id = length + 8;
    size_t n = rota__request__pack(&request, id + ID_BYTES);
    put_be64(length, n + ID_BYTES);
    put_be32(id, 0x80000000u | (uint32_t)request_id);
    return send_bytes(c, message, (size_t)(id + ID_BYTES + n - message));
}

static bool reply_fits(const uint8_t *body, size_t n, uint64_t request_id)
{
    Rota__Reply *reply = rota__reply__unpack(NULL, n, body);
    bool fits = reply && reply->request_id == request_id;
    if (reply)
        rota__reply__free_unpacked(reply, NULL);
    return fits;
}

static int receive_reply(const struct call *c, bool is_ipc, uint64_t request_id)
{
    uint8_t head[9], body[REPLY_BYTES_MAX];
    size_t head_n = is_ipc ? 9 : 8;
    int r = receive_bytes(c, head, head_n);
    if (r)
        return r;
    uint64_t n = get_be64(head + head_n - 8);
    if (n < ID_BYTES || n > sizeof body)
        return PROBE_SILENT;
    r = receive_bytes(c, body, (size_t)n);
    if (r)
        return r;
    return reply_fits(body + ID_BYTES, (size_t)n - ID_BYTES, request_id) ? 0 : PROBE_SILENT;
}

static int greet(const struct call *c)
{
    uint8_t hello[HELLO_BYTES];
    int r = send_bytes(c, hello_req, sizeof hello_req);
    if (r == 0)
        r = receive_bytes(c, hello, sizeof hello);
    if (r == 0 && memcmp(hello, hello_rep, sizeof hello) != 0)
        r = PROBE_SILENT;
    return r;
}

int probe_ping(const struct sockaddr *address, socklen_t address_n, uint64_t request_id,
               uint32_t timeout_ms, int stop_fd)
{
    bool is_ipc = address->sa_family == AF_UNIX;
    struct call c = {.stop_fd = stop_fd, .deadline_ms = clock_boot_ms() + timeout_ms};
    int r = open_call(&c, address, address_n);
    if (r == 0)
        r = greet(&c);
    if (r == 0)
        r = send_ping(&c, is_ipc, request_id);
    if (r == 0)
        r = receive_reply(&c, is_ipc, request_id);
    if (c.fd >= 0)
        close(c.fd);
    return r < 0 ? err_pass(r) : r;
}

int probe_hello(const struct sockaddr *address, socklen_t address_n, uint32_t timeout_ms,
                int stop_fd)
{
    struct call c = {.stop_fd = stop_fd, .deadline_ms = clock_boot_ms() + timeout_ms};
    int r = open_call(&c, address, address_n);
    if (r == 0)
        r = greet(&c);
    if (c.fd >= 0)
        close(c.fd);
    return r < 0 ? err_pass(r) : r;
}

int probe_connect(const struct sockaddr *address, socklen_t address_n, uint32_t timeout_ms,
                  int stop_fd)
{
    struct call c = {.stop_fd = stop_fd, .deadline_ms = clock_boot_ms() + timeout_ms};
    int r = open_call(&c, address, address_n);
    if (c.fd >= 0)
        close(c.fd);
    return r < 0 ? err_pass(r) : r;
}
