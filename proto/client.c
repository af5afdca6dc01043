/* client.c: a client's life and one call. All calls take this road; rota_call() in client_retry.c
 * is a traveller on it.
 *
 * One lock guards everything, and nothing waits under it. Threads that call, nng's callbacks and
 * the keeper take it for a few steps each. */
#include "client.h"

#include "client_link.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { TIMEOUT_MS = 60000, RETRIES_MAX = 5, BACKOFF_MS = 1000, SILENT_MS = 20000 };
enum { IPC_PATH_MAX = 108 }; /* room for a path in struct sockaddr_un */

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
        return url->u_path && url->u_path[0] && strlen(url->u_path) < IPC_PATH_MAX;
    if (strcmp(url->u_scheme, "tcp") != 0 && strcmp(url->u_scheme, "tls+tcp") != 0)
        return false;
    size_t digits = strspn(url->u_port, "0123456789");
    return url->u_hostname[0] && digits >= 1 && digits <= 5 && !url->u_port[digits];
}

static int dialer_open(struct rota_client *client)
{
    int e = nng_stream_dialer_alloc(&client->dialer, client->url);
    if (!e && client->tls)
        e = nng_stream_dialer_set_ptr(client->dialer, NNG_OPT_TLS_CONFIG, client->tls);
    if (!e && !client->is_ipc)
        e = nng_stream_dialer_set_bool(client->dialer, NNG_OPT_TCP_NODELAY, true);
    if (!e && !client->is_ipc)
        e = nng_stream_dialer_set_bool(client->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    return e;
}

static int url_open(struct rota_client *client, const struct rota_client_config *config)
{
    nng_url *url;
    if (nng_url_parse(&url, client->url) != 0)
        return err_raise(-EINVAL);
    bool has_tls = strcmp(url->u_scheme, "tls+tcp") == 0;
    client->is_ipc = strcmp(url->u_scheme, "ipc") == 0;
    int e = is_dialable(url) && (!has_tls || config->tls_ca_file) ? 0 : NNG_EADDRINVAL;
    if (!e && has_tls)
        e = nng_tls_config_alloc(&client->tls, NNG_TLS_MODE_CLIENT);
    if (!e && has_tls)
        e = tls_set(client->tls, config, url->u_hostname);
    if (!e)
        e = dialer_open(client);
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
    pthread_cond_init(&client->tend, &attr);
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
    r = keeper_start(client);
    return r < 0 ? err_pass(r) : 0;
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

struct rota_client *rota_client_free(struct rota_client *client)
{
    if (!client)
        return NULL;
    keeper_stop(client);
    for (unsigned i = 0; i < client->link_count; i++)
        link_free(client->links[i]);
    if (client->dialer)
        nng_stream_dialer_free(client->dialer);
    if (client->tls)
        nng_tls_config_free(client->tls);
    sodium_free(client->credential); /* wipes it */
    free(client->environment);
    free(client->url);
    pthread_cond_destroy(&client->changed);
    pthread_cond_destroy(&client->tend);
    pthread_mutex_destroy(&client->lock);
    free(client);
    return NULL;
}

/* ---- one call ---- */

/* The first link with room, so that few links are well used; a new one when there is none. */
static int link_find(struct rota_client *client, struct link **ret_link)
{
    for (unsigned i = 0; i < client->link_count; i++)
        if (client->links[i]->idle) {
            *ret_link = client->links[i];
            return 0;
        }
    if (client->link_count == LINKS_MAX)
        return err_raise(-EAGAIN);
    int r = link_new(client, &client->links[client->link_count]);
    if (r < 0)
        return err_pass(r);
    *ret_link = client->links[client->link_count++];
    return 0;
}

/* Under the lock. */
static int call_place(struct rota_client *client, const Rota__Request *request,
                      uint64_t deadline_ms, rota_done *done, void *arg)
{
    struct link *link = NULL;
    if (client->is_closing)
        return err_raise(-ECANCELED);
    int r = link_find(client, &link);
    if (r == 0)
        r = call_queue(link, request, clock_boot_ms(), deadline_ms, done, arg);
    if (r < 0)
        return err_pass(r);
    link_flush(link);
    keeper_wake(client, link->state == LINK_DOWN && link->due_ms < deadline_ms ? link->due_ms
                                                                               : deadline_ms);
    return 0;
}

int call_start(struct rota_client *client, const Rota__Request *request, uint64_t deadline_ms,
               rota_done *done, void *arg)
{
    pthread_mutex_lock(&client->lock);
    int r = call_place(client, request, deadline_ms, done, arg);
    pthread_mutex_unlock(&client->lock);
    if (r == -EMSGSIZE) {
        done(arg, reply_make(E_FIELD_TOO_LONG, "the message is larger than the broker takes"));
        return 0;
    }
    return r < 0 ? err_pass(r) : 0;
}

int rota_call_start(struct rota_client *client, Rota__Request *request, uint32_t timeout_ms,
                    rota_done *done, void *arg)
{
    assert(request && done);
    uint64_t deadline_ms = clock_boot_ms() + (timeout_ms ? timeout_ms : client->timeout_ms);
    int r = call_start(client, request, deadline_ms, done, arg);
    return r < 0 ? err_pass(r) : 0;
}
