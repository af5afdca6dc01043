/* client_link.h: librota inside: links to the broker and the calls that they carry. Not installed.
 *
 * A link is a REQ socket with one pipe and room for LINK_CALLS calls, each with a context and an
 * aio of its own that are made once and used again. A client opens a link when all it has are full,
 * because the broker refuses the 33rd request of a pipe. */
#pragma once

#include "client.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <stdatomic.h>

enum { LINK_CALLS = 32, LINKS_MAX = 256 };

struct call {
    struct link *link;
    struct call *next; /* idle ones */
    nng_ctx ctx;
    nng_aio *aio;
    bool is_sent;
    uint64_t sent_ms, deadline_ms; /* clock_boot_ms() */
    rota_done *done;
    void *arg;
};

struct link {
    struct rota_client *client;
    nng_socket socket;
    nng_dialer dialer;
    nng_aio *watch; /* sleeps while the link is down; see client_link.c */
    atomic_bool is_watched;
    atomic_uint_least32_t pause_ms; /* the longest pause before the next try to dial */
    atomic_uint_least32_t pipe;     /* id of the pipe now; 0: the link is down */
    atomic_uint_least64_t heard_ms; /* when the last message came */
    struct call *idle;              /* under the client's lock, as the two counts */
    unsigned made, busy;
    struct call calls[LINK_CALLS];
};

struct rota_client {
    char *url, *environment;
    char *credential; /* in guarded memory of libsodium, wiped on free */
    nng_tls_config *tls;
    uint32_t timeout_ms, retries_max;
    uint32_t backoff_base_ms, silent_ms;
    atomic_uint_least64_t request_id;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* closing, or one less of busy and callers */
    bool is_closing;
    unsigned busy;    /* calls in flight */
    unsigned callers; /* threads inside rota_call() */
    struct link *links[LINKS_MAX];
    unsigned link_count;
};

/* For tests: the first pause between tries (1,000 ms, doubled each time), and how long a link may
 * be silent before a timeout makes us doubt its pipe (20,000 ms). Before the first call. */
void rota_client_tune(struct rota_client *client, uint32_t backoff_base_ms, uint32_t silent_ms);

/* Dials in the background. -EINVAL: the URL or its TLS files are unusable. */
MUST_USE int link_new(struct rota_client *client, struct link **ret_link);
struct link *link_free(struct link *link);

/* Ends what the link's calls wait for; their done functions run on nng's threads. */
void link_cancel(struct link *link);

/* An idle call of the link, or NULL when all are busy or memory is short. Under the client's lock.
 */
struct call *link_take(struct link *link);

/* Sends `message` (owned from here on) and answers call->done once. */
void call_send(struct call *call, nng_msg *message, uint64_t now_ms);

/* Gives the call back to its link. */
void call_release(struct call *call);

/* Starts one call; `done` runs once when this gives 0. */
MUST_USE int call_start(struct rota_client *client, const Rota__Request *request,
                        uint64_t deadline_ms, rota_done *done, void *arg);

/* Waits for `changed` at most `ms`. Under the client's lock. */
void changed_wait(struct rota_client *client, uint64_t ms);

/* A reply that says `code`, made here. Never NULL: without memory it is a static one. */
Rota__Reply *reply_make(enum error_code code, const char *text);
