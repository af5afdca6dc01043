/* echo_server.h: a small rota-speaking server for tests of the client: raw REP, answered by a
 * function of the test. It runs on nng's threads, counts what came and over how many pipes, can
 * hold requests back, and can go away and come back at the same address. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct echo;

/* Fills `reply` for the request; false: no answer at all. The server's lock is held. */
typedef bool echo_answer(void *arg, const Rota__Request *request, Rota__Reply *reply);

struct echo *echo_new(const char *url, echo_answer *answer, void *arg);
void echo_free(struct echo *e);

/* The same on tls+tcp, with the certificate for "localhost" of tls_pem.h. */
struct echo *echo_new_tls(const char *url, echo_answer *answer, void *arg);

/* Closes the socket, so that clients see their pipes close, and opens it again. */
void echo_down(struct echo *e);
void echo_up(struct echo *e);

/* While held, requests are kept and not answered; echo_release() answers them all. */
void echo_hold(struct echo *e);
void echo_release(struct echo *e);

/* For what the answering function reads and writes. */
void echo_lock(struct echo *e);
void echo_unlock(struct echo *e);

unsigned echo_requests(struct echo *e);  /* came so far */
unsigned echo_held(struct echo *e);      /* kept now */
unsigned echo_pipes(struct echo *e);     /* that ever came */
unsigned echo_pipe_most(struct echo *e); /* the most held requests of one pipe */
