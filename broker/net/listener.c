/* listener.c: URL in, nng listener out.
 *
 * Names are resolved here and nng gets the number, so that what was found to be loopback is what is
 * listened on. RECVMAXSZ is set before the listener starts: nng's default is no limit, it allocates
 * what a peer's first eight bytes announce before any of it was read, and an announced length near
 * 2^64 makes its own sum wrap around and ends the process.
 *
 * Listening again. A dead listener is never closed: closing one walks over its pipes, hangs up on
 * every healthy client, and has a use after free in 1.5.2. For IPC the socket file is unlinked and
 * a new one bound. A TCP port cannot be bound twice while the dead listener's descriptor listens on
 * it, so that descriptor is found (socket.c) and replaced. */
#include "net/listener.h"

#include "net/fault.h"
#include "net/probe.h"
#include "net/socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <base/file.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PEM_BYTES_MAX = 1 << 20, IPC_MODE = 0660, IN_USE_WAIT_MS = 500 };

static const struct {
    const char *scheme;
    enum transport transport;
} schemes[] = {{"ipc", TRANSPORT_IPC}, {"tcp", TRANSPORT_TCP}, {"tls+tcp", TRANSPORT_TLS}};

size_t listener_bytes_max(const struct listener *l)
{
    return l->transport == TRANSPORT_IPC ? IPC_MESSAGE_BYTES_MAX : TCP_MESSAGE_BYTES_MAX;
}

static int parse_ipc(struct listener *l, const nng_url *url)
{
    const char *path = url->u_path;
    if (!path || path[0] != '/' || strlen(path) >= sizeof l->address.un.sun_path)
        return ENDPOINT_URL;
    l->address.un.sun_family = AF_UNIX;
    memcpy(l->address.un.sun_path, path, strlen(path) + 1);
    l->address_n = sizeof l->address.un;
    snprintf(l->url, sizeof l->url, "ipc://%s", path);
    return 0;
}

/* The URL with the number that the name stands for. */
static int number_url(struct listener *l, const char *scheme)
{
    char host[INET6_ADDRSTRLEN], port[8];
    if (getnameinfo(&l->address.any, l->address_n, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return ENDPOINT_URL;
    bool is_v6 = strchr(host, ':');
    snprintf(l->url, sizeof l->url, "%s://%s%s%s:%s", scheme, is_v6 ? "[" : "", host,
             is_v6 ? "]" : "", port);
    return 0;
}

/* getaddrinfo() would take 99999 and wrap it. */
static bool port_is_valid(const char *port)
{
    char *end;
    if (!port || *port < '0' || *port > '9')
        return false;
    unsigned long n = strtoul(port, &end, 10);
    return *end == '\0' && n <= UINT16_MAX;
}

static int parse_tcp(struct listener *l, const nng_url *url)
{
    const char *host = url->u_hostname, *port = url->u_port;
    if (!port_is_valid(port) || (url->u_path && *url->u_path && strcmp(url->u_path, "/") != 0))
        return ENDPOINT_URL;
    if (host && (!*host || strcmp(host, "*") == 0))
        host = NULL;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return ENDPOINT_URL;
    assert(found->ai_addrlen <= sizeof l->address);
    memcpy(&l->address, found->ai_addr, found->ai_addrlen);
    l->address_n = found->ai_addrlen;
    freeaddrinfo(found);
    return number_url(l, url->u_scheme);
}

static int parse(struct listener *l, const nng_url *url)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (strcmp(url->u_scheme, schemes[i].scheme) != 0)
            continue;
        l->transport = schemes[i].transport;
        return l->transport == TRANSPORT_IPC ? parse_ipc(l, url) : parse_tcp(l, url);
    }
    return ENDPOINT_URL;
}

/* Reads a PEM file; the caller frees. Whatever is wrong with it is the operator's to mend. */
static int pem_read(const char *path, bool is_secret, char **ret_pem)
{
    size_t n;
    if (!path)
        return ENDPOINT_TLS;
    int r = is_secret ? file_read_secret(path, PEM_BYTES_MAX, ret_pem, &n)
                      : file_read(path, PEM_BYTES_MAX, ret_pem, &n);
    return r < 0 ? ENDPOINT_TLS : 0;
}

static int tls_own_cert(struct listener *l, const struct endpoint_config *config)
{
    AUTO_FREE char *cert = NULL;
    AUTO_FREE char *key = NULL;
    int r = pem_read(config->tls_cert_file, false, &cert);
    if (r == 0)
        r = pem_read(config->tls_key_file, true, &key);
    if (r == 0 && nng_tls_config_own_cert(l->tls, cert, key, NULL) != 0)
        r = ENDPOINT_TLS;
    if (key)
        explicit_bzero(key, strlen(key));
    return r;
}

static int tls_client_ca(struct listener *l, const char *file)
{
    AUTO_FREE char *ca = NULL;
    int r = pem_read(file, false, &ca);
    if (r)
        return r;
    if (nng_tls_config_ca_chain(l->tls, ca, NULL) != 0 ||
        nng_tls_config_auth_mode(l->tls, NNG_TLS_AUTH_MODE_REQUIRED) != 0)
        return ENDPOINT_TLS;
    return 0;
}

static int tls_prepare(struct listener *l, const struct endpoint_config *config)
{
    int rv = nng_tls_config_alloc(&l->tls, NNG_TLS_MODE_SERVER);
    if (rv != 0)
        return err_raise(nng_fault(rv));
    int r = tls_own_cert(l, config);
    if (r == 0 && config->tls_client_ca_file)
        r = tls_client_ca(l, config->tls_client_ca_file);
    return r;
}

int listener_new(const struct endpoint_config *config, const char *url,
                 struct listener **ret_listener)
{
    AUTO(listener) l = calloc(1, sizeof *l);
    if (!l)
        return err_raise(-ENOMEM);
    nng_url *parsed = NULL;
    if (nng_url_parse(&parsed, url) != 0)
        return ENDPOINT_URL;
    int r = parse(l, parsed);
    nng_url_free(parsed);
    if (r == 0 && l->transport == TRANSPORT_TCP && !config->allow_plain_tcp &&
        !address_is_loopback(&l->address.any))
        r = ENDPOINT_PLAIN_TCP;
    if (r == 0 && l->transport == TRANSPORT_TLS)
        r = tls_prepare(l, config);
    if (r == 0)
        *ret_listener = TAKE(l);
    return r;
}

struct listener *listener_free(struct listener *l)
{
    if (!l)
        return NULL;
    if (l->tls)
        nng_tls_config_free(l->tls);
    free(l->suspects);
    free(l);
    return NULL;
}

/* A living server at the path stays; a dead one's file goes; what is no socket is not ours. */
static int ipc_clear_path(const struct listener *l)
{
    const char *path = l->address.un.sun_path;
    struct stat st;
    int r;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : err_raise(-errno);
    if (!S_ISSOCK(st.st_mode))
        return ENDPOINT_URL;
    r = probe_hello(&l->address.any, l->address_n, IN_USE_WAIT_MS, -1);
    if (r < 0)
        return err_pass(r);
    if (r != PROBE_REFUSED)
        return ENDPOINT_IN_USE;
    return unlink(path) == 0 || errno == ENOENT ? 0 : err_raise(-errno);
}

static int listener_make(struct listener *l, nng_socket socket)
{
    int rv = nng_listener_create(&l->id, socket, l->url);
    if (rv == 0)
        rv = nng_listener_set_size(l->id, NNG_OPT_RECVMAXSZ, listener_bytes_max(l));
    if (rv == 0 && l->transport == TRANSPORT_IPC)
        rv = nng_listener_set_int(l->id, NNG_OPT_IPC_PERMISSIONS, IPC_MODE);
    if (rv == 0 && l->transport == TRANSPORT_TLS)
        rv = nng_listener_set_ptr(l->id, NNG_OPT_TLS_CONFIG, l->tls);
    atomic_store(&l->number, nng_listener_id(l->id));
    return rv == 0 ? 0 : err_raise(nng_fault(rv));
}

/* With port 0 the kernel chose: the address is fixed from here on, also for listening again. */
static int port_learn(struct listener *l)
{
    in_port_t *port =
        l->address.any.sa_family == AF_INET ? &l->address.in.sin_port : &l->address.in6.sin6_port;
    int bound;
    if (*port != 0)
        return 0;
    int rv = nng_listener_get_int(l->id, NNG_OPT_TCP_BOUND_PORT, &bound);
    if (rv != 0)
        return err_raise(nng_fault(rv));
    *port = htons((uint16_t)bound);
    return number_url(l, l->transport == TRANSPORT_TLS ? "tls+tcp" : "tcp");
}

/* Makes the listener unless an earlier try left one that could not start. */
static int listener_start(struct listener *l, nng_socket socket)
{
    if (!l->is_unstarted) {
        int r = listener_make(l, socket);
        if (r < 0)
            return err_pass(r);
    }
    int rv = nng_listener_start(l->id, 0);
    l->is_unstarted = rv != 0;
    if (rv == NNG_EADDRINUSE)
        return ENDPOINT_IN_USE;
    if (rv != 0)
        return err_raise(nng_fault(rv));
    return l->transport == TRANSPORT_IPC ? 0 : port_learn(l);
}

int listener_open(struct listener *l, nng_socket socket)
{
    if (l->transport == TRANSPORT_IPC) {
        int r = ipc_clear_path(l);
        if (r)
            return r < 0 ? err_pass(r) : r;
    }
    return listener_start(l, socket);
}

int listener_reopen(struct listener *l, nng_socket socket)
{
    int r = 0;
    if (l->transport == TRANSPORT_IPC) {
        if (unlink(l->address.un.sun_path) != 0 && errno != ENOENT)
            r = err_raise(-errno);
    } else {
        r = listening_replace(&l->address.any);
    }
    if (r < 0)
        return err_pass(r);
    return listener_start(l, socket);
}

socklen_t listener_probe_address(const struct listener *l, struct sockaddr_storage *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    memcpy(ret_address, &l->address, l->address_n);
    struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
    if (in->sin_family == AF_INET && in->sin_addr.s_addr == htonl(INADDR_ANY))
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (in6->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
        in6->sin6_addr = in6addr_loopback;
    return l->address_n;
}
