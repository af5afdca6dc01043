/* inbox.h: where requests wait between the sockets and the threads that answer them.
 *
 * Two lanes (ops.def): TURN for the queue thread, READ for the readers. Bounded: 64 MiB in all, 4
 * MiB a pipe; the endpoint refuses what does not fit with OVERLOADED. Thread-safe; a taker may
 * sleep.    */
#pragma once

#include "errors.h"
#include "ops.h"

#include <base/auto.h>
#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INBOX_BYTES_MAX = 64 << 20, INBOX_PIPE_BYTES_MAX = 4 << 20, REPLY_HEADER_MAX = 64 };

/* Where an answer goes; small, copied freely; all that a parked poll costs. */
struct reply_to {
    uint32_t pipe;
    uint64_t request_id;
    uint8_t header_n;
    uint8_t header[REPLY_HEADER_MAX];
};

/* Who is at the other end of a pipe. */
struct peer {
    uint32_t pipe;
    bool is_ipc, is_loopback; /* is_ipc implies is_loopback */
    uint32_t uid;             /* IPC: peer's uid; else UINT32_MAX */
    char address[48];         /* TCP: textual; IPC: "" */
};

enum inbound_kind { INBOUND_REQUEST, INBOUND_PIPE_GONE, INBOUND_OBJECTS_SETTLED };

/* News from above the sockets: an object that was to be deleted needs no more of it. */
struct object_settled {
    uint8_t kind; /* Rota__ObjectKind */
    uint8_t sha256[32];
    uint64_t account; /* its number */
};

/* What was found of the source that one publish names. */
struct source_seen {
    enum error_code code; /* E_OK, or why that publish must be refused */
    uint64_t bytes, bytes_max;
    bool is_sealed;
    bool has_slot; /* one is reserved for its key */
};
#define SOURCE_TOO_LARGE_TEXT "the source has %llu bytes, at most %llu"

/* One request, or the news that a pipe is gone (its parked polls must be forgotten). The news comes
 * in both lanes, after all requests of that pipe, and only if it ever got one through. Requests of
 * one pipe keep their order within a lane. */
struct inbound {
    struct inbound *next;
    enum inbound_kind kind;
    struct peer peer;
    struct reply_to to;
    uint32_t op_tag;
    const void *bytes; /* the message, checked by wire_check(); lives as long as the inbound */
    size_t n;
    void *owner;     /* the nng message behind `bytes` */
    bool is_counted; /* against its key's request rate: once, however often it is looked at */

    /* Set above the sockets: the objects that the request names were looked at on disk. */
    bool wants_vetting, is_vetted;
    enum error_code vetted; /* E_OK, or why the request must be refused */
    char vetted_text[160];
    struct object_settled *settled; /* of INBOUND_OBJECTS_SETTLED */
    size_t settled_n;
    uint8_t *sealed; /* a secret of the request, sealed; NULL: it has none */
    size_t sealed_n;
    struct source_seen *sources; /* one for each publish in the message; NULL: none was looked at */
    size_t sources_n;
};
struct inbound *inbound_free(struct inbound *in);
DEFINE_FREEP(inbound)

struct inbox;
MUST_USE int inbox_new(struct inbox **ret_inbox);
struct inbox *inbox_free(struct inbox *b);
DEFINE_FREEP(inbox)

enum inbox_outcome { INBOX_FULL = 1 };

/* Takes ownership on 0. INBOX_FULL: nothing was taken. News of pipes always fits. */
MUST_USE int inbox_push(struct inbox *b, enum op_lane lane, struct inbound *in);

/* Up to `requests_max` requests and `bytes_max` bytes, oldest first, as a list the caller frees;
 * NULL when none came within `wait_ms` or the inbox was woken. */
struct inbound *inbox_take(struct inbox *b, enum op_lane lane, size_t requests_max,
                           size_t bytes_max, uint32_t wait_ms);

/* Ends the present or next inbox_take() of the lane. */
void inbox_wake(struct inbox *b, enum op_lane lane);
