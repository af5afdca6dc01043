/* routes.c: lists of the command line become hosts; npm's configuration and, as npm itself does,
 * the environment say which proxy leads out. */
#include "routes.h"

#include <base/auto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* npm asks these too, in this order, where its configuration names no proxy. */
static const char *const proxy_variables[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY",
                                              "http_proxy"};

static const char *proxy_of_environment(void)
{
    for (size_t i = 0; i < ARRAY_LEN(proxy_variables); i++) {
        const char *url = getenv(proxy_variables[i]);
        if (url && *url)
            return url;
    }
    return "";
}

static void upstream_read(const struct npmrc *rc, struct routes *r)
{
    const char *url = rc->proxy[0] ? rc->proxy : proxy_of_environment();
    const char *except = rc->noproxy[0] ? rc->noproxy : getenv("NO_PROXY");
    snprintf(r->upstream, sizeof r->upstream, "%s", url);
    snprintf(r->noproxy, sizeof r->noproxy, "%s", except ? except : "");
}

static int upstream_check(const struct npmrc *rc, const struct routes *r, char why[ROUTES_WHY_MAX])
{
    if (!rc->hides_proxy || r->upstream[0])
        return 0;
    snprintf(
        why, ROUTES_WHY_MAX,
        "npm's proxy has a password, which npm does not tell: name the proxy in HTTPS_PROXY of "
        "the worker's environment instead");
    return ROUTES_INVALID;
}

static int list_read(const char *option, const char *const *entries, size_t n,
                     struct host_list *list, char why[ROUTES_WHY_MAX])
{
    const char *bad;
    if (host_list_add(list, entries, n, HOST_PORT_HTTPS, &bad) == 0)
        return 0;
    snprintf(why, ROUTES_WHY_MAX, "%s %.200s is no HOST or HOST:PORT in lower case", option, bad);
    return ROUTES_INVALID;
}

int routes_read(const struct runner_settings *s, const struct npmrc *rc, struct routes *ret_routes,
                char why[ROUTES_WHY_MAX])
{
    struct routes r = {.git_is_listed = s->git_hosts_n > 0};
    struct span rest;
    bool is_tls = true;
    if (host_of_url(span_str(rc->registry), &r.registry, &is_tls, &rest) != 0)
        r.registry = (struct host){.port = 0};
    r.registry_is_plain = !is_tls;
    upstream_read(rc, &r);
    int q = upstream_check(rc, &r, why);
    if (q == 0)
        q = list_read("--allow-registry", s->registries, s->registries_n, &r.registries, why);
    if (q == 0)
        q = r.git_is_listed
                ? list_read("--git-host", s->git_hosts, s->git_hosts_n, &r.git_hosts, why)
                : list_read("--git-host", host_git_defaults, ARRAY_LEN(host_git_defaults),
                            &r.git_hosts, why);
    if (q == 0)
        *ret_routes = r;
    return q;
}

bool routes_has_registry(const struct routes *r, const struct host *host)
{
    return (host_equal(host, &r->registry) && !r->registry_is_plain) ||
           host_list_has(&r->registries, host);
}

bool routes_has_git(const struct routes *r, const struct host *host)
{
    return host_list_has(&r->git_hosts, host);
}

enum route_reach routes_reach(const struct routes *r, const struct host *host)
{
    bool is_listed = host_list_has(&r->registries, host) ||
                     (r->git_is_listed && host_list_has(&r->git_hosts, host));
    if (host_equal(host, &r->registry) || (is_listed && host_is_address(host)))
        return ROUTE_ANY;
    return is_listed ? ROUTE_PRIVATE : ROUTE_PUBLIC;
}
