/* net_wire.c: blocking sockets with poll() before each read. */
#undef NDEBUG
#include "net_wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <base/bytes.h>
#include <base/clock.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ID_BYTES = 4, SEND_WAIT_MS = 2000, CONNECT_WAIT_MS = 3000 };

/* While an endpoint listens anew there is nobody at its address for some milliseconds; every real
 * client tries again, and so do we. */
static int connect_patiently(const struct sockaddr *address, socklen_t n)
{
    uint64_t until_ms = clock_boot_ms() + CONNECT_WAIT_MS;
    for (;;) {
        int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert(fd >= 0);
        if (connect(fd, address, n) == 0)
            return fd;
        close(fd);
        assert(clock_boot_ms() < until_ms);
        poll(NULL, 0, 5);
    }
}

struct wire wire_open_ipc(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    assert(strlen(path) < sizeof un.sun_path);
    memcpy(un.sun_path, path, strlen(path));
    return (struct wire){.fd = connect_patiently((struct sockaddr *)&un, sizeof un),
                         .is_ipc = true};
}

struct wire wire_open_tcp(uint16_t port)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    struct wire w = {.fd = connect_patiently((struct sockaddr *)&in, sizeof in)};
    setsockopt(w.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return w;
}

void wire_close(struct wire *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

static bool await(struct wire *w, short events, uint64_t until_ms)
{
    struct pollfd p = {.fd = w->fd, .events = events};
    uint64_t now_ms = clock_boot_ms();
    return poll(&p, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0) > 0;
}

bool wire_send_bytes(struct wire *w, const void *p, size_t n)
{
    uint64_t until_ms = clock_boot_ms() + SEND_WAIT_MS;
    for (size_t done = 0; done < n;) {
        ssize_t k = send(w->fd, (const char *)p + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k > 0)
            done += (size_t)k;
        else if (errno != EAGAIN || !await(w, POLLOUT, until_ms))
            return false;
    }
    return true;
}

/* -1: hung up or too late. */
static int receive_bytes(struct wire *w, void *p, size_t n, uint64_t until_ms)
{
    for (size_t done = 0; done < n;) {
        if (!await(w, POLLIN, until_ms))
            return -1;
        ssize_t k = recv(w->fd, (char *)p + done, n - done, 0);
        if (k <= 0)
            return -1;
        done += (size_t)k;
    }
    return 0;
}

bool wire_hello(struct wire *w, uint32_t wait_ms)
{
    static const uint8_t req[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
                         rep[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t got[8];
    return wire_send_bytes(w, req, sizeof req) &&
           receive_bytes(w, got, sizeof got, clock_boot_ms() + wait_ms) == 0 &&
           memcmp(got, rep, sizeof rep) == 0;
}

size_t wire_head(const struct wire *w, uint64_t announced, uint8_t head[9])
{
    head[0] = 1;
    put_be64(head + (w->is_ipc ? 1 : 0), announced);
    return w->is_ipc ? 9 : 8;
}

bool wire_send(struct wire *w, uint32_t id, const void *body, size_t n)
{
    uint8_t *whole = malloc(9 + ID_BYTES + n);
    assert(whole);
    size_t at = wire_head(w, n + ID_BYTES, whole);
    put_be32(whole + at, 0x80000000u | id);
    if (n > 0)
        memcpy(whole + at + ID_BYTES, body, n);
    bool is_sent = wire_send_bytes(w, whole, at + ID_BYTES + n);
    free(whole);
    return is_sent;
}

static bool send_request(struct wire *w, Rota__Request *request)
{
    uint8_t bytes[512];
    assert(rota__request__get_packed_size(request) <= sizeof bytes);
    size_t n = rota__request__pack(request, bytes);
    return wire_send(w, (uint32_t)request->request_id & 0x7fffffffu, bytes, n);
}

bool wire_send_ping(struct wire *w, uint64_t request_id, bool has_credential)
{
    Rota__Ping ping = ROTA__PING__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.request_id = request_id;
    request.op_case = ROTA__REQUEST__OP_PING;
    request.ping = &ping;
    char credential[] = "rota_test_key";
    if (has_credential)
        request.credential = credential;
    return send_request(w, &request);
}

bool wire_send_poll(struct wire *w, uint64_t request_id)
{
    char worker[] = "w1", pool[] = "bundle";
    Rota__Lease lease = ROTA__LEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.request_id = request_id;
    request.op_case = ROTA__REQUEST__OP_LEASE;
    request.lease = &lease;
    lease.worker = worker;
    lease.pool = pool;
    lease.wait_ms = 60000;
    return send_request(w, &request);
}

bool wire_send_log_read(struct wire *w, uint64_t request_id, uint64_t n)
{
    Rota__LogRead log_read = ROTA__LOG_READ__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.request_id = request_id;
    request.op_case = ROTA__REQUEST__OP_LOG_READ;
    request.log_read = &log_read;
    log_read.offset = n;
    return send_request(w, &request);
}

Rota__Reply *wire_receive(struct wire *w, uint32_t wait_ms)
{
    uint64_t until_ms = clock_boot_ms() + wait_ms;
    uint8_t head[9];
    size_t head_n = w->is_ipc ? 9 : 8;
    if (receive_bytes(w, head, head_n, until_ms) != 0)
        return NULL;
    uint64_t n = get_be64(head + head_n - 8);
    assert(n >= ID_BYTES && n <= (1 << 20));
    uint8_t *body = malloc(n);
    assert(body);
    Rota__Reply *reply = NULL;
    if (receive_bytes(w, body, n, until_ms) == 0)
        reply = rota__reply__unpack(NULL, n - ID_BYTES, body + ID_BYTES);
    free(body);
    return reply;
}

bool wire_is_closed(struct wire *w, uint32_t wait_ms)
{
    uint64_t until_ms = clock_boot_ms() + wait_ms;
    char dropped[4096];
    while (await(w, POLLIN, until_ms))
        if (recv(w->fd, dropped, sizeof dropped, 0) <= 0)
            return true;
    return false;
}

uint64_t wire_ping_ns(struct wire *w, uint64_t request_id, uint32_t wait_ms)
{
    uint64_t from_ns = clock_boot_ns();
    if (!wire_send_ping(w, request_id, true))
        return 0;
    Rota__Reply *reply = wire_receive(w, wait_ms);
    bool fits = reply && reply->request_id == request_id && !reply->error;
    if (reply)
        rota__reply__free_unpacked(reply, NULL);
    return fits ? clock_boot_ns() - from_ns : 0;
}

const char *wire_receive_error(struct wire *w, uint32_t wait_ms, uint64_t *ret_request_id)
{
    static _Thread_local char name[64];
    Rota__Reply *reply = wire_receive(w, wait_ms);
    if (!reply)
        return "no reply";
    snprintf(name, sizeof name, "%s", reply->error ? reply->error->name : "");
    *ret_request_id = reply->request_id;
    rota__reply__free_unpacked(reply, NULL);
    return name;
}
