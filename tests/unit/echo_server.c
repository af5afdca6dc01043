/* echo_server.c: one receive at a time; the answer is written over the request's message, whose
 * header knows the way back. nng_sendmsg without blocking, as a broker does it. */
#undef NDEBUG
#include "echo_server.h"

#include "tls_pem.h"

#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/tls/tls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 1024, PIPES_MAX = 256 };

struct echo {
    char url[128];
    echo_answer *answer;
    void *arg;
    pthread_mutex_t lock;
    nng_socket socket;
    nng_aio *aio;
    bool is_up, is_held, has_tls;
    nng_msg *held[HELD_MAX];
    unsigned held_count, requests, pipes;
};

static void answer_send(struct echo *e, nng_msg *m)
{
    Rota__Request *request = rota__request__unpack(NULL, nng_msg_len(m), nng_msg_body(m));
    assert(request);
    Rota__Reply reply = ROTA__REPLY__INIT;
    reply.request_id = request->request_id;
    bool speaks = e->answer(e->arg, request, &reply);
    rota__request__free_unpacked(request, NULL);
    if (!speaks) {
        nng_msg_free(m);
        return;
    }
    size_t n = rota__reply__get_packed_size(&reply);
    nng_msg_clear(m);
    assert(nng_msg_realloc(m, n) == 0);
    rota__reply__pack(&reply, nng_msg_body(m));
    assert(nng_sendmsg(e->socket, m, NNG_FLAG_NONBLOCK) == 0);
}

static void received(void *arg)
{
    struct echo *e = arg;
    if (nng_aio_result(e->aio) != 0)
        return; /* closed */
    nng_msg *m = nng_aio_get_msg(e->aio);
    nng_aio_set_msg(e->aio, NULL);
    pthread_mutex_lock(&e->lock);
    e->requests++;
    if (e->is_held) {
        assert(e->held_count < HELD_MAX);
        e->held[e->held_count++] = m;
    } else {
        answer_send(e, m);
    }
    pthread_mutex_unlock(&e->lock);
    nng_recv_aio(e->socket, e->aio);
}

static void pipe_came(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)pipe, (void)event;
    struct echo *e = arg;
    pthread_mutex_lock(&e->lock);
    e->pipes++;
    pthread_mutex_unlock(&e->lock);
}

static void listener_start(struct echo *e)
{
    nng_listener listener;
    assert(nng_listener_create(&listener, e->socket, e->url) == 0);
    if (e->has_tls) {
        nng_tls_config *tls;
        assert(nng_tls_config_alloc(&tls, NNG_TLS_MODE_SERVER) == 0);
        assert(nng_tls_config_own_cert(tls, tls_server_pem, tls_server_key_pem, NULL) == 0);
        assert(nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, tls) == 0);
        nng_tls_config_free(tls); /* the listener holds it */
    }
    assert(nng_listener_start(listener, 0) == 0);
}

void echo_up(struct echo *e)
{
    assert(!e->is_up);
    assert(nng_rep0_open_raw(&e->socket) == 0);
    assert(nng_socket_set_int(e->socket, NNG_OPT_SENDBUF, HELD_MAX) == 0);
    assert(nng_pipe_notify(e->socket, NNG_PIPE_EV_ADD_POST, pipe_came, e) == 0);
    assert(nng_aio_alloc(&e->aio, received, e) == 0);
    listener_start(e);
    e->is_up = true;
    nng_recv_aio(e->socket, e->aio);
}

static void held_drop(struct echo *e)
{
    while (e->held_count)
        nng_msg_free(e->held[--e->held_count]);
}

void echo_down(struct echo *e)
{
    if (!e->is_up)
        return;
    nng_close(e->socket);
    nng_aio_free(e->aio);
    held_drop(e);
    e->is_up = false;
}

static struct echo *echo_make(const char *url, echo_answer *answer, void *arg, bool has_tls)
{
    struct echo *e = calloc(1, sizeof *e);
    assert(e);
    snprintf(e->url, sizeof e->url, "%s", url);
    e->answer = answer;
    e->arg = arg;
    e->has_tls = has_tls;
    pthread_mutex_init(&e->lock, NULL);
    echo_up(e);
    return e;
}

struct echo *echo_new(const char *url, echo_answer *answer, void *arg)
{
    return echo_make(url, answer, arg, false);
}

struct echo *echo_new_tls(const char *url, echo_answer *answer, void *arg)
{
    return echo_make(url, answer, arg, true);
}

void echo_free(struct echo *e)
{
    echo_down(e);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void echo_lock(struct echo *e)
{
    pthread_mutex_lock(&e->lock);
}

void echo_unlock(struct echo *e)
{
    pthread_mutex_unlock(&e->lock);
}

void echo_hold(struct echo *e)
{
    pthread_mutex_lock(&e->lock);
    e->is_held = true;
    pthread_mutex_unlock(&e->lock);
}

void echo_release(struct echo *e)
{
    pthread_mutex_lock(&e->lock);
    e->is_held = false;
    for (unsigned i = 0; i < e->held_count; i++)
        answer_send(e, e->held[i]);
    e->held_count = 0;
    pthread_mutex_unlock(&e->lock);
}

static unsigned locked_read(struct echo *e, const unsigned *from)
{
    pthread_mutex_lock(&e->lock);
    unsigned v = *from;
    pthread_mutex_unlock(&e->lock);
    return v;
}

unsigned echo_requests(struct echo *e)
{
    return locked_read(e, &e->requests);
}

unsigned echo_held(struct echo *e)
{
    return locked_read(e, &e->held_count);
}

unsigned echo_pipes(struct echo *e)
{
    return locked_read(e, &e->pipes);
}

unsigned echo_pipe_most(struct echo *e)
{
    struct {
        int id;
        unsigned n;
    } pipes[PIPES_MAX] = {{0}};
    unsigned most = 0;
    pthread_mutex_lock(&e->lock);
    for (unsigned i = 0; i < e->held_count; i++) {
        int id = nng_pipe_id(nng_msg_get_pipe(e->held[i]));
        unsigned k = 0;
        while (k < PIPES_MAX - 1 && pipes[k].n && pipes[k].id != id)
            k++;
        pipes[k].id = id;
        if (++pipes[k].n > most)
            most = pipes[k].n;
    }
    pthread_mutex_unlock(&e->lock);
    return most;
}
