/* registry_rc.c: a table of keys, each with the shape of its value. A key that is not in it is left
 * out, unless its name says that it carries a secret: then the app's owner must hear of it. */
#include "registry_rc.h"

#include <base/auto.h>

static bool is_among(const char *p, size_t n, const char *also)
{
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && !(c && strchr(also, c)))
            return false;
    }
    return n > 0;
}

/* ---- shapes ---- */

static bool is_switch(const char *v)
{
    return strcmp(v, "true") == 0 || strcmp(v, "false") == 0;
}

static bool is_word(const char *v)
{
    return is_among(v, strlen(v), "-");
}

static bool is_pattern(const char *v)
{
    return is_among(v, strlen(v), "-_.@/*!");
}

static const struct {
    const char *key;
    bool (*fits)(const char *value);
} settings[] = {
    {"legacy-peer-deps", is_switch},
    {"strict-peer-deps", is_switch},
    {"omit", is_word},
    {"omit[]", is_word},
    {"include", is_word},
    {"include[]", is_word},
    {"install-strategy", is_word},
    {"prefer-dedupe", is_switch},
    {"node-linker", is_word},
    {"hoist", is_switch},
    {"hoist-pattern[]", is_pattern},
    {"public-hoist-pattern[]", is_pattern},
    {"shamefully-hoist", is_switch},
    {"auto-install-peers", is_switch},
    {"strict-peer-dependencies", is_switch},
    {"dedupe-peer-dependents", is_switch},
    {"dedupe-direct-deps", is_switch},
    {"link-workspace-packages", is_word},
    {"prefer-workspace-packages", is_switch},
    {"shared-workspace-lockfile", is_switch},
    {"inject-workspace-packages", is_switch},
    {"resolve-peers-from-workspace-root", is_switch},
    {"resolution-mode", is_word},
};

/* The last part of a key that carries a secret, with or without a registry before it. */
static const char *const secrets[] = {"_auth",   "_password", "username", "certfile",
                                      "keyfile", "cert",      "key",      "_authToken"};

/* ---- a line ---- */

static struct span trimmed(struct span s)
{
    const char *p = s.p;
    while (s.n > 0 && strchr(" \t\r", p[s.n - 1]))
        s.n--;
    while (s.n > 0 && (*p == ' ' || *p == '\t')) {
        p++;
        s.n--;
    }
    return span_of(p, s.n);
}

static struct span unquoted(struct span s)
{
    const char *p = s.p;
    bool is_quoted = s.n >= 2 && (*p == '"' || *p == '\'') && p[s.n - 1] == *p;
    return is_quoted ? span_of(p + 1, s.n - 2) : s;
}

static bool take(struct span s, char *to, size_t max)
{
    if (s.n > max || memchr(s.p, 0, s.n))
        return false;
    memcpy(to, s.p, s.n);
    to[s.n] = 0;
    return true;
}

/* "${NAME}", the whole of it. */
static bool variable_read(const char *value, char name[RC_NAME_MAX + 1])
{
    size_t n = strlen(value);
    if (n < 4 || n - 3 > RC_NAME_MAX || strncmp(value, "${", 2) != 0 || value[n - 1] != '}')
        return false;
    memcpy(name, value + 2, n - 3);
    name[n - 3] = 0;
    return is_among(name, n - 3, "_") && (name[0] < '0' || name[0] > '9');
}

static bool is_path(struct span rest)
{
    const char *p = rest.p;
    if (rest.n == 0)
        return true;
    for (size_t i = 0; i + 1 < rest.n; i++)
        if (p[i] == '.' && p[i + 1] == '.')
            return false;
    return is_among(p, rest.n, "/-_.~%@");
}

static int registry_read(struct rc_row *row)
{
    struct span rest;
    bool is_tls = false;
    if (host_of_url(span_str(row->value), &row->host, &is_tls, &rest) != 0 || !is_tls ||
        !is_path(rest))
        return RC_WRONG;
    row->kind = RC_REGISTRY;
    return 0;
}

/* "@scope:registry", as npm writes scopes. */
static bool is_scope_key(const char *key)
{
    static const char end[] = ":registry";
    size_t n = strlen(key), e = sizeof end - 1;
    return n > e + 1 && key[0] == '@' && strcmp(key + n - e, end) == 0 &&
           is_among(key + 1, n - e - 1, "-_.~");
}

/* "//HOST/PATH/:_authToken". */
static bool token_key_read(struct rc_row *row)
{
    static const char end[] = ":_authToken";
    size_t n = strlen(row->key), e = sizeof end - 1;
    if (n <= e + 2 || strncmp(row->key, "//", 2) != 0 || strcmp(row->key + n - e, end) != 0)
        return false;
    const char *from = row->key + 2, *behind = row->key + n - e;
    const char *slash = memchr(from, '/', (size_t)(behind - from));
    const char *host_end = slash ? slash : behind;
    return host_parse(span_of(from, (size_t)(host_end - from)), HOST_PORT_HTTPS, &row->host) == 0 &&
           is_path(span_of(host_end, (size_t)(behind - host_end)));
}

static bool is_secret_key(const char *key)
{
    const char *last = strrchr(key, ':');
    last = last ? last + 1 : key;
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (strcmp(last, secrets[i]) == 0)
            return true;
    return false;
}

static int row_judge(struct rc_row *row)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (strcmp(row->key, settings[i].key) == 0) {
            row->kind = RC_SETTING;
            return settings[i].fits(row->value) ? 0 : RC_WRONG;
        }
    if (strcmp(row->key, "registry") == 0 || is_scope_key(row->key))
        return registry_read(row);
    if (token_key_read(row)) {
        row->kind = RC_TOKEN;
        return variable_read(row->value, row->variable) ? 0 : RC_SECRET;
    }
    if (is_secret_key(row->key))
        return RC_SECRET;
    row->kind = RC_LEFT_OUT;
    return 0;
}

int registry_rc_read(struct span line, struct rc_row *ret_row)
{
    struct rc_row row = {.kind = RC_NOTHING};
    struct span all = trimmed(line);
    const char *p = all.p;
    *ret_row = row;
    if (all.n == 0 || *p == ';' || *p == '#')
        return 0;
    const char *equal = memchr(p, '=', all.n);
    size_t key_n = equal ? (size_t)(equal - p) : all.n;
    if (!take(trimmed(span_of(p, key_n)), row.key, RC_KEY_MAX))
        return RC_WRONG;
    struct span value = equal ? span_of(equal + 1, all.n - key_n - 1) : span_str("true");
    bool fits = take(unquoted(trimmed(value)), row.value, RC_VALUE_MAX);
    int r = fits ? row_judge(&row) : is_secret_key(row.key) ? RC_SECRET : RC_WRONG;
    if (r != 0 || row.kind == RC_LEFT_OUT)
        memset(row.value, 0, sizeof row.value);
    if (r != 0)
        row.kind = RC_NOTHING;
    *ret_row = row;
    return r;
}
