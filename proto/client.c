/* client.c: a client's life and one call. All calls take this road; rota_call() in client_retry.c
 * is a traveller on it.
 *
 * One lock guards the lists of idle calls and the counts; nothing is done under it but list steps
 * and, rarely, the making of a call or a link. nng is never called back into with it held. */
#include "client.h"

#include "client_link.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

enum {
    TIMEOUT_MS = 60000,
    RETRIES_MAX = 5,
    BACKOFF_MS = 1000,
    SILENT_MS = 20000,
    NONCE_BYTES = 16
};

/* ---- a client's life ---- */

static int credential_keep(struct rota_client *client, const char *credential)
{
    size_t n = strlen(credential) + 1;
    client->credential = sodium_malloc(n);
    if (!client->credential)
        return err_raise(-ENOMEM);
    memcpy(client->credential, credential, n);
    return 0;
}

/* The certificate must name the host that the URL names. */
static int tls_set(nng_tls_config *tls, const struct rota_client_config *config, const char *host)
{
    int e = nng_tls_config_server_name(tls, host);
    if (!e)
        e = nng_tls_config_auth_mode(tls, NNG_TLS_AUTH_MODE_REQUIRED);
    if (!e)
        e = nng_tls_config_ca_file(tls, config->tls_ca_file);
    if (!e && config->tls_cert_key_file)
        e = nng_tls_config_cert_key_file(tls, config->tls_cert_key_file, NULL);
    return e;
}

/* nng looks at host and port only when it dials, in the background; a typing error should be told
 * at once. */
static bool is_dialable(const nng_url *url)
{
    if (strcmp(url->u_scheme, "ipc") == 0)
        return url->u_path && url->u_path[0];
    if (strcmp(url->u_scheme, "tcp") != 0 && strcmp(url->u_scheme, "tls+tcp") != 0)
        return false;
    size_t digits = strspn(url->u_port, "0123456789");
    return url->u_hostname[0] && digits >= 1 && digits <= 5 && !url->u_port[digits];
}

static int url_open(struct rota_client *client, const struct rota_client_config *config)
{
    nng_url *url;
    if (nng_url_parse(&url, client->url) != 0)
        return err_raise(-EINVAL);
    bool has_tls = strcmp(url->u_scheme, "tls+tcp") == 0;
    int e = is_dialable(url) && (!has_tls || config->tls_ca_file) ? 0 : NNG_EADDRINVAL;
    if (!e && has_tls)
        e = nng_tls_config_alloc(&client->tls, NNG_TLS_MODE_CLIENT);
    if (!e && has_tls)
        e = tls_set(client->tls, config, url->u_hostname);
    nng_url_free(url);
    return e == 0 ? 0 : err_raise(e == NNG_ENOMEM ? -ENOMEM : -EINVAL);
}

/* Pauses are measured on a clock that does not step. */
static void lock_init(struct rota_client *client)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&client->lock, NULL);
}

static int client_fill(struct rota_client *client, const struct rota_client_config *config)
{
    client->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_MS;
    client->retries_max = config->retries_max ? config->retries_max : RETRIES_MAX;
    if (config->retries_max == ROTA_NO_RETRY)
        client->retries_max = 0;
    client->backoff_base_ms = BACKOFF_MS;
    client->silent_ms = SILENT_MS;
    client->url = strdup(config->url);
    client->environment = strdup(config->environment ? config->environment : "");
    if (!client->url || !client->environment)
        return err_raise(-ENOMEM);
    int r = credential_keep(client, config->credential ? config->credential : "");
    if (r == 0)
        r = url_open(client, config);
    if (r == 0)
        r = link_new(client, &client->links[0]);
    if (r < 0)
        return err_pass(r);
    client->link_count = 1;
    return 0;
}

int rota_client_new(const struct rota_client_config *config, struct rota_client **ret_client)
{
    if (!config->url)
        return err_raise(-EINVAL);
    if (sodium_init() < 0)
        return err_raise(-EIO);
    struct rota_client *client = calloc(1, sizeof *client);
    if (!client)
        return err_raise(-ENOMEM);
    lock_init(client);
    int r = client_fill(client, config);
    if (r < 0) {
        rota_client_free(client);
        return err_pass(r);
    }
    *ret_client = client;
    return 0;
}

void rota_client_tune(struct rota_client *client, uint32_t backoff_base_ms, uint32_t silent_ms)
{
    client->backoff_base_ms = backoff_base_ms;
    client->silent_ms = silent_ms;
}

void changed_wait(struct rota_client *client, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&client->changed, &client->lock, &until);
}

/* Cancelling is repeated, because it misses a call that stands between its two steps. */
static void calls_end(struct rota_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->is_closing = true;
    pthread_cond_broadcast(&client->changed);
    while (client->busy || client->callers) {
        pthread_mutex_unlock(&client->lock);
        for (unsigned i = 0; i < client->link_count; i++)
            link_cancel(client->links[i]);
        pthread_mutex_lock(&client->lock);
        if (client->busy || client->callers)
            changed_wait(client, 10);
    }
    pthread_mutex_unlock(&client->lock);
}

struct rota_client *rota_client_free(struct rota_client *client)
{
    if (!client)
        return NULL;
    calls_end(client);
    for (unsigned i = 0; i < client->link_count; i++)
        link_free(client->links[i]);
    if (client->tls)
        nng_tls_config_free(client->tls);
    sodium_free(client->credential); /* wipes it */
    free(client->environment);
    free(client->url);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client);
    return NULL;
}

/* ---- one call ---- */

void call_release(struct call *call)
{
    struct link *link = call->link;
    struct rota_client *client = link->client;
    pthread_mutex_lock(&client->lock);
    call->next = link->idle;
    link->idle = call;
    link->busy--;
    client->busy--;
    if (client->is_closing)
        pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

/* The first link with room, so that few links are well used; a new one when there is none. */
static int call_find(struct rota_client *client, struct call **ret_call)
{
    for (unsigned i = 0; i < client->link_count; i++) {
        struct link *link = client->links[i];
        if (link->busy == LINK_CALLS)
            continue;
        *ret_call = link_take(link);
        return *ret_call ? 0 : err_raise(-ENOMEM);
    }
    if (client->link_count == LINKS_MAX)
        return err_raise(-EAGAIN);
    int r = link_new(client, &client->links[client->link_count]);
    if (r < 0)
        return err_pass(r);
    *ret_call = link_take(client->links[client->link_count++]);
    return *ret_call ? 0 : err_raise(-ENOMEM);
}

static int call_take(struct rota_client *client, struct call **ret_call)
{
    pthread_mutex_lock(&client->lock);
    int r = client->is_closing ? err_raise(-ECANCELED) : call_find(client, ret_call);
    if (r == 0)
        client->busy++;
    pthread_mutex_unlock(&client->lock);
    return r;
}

static int request_pack(struct rota_client *client, const Rota__Request *request,
                        nng_msg **ret_message)
{
    Rota__Request r = *request;
    r.request_id = atomic_fetch_add(&client->request_id, 1) + 1;
    r.credential = client->credential;
    r.environment = client->environment;
    if (nng_msg_alloc(ret_message, rota__request__get_packed_size(&r)) != 0)
        return err_raise(-ENOMEM);
    rota__request__pack(&r, nng_msg_body(*ret_message));
    return 0;
}

int call_start(struct rota_client *client, const Rota__Request *request, uint64_t deadline_ms,
               rota_done *done, void *arg)
{
    nng_msg *message;
    struct call *call;
    int r = request_pack(client, request, &message);
    if (r < 0)
        return err_pass(r);
    r = call_take(client, &call);
    if (r < 0) {
        nng_msg_free(message);
        return err_pass(r);
    }
    call->done = done;
    call->arg = arg;
    call->deadline_ms = deadline_ms;
    call_send(call, message, clock_boot_ms());
    return 0;
}

int rota_call_start(struct rota_client *client, Rota__Request *request, uint32_t timeout_ms,
                    rota_done *done, void *arg)
{
    assert(request && done);
    uint64_t deadline_ms = clock_boot_ms() + (timeout_ms ? timeout_ms : client->timeout_ms);
    int r = call_start(client, request, deadline_ms, done, arg);
    return r < 0 ? err_pass(r) : 0;
}
