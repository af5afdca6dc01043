/* sender.h: puts messages into nng's upper send queue. Any thread. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <nng/nng.h>
#include <stdbool.h>

struct sender;
MUST_USE int sender_new(nng_socket socket, struct sender **ret_sender);
struct sender *sender_free(struct sender *s);
DEFINE_FREEP(sender)

/* Owns the message. When the queue is full (8,192 messages, drained by nng's own threads without
 * ever waiting for a peer) `may_wait` says whether to wait for a place or to drop the message;
 * callbacks of nng must not wait, because the threads that drain the queue are the ones they run
 * on.              */
void sender_send(struct sender *s, nng_msg *msg, bool may_wait);
