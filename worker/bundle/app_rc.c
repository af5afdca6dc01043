/* app_rc.c: each kind of line has one function that adds it or refuses it. A token goes to no host
 * whose registry the operator does not allow, whatever the rest of the file says. */
#include "app_rc.h"

#include "routes.h"

#include <registry_rc.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct adding {
    struct app_rc *rc;
    const struct rc_row *row;
    const struct routes *routes;
    const struct build *build;
    struct build_result *result;
};

const char *app_rc_file(const struct app_rc *rc)
{
    return rc->is_of_yarn ? ".yarnrc.yml" : ".npmrc";
}

static int too_long(struct adding *a)
{
    build_fail(a->result, E_NPMRC_INVALID, "the app's %s is longer than %d bytes",
               app_rc_file(a->rc), APP_RC_TEXT_MAX);
    return APP_RC_REFUSED;
}

static int line_add(struct adding *a, const char *value)
{
    struct app_rc *rc = a->rc;
    size_t room = sizeof rc->text - rc->n;
    int n = snprintf(rc->text + rc->n, room, "%s=%s\n", a->row->key, value);
    if (n < 0 || (size_t)n >= room)
        return too_long(a);
    rc->n += (size_t)n;
    return 0;
}

static int host_check(struct adding *a)
{
    const struct host *h = &a->row->host;
    if (routes_has_registry(a->routes, h))
        return 0;
    build_fail(a->result, E_REGISTRY_NOT_ALLOWED,
               "the app's %s names the registry %s:%u, which the operator does not allow",
               app_rc_file(a->rc), h->name, (unsigned)h->port);
    return APP_RC_REFUSED;
}

static int setting_add(struct adding *a)
{
    return line_add(a, a->row->value);
}

static int registry_add(struct adding *a)
{
    struct host_list *list = &a->rc->hosts;
    int r = host_check(a);
    if (r == 0 && !host_list_has(list, &a->row->host)) {
        if (list->n == HOST_LIST_MAX)
            return too_long(a);
        list->host[list->n++] = a->row->host;
    }
    return r == 0 ? line_add(a, a->row->value) : r;
}

static const struct build_var *variable_find(const struct build *b, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < b->vars; i++)
        if (strncmp(b->var[i].text, name, n) == 0 && b->var[i].text[n] == '=')
            return &b->var[i];
    return NULL;
}

/* One word: a line break would begin another setting, and npm reads "${" in values. */
static bool is_token(const char *value)
{
    for (const char *p = value; *p; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("\"'\\;#$", *p))
            return false;
    return *value != 0;
}

static int token_add(struct adding *a)
{
    int r = host_check(a);
    if (r != 0)
        return r;
    const char *name = a->row->variable;
    const struct build_var *var = variable_find(a->build, name);
    if (!var || !var->is_secret) {
        build_fail(a->result, E_NPMRC_VARIABLE, "the app's %s names ${%s}, which is %s",
                   app_rc_file(a->rc), name, var ? "a variable that is no secret" : "not set");
        return APP_RC_REFUSED;
    }
    const char *value = var->text + strlen(name) + 1;
    if (is_token(value)) {
        a->rc->has_token = true;
        return line_add(a, value);
    }
    build_fail(a->result, E_NPMRC_VARIABLE, "the secret %s is no token: it has blanks or quotes",
               name);
    return APP_RC_REFUSED;
}

static int nothing_add(struct adding *a)
{
    (void)a;
    return 0;
}

static int (*const adders[])(struct adding *a) = {
    [RC_NOTHING] = nothing_add,   [RC_LEFT_OUT] = nothing_add, [RC_SETTING] = setting_add,
    [RC_REGISTRY] = registry_add, [RC_TOKEN] = token_add,
};

int app_rc_add(struct app_rc *rc, const char *line, const struct routes *routes,
               const struct build *b, struct build_result *result)
{
    struct rc_row row;
    if (strcmp(line, RC_OF_YARN) == 0) {
        rc->is_of_yarn = true;
        return 0;
    }
    if (rc->is_of_yarn && rc->is_yarn_unread)
        return 0;
    int r = registry_rc_read(span_str(line), &row);
    if (r != 0) {
        build_fail(result, r == RC_SECRET ? E_NPMRC_SECRET : E_NPMRC_INVALID, "the app's %s: `%s`",
                   app_rc_file(rc), row.key);
        return APP_RC_REFUSED;
    }
    struct adding a = {rc, &row, routes, b, result};
    return adders[row.kind](&a);
}

struct app_rc *app_rc_free(struct app_rc *rc)
{
    if (rc)
        sodium_memzero(rc, sizeof *rc);
    free(rc);
    return NULL;
}
