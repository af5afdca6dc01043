/* client.h: librota, the C client of rotad.
 *
 * Keeps one connection for each 32 calls in flight; reconnects for ever with jitter, at most 20 s
 * between tries. A call that fails with a retryable error is sent again at most 5 times after 1, 2,
 * 4, 8, 16 s, never past its timeout; publishes carry an idempotency key and leases a nonce, so a
 * repeat never doubles (KEY_CREATE and LOG, which have neither, are not repeated when it is unknown
 * whether the broker did them). All functions may be called from any thread but as said at
 * rota_done.      */
#pragma once

/* Quoted, so that they are found beside this file, in the tree and where it is installed. */
#include "base/auto.h"
#include "base/err.h"
#include "errors.h"
#include "rota.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct rota_client;

struct rota_client_config {
    const char *url; /* ipc:///…, tcp://…, tls+tcp://… */
    const char *environment;
    const char *credential;        /* copied, wiped on free */
    const char *tls_ca_file;       /* tls+tcp: PEM; NULL otherwise */
    const char *tls_cert_key_file; /* tls+tcp: PEM with our own certificate and key, or NULL */
    uint32_t timeout_ms;           /* of one call, retries included; 0: 60,000 */
    uint32_t retries_max;          /* 0: 5; ROTA_NO_RETRY: none */
};
#define ROTA_NO_RETRY UINT32_MAX

/* -EINVAL: the URL or its TLS files are unusable. Does not wait for the broker. */
MUST_USE int rota_client_new(const struct rota_client_config *config,
                             struct rota_client **ret_client);
/* Ends calls in flight with E_UNAVAILABLE first. Not from a rota_done. */
struct rota_client *rota_client_free(struct rota_client *client);
DEFINE_FREEP(rota_client)

/* The reply to one call; free with rota_reply_free(). error is set when it was refused. */
Rota__Reply *rota_reply_free(Rota__Reply *reply);

/* Sends `request` (its op set; envelope members are filled in here) and waits. Always gives a
 * reply: when the broker cannot be reached or stays silent, one made here with error UNAVAILABLE or
 * TIMEOUT. 0, or -ENOMEM. `timeout_ms` 0: the config's. A long poll's wait is added by the caller.
 */
MUST_USE int rota_call(struct rota_client *client, Rota__Request *request, uint32_t timeout_ms,
                       Rota__Reply **ret_reply);

/* The same without waiting and without retries: when this gives 0, `done` runs once, on a thread of
 * the library (or on this one when the request is too large to send), and owns `reply`. It must not
 * block, so it may call rota_call_start() but not rota_call(). `request` may go as soon as this
 * returns. -EAGAIN: 8,192 calls are in flight; -ECANCELED: the client is being freed. */
typedef void rota_done(void *arg, Rota__Reply *reply);
MUST_USE int rota_call_start(struct rota_client *client, Rota__Request *request,
                             uint32_t timeout_ms, rota_done *done, void *arg);

/* A fresh idempotency key: 26 characters, time-ordered. */
void rota_idempotency_key(char key[27]);

/* Publishes any number of jobs, split into messages of at most 1,000 jobs and 200 KiB; missing
 * idempotency keys are made here. `outcomes` (n, caller's) get the job's id or the error's name. */
struct rota_publish_outcome {
    char job[32];
    char error[40];
    bool replayed;
};
MUST_USE int rota_publish_all(struct rota_client *client, Rota__Publish **jobs, size_t n,
                              struct rota_publish_outcome *outcomes);
