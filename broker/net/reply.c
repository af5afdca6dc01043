/* reply.c: answers, from whichever thread has one.
 *
 * A reply is packed straight into an nng message of its exact size: the only copy on its way out.
 * The saved header carries it to its pipe and, through devices, to the asker. What became of it is
 * never known: raw REP drops a reply without a word when the peer is gone, so leases and deadlines
 * decide, never a send result. */
#include "net/inside.h"

#include <assert.h>
#include <base/clock.h>
#include <stdio.h>

/* The pipe's own number leads the header and does not travel. */
enum { PIPE_NUMBER_BYTES = 4 };

static bool is_too_large(const struct reply_to *to, bool is_ipc, size_t n)
{
    size_t most = is_ipc ? IPC_MESSAGE_BYTES_MAX : TCP_MESSAGE_BYTES_MAX;
    return n + to->header_n - PIPE_NUMBER_BYTES > most;
}

static void send_packed(struct endpoint *e, const struct reply_to *to, const Rota__Reply *reply,
                        size_t n, bool may_wait)
{
    nng_msg *msg;
    if (nng_msg_alloc(&msg, n) != 0)
        return; /* no memory: the peer's own timeout decides */
    if (nng_msg_header_append(msg, to->header, to->header_n) != 0) {
        nng_msg_free(msg);
        return;
    }
    size_t packed = rota__reply__pack(reply, nng_msg_body(msg));
    assert(packed == n);
    (void)packed;
    sender_send(e->sender, msg, may_wait);
}

static void send_error(struct endpoint *e, const struct reply_to *to, enum error_code code,
                       const char *text, bool may_wait)
{
    Rota__Error error = ROTA__ERROR__INIT;
    Rota__Reply reply = ROTA__REPLY__INIT;
    error_fill(code, text, &error);
    reply.request_id = to->request_id;
    reply.error = &error;
    send_packed(e, to, &reply, rota__reply__get_packed_size(&reply), may_wait);
}

void endpoint_reply(struct endpoint *e, const struct reply_to *to, Rota__Reply *reply)
{
    assert(to->header_n > PIPE_NUMBER_BYTES && to->header_n <= REPLY_HEADER_MAX);
    bool is_ipc;
    if (pipe_table_answered(e->pipes, to->pipe, &is_ipc) == PIPE_GONE)
        return;
    reply->request_id = to->request_id;
    size_t n = rota__reply__get_packed_size(reply);
    if (!is_too_large(to, is_ipc, n)) {
        send_packed(e, to, reply, n, true);
        return;
    }
    char text[96];
    snprintf(text, sizeof text, "the answer has %zu bytes, more than this transport carries", n);
    send_error(e, to, E_TOO_MANY, text, true);
}

void refuse(struct endpoint *e, const struct reply_to *to, enum error_code code, const char *text)
{
    int r = pipe_table_refused(e->pipes, to->pipe, clock_boot_ms());
    if (r == 0)
        send_error(e, to, code, text, false);
    else if (r == REFUSAL_MUTED)
        endpoint_note(e, "net.muted", "pipe=%u sends nothing but refused requests, ignored",
                      to->pipe);
}

void answer_probe(struct endpoint *e, const struct reply_to *to)
{
    Rota__PingResult ping = ROTA__PING_RESULT__INIT;
    Rota__Reply reply = ROTA__REPLY__INIT;
    if (pipe_table_hand(e->pipes, to->pipe) == PIPE_GONE)
        return;
    reply.request_id = to->request_id;
    reply.result_case = ROTA__REPLY__RESULT_PING;
    reply.ping = &ping;
    send_packed(e, to, &reply, rota__reply__get_packed_size(&reply), false);
}
