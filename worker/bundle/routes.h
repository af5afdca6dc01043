/* routes.h: where builds may fetch from: the registry of the operator's npm configuration, the
 * further registries and the git hosts that the operator lists, and the proxy that the operator's
 * own network may ask for. Filled once at start; read by any thread. */
#pragma once

#include "host.h"
#include "npmrc.h"

#include <base/err.h>
#include <runner.h>

/* How far a name may lead. */
enum route_reach {
    ROUTE_PUBLIC,  /* public addresses alone */
    ROUTE_PRIVATE, /* and private networks: the operator listed the name */
    ROUTE_ANY,     /* and this machine: the operator listed this very address, or configured it */
};

enum { ROUTE_URL_MAX = 512 };

struct routes {
    struct host registry; /* with a port of 0: the configuration names none that can be used */
    bool registry_is_plain;
    struct host_list registries;  /* --allow-registry */
    struct host_list git_hosts;   /* --git-host, or the defaults */
    bool git_is_listed;           /* the operator's own list */
    char upstream[ROUTE_URL_MAX]; /* http://[USER:PASSWORD@]HOST:PORT, or empty; a secret */
    char noproxy[ROUTE_URL_MAX];  /* names that do without it, with commas */
};

enum routes_outcome { ROUTES_INVALID = 1 };

enum { ROUTES_WHY_MAX = 300 };

/* ROUTES_INVALID: `why` says which option is no host, or which proxy is not known. Reads the
 * environment. Main thread. */
MUST_USE int routes_read(const struct runner_settings *s, const struct npmrc *rc,
                         struct routes *ret_routes, char why[ROUTES_WHY_MAX]);

/* An app may name this registry. */
bool routes_has_registry(const struct routes *r, const struct host *host);
bool routes_has_git(const struct routes *r, const struct host *host);

enum route_reach routes_reach(const struct routes *r, const struct host *host);
