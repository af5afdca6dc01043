/* receive.c: from a message to a place in the inbox, inside a callback of nng.
 *
 * Nothing here waits: a check of the bytes, two short locks, no unpacking. A credential is not
 * looked at either; the turn or a reader does that. Each refusal goes to the asker by the message's
 * own header.   */
#include "net/inside.h"

#include "wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The id of a message that failed its check, if it begins with one, as every encoder we know writes
 * it. */
static uint64_t salvage_id(const uint8_t *bytes, size_t n)
{
    enum { REQUEST_ID_TAG = 1 << 3 };
    uint64_t id = 0;
    if (n < 2 || bytes[0] != REQUEST_ID_TAG)
        return 0;
    for (unsigned i = 0; i < 10 && i + 1 < n; i++) {
        id |= (uint64_t)(bytes[i + 1] & 0x7f) << (7 * i);
        if (!(bytes[i + 1] & 0x80))
            return id;
    }
    return 0;
}

static bool header_save(nng_msg *msg, struct reply_to *to)
{
    size_t n = nng_msg_header_len(msg);
    to->pipe = (uint32_t)nng_msg_get_pipe(msg).id;
    if (n < 8 || n > sizeof to->header)
        return false;
    memcpy(to->header, nng_msg_header(msg), n);
    to->header_n = (uint8_t)n;
    return true;
}

/* The operation, or NULL when the message was refused. */
static const struct op_row *message_check(struct endpoint *e, nng_msg *msg, struct reply_to *to)
{
    const void *bytes = nng_msg_body(msg);
    size_t n = nng_msg_len(msg);
    struct wire_fault fault;
    if (!wire_check(&rota__request__descriptor, bytes, n, &fault)) {
        atomic_fetch_add(&e->malformed, 1);
        to->request_id = salvage_id(bytes, n);
        refuse(e, to, fault.code, fault.text);
        return NULL;
    }
    uint32_t tag;
    wire_peek(bytes, n, &tag, &to->request_id);
    const struct op_row *op = op_row(tag);
    if (!op) {
        atomic_fetch_add(&e->malformed, 1);
        refuse(e, to, E_OPERATION_UNKNOWN, NULL);
    }
    return op;
}

static bool is_own_probe(struct endpoint *e, const struct op_row *op, const struct reply_to *to)
{
    return op->tag == ROTA__REQUEST__OP_PING && to->request_id != 0 &&
           to->request_id == atomic_load(&e->probe_id);
}

static struct inbound *inbound_make(nng_msg *msg, const struct reply_to *to, uint32_t op_tag)
{
    struct inbound *in = calloc(1, sizeof *in);
    if (!in)
        return NULL;
    in->kind = INBOUND_REQUEST;
    in->to = *to;
    in->op_tag = op_tag;
    in->bytes = nng_msg_body(msg);
    in->n = nng_msg_len(msg);
    in->owner = msg;
    return in;
}

static void refuse_unpushed(struct endpoint *e, int outcome, const struct reply_to *to)
{
    if (outcome == PIPE_BUSY) {
        atomic_fetch_add(&e->refused_busy, 1);
        refuse(e, to, E_BUSY, NULL);
    } else if (outcome == PIPE_OVERLOADED) {
        atomic_fetch_add(&e->refused_overloaded, 1);
        refuse(e, to, E_OVERLOADED, NULL);
    } else {
        refuse(e, to, E_BUSY, NULL); /* gone or muted: counts, is not answered */
    }
}

static void message_push(struct endpoint *e, nng_msg *msg, const struct op_row *op,
                         const struct reply_to *to)
{
    struct inbound *in = inbound_make(msg, to, op->tag);
    if (!in) {
        nng_msg_free(msg);
        refuse(e, to, E_MEMORY, NULL);
        return;
    }
    int r = pipe_table_push(e->pipes, op->lane, in);
    if (r == 0)
        return;
    inbound_free(in);
    refuse_unpushed(e, r, to);
}

void message_receive(struct endpoint *e, nng_msg *msg)
{
    struct reply_to to = {0};
    atomic_fetch_add(&e->requests, 1);
    if (!header_save(msg, &to)) {
        atomic_fetch_add(&e->malformed, 1);
        endpoint_pipe_close(e, to.pipe);
        nng_msg_free(msg);
        return;
    }
    const struct op_row *op = message_check(e, msg, &to);
    if (op && !is_own_probe(e, op, &to)) {
        message_push(e, msg, op, &to);
        return;
    }
    if (op) {
        atomic_store(&e->probe_pipe, to.pipe);
        answer_probe(e, &to);
    }
    nng_msg_free(msg);
}
