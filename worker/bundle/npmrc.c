/* npmrc.c: asks npm, keeps what is on the list, adds what holds for every install of ours. */
#include "npmrc.h"

#include <base/auto.h>
#include <child.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PRINTED_MAX = 16 * 1024 };

static const char *const kept[] = {"registry", "strict-ssl", "maxsockets"};
static const char *const others[] = {"cafile", "noproxy", "proxy", "https-proxy"};
enum { OTHERS_OPEN = 2 }; /* so many of them are told by npm whatever they say */

/* Few and short retries: a registry that is away is told within half a minute. The log level makes
 * npm print a line for each package, which is all the progress there is. */
static const char always[] =
    "audit=false\nfund=false\nupdate-notifier=false\nignore-scripts=true\n"
    "fetch-retries=2\nfetch-retry-mintimeout=1000\n"
    "fetch-retry-maxtimeout=4000\nfetch-timeout=60000\n"
    "loglevel=http\nprogress=false\ncolor=false\n"
    "https-proxy=" NPMRC_PROXY_URL "\nproxy=" NPMRC_PROXY_URL "\nnoproxy=\n";

struct printed {
    char text[PRINTED_MAX];
    size_t n;
};

static void printed_add(void *arg, const void *p, size_t n)
{
    struct printed *out = arg;
    size_t room = sizeof out->text - 1 - out->n;
    size_t take = n < room ? n : room;
    memcpy(out->text + out->n, p, take);
    out->n += take;
}

/* The value behind "key=" at the beginning of a line, cut at the line's end. */
static bool value_of(const char *printed, const char *key, char *value, size_t size)
{
    size_t key_len = strlen(key);
    for (const char *line = printed; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, key_len) != 0 || line[key_len] != '=')
            continue;
        const char *from = line + key_len + 1;
        size_t n = strcspn(from, "\r\n");
        while (n > 0 && *from == ' ')
            from++, n--;
        if (n == 0 || n >= size)
            return false;
        memcpy(value, from, n);
        value[n] = 0;
        return strcmp(value, "null") != 0 && strcmp(value, "undefined") != 0;
    }
    return false;
}

__attribute__((format(printf, 2, 3))) static int text_add(struct npmrc *rc, const char *format, ...)
{
    size_t used = strlen(rc->text);
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(rc->text + used, sizeof rc->text - used, format, ap);
    va_end(ap);
    return n < 0 || (size_t)n >= sizeof rc->text - used ? err_raise(-E2BIG) : 0;
}

/* https-proxy goes before proxy, as with npm. */
static void ways_read(const char *printed, struct npmrc *rc)
{
    if (!value_of(printed, "https-proxy", rc->proxy, sizeof rc->proxy) &&
        !value_of(printed, "proxy", rc->proxy, sizeof rc->proxy))
        rc->proxy[0] = 0;
    if (!value_of(printed, "noproxy", rc->noproxy, sizeof rc->noproxy))
        rc->noproxy[0] = 0;
    if (!value_of(printed, "registry", rc->registry, sizeof rc->registry) ||
        strchr(rc->registry, '@'))
        rc->registry[0] = 0;
}

int npmrc_write(const char *printed, struct npmrc *ret_rc)
{
    struct npmrc rc = {0};
    char value[NPMRC_PATH_MAX];
    int r = text_add(&rc, "%s", always);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(kept); i++)
        if (value_of(printed, kept[i], value, sizeof value) && !strchr(value, '@'))
            r = text_add(&rc, "%s=%s\n", kept[i], value);
    if (r == 0 && value_of(printed, "cafile", rc.cafile, sizeof rc.cafile))
        r = text_add(&rc, "cafile=/net/cafile\n");
    else
        rc.cafile[0] = 0;
    if (r < 0)
        return err_pass(r);
    ways_read(printed, &rc);
    *ret_rc = rc;
    return 0;
}

/* From "/", so that no project's .npmrc is read; with the operator's own environment. */
static int npm_ask(const char *node, const char *npm, size_t n_others, struct printed *out)
{
    char cli[NPMRC_PATH_MAX + 32];
    snprintf(cli, sizeof cli, "%s/bin/npm-cli.js", npm);
    const char *argv[ARRAY_LEN(kept) + ARRAY_LEN(others) + 5] = {node, cli, "config", "get"};
    size_t n = 4;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        argv[n++] = kept[i];
    for (size_t i = 0; i < n_others; i++)
        argv[n++] = others[i];
    out->n = 0;
    struct child_spec spec = {.argv = argv,
                              .env = (const char *const *)environ,
                              .dir = "/",
                              .stop_fd = -1,
                              .output = printed_add,
                              .arg = out};
    struct child_end end;
    int r = child_run(&spec, &end);
    if (r < 0)
        return err_pass(r);
    out->text[out->n] = 0;
    return r != 0 || end.status != 0 ? NPMRC_UNREADABLE : 0;
}

int npmrc_read(const char *node, const char *npm, struct npmrc *ret_rc)
{
    struct printed out;
    int r = npm_ask(node, npm, ARRAY_LEN(others), &out);
    bool hides_proxy = r == NPMRC_UNREADABLE;
    if (hides_proxy) /* npm tells no value with a password in it, and then nothing at all */
        r = npm_ask(node, npm, OTHERS_OPEN, &out);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    r = npmrc_write(out.text, ret_rc);
    ret_rc->hides_proxy = hides_proxy;
    return r;
}
