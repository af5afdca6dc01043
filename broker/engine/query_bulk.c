/* query_bulk.c: bulk acts, newest first: those that run and those that ended of late. */
#include "engine/query.h"
#include "engine/query_parts.h"

#include <errno.h>

static int add(struct query *q, struct span key, struct span value, Rota__BulkListResult *result)
{
    struct bulk_row row;
    int r = row_decode(&bulk_row_type, key, value, &row);
    if (r != 0)
        return err_pass(r);
    Rota__Bulk *b = rota__bulk__unpack(arena_allocator(q->arena), row.packed.n, row.packed.p);
    if (!b)
        return err_raise(-ENOMEM);
    result->bulk[result->n_bulk++] = b;
    return 0;
}

static enum error_code read_one(struct query *q, uint64_t number, Rota__BulkListResult *result)
{
    struct key_buf k;
    struct span value, key = key_u64(&k, number);
    int r = txn_get(q->txn, TABLE_BULK, key, &value);
    if (r == STORE_MISSING)
        return E_BULK_UNKNOWN;
    if (r == 0)
        r = add(q, key, value, result);
    return r < 0 ? query_fault(r) : E_OK;
}

static enum error_code read_newest(struct query *q, size_t limit, Rota__BulkListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = cursor_open(q->txn, TABLE_BULK, &cursor);
    if (r == 0)
        r = cursor_last(cursor, &key, &value);
    while (r == 0 && result->n_bulk < limit) {
        r = add(q, key, value, result);
        if (r == 0)
            r = cursor_prev(cursor, &key, &value);
    }
    return r < 0 ? query_fault(r) : E_OK;
}

enum error_code query_bulk_list(struct query *q)
{
    const Rota__BulkList *list = q->request->bulk_list;
    size_t limit = query_limit(list->limit);
    Rota__BulkListResult *result;
    QUERY_NEW(q, result, Rota__BulkListResult, rota__bulk_list_result__init);
    if (!result || !(result->bulk = query_array(q, limit)))
        return E_MEMORY;
    enum error_code e =
        list->bulk ? read_one(q, list->bulk, result) : read_newest(q, limit, result);
    q->reply->bulk_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_BULK_LIST;
    return e;
}
