/* listener.h: one address that we listen on, and how to listen there again when nng's listener has
 * died.
 *
 * Made before start; after that only the warden's thread touches it. */
#pragma once

#include "net/endpoint.h"

#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

enum transport { TRANSPORT_IPC, TRANSPORT_TCP, TRANSPORT_TLS };

struct listener {
    struct listener *next;
    enum transport transport;
    char url[160]; /* as nng gets it: names resolved, the port as it was given to us */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } address; /* what is bound */
    socklen_t address_n;
    nng_tls_config *tls;
    nng_listener id;         /* a dead one's number is forgotten: it stays with nng until the end */
    _Atomic int number;      /* of `id`, for callbacks */
    _Atomic uint32_t came_n; /* pipes that came through it; a dead listener lets none through */
    bool is_unstarted;       /* `id` was made, but could not start yet */
    bool has_to_suspect;     /* listened anew: look for those whom the dead listener took in */
    struct suspect *suspects;
    size_t suspects_n;
};

size_t listener_bytes_max(const struct listener *l);

/* Understands the URL and, for TLS, reads the files. Outcomes: ENDPOINT_URL, _PLAIN_TCP, _TLS. */
MUST_USE int listener_new(const struct endpoint_config *config, const char *url,
                          struct listener **ret_listener);
struct listener *listener_free(struct listener *l);
DEFINE_FREEP(listener)

/* Binds and listens. ENDPOINT_IN_USE: somebody living holds the address. */
MUST_USE int listener_open(struct listener *l, nng_socket socket);

/* Leaves nng's dead listener as it is, takes the address away from it and listens anew. May be
 * tried again after a fault. */
MUST_USE int listener_reopen(struct listener *l, nng_socket socket);

/* Where a probe connects: the bound address, with a wildcard replaced by loopback. */
socklen_t listener_probe_address(const struct listener *l, struct sockaddr_storage *ret_address);
