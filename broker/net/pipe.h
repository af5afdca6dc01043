/* pipe.h: what we know of each open connection, and how much it may ask at once.
 *
 * A pipe starts at pipe_table_add(), silent; becomes known with its first good credential; ends
 * once, at pipe_table_remove(), which tells both lanes if the pipe ever got a request through.
 * Thread-safe, never blocks for long: callbacks of nng call it. */
#pragma once

#include "net/inbox.h"

struct pipe_table;
MUST_USE int pipe_table_new(struct inbox *inbox, struct pipe_table **ret_table);
struct pipe_table *pipe_table_free(struct pipe_table *t);
DEFINE_FREEP(pipe_table)

/* Takes the new pipe in and begins its line `fd` (-1: unknown). When there would be too many silent
 * ones, the oldest of them has to go: its number is written (else 0) and the caller hangs up on it.
 * -ENOMEM, PIPE_GONE after pipe_table_close(): the new one is refused. */
MUST_USE int pipe_table_add(struct pipe_table *t, const struct peer *peer, int fd, uint64_t now_ms,
                            uint32_t *ret_evicted);

/* The connection is gone. Its notices always arrive: when there is no memory for them now, they
 * stay owed until pipe_table_settle_owed(). */
void pipe_table_remove(struct pipe_table *t, uint32_t pipe);
void pipe_table_settle_owed(struct pipe_table *t);

enum pipe_outcome {
    PIPE_GONE = 1,   /* hung up meanwhile: drop the request or answer */
    PIPE_BUSY,       /* too many in flight */
    PIPE_OVERLOADED, /* the inbox is full */
};

/* Fills in->peer, pushes the request and counts it as in flight; takes ownership on 0. One lock
 * spans all of it, so that no request is ever pushed behind the notice that its pipe is gone. */
MUST_USE int pipe_table_push(struct pipe_table *t, enum op_lane lane, struct inbound *in);

/* One request of the pipe is being answered: its place is free again. Nothing is sent to a pipe but
 * after this, pipe_table_refused() or pipe_table_hand() said so, and then at once. PIPE_GONE:
 * nobody is there to read the answer. */
MUST_USE int pipe_table_answered(struct pipe_table *t, uint32_t pipe, bool *ret_is_ipc);

enum refusal_outcome {
    REFUSAL_MUTED =
        1, /* so many came without one good request between them: from now on it is ignored */
    REFUSAL_IGNORED, /* it was muted before: no answer */
};

/* Asks whether a refusal may be answered, and counts it. A muted pipe counts as silent again: it is
 * closed once it has been quiet, and not before, because a pipe without a line can be closed safely
 * only then. */
MUST_USE int pipe_table_refused(struct pipe_table *t, uint32_t pipe, uint64_t now_ms);

/* Something that answers no pushed request is to be sent. 0 or PIPE_GONE. */
MUST_USE int pipe_table_hand(struct pipe_table *t, uint32_t pipe);

void pipe_table_known(struct pipe_table *t, uint32_t pipe);

/* Up to `max` pipes that have been silent since before `since_ms`, oldest first. */
size_t pipe_table_silent(struct pipe_table *t, uint64_t since_ms, uint32_t *ret_pipes, size_t max);

bool pipe_table_has(struct pipe_table *t, uint32_t pipe);

/* Hangs up on one, by its line. False: it has none, so nng itself has to close the pipe. */
bool pipe_table_hang_up(struct pipe_table *t, uint32_t pipe);

/* Takes no new pipe and no request any more, tells nobody of pipes that go (the inbox may be gone
 * before nng has let go of them), hangs up on all that have a line and waits until those are gone,
 * `wait_s` at most. */
void pipe_table_close(struct pipe_table *t, uint32_t wait_s);

void pipe_table_count(struct pipe_table *t, uint32_t *ret_pipes, uint32_t *ret_silent);
