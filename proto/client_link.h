/* client_link.h: librota inside: links to the broker and the calls that they carry. Not installed.
 *
 * A link is one connection with room for LINK_CALLS calls, because the broker refuses the 33rd
 * request of a pipe; a client opens another link when all it has are full. Everything here is
 * guarded by the client's lock, but for a link's `in`, which belongs to the callback that receives.
 *
 *   DOWN -> DIALING -> GREETING -> UP -> CLOSING -> DOWN
 *              |          |               ^
 *              +-> DOWN   +---------------+ */
#pragma once

#include "client.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>

enum { LINK_CALLS = 32, LINKS_MAX = 256 };
enum { MESSAGE_BYTES_MAX_IPC = 1024 * 1024, MESSAGE_BYTES_MAX_TCP = 256 * 1024 };

enum link_state { LINK_DOWN, LINK_DIALING, LINK_GREETING, LINK_UP, LINK_CLOSING };

/* Bytes on their way, credentials among them: wiped before they go. */
struct bytes {
    uint8_t *p;
    size_t n, cap;
};

struct call {
    uint32_t id; /* on the wire: high bit, generation, place; 0: idle */
    bool is_sent;
    size_t at, n; /* its frame in link->next while it is not sent */
    uint64_t start_ms, deadline_ms;
    rota_done *done;
    void *arg;
};

struct link {
    struct rota_client *client;
    enum link_state state;
    nng_stream *stream;
    nng_aio *dial, *send, *recv;
    unsigned pending; /* of these three, with nng or in their callback */
    bool is_sending;
    bool is_corked;         /* replies are being handed out: what they start is sent in one go */
    struct bytes next, out; /* frames that wait; frames that nng writes */
    size_t out_done;
    struct bytes in;
    uint64_t due_ms;   /* DOWN: dial then; DIALING, GREETING: give up then */
    uint32_t range_ms; /* of the pause before the next dial */
    uint64_t heard_ms;
    uint32_t idle; /* bit i: calls[i] is idle */
    uint32_t generation;
    struct call calls[LINK_CALLS];
};

struct rota_client {
    char *url, *environment;
    char *credential; /* in guarded memory of libsodium, wiped on free */
    nng_tls_config *tls;
    nng_stream_dialer *dialer;
    bool is_ipc;
    uint32_t timeout_ms, retries_max;
    uint32_t backoff_base_ms, silent_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for rota_call() between tries, and for rota_client_free() */
    pthread_cond_t tend;    /* for the keeper */
    pthread_t keeper;
    bool has_keeper, is_closing;
    uint64_t tend_ms; /* when the keeper wakes by itself */
    uint64_t request_id;
    unsigned callers;    /* threads inside rota_call() */
    char last_error[64]; /* of dialing or of the connection */
    struct link *links[LINKS_MAX];
    unsigned link_count;
};

/* Calls that ended under the lock and whose owners are told after it. */
struct ended {
    size_t n;
    struct {
        rota_done *done;
        void *arg;
        enum error_code code;
    } item[LINK_CALLS];
};

/* ---- client_call.c ---- */

/* Puts a frame into link->next and fills a place. -ENOMEM; -EMSGSIZE: no broker would take it. */
MUST_USE int call_queue(struct link *link, const Rota__Request *request, uint64_t now_ms,
                        uint64_t deadline_ms, rota_done *done, void *arg);

/* Ends the call of this wire id; false: it is long over. */
bool call_take(struct link *link, uint32_t id, rota_done **ret_done, void **ret_arg);

/* Ends calls: those that were sent, or all. */
void calls_fail(struct link *link, bool all, struct ended *e);

/* Ends calls that are due. Gives the earliest deadline of the rest, and whether a sent one timed
 * out on a link that was silent for long. */
bool calls_expire(struct link *link, uint64_t now_ms, uint64_t *ret_next_ms, struct ended *e);

/* Every waiting frame goes out now. */
void calls_mark_sent(struct link *link);

/* Tells the owners. Without the lock. */
void ended_tell(struct rota_client *client, struct ended *e);

/* A reply that says `code`, made here. Never NULL: without memory it is a static one. */
Rota__Reply *reply_make(enum error_code code, const char *text);

/* False: no memory. */
bool bytes_reserve(struct bytes *b, size_t more);
void bytes_wipe(struct bytes *b);

/* ---- client_link.c ---- */

MUST_USE int link_new(struct rota_client *client, struct link **ret_link);
struct link *link_free(struct link *link);
void link_dial(struct link *link, uint64_t now_ms);
void link_flush(struct link *link);
void link_drop(struct link *link, const char *why, struct ended *e);

/* ---- client_keeper.c ---- */

MUST_USE int keeper_start(struct rota_client *client);
/* Ends all calls and connections and waits for that. */
void keeper_stop(struct rota_client *client);
/* Something is due at `at_ms`. */
void keeper_wake(struct rota_client *client, uint64_t at_ms);
/* Waits for `cond` at most until `until_ms`. */
void wait_until_ms(struct rota_client *client, pthread_cond_t *cond, uint64_t until_ms);

/* ---- client.c ---- */

/* Starts one call; `done` runs once when this gives 0. */
MUST_USE int call_start(struct rota_client *client, const Rota__Request *request,
                        uint64_t deadline_ms, rota_done *done, void *arg);

/* For tests: the first pause between tries (1,000 ms, doubled each time), and how long a link may
 * be silent before a timeout makes us doubt it (20,000 ms). Before the first call. */
void rota_client_tune(struct rota_client *client, uint32_t backoff_base_ms, uint32_t silent_ms);
