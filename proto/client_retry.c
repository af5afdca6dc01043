/* client_retry.c: the call that waits, and tries again when that can help.
 *
 * It waits with a semaphore on its own stack. What a repeat could double is repeated only when the
 * broker itself refused it: an idempotency key or a nonce covers publishes and leases and is filled
 * in here when missing; KEY_CREATE and LOG have no such cover. */
#include "client_link.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <semaphore.h>
#include <sodium.h>

enum { NONCE_BYTES = 16 };

struct waiter {
    sem_t ended;
    Rota__Reply *reply;
};

static void waiter_wake(void *arg, Rota__Reply *reply)
{
    struct waiter *w = arg;
    w->reply = reply;
    sem_post(&w->ended);
}

static int call_once(struct rota_client *client, const Rota__Request *request, uint64_t deadline_ms,
                     Rota__Reply **ret_reply)
{
    struct waiter w = {0};
    sem_init(&w.ended, 0, 0);
    int r = call_start(client, request, deadline_ms, waiter_wake, &w);
    while (r == 0 && sem_wait(&w.ended) < 0)
        assert(errno == EINTR);
    sem_destroy(&w.ended);
    if (r == -ECANCELED) { /* another thread frees the client */
        *ret_reply = reply_make(E_UNAVAILABLE, "the client is being closed");
        return 0;
    }
    if (r < 0)
        return err_pass(r);
    *ret_reply = w.reply;
    return 0;
}

/* After these two the broker may have done what was asked, and we do not know it. */
static bool is_outcome_unknown(const Rota__Error *error)
{
    enum error_code code = error_by_name(error->name);
    return code == E_UNAVAILABLE || code == E_TIMEOUT;
}

static bool is_worth_repeating(const Rota__Request *request, const Rota__Reply *reply)
{
    if (!reply->error || !reply->error->retryable)
        return false;
    bool has_cover = request->op_case != ROTA__REQUEST__OP_KEY_CREATE &&
                     request->op_case != ROTA__REQUEST__OP_LOG;
    return has_cover || !is_outcome_unknown(reply->error);
}

/* False: the client is being freed. */
static bool pause_wait(struct rota_client *client, uint64_t until_ms)
{
    pthread_mutex_lock(&client->lock);
    while (!client->is_closing && clock_boot_ms() < until_ms)
        wait_until_ms(client, &client->changed, until_ms);
    bool goes_on = !client->is_closing;
    pthread_mutex_unlock(&client->lock);
    return goes_on;
}

static int call_retried(struct rota_client *client, const Rota__Request *request,
                        uint64_t deadline_ms, Rota__Reply **ret_reply)
{
    uint64_t pause_ms = client->backoff_base_ms;
    for (uint32_t tries = 0;; tries++, pause_ms *= 2) {
        Rota__Reply *reply = NULL;
        int r = call_once(client, request, deadline_ms, &reply);
        if (r < 0)
            return err_pass(r);
        uint64_t again_ms = clock_boot_ms() + pause_ms;
        if (tries >= client->retries_max || !is_worth_repeating(request, reply) ||
            again_ms >= deadline_ms || !pause_wait(client, again_ms)) {
            *ret_reply = reply;
            return 0;
        }
        rota_reply_free(reply);
    }
}

/* The cover of one request: what is filled in when the caller left it empty. */
struct cover {
    Rota__Publish publish;
    Rota__Lease lease;
    Rota__FinishAndLease both;
    char key[27];
    uint8_t nonce[NONCE_BYTES];
};

static Rota__Lease *lease_cover(struct cover *c, const Rota__Lease *from)
{
    c->lease = *from;
    randombytes_buf(c->nonce, sizeof c->nonce);
    c->lease.nonce = (ProtobufCBinaryData){sizeof c->nonce, c->nonce};
    return &c->lease;
}

/* `request` is a shallow copy of the caller's, whose own messages stay as they are. A publish_many
 * is covered by rota_publish_all(). */
static void request_cover(Rota__Request *request, struct cover *c)
{
    if (request->op_case == ROTA__REQUEST__OP_PUBLISH && !*request->publish->idempotency_key) {
        c->publish = *request->publish;
        rota_idempotency_key(c->key);
        c->publish.idempotency_key = c->key;
        request->publish = &c->publish;
    }
    if (request->op_case == ROTA__REQUEST__OP_LEASE && request->lease->nonce.len == 0)
        request->lease = lease_cover(c, request->lease);
    if (request->op_case == ROTA__REQUEST__OP_FINISH_AND_LEASE &&
        request->finish_and_lease->lease && request->finish_and_lease->lease->nonce.len == 0) {
        c->both = *request->finish_and_lease;
        c->both.lease = lease_cover(c, c->both.lease);
        request->finish_and_lease = &c->both;
    }
}

int rota_call(struct rota_client *client, Rota__Request *request, uint32_t timeout_ms,
              Rota__Reply **ret_reply)
{
    assert(request && ret_reply);
    uint64_t deadline_ms = clock_boot_ms() + (timeout_ms ? timeout_ms : client->timeout_ms);
    Rota__Request covered = *request;
    struct cover cover;
    request_cover(&covered, &cover);
    pthread_mutex_lock(&client->lock);
    client->callers++;
    pthread_mutex_unlock(&client->lock);
    int r = call_retried(client, &covered, deadline_ms, ret_reply);
    pthread_mutex_lock(&client->lock);
    client->callers--;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    return r < 0 ? err_pass(r) : 0;
}
