/* query_names.c: accounts, apps and keys, a page at a time.
 *
 * Each cursor is the key of the row before the page in readable form, so a page survives a restart
 * and changes between pages cannot make a row appear twice. */
#include "engine/query.h"
#include "engine/query_parts.h"
#include "engine/turn.h"
#include "sched/tier.h"

#include <errno.h>
#include <stdlib.h>

static size_t limit_of(uint32_t asked)
{
    if (!asked)
        return LIST_LIMIT_DEFAULT;
    return asked < LIST_LIMIT_MAX ? asked : LIST_LIMIT_MAX;
}

/* "" is 0. False: no number of ours. */
static bool number_of(const char *text, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    uint64_t n = *text ? strtoull(text, &end, 10) : 0;
    if (*text && (errno || *end || *text < '0' || *text > '9'))
        return false;
    *ret_number = n;
    return true;
}

static int account_new(struct query *q, uint64_t number, const struct account_row *row,
                       Rota__Account **ret_account)
{
    struct account_load load;
    int r = query_account_load(q, number, &load);
    if (r < 0)
        return err_pass(r);
    Rota__Account *a;
    QUERY_NEW(q, a, Rota__Account, rota__account__init);
    if (!a)
        return err_raise(-ENOMEM);
    const struct tier_row *tier = tier_row(row->tier < TIERS ? row->tier : TIERS - 1);
    a->account = query_str(q, row->id);
    a->tier = (Rota__Tier)row->tier;
    a->builds_month = row->has_builds ? row->builds_month : tier->builds_month;
    a->builds_unlimited = row->has_builds ? row->builds_unlimited : tier->builds_month == 0;
    a->running_max = tier_running_max(row->tier, row->running_max);
    a->timeout_ms = tier->timeout_ms;
    a->ready = load.ready;
    a->leased = load.running;
    a->created_ms = row->created_ms;
    *ret_account = a;
    return 0;
}

static int accounts_fill(struct query *q, uint64_t after, size_t limit,
                         Rota__AccountListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct account_row row;
    uint64_t number = after;
    int r = cursor_open(q->txn, TABLE_ACCOUNT, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, key_u64(&k, after + 1), &key, &value);
    while (r == 0 && result->n_account < limit) {
        number = get_be64(key.p);
        r = row_decode(&account_row_type, key, value, &row);
        if (r == 0)
            r = account_new(q, number, &row, &result->account[result->n_account]);
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
    size_t limit = limit_of(list->limit);
    Rota__AccountListResult *result;
    if (!number_of(list->cursor, &after) || after == UINT64_MAX)
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
    return number_of(number, account);
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
    uint64_t only = 0, at = 0;
    const char *name = "";
    struct key_buf k;
    size_t limit = limit_of(list->limit);
    if (q->who->role != ROTA__ROLE__OPERATOR || *list->account) {
        enum error_code e = auth_account(q->txn, q->who, list->account, &only);
        if (e)
            return e;
    }
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

static Rota__Key *key_new(struct query *q, const struct key_row *row)
{
    Rota__Key *key;
    QUERY_NEW(q, key, Rota__Key, rota__key__init);
    if (!key)
        return NULL;
    key->serial = row->serial;
    key->prefix = query_str(q, row->prefix);
    key->account = query_account_id(q, row->account);
    key->name = query_str(q, row->name);
    key->role = (Rota__Role)row->role;
    key->created_ms = row->created_ms;
    key->revoked_ms = row->revoked_ms;
    return key;
}

/* One key, if it is of the account (0: any). STORE_MISSING: passed over. */
static int key_visit(struct query *q, struct span key, struct span value, uint64_t only,
                     Rota__KeyListResult *result)
{
    struct key_serial_row serial;
    struct key_row row;
    int r = row_decode(&key_serial_row_type, key, value, &serial);
    if (r == 0)
        r = row_get(q->txn, &key_row_type, span_of(serial.hash, sizeof serial.hash), &row);
    if (r || (only && row.account != only))
        return r < 0 ? err_pass(r) : 0;
    result->key[result->n_key] = key_new(q, &row);
    if (!result->key[result->n_key])
        return err_raise(-ENOMEM);
    result->n_key++;
    return 0;
}

static int keys_fill(struct query *q, uint64_t only, uint32_t after, size_t limit,
                     Rota__KeyListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    uint32_t serial = after;
    size_t seen = 0;
    int r = cursor_open(q->txn, TABLE_KEY_SERIAL, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, key_u32(&k, after + 1), &key, &value);
    while (r == 0 && result->n_key < limit && seen++ < LIST_COST_MAX) {
        serial = get_be32(key.p);
        r = key_visit(q, key, value, only, result);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    if (r == 0)
        result->next_cursor = arena_printf(q->arena, "%lu", (unsigned long)serial);
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_key_list(struct query *q)
{
    const Rota__KeyList *list = q->request->key_list;
    uint64_t only = 0, after;
    size_t limit = limit_of(list->limit);
    if (*list->account) {
        enum error_code e = auth_account(q->txn, q->who, list->account, &only);
        if (e)
            return e;
    }
    if (!number_of(list->cursor, &after) || after >= UINT32_MAX)
        return E_CURSOR_INVALID;
    Rota__KeyListResult *result;
    QUERY_NEW(q, result, Rota__KeyListResult, rota__key_list_result__init);
    if (!result || !(result->key = query_array(q, limit)))
        return E_MEMORY;
    int r = keys_fill(q, only, (uint32_t)after, limit, result);
    if (r < 0)
        return query_fault(r);
    if (!result->next_cursor)
        return E_MEMORY;
    q->reply->key_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_KEY_LIST;
    return E_OK;
}
