/* vars.c: environment variables of an app's builds.
 *
 * A secret arrives here sealed: the edge does it under the app's own key, which stands in a file
 * beside the database and is destroyed with the account, because what was once in the database can
 * be read from its freed pages. */
#include "engine/life.h"

#include "store/keys.h"

#include <ctype.h>
#include <errno.h>

enum { VARS_MAX = 64, VAR_NAME_MAX = 64 };

/* They would change how the tools of a build are found or run. */
static const char *const reserved[] = {"PATH", "HOME", "TMPDIR", "SHELL", "NODE_OPTIONS", "IFS"};
static const char *const reserved_heads[] = {"ROTA_", "LD_", "npm_"};

/* But for those that the fetch from git asks for. */
static const char git_token[] = "ROTA_GIT_TOKEN", git_user[] = "ROTA_GIT_USER";

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > VAR_NAME_MAX || isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isupper((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && name[i] != '_')
            return false;
    return true;
}

static int check_name(struct turn *t, const char *name)
{
    if (!is_name(name))
        return turn_refuse(t, E_VAR_INVALID, "\"%s\" is no name of a variable", name);
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return turn_refuse(t, E_VAR_INVALID, "%s is set by rota itself", name);
    if (strcmp(name, git_token) == 0 || strcmp(name, git_user) == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(reserved_heads); i++)
        if (strncmp(name, reserved_heads[i], strlen(reserved_heads[i])) == 0)
            return turn_refuse(t, E_VAR_INVALID, "names that begin with %s are rota's own",
                               reserved_heads[i]);
    return 0;
}

/* With its texts in the arena. */
static int app_read(struct turn *t, const struct account *a, const char *name,
                    struct app_row *ret_row)
{
    struct key_buf k;
    int r = row_get(t->txn, &app_row_type, key_named(&k, a->number, span_str(name)), ret_row);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_APP_UNKNOWN, "account \"%s\" has no app \"%s\"", a->id, name);
    if (r != 0)
        return turn_store(r);
    return turn_keep(t, &ret_row->repository);
}

static int app_count(struct turn *t, const struct account *a, const char *name, struct app_row *row,
                     int by)
{
    struct key_buf k;
    if (by > 0 && row->vars >= VARS_MAX)
        return turn_refuse(t, E_VAR_LIMIT, "app \"%s\" has %d variables already", name, VARS_MAX);
    row->vars = (uint16_t)(row->vars + by);
    return turn_store(
        row_put(t->txn, &app_row_type, key_named(&k, a->number, span_str(name)), row));
}

static int var_remove(struct turn *t, const struct account *a, struct app_row *app,
                      const Rota__VarSet *q)
{
    struct key_buf k;
    int r =
        txn_del(t->txn, TABLE_APP_VAR, key_app_var(&k, a->number, app->number, span_str(q->name)));
    if (r == STORE_MISSING)
        return turn_refuse(t, E_VAR_INVALID, "app \"%s\" has no variable %s", q->app, q->name);
    return r == 0 ? app_count(t, a, q->app, app, -1) : turn_store(r);
}

static int var_put(struct turn *t, const struct account *a, struct app_row *app,
                   const Rota__VarSet *q)
{
    struct key_buf k;
    struct span value, key = key_app_var(&k, a->number, app->number, span_str(q->name));
    struct app_var_row row = {.is_secret = q->secret ? 1 : 0,
                              .set_ms = t->now.wall_ms,
                              .value = span_of(q->value.data, q->value.len)};
    if (strcmp(q->name, git_token) == 0 && !q->secret)
        return turn_refuse(t, E_VAR_INVALID, "%s is to be a secret: pass --secret", git_token);
    if (memchr(q->value.data ? q->value.data : (const uint8_t *)"", 0, q->value.len))
        return turn_refuse(t, E_VAR_INVALID, "the value of %s has a NUL byte", q->name);
    if (q->secret && !t->in->is_vetted)
        return TURN_VET;
    int r = turn_vetted(t);
    if (r != 0)
        return r;
    if (q->secret)
        row.value = span_of(t->in->sealed, t->in->sealed_n);
    r = txn_get(t->txn, TABLE_APP_VAR, key, &value);
    r = r == STORE_MISSING ? app_count(t, a, q->app, app, 1) : turn_store(r);
    return r == 0 ? turn_store(row_put(t->txn, &app_var_row_type, key, &row)) : r;
}

int turn_var_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__VarSet *q = request->var_set;
    struct account *a;
    struct app_row app;
    Rota__VarResult *result = arena_alloc(t->fx->arena, sizeof *result);
    Rota__Var *var = arena_alloc(t->fx->arena, sizeof *var);
    int r = result && var ? check_name(t, q->name) : err_raise(-ENOMEM);
    if (r == 0)
        r = named_account(t, q->account, &a);
    if (r == 0)
        r = app_allowed(t, q->app);
    if (r == 0)
        r = app_read(t, a, q->app, &app);
    if (r == 0)
        r = q->remove ? var_remove(t, a, &app, q) : var_put(t, a, &app, q);
    if (r == 0)
        r = trail_note(t, a->id, "%s %s of app \"%s\"", q->remove ? "removed" : "set", q->name,
                       q->app);
    if (r != 0)
        return r;
    rota__var_result__init(result);
    rota__var__init(var);
    var->name = q->name;
    var->secret = q->secret;
    var->set_ms = t->now.wall_ms;
    result->var = var;
    reply->var_set = result;
    return 0;
}
