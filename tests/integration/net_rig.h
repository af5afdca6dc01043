/* net_rig.h: an endpoint in this process with two trivial answerers behind it, one for each lane,
 * and a folder of its own. What the tests of the transport stand on.
 *
 * ping is echoed; a lease with wait_ms is parked for ever (its saved header is kept, as the broker
 * does); log_read is answered with `offset` bytes; a request with a credential makes its pipe
 * known.      */
#pragma once

#include "net/endpoint.h"

#include <pthread.h>
#include <stdatomic.h>

enum { RIG_PARKED_MAX = 4096, RIG_NOTES_BYTES = 16384 };

struct rig_lane {
    struct rig *rig;
    enum op_lane lane;
    pthread_t thread;
    _Atomic uint32_t gone; /* notices that a pipe is gone */
};

struct rig {
    char dir[64], path[96], url[128];
    struct inbox *inbox;
    struct endpoint *endpoint;
    struct rig_lane lanes[OP_LANES];
    _Atomic bool is_stopping, is_paused; /* paused: nobody takes from the inbox */
    _Atomic uint32_t parked, answered, relisten_limits;
    struct peer last_peer;
    pthread_mutex_t mx; /* over last_peer, notes, parked_to */
    struct reply_to parked_to[RIG_PARKED_MAX];
    char notes[RIG_NOTES_BYTES];
};

/* Asserts on every fault. `url` NULL: IPC in the rig's folder. `config` may be NULL; its inbox,
 * note, relisten_limit and arg are filled in here. */
void rig_open(struct rig *rig, const struct endpoint_config *config, const char *url);
void rig_close(struct rig *rig);

/* The parts of rig_open(), for tests that look between them. */
void rig_prepare(struct rig *rig, const struct endpoint_config *config);
void rig_start(struct rig *rig);

/* True when the event was noted. */
bool rig_noted(struct rig *rig, const char *event);

/* Waits until *counter reaches `least`, at most `wait_ms`. */
bool rig_await(const _Atomic uint32_t *counter, uint32_t least, uint32_t wait_ms);

struct endpoint_stats rig_stats(struct rig *rig);

/* Who sent the request that was taken last. */
struct peer rig_last_peer(struct rig *rig);

/* A free TCP port on loopback. */
uint16_t rig_free_port(void);
