/* query.c: the table of the read lane's operations, and the small helpers that all of them share.
 */
#include "engine/query.h"

#include "engine/cache.h"
#include "engine/query_parts.h"

#include <assert.h>
#include <errno.h>

enum error_code query_fault(int r)
{
    assert(r < 0);
    return r == -ENOMEM ? E_MEMORY : E_STORE_FAULT;
}

char *query_str(struct query *q, struct span text)
{
    char *copy = arena_alloc(q->arena, text.n + 1);
    if (!copy) {
        q->is_short = true;
        return (char *)(uintptr_t)protobuf_c_empty_string;
    }
    if (text.n)
        memcpy(copy, text.p, text.n);
    return copy;
}

char *query_text(struct query *q, const char *text)
{
    return query_str(q, span_str(text));
}

void *query_array(struct query *q, size_t n)
{
    void *p = arena_alloc(q->arena, (n ? n : 1) * sizeof(void *));
    if (!p)
        q->is_short = true;
    return p;
}

char *query_pool_name(struct query *q, uint16_t pool)
{
    struct key_buf k;
    struct pool_row row;
    int r = row_get(q->txn, &pool_row_type, key_u16(&k, pool), &row);
    return query_str(q, r == 0 ? row.name : span_of("", 0));
}

char *query_account_id(struct query *q, uint64_t account)
{
    struct key_buf k;
    struct account_row row;
    int r = row_get(q->txn, &account_row_type, key_u64(&k, account), &row);
    return query_str(q, r == 0 ? row.id : span_of("", 0));
}

uint64_t query_broker_ms(const struct query *q, const struct board_totals *totals)
{
    uint64_t since =
        totals->boot_ms && q->boot_ms > totals->boot_ms ? q->boot_ms - totals->boot_ms : 0;
    return totals->broker_ms + since;
}

static enum error_code query_ping(struct query *q)
{
    Rota__PingResult *result;
    QUERY_NEW(q, result, Rota__PingResult, rota__ping_result__init);
    if (!result)
        return E_MEMORY;
    struct hot_row hot;
    int r = row_get(q->txn, &hot_row_type, hot_key(), &hot);
    if (r < 0)
        return query_fault(r);
    result->version = query_text(q, ROTA_VERSION);
    result->environment = query_text(q, q->environment);
    result->epoch = r == 0 ? hot.epoch : 0;
    q->reply->ping = result;
    q->reply->result_case = ROTA__REPLY__RESULT_PING;
    return E_OK;
}

enum error_code query_status(struct query *q)
{
    Rota__StatusResult *result;
    QUERY_NEW(q, result, Rota__StatusResult, rota__status_result__init);
    if (!result)
        return E_MEMORY;
    uint64_t version;
    enum error_code e = query_job(q, q->request->status->job, &result->job, &version);
    if (e)
        return e;
    q->reply->status = result;
    q->reply->result_case = ROTA__REPLY__RESULT_STATUS;
    return E_OK;
}

static const struct {
    Rota__Request__OpCase op;
    enum error_code (*answer)(struct query *q);
} rows[] = {
    {ROTA__REQUEST__OP_PING, query_ping},
    {ROTA__REQUEST__OP_STATUS, query_status},
    {ROTA__REQUEST__OP_LIST, query_list},
    {ROTA__REQUEST__OP_WATCH, query_watch},
    {ROTA__REQUEST__OP_STATS, query_stats},
    {ROTA__REQUEST__OP_NEXT, query_next},
    {ROTA__REQUEST__OP_WHY, query_why},
    {ROTA__REQUEST__OP_WORKER_LIST, query_worker_list},
    {ROTA__REQUEST__OP_ACCOUNT_LIST, query_account_list},
    {ROTA__REQUEST__OP_APP_LIST, query_app_list},
    {ROTA__REQUEST__OP_KEY_LIST, query_key_list},
    {ROTA__REQUEST__OP_FIND, query_find},
    {ROTA__REQUEST__OP_BULK_LIST, query_bulk_list},
    {ROTA__REQUEST__OP_MEMBER_LIST, query_member_list},
    {ROTA__REQUEST__OP_REVIEW_LIST, query_review_list},
    {ROTA__REQUEST__OP_LIMITS_GET, query_limits_get},
    {ROTA__REQUEST__OP_ADDON_LIST, query_addon_list},
    {ROTA__REQUEST__OP_ACCOUNT_GET, query_account_get},
    {ROTA__REQUEST__OP_USAGE, query_usage},
    {ROTA__REQUEST__OP_PRESET_LIST, query_preset_list},
    {ROTA__REQUEST__OP_SCHEDULE_LIST, query_schedule_list},
    {ROTA__REQUEST__OP_VAR_LIST, query_var_list},
    {ROTA__REQUEST__OP_PAUSE_LIST, query_pause_list},
    {ROTA__REQUEST__OP_TRAIL_LIST, query_trail_list},
};

enum error_code query_answer(struct query *q)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].op != q->request->op_case)
            continue;
        enum error_code e = rows[i].answer(q);
        if (e == E_OK && q->is_short)
            return E_MEMORY;
        return e;
    }
    return E_OPERATION_UNKNOWN;
}
