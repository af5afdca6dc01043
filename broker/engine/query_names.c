/* query_names.c: accounts and apps, a page at a time.
 *
 * Each cursor is the key of the row before the page in readable form, so a page survives a restart
 * and changes between pages cannot make a row appear twice. */
#include "engine/query.h"
#include "engine/query_parts.h"
#include "engine/turn.h"

#include <errno.h>
#include <stdlib.h>

size_t query_limit(uint32_t asked)
{
    if (!asked)
        return LIST_LIMIT_DEFAULT;
    return asked < LIST_LIMIT_MAX ? asked : LIST_LIMIT_MAX;
}

bool query_number(const char *text, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    uint64_t n = *text ? strtoull(text, &end, 10) : 0;
    if (*text && (errno || *end || *text < '0' || *text > '9'))
        return false;
    *ret_number = n;
    return true;
}

static int accounts_fill(struct query *q, uint64_t after, size_t limit,
                         Rota__AccountListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct tier_table table;
    struct key_buf k;
    struct span key, value;
    struct account_row row;
    uint64_t number = after;
    int r = limits_table_read(q->txn, &table, NULL);
    if (r == 0)
        r = cursor_open(q->txn, TABLE_ACCOUNT, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, key_u64(&k, after + 1), &key, &value);
    while (r == 0 && result->n_account < limit) {
        number = get_be64(key.p);
        r = row_decode(&account_row_type, key, value, &row);
        if (r == 0)
            r = query_account(q, &table, number, &row, &result->account[result->n_account]);
        if (r == 0) {
            result->n_account++;
            r = cursor_next(cursor, &key, &value);
        }
    }
    if (r == 0)
        result->next_cursor = arena_printf(q->arena, "%llu", (unsigned long long)number);
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_account_list(struct query *q)
{
    const Rota__AccountList *list = q->request->account_list;
    uint64_t after;
    size_t limit = query_limit(list->limit);
    Rota__AccountListResult *result;
    if (!query_number(list->cursor, &after) || after == UINT64_MAX)
        return E_CURSOR_INVALID;
    QUERY_NEW(q, result, Rota__AccountListResult, rota__account_list_result__init);
    if (!result || !(result->account = query_array(q, limit)))
        return E_MEMORY;
    int r = accounts_fill(q, after, limit, result);
    if (r < 0)
        return query_fault(r);
    if (!result->next_cursor)
        return E_MEMORY;
    q->reply->account_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_ACCOUNT_LIST;
    return E_OK;
}

static Rota__App *app_new(struct query *q, struct span key, const struct app_row *row)
{
    Rota__App *app;
    QUERY_NEW(q, app, Rota__App, rota__app__init);
    if (!app)
        return NULL;
    app->app = query_str(q, span_of((const char *)key.p + 8, key.n - 8));
    app->account = query_account_id(q, get_be64(key.p));
    app->platform = query_array(q, 2);
    for (uint8_t p = PLATFORM_ANDROID; app->platform && p <= PLATFORM_IOS; p++)
        if (row->platforms & 1u << p)
            app->platform[app->n_platform++] = query_text(q, platform_name(p));
    app->created_ms = row->created_ms;
    app->archived = row->archived;
    app->repository = query_str(q, row->repository);
    return app;
}

/* The cursor of a page of apps: "<account number>:<app>". */
static bool app_cursor(const char *text, uint64_t *account, const char **ret_name)
{
    char number[21];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof number || strlen(colon + 1) > ACCOUNT_ID_MAX)
        return false;
    memcpy(number, text, (size_t)(colon - text));
    number[colon - text] = '\0';
    *ret_name = colon + 1;
    return query_number(number, account);
}

static bool sees_app(const struct query *q, struct span key)
{
    return auth_app(q->who, span_of((const uint8_t *)key.p + 8, key.n - 8)) == E_OK;
}

/* `only` 0: of all accounts. `from`: the key before the first. */
static int apps_fill(struct query *q, uint64_t only, struct span from, size_t limit,
                     Rota__AppListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct app_row row;
    uint64_t last_account = 0;
    int r = cursor_open(q->txn, TABLE_APP, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, from, &key, &value);
    if (r == 0 && key.n == from.n && memcmp(key.p, from.p, key.n) == 0)
        r = cursor_next(cursor, &key, &value);
    while (r == 0 && (!only || get_be64(key.p) == only)) {
        if (!sees_app(q, key)) {
            r = cursor_next(cursor, &key, &value);
            continue;
        }
        if (result->n_app == limit) {
            const Rota__App *last = result->app[limit - 1];
            result->next_cursor =
                arena_printf(q->arena, "%llu:%s", (unsigned long long)last_account, last->app);
            break;
        }
        r = row_decode(&app_row_type, key, value, &row);
        Rota__App *app = r == 0 ? app_new(q, key, &row) : NULL;
        if (r == 0 && !app)
            r = err_raise(-ENOMEM);
        if (r == 0) {
            last_account = get_be64(key.p);
            result->app[result->n_app++] = app;
            r = cursor_next(cursor, &key, &value);
        }
    }
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_app_list(struct query *q)
{
    const Rota__AppList *list = q->request->app_list;
    uint64_t only, at;
    const char *name = "";
    struct key_buf k;
    size_t limit = query_limit(list->limit);
    enum error_code e = query_account_named(q, list->account, &only);
    if (e)
        return e;
    at = only;
    if (*list->cursor && (!app_cursor(list->cursor, &at, &name) || (only && at != only)))
        return E_CURSOR_INVALID;
    Rota__AppListResult *result;
    QUERY_NEW(q, result, Rota__AppListResult, rota__app_list_result__init);
    if (!result || !(result->app = query_array(q, limit)))
        return E_MEMORY;
    int r = apps_fill(q, only, key_named(&k, at, span_str(name)), limit, result);
    if (r < 0)
        return query_fault(r);
    if (!result->next_cursor)
        return E_MEMORY;
    q->reply->app_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_APP_LIST;
    return E_OK;
}
