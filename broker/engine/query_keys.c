/* query_keys.c: keys and members, a page at a time. A cursor is the serial or the e-mail of the row
 * before the page. Who asks sees those of accounts that it speaks for. */
#include "engine/query.h"
#include "engine/query_parts.h"

#include <errno.h>

enum error_code query_account_named(struct query *q, const char *named, uint64_t *ret_account)
{
    *ret_account = 0;
    if (q->who->role == ROTA__ROLE__OPERATOR && !*named)
        return E_OK;
    return auth_account(q->txn, q->who, named, ret_account);
}

/* ---- keys ---- */

static char **scopes_fill(struct query *q, uint32_t scopes, size_t *ret_n)
{
    char **names = query_array(q, SCOPES);
    size_t n = 0;
    for (size_t i = 0; names && i < SCOPES; i++)
        if (scopes >> i & 1)
            names[n++] = (char *)scope_name(i);
    *ret_n = n;
    return names;
}

/* What is written down now and then, or what auth.h has of it at this moment. */
static int last_used(struct query *q, uint32_t serial, uint64_t *ret_ms)
{
    struct key_use_row row = {0};
    struct key_buf k;
    struct use use;
    if (q->auth && auth_use(q->auth, serial, &use)) {
        *ret_ms = use.last_used_ms;
        return 0;
    }
    int r = row_get(q->txn, &key_use_row_type, key_u32(&k, serial), &row);
    *ret_ms = row.last_used_ms;
    return r < 0 ? err_pass(r) : 0;
}

static int key_new(struct query *q, const struct key_row *row, Rota__Key **ret_key)
{
    Rota__Key *key;
    QUERY_NEW(q, key, Rota__Key, rota__key__init);
    if (!key)
        return err_raise(-ENOMEM);
    uint32_t scopes = row->scopes ? row->scopes : scopes_default((Rota__Role)row->role);
    key->serial = row->serial;
    key->prefix = query_str(q, row->prefix);
    key->account = query_account_id(q, row->account);
    key->name = query_str(q, row->name);
    key->role = (Rota__Role)row->role;
    key->created_ms = row->created_ms;
    key->revoked_ms = row->revoked_ms;
    key->scope = scopes_fill(q, scopes, &key->n_scope);
    key->expires_ms = row->expires_ms;
    key->rate_minute = row->rate_minute;
    key->builds_month = row->builds_month;
    key->member = query_str(q, row->member);
    key->app = query_str(q, row->app);
    key->load = row->is_load;
    *ret_key = key;
    return last_used(q, row->serial, &key->last_used_ms);
}

static int key_visit(struct query *q, uint32_t serial, Rota__KeyListResult *result)
{
    struct key_serial_row at;
    struct key_row row;
    struct key_buf k;
    int r = row_get(q->txn, &key_serial_row_type, key_u32(&k, serial), &at);
    if (r == 0)
        r = row_get(q->txn, &key_row_type, span_of(at.hash, sizeof at.hash), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : err_raise(-EBADMSG);
    r = key_new(q, &row, &result->key[result->n_key]);
    result->n_key += r == 0;
    return r;
}

/* `only` 0: of all accounts. Both tables end their keys with the serial. */
static int keys_fill(struct query *q, uint64_t only, uint32_t after, size_t limit,
                     Rota__KeyListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    uint32_t serial = after;
    struct span from = only ? key_of_key(&k, only, after + 1) : key_u32(&k, after + 1);
    int r = cursor_open(q->txn, only ? TABLE_KEY_OF : TABLE_KEY_SERIAL, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, from, &key, &value);
    while (r == 0 && (!only || get_be64(key.p) == only)) {
        if (result->n_key == limit) {
            result->next_cursor = arena_printf(q->arena, "%lu", (unsigned long)serial);
            return result->next_cursor ? 0 : err_raise(-ENOMEM);
        }
        serial = get_be32((const uint8_t *)key.p + key.n - sizeof serial);
        r = key_visit(q, serial, result);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_key_list(struct query *q)
{
    const Rota__KeyList *list = q->request->key_list;
    uint64_t only, after;
    size_t limit = query_limit(list->limit);
    enum error_code e = query_account_named(q, list->account, &only);
    if (e)
        return e;
    if (!query_number(list->cursor, &after) || after >= UINT32_MAX)
        return E_CURSOR_INVALID;
    Rota__KeyListResult *result;
    QUERY_NEW(q, result, Rota__KeyListResult, rota__key_list_result__init);
    if (!result || !(result->key = query_array(q, limit)))
        return E_MEMORY;
    int r = keys_fill(q, only, (uint32_t)after, limit, result);
    if (r < 0)
        return query_fault(r);
    q->reply->key_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_KEY_LIST;
    return E_OK;
}

/* ---- members ---- */

static int member_new(struct query *q, const char *account, struct span key, struct span value,
                      Rota__Member **ret_member)
{
    struct member_row row;
    Rota__Member *member;
    int r = row_decode(&member_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    QUERY_NEW(q, member, Rota__Member, rota__member__init);
    if (!member)
        return err_raise(-ENOMEM);
    member->account = query_text(q, account);
    member->email = query_str(q, span_of((const uint8_t *)key.p + 8, key.n - 8));
    member->role = (Rota__MemberRole)row.role;
    member->created_ms = row.created_ms;
    *ret_member = member;
    return 0;
}

static int members_fill(struct query *q, uint64_t account, struct span from, size_t limit,
                        Rota__MemberListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    const char *id = query_account_id(q, account);
    int r = cursor_open(q->txn, TABLE_MEMBER, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, from, &key, &value);
    if (r == 0 && key.n == from.n && memcmp(key.p, from.p, key.n) == 0)
        r = cursor_next(cursor, &key, &value);
    while (r == 0 && get_be64(key.p) == account) {
        if (result->n_member == limit) {
            result->next_cursor = result->member[limit - 1]->email;
            return 0;
        }
        r = member_new(q, id, key, value, &result->member[result->n_member]);
        result->n_member += r == 0;
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_member_list(struct query *q)
{
    const Rota__MemberList *list = q->request->member_list;
    uint64_t account;
    struct key_buf k;
    size_t limit = query_limit(list->limit);
    Rota__MemberListResult *result;
    enum error_code e = auth_account(q->txn, q->who, list->account, &account);
    if (e)
        return e;
    QUERY_NEW(q, result, Rota__MemberListResult, rota__member_list_result__init);
    if (!result || !(result->member = query_array(q, limit)))
        return E_MEMORY;
    int r = members_fill(q, account, key_named(&k, account, span_str(list->cursor)), limit, result);
    if (r < 0)
        return query_fault(r);
    q->reply->member_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_MEMBER_LIST;
    return E_OK;
}
