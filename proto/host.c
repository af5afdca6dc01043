/* host.c: strict in what it reads, so that two spellings of one host never pass two lists. */
#include "host.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* Labels between single dots, none of them empty, none with a '-' at its ends. */
static bool is_name(const char *p, size_t n)
{
    if (n == 0 || n > HOST_NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool at_begin = i == 0 || p[i - 1] == '.', at_end = i + 1 == n || p[i + 1] == '.';
        if (p[i] == '.' ? at_begin || at_end : !is_label_char(p[i]))
            return false;
        if (p[i] == '-' && (at_begin || at_end))
            return false;
    }
    return true;
}

/* A name that ends with a number could be another spelling of an address: 127.1, 0x7f.0.0.1. */
static bool is_plain(const struct host *h)
{
    const char *last = strrchr(h->name, '.');
    last = last ? last + 1 : h->name;
    return host_is_address(h) || *last < '0' || *last > '9';
}

static bool port_read(const char *p, size_t n, uint16_t *ret_port)
{
    uint32_t port = 0;
    if (n == 0 || n > 5 || *p == '0')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(p[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

int host_parse(struct span text, uint16_t port, struct host *ret_host)
{
    struct host h = {.port = port};
    const char *p = text.p;
    const char *colon = text.n ? memchr(p, ':', text.n) : NULL;
    size_t n = colon ? (size_t)(colon - p) : text.n;
    if (!is_name(p, n) || (colon && !port_read(colon + 1, text.n - n - 1, &h.port)))
        return HOST_UNREADABLE;
    memcpy(h.name, p, n);
    if (!is_plain(&h))
        return HOST_UNREADABLE;
    *ret_host = h;
    return 0;
}

int host_of_url(struct span url, struct host *ret_host, bool *ret_is_tls, struct span *ret_rest)
{
    static const char tls[] = "https://", plain[] = "http://";
    bool is_tls = url.n >= sizeof tls - 1 && memcmp(url.p, tls, sizeof tls - 1) == 0;
    bool is_plain_url = url.n >= sizeof plain - 1 && memcmp(url.p, plain, sizeof plain - 1) == 0;
    if (!is_tls && !is_plain_url)
        return HOST_UNREADABLE;
    size_t skip = is_tls ? sizeof tls - 1 : sizeof plain - 1;
    const char *from = (const char *)url.p + skip;
    const char *slash = memchr(from, '/', url.n - skip);
    size_t n = slash ? (size_t)(slash - from) : url.n - skip;
    int r = host_parse(span_of(from, n), is_tls ? HOST_PORT_HTTPS : HOST_PORT_HTTP, ret_host);
    if (r != 0)
        return r;
    *ret_is_tls = is_tls;
    *ret_rest = span_of(from + n, url.n - skip - n);
    return 0;
}

int host_list_add(struct host_list *list, const char *const *entries, size_t n, uint16_t port,
                  const char **ret_bad)
{
    for (size_t i = 0; i < n; i++) {
        *ret_bad = entries[i];
        if (list->n == HOST_LIST_MAX ||
            host_parse(span_str(entries[i]), port, &list->host[list->n]) != 0)
            return HOST_UNREADABLE;
        list->n++;
    }
    return 0;
}

bool host_list_has(const struct host_list *list, const struct host *host)
{
    for (size_t i = 0; i < list->n; i++)
        if (host_equal(&list->host[i], host))
            return true;
    return false;
}

const char *const host_git_defaults[2] = {"github.com", "gitlab.com"};

bool host_equal(const struct host *a, const struct host *b)
{
    return a->port == b->port && strcmp(a->name, b->name) == 0;
}

bool host_is_address(const struct host *h)
{
    struct in_addr address;
    return inet_pton(AF_INET, h->name, &address) == 1;
}
