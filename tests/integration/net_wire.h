/* net_wire.h: a client of the SP wire protocol over a plain socket, because only a client without
 * nng can misbehave as freely as a hostile one. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    int fd;
    bool is_ipc;
};

/* Connects and asserts success. */
struct wire wire_open_ipc(const char *path);
struct wire wire_open_tcp(uint16_t port);
void wire_close(struct wire *w);

/* Sends our hello and reads the other; false when it hung up or said nothing for `wait_ms`. */
bool wire_hello(struct wire *w, uint32_t wait_ms);

/* One message: framing, the REQ id, the body. False when the peer hung up. */
bool wire_send(struct wire *w, uint32_t id, const void *body, size_t n);
bool wire_send_bytes(struct wire *w, const void *p, size_t n);

/* The bytes that announce a message of this length. */
size_t wire_head(const struct wire *w, uint64_t announced, uint8_t head[9]);

/* Pings and long polls with this request id; a credential makes the pipe known. */
bool wire_send_ping(struct wire *w, uint64_t request_id, bool has_credential);
bool wire_send_poll(struct wire *w, uint64_t request_id);
bool wire_send_log_read(struct wire *w, uint64_t request_id, uint64_t n);

/* The next reply, or NULL when none came within `wait_ms` or the peer hung up. The caller frees
 * with rota__reply__free_unpacked(). */
Rota__Reply *wire_receive(struct wire *w, uint32_t wait_ms);

/* True when the peer hung up within `wait_ms`; what it still says is dropped. */
bool wire_is_closed(struct wire *w, uint32_t wait_ms);

/* A whole ping, there and back; its time in nanoseconds, or 0 when it failed. */
uint64_t wire_ping_ns(struct wire *w, uint64_t request_id, uint32_t wait_ms);

/* The name of the error in the next reply ("" for none), freed. Static storage of the calling
 * thread. */
const char *wire_receive_error(struct wire *w, uint32_t wait_ms, uint64_t *ret_request_id);
