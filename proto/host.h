/* host.h: a host with its port, as a list of an operator or an address on the network names it.
 * Pure; any thread. */
#pragma once

#include <base/bytes.h>
#include <base/err.h>
#include <stdbool.h>
#include <stdint.h>

/* 253 is the longest name that DNS has. */
enum { HOST_NAME_MAX_LEN = 253, HOST_PORT_HTTPS = 443, HOST_PORT_HTTP = 80 };

struct host {
    char name[HOST_NAME_MAX_LEN + 1]; /* lower case: a name, or an IPv4 address */
    uint16_t port;
};

enum host_outcome { HOST_UNREADABLE = 1 };

/* HOST or HOST:PORT, the whole of `text`; without a port it is `port`. Capitals, user parts, empty
 * labels, IPv6 and anything behind are HOST_UNREADABLE; *ret_host is untouched then. */
MUST_USE int host_parse(struct span text, uint16_t port, struct host *ret_host);

/* The host of an https:// or http:// URL; *ret_rest is what stands behind it: empty, or from a '/'
 * on. A user part is HOST_UNREADABLE, because it would be a secret. */
MUST_USE int host_of_url(struct span url, struct host *ret_host, bool *ret_is_tls,
                         struct span *ret_rest);

enum { HOST_LIST_MAX = 32 };

/* The hosts that an option lists. */
struct host_list {
    struct host host[HOST_LIST_MAX];
    size_t n;
};

/* Adds `n` entries. HOST_UNREADABLE: *ret_bad is the first that is no host, or one too many. */
MUST_USE int host_list_add(struct host_list *list, const char *const *entries, size_t n,
                           uint16_t port, const char **ret_bad);
bool host_list_has(const struct host_list *list, const struct host *host);

/* The git hosts that are allowed where the operator names none: github.com and gitlab.com. */
extern const char *const host_git_defaults[2];

bool host_equal(const struct host *a, const struct host *b);

/* It is four numbers and no name. */
bool host_is_address(const struct host *h);
