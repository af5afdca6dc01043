/* proxy.h: the way out of one run of a step: a folder that becomes its /net, with a socket in it,
 * and worker/js/proxy.mjs behind that socket in a sandbox of its own, which alone has the host's
 * network. One thread; the proxy's child is looked after by a thread that proxy_stop() joins.
 *
 * The folder lies in the agent's own mount namespace. Files in it may hold tokens: they belong to
 * the sandbox's user, nobody else reads them, and they are gone with proxy_free(). */
#pragma once

#include "routes.h"
#include "sandbox.h"

#include <base/auto.h>

enum { PROXY_FILES_MAX = 4, PROXY_LINES_MAX = 32, PROXY_LINE_MAX = 300 };

struct proxy_host {
    struct host host;
    enum route_reach reach;
    bool is_plain; /* http:// in place of TLS */
};

/* Borrowed until proxy_start() returns, but for tools and cgroups, which live on. */
struct proxy_spec {
    const struct tools *tools;
    const struct cgroups *cgroups;
    const struct limits *limits; /* of the step; the proxy itself gets less */
    const char *base;            /* folder that the agent alone sees */
    const char *name;            /* unique among those that run */
    const struct proxy_host *host;
    size_t hosts;
    const char *upstream, *noproxy; /* empty: none */
    struct {
        const char *name, *text;
    } file[PROXY_FILES_MAX]; /* of the folder */
    size_t files;
};

/* What it had to say: "refused evil.example:443 (not on the list)". */
struct proxy_report {
    char line[PROXY_LINES_MAX][PROXY_LINE_MAX];
    size_t lines;
    char refused[PROXY_LINE_MAX]; /* the first that was refused by name: "evil.example:443" */
    char away[PROXY_LINE_MAX]; /* the first that is allowed and did not answer: "HOST:PORT (WHY)" */
};

struct proxy;

MUST_USE int proxy_start(const struct proxy_spec *spec, struct proxy **ret_proxy);

/* The folder that becomes /net. */
const char *proxy_folder(const struct proxy *p);

/* Ends the proxy. The report is the proxy's, until proxy_free(). */
const struct proxy_report *proxy_stop(struct proxy *p);

struct proxy *proxy_free(struct proxy *p); /* stops it first, if need be */
DEFINE_FREEP(proxy)
