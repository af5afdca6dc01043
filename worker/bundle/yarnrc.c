/* yarnrc.c: three passes over the lines, one for each map that Yarn wants together: the settings at
 * the top, npmScopes, npmRegistries. Values stand in single quotes; the last line of a key counts,
 * as with npm. */
#include "yarnrc.h"

#include <base/auto.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct line {
    const char *key, *value;
    size_t key_n, value_n;
};

struct yarnrc {
    const char *npmrc;
    bool is_old;
    char *to;
    size_t size, n;
    bool is_full;
};

__attribute__((format(printf, 2, 3))) static void add(struct yarnrc *y, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(y->to + y->n, y->size - y->n, format, ap);
    va_end(ap);
    y->is_full = y->is_full || n < 0 || (size_t)n >= y->size - y->n;
    if (!y->is_full)
        y->n += (size_t)n;
}

/* In single quotes, where a quote is written twice. */
static void add_text(struct yarnrc *y, const char *p, size_t n)
{
    add(y, "'");
    for (size_t i = 0; i < n; i++)
        add(y, "%s%c", p[i] == '\'' ? "'" : "", p[i]);
    add(y, "'");
}

/* Moves *p behind the next line that has a key; false: there is none. */
static bool line_next(const char **p, struct line *ret)
{
    while (**p) {
        const char *line = *p;
        size_t n = strcspn(line, "\n");
        const char *equals = memchr(line, '=', n);
        *p = line + n + (line[n] == '\n');
        if (!equals)
            continue;
        *ret = (struct line){.key = line,
                             .key_n = (size_t)(equals - line),
                             .value = equals + 1,
                             .value_n = (size_t)(line + n - equals - 1)};
        return true;
    }
    return false;
}

static bool ends_with(const struct line *l, const char *end)
{
    size_t n = strlen(end);
    return l->key_n > n && memcmp(l->key + l->key_n - n, end, n) == 0;
}

static bool is_key(const struct line *l, const char *key)
{
    return l->key_n == strlen(key) && memcmp(l->key, key, l->key_n) == 0;
}

/* A later line says the same key. */
static bool is_overruled(const char *rest, const struct line *l)
{
    struct line later;
    while (line_next(&rest, &later))
        if (later.key_n == l->key_n && memcmp(later.key, l->key, l->key_n) == 0)
            return true;
    return false;
}

static void top(struct yarnrc *y, const struct line *l)
{
    if (is_key(l, "registry")) {
        add(y, "npmRegistryServer: ");
        add_text(y, l->value, l->value_n);
        add(y, "\n");
    } else if (is_key(l, "cafile")) {
        add(y, "%s: ", y->is_old ? "caFilePath" : "httpsCaFilePath");
        add_text(y, l->value, l->value_n);
        add(y, "\n");
    } else if (is_key(l, "strict-ssl") && l->value_n == 5 && memcmp(l->value, "false", 5) == 0) {
        add(y, "enableStrictSsl: false\n");
    }
}

/* "@scope:registry=https://HOST/" */
static void scope(struct yarnrc *y, const struct line *l)
{
    static const char end[] = ":registry";
    if (*l->key != '@' || !ends_with(l, end))
        return;
    add(y, "  ");
    add_text(y, l->key + 1, l->key_n - 1 - (sizeof end - 1));
    add(y, ":\n    npmRegistryServer: ");
    add_text(y, l->value, l->value_n);
    add(y, "\n");
}

/* "//HOST/PATH/:_authToken=TOKEN"; Yarn wants the registry without its last slash. */
static void token(struct yarnrc *y, const struct line *l)
{
    static const char end[] = ":_authToken";
    if (*l->key != '/' || !ends_with(l, end))
        return;
    size_t n = l->key_n - (sizeof end - 1);
    while (n > 2 && l->key[n - 1] == '/')
        n--;
    add(y, "  ");
    add_text(y, l->key, n);
    add(y, ":\n    npmAlwaysAuth: true\n    npmAuthToken: ");
    add_text(y, l->value, l->value_n);
    add(y, "\n");
}

static void pass(struct yarnrc *y, const char *head,
                 void (*each)(struct yarnrc *, const struct line *))
{
    struct line l;
    size_t from = y->n;
    if (head)
        add(y, "%s:\n", head);
    size_t begin = y->n;
    for (const char *p = y->npmrc; line_next(&p, &l);)
        if (!is_overruled(p, &l))
            each(y, &l);
    if (y->n == begin && !y->is_full)
        y->to[y->n = from] = 0;
}

int yarnrc_write(const char *npmrc, bool is_old, char *ret, size_t size)
{
    struct yarnrc y = {.npmrc = npmrc, .is_old = is_old, .to = ret, .size = size};
    ret[0] = 0;
    pass(&y, NULL, top);
    pass(&y, "npmScopes", scope);
    pass(&y, "npmRegistries", token);
    return y.is_full ? err_raise(-E2BIG) : 0;
}
