/* inside.h: what the files of this folder share and nobody else sees. */
#pragma once

#include "net/endpoint.h"
#include "net/listener.h"
#include "net/pipe.h"
#include "net/sender.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

struct endpoint {
    struct endpoint_config config;
    nng_socket socket;
    struct pipe_table *pipes;
    struct sender *sender;
    struct listener
        *listeners;       /* changed before start only; their insides by the warden's thread */
    nng_aio *receive_aio; /* one, so that a pipe's requests keep their order */
    _Atomic bool is_closing;
    _Atomic uint64_t probe_id;   /* request id of the probe under way; 0: none */
    _Atomic uint32_t probe_pipe; /* of the last probe that was answered */
    _Atomic uint32_t relistens;
    _Atomic uint64_t requests, refused_busy, refused_overloaded, malformed, closed_silent;
    bool is_started, is_limit_told;
    uint32_t
        watched_pipe; /* a probe's pipe, hung up on long ago, that nng has not taken apart yet */
    uint64_t watched_since_ms;
    pthread_t warden;
    int stop_fd;   /* eventfd: readable when the warden has to end */
    int closed_fd; /* eventfd: readable when nng_close() has returned */
};

/* Says a fact to whoever runs us. */
__attribute__((format(printf, 3, 4))) void endpoint_note(struct endpoint *e, const char *event,
                                                         const char *text, ...);

/* receive.c: one message from the socket; owns it. Runs in callbacks of nng. */
void message_receive(struct endpoint *e, nng_msg *msg);

/* reply.c: refuses a request that was not pushed; never waits. */
void refuse(struct endpoint *e, const struct reply_to *to, enum error_code code, const char *text);

/* reply.c: answers the warden's own ping. */
void answer_probe(struct endpoint *e, const struct reply_to *to);

/* warden.c: the thread that watches over listeners and silent pipes. */
MUST_USE int warden_start(struct endpoint *e);
void warden_stop(struct endpoint *e);

enum listener_outcome {
    LISTENER_ALIVE = 0,
    LISTENER_SLOW, /* let a pipe through, but the answer did not come in time */
    LISTENER_DEAD, /* let nothing through */
};

/* warden.c: pings one listener. */
MUST_USE int listener_probe(struct endpoint *e, struct listener *l, uint32_t timeout_ms);
