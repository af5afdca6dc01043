/* ask_vars.c: a worker reads the variables of its job's app, secrets opened. The lease is the
 * authority, and the only one: nobody else ever gets a secret back.
 *
 * The token for git goes to whatever repository a job names, so who may publish could read with it
 * what else it opens. An app that has a repository lends it to clones of that one alone. */
#include "edge/ask.h"
#include "source_ref.h"
#include "store/keys.h"
#include "store/rows.h"

#include <base/arena.h>
#include <errno.h>

enum { VARS_MOST = 64 };

static const char git_token[] = "ROTA_GIT_TOKEN";

struct app_of_job {
    uint64_t account;
    uint32_t app;
    struct span name, source; /* in the snapshot */
};

static enum error_code find_app(struct ask *a, struct app_of_job *ret_app)
{
    struct board_lease lease;
    struct job_row row;
    struct key_buf k;
    enum error_code e = ask_lease(a, a->q.request->var_read->lease, &lease);
    if (e)
        return e;
    if (lease.cancelling)
        return E_CANCELLED;
    int r = row_get(a->q.txn, &job_row_type, key_id(&k, lease.job), &row);
    if (r != 0)
        return r == STORE_MISSING ? E_JOB_UNKNOWN : E_STORE_FAULT;
    *ret_app = (struct app_of_job){row.account, row.app, row.app_name, row.source};
    return E_OK;
}

static enum error_code open_value(struct ask *a, const struct app_of_job *app,
                                  const struct app_var_row *row, Rota__VarValue *var)
{
    struct app_secret whose = {.account = app->account, .app = app->app, .name = var->name};
    size_t n = row->is_secret ? row->value.n - APP_SECRET_EXTRA : row->value.n;
    if (row->is_secret && row->value.n < APP_SECRET_EXTRA)
        return E_STORE_FAULT;
    var->value.data = arena_alloc(a->q.arena, n + 1);
    var->value.len = n;
    if (!var->value.data)
        return E_MEMORY;
    if (!row->is_secret) {
        memcpy(var->value.data, row->value.p, n);
        return E_OK;
    }
    if (app_keys_unseal(a->edge->app_keys, &whose, row->value, var->value.data) != 0)
        return ask_refuse(a, E_SECRET_SEALED, "%s cannot be opened with the app's key", var->name);
    return E_OK;
}

/* An app without a repository lends its token to each of its jobs; and none goes astray where
 * nothing is cloned. */
static enum error_code check_repository(struct ask *a, const struct app_of_job *app,
                                        bool *ret_lends)
{
    struct key_buf k;
    struct app_row row;
    struct source_ref source;
    int r = row_get(a->q.txn, &app_row_type, key_named(&k, app->account, app->name), &row);
    if (r < 0)
        return E_STORE_FAULT;
    bool is_git = source_ref_parse(app->source, &source) == 0 && source.kind == SOURCE_GIT;
    *ret_lends =
        r == 0 && (row.repository.n == 0 || !is_git || source_ref_is_of(&source, row.repository));
    return E_OK;
}

static enum error_code withhold(struct ask *a, Rota__VarReadResult *result)
{
    result->withheld = arena_alloc(a->q.arena, sizeof *result->withheld);
    if (!result->withheld)
        return E_MEMORY;
    result->withheld[result->n_withheld++] = (char *)(uintptr_t)git_token;
    return E_OK;
}

static enum error_code add(struct ask *a, const struct app_of_job *app, struct span name,
                           const struct app_var_row *row, Rota__VarReadResult *result)
{
    bool lends = true;
    enum error_code e = E_OK;
    if (name.n == sizeof git_token - 1 && memcmp(name.p, git_token, name.n) == 0)
        e = check_repository(a, app, &lends);
    if (e || !lends)
        return e ? e : withhold(a, result);
    Rota__VarValue *var = arena_alloc(a->q.arena, sizeof *var);
    if (!var)
        return E_MEMORY;
    rota__var_value__init(var);
    var->name = arena_printf(a->q.arena, "%.*s", (int)name.n, (const char *)name.p);
    var->secret = row->is_secret;
    if (!var->name)
        return E_MEMORY;
    result->var[result->n_var++] = var;
    return open_value(a, app, row, var);
}

static enum error_code add_all(struct ask *a, const struct app_of_job *app,
                               Rota__VarReadResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value, head = key_app_var(&k, app->account, app->app, span_of("", 0));
    enum error_code e = E_OK;
    int r = cursor_open(a->q.txn, TABLE_APP_VAR, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, head, &key, &value);
    while (r == 0 && e == E_OK && result->n_var < VARS_MOST && key.n > head.n &&
           memcmp(key.p, head.p, head.n) == 0) {
        struct app_var_row row;
        r = row_decode(&app_var_row_type, key, value, &row);
        if (r == 0)
            e = add(a, app, span_of((const uint8_t *)key.p + head.n, key.n - head.n), &row, result);
        if (r == 0 && e == E_OK)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? E_STORE_FAULT : e;
}

enum error_code ask_var_read(struct ask *a)
{
    struct app_of_job app;
    Rota__VarReadResult *result = arena_alloc(a->q.arena, sizeof *result);
    enum error_code e = result ? find_app(a, &app) : E_MEMORY;
    if (e)
        return e;
    rota__var_read_result__init(result);
    result->var = arena_alloc(a->q.arena, VARS_MOST * sizeof(Rota__VarValue *));
    if (!result->var)
        return E_MEMORY;
    e = add_all(a, &app, result);
    if (e)
        return e;
    a->q.reply->var_read = result;
    a->q.reply->result_case = ROTA__REPLY__RESULT_VAR_READ;
    return E_OK;
}
