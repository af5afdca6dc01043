/* sender.c: a few aios, made once and reused.
 *
 * nng_sendmsg() makes an aio with a lock and a condition for each message; reusing them saves a
 * microsecond. Our aios have no callback, so nng completes them in the calling thread and the wait
 * after the send returns at once, unless the queue is full. xrep.c of 1.5.2: a message whose pipe
 * is gone, or whose pipe has 64 replies queued, is dropped there without a word; the cap of 32
 * requests in flight keeps honest peers below that. */
#include "net/sender.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

enum { IDLE_MAX = 16 };

struct sender {
    nng_socket socket;
    pthread_mutex_t mx;
    nng_aio *idle[IDLE_MAX];
    unsigned idle_n;
};

int sender_new(nng_socket socket, struct sender **ret_sender)
{
    AUTO_FREE struct sender *s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    int r = pthread_mutex_init(&s->mx, NULL);
    if (r)
        return err_raise(-r);
    s->socket = socket;
    *ret_sender = TAKE(s);
    return 0;
}

struct sender *sender_free(struct sender *s)
{
    if (!s)
        return NULL;
    while (s->idle_n > 0)
        nng_aio_free(s->idle[--s->idle_n]);
    pthread_mutex_destroy(&s->mx);
    free(s);
    return NULL;
}

static nng_aio *aio_borrow(struct sender *s)
{
    nng_aio *aio = NULL;
    pthread_mutex_lock(&s->mx);
    if (s->idle_n > 0)
        aio = s->idle[--s->idle_n];
    pthread_mutex_unlock(&s->mx);
    if (!aio && nng_aio_alloc(&aio, NULL, NULL) != 0)
        return NULL;
    return aio;
}

static void aio_give_back(struct sender *s, nng_aio *aio)
{
    pthread_mutex_lock(&s->mx);
    if (s->idle_n < IDLE_MAX) {
        s->idle[s->idle_n++] = aio;
        aio = NULL;
    }
    pthread_mutex_unlock(&s->mx);
    if (aio)
        nng_aio_free(aio);
}

void sender_send(struct sender *s, nng_msg *msg, bool may_wait)
{
    assert(msg);
    nng_aio *aio = aio_borrow(s);
    if (!aio) {
        nng_msg_free(msg); /* no memory: the peer's own timeout decides */
        return;
    }
    nng_aio_set_timeout(aio, may_wait ? NNG_DURATION_INFINITE : NNG_DURATION_ZERO);
    nng_aio_set_msg(aio, msg);
    nng_send_aio(s->socket, aio);
    nng_aio_wait(aio);
    if (nng_aio_result(aio) != 0)
        nng_msg_free(msg); /* full, or closing: the message stayed ours */
    nng_aio_set_msg(aio, NULL);
    aio_give_back(s, aio);
}
