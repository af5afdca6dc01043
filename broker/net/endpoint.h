/* endpoint.h: the broker's sockets: raw REP over ipc, tcp and tls+tcp, with a guard for each fault
 * of nng 1.5.2 that we know (docs/adr, transport). Callbacks check the shape of a message, charge
 * its pipe and push it into the inbox; nothing blocks in them. Any thread unless said. */
#pragma once

#include "net/inbox.h"
#include "rota.pb-c.h"

enum {
    IPC_MESSAGE_BYTES_MAX = 1 << 20,
    TCP_MESSAGE_BYTES_MAX = 256 << 10,
    PIPE_REQUESTS_MAX = 32,  /* in flight; the 33rd is refused BUSY */
    SILENT_PIPES_MAX = 1024, /* pipes without a valid request so far */
    SILENT_MS_MAX = 10000,   /* then they are closed */
    RELISTENS_MAX = 64,      /* each leaks about two descriptors: then drain and exit 75 */
};

struct endpoint_config {
    struct inbox *inbox;                                           /* borrowed */
    const char *tls_cert_file, *tls_key_file, *tls_client_ca_file; /* NULL: none */
    bool allow_plain_tcp; /* tcp:// off loopback; default no */
    bool no_self_probe;   /* for the test that shows why there is one */
    uint32_t probe_ms;    /* an ipc or tcp listener silent for so long is dead; 0: 1,000 */
    /* A fact for operators; `event` is a log id. May be NULL. */
    void (*note)(void *arg, const char *event, const char *text);
    /* nng is beyond repair: drain and exit 75. RELISTENS_MAX was reached, or it takes no pipes
     * apart any more. Called once. */
    void (*relisten_limit)(void *arg);
    void *arg;
};

struct endpoint;
MUST_USE int endpoint_new(const struct endpoint_config *config, struct endpoint **ret_endpoint);
struct endpoint *endpoint_free(struct endpoint *e);
DEFINE_FREEP(endpoint)

enum endpoint_outcome { ENDPOINT_URL = 1, ENDPOINT_PLAIN_TCP, ENDPOINT_IN_USE, ENDPOINT_TLS };

/* Listens; before start only. IPC: the folder exists, the socket is made 0660. A stale socket file
 * is replaced, a living one is ENDPOINT_IN_USE, another kind of file ENDPOINT_URL. TCP: a
 * name stands for its first address; port 0 lets the kernel choose. ENDPOINT_TLS: a file is
 * missing, not PEM, or others may read the key. */
MUST_USE int endpoint_listen(struct endpoint *e, const char *url);

/* From here on requests arrive in the inbox. Returns when every listener has accepted a probe
 * connection. */
MUST_USE int endpoint_start(struct endpoint *e);

/* Packs and sends; exactly once a request. A peer that is gone is no fault; an answer larger than
 * the transport carries becomes the error TOO_MANY. Does not wait for the peer. Gives the pipe its
 * place for one more request back. */
void endpoint_reply(struct endpoint *e, const struct reply_to *to, Rota__Reply *reply);

/* The pipe has sent a request with a good credential: it is no longer silent. */
void endpoint_pipe_is_known(struct endpoint *e, uint32_t pipe);

/* Hangs up, e.g. after its key was revoked. */
void endpoint_pipe_close(struct endpoint *e, uint32_t pipe);

struct endpoint_stats {
    uint32_t pipes, silent_pipes, relistens;
    uint64_t requests, refused_busy, refused_overloaded, malformed, closed_silent;
};
void endpoint_stats(struct endpoint *e, struct endpoint_stats *ret_stats);
