/* query_trail.c: the operators' trail, oldest first: the newest entries, or those from a number on.
 */
#include "engine/query.h"
#include "engine/query_parts.h"

#include <errno.h>

enum { TRAIL_LIMIT_DEFAULT = 100, TRAIL_LIMIT_MAX = 1000 };

/* The number of the first of the newest `limit` entries. Numbers have no gaps but at the old end.
 */
static int first_of_newest(struct query *q, size_t limit, uint64_t *ret_seq)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    *ret_seq = 1;
    int r = cursor_open(q->txn, TABLE_TRAIL, &cursor);
    if (r == 0)
        r = cursor_last(cursor, &key, &value);
    if (r == 0 && get_be64(key.p) >= limit)
        *ret_seq = get_be64(key.p) - limit + 1;
    return r < 0 ? err_pass(r) : 0;
}

static Rota__TrailEntry *entry_new(struct query *q, struct span packed)
{
    Rota__TrailEntry *entry =
        rota__trail_entry__unpack(arena_allocator(q->arena), packed.n, packed.p);
    if (!entry)
        q->is_short = true;
    return entry;
}

static int entries_fill(struct query *q, uint64_t from, size_t limit, Rota__TrailListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct trail_row row;
    size_t bytes = 0;
    result->next = from;
    int r = cursor_open(q->txn, TABLE_TRAIL, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, key_u64(&k, from), &key, &value);
    while (r == 0 && result->n_entry < limit && bytes < ANSWER_BYTES_MAX) {
        r = row_decode(&trail_row_type, key, value, &row);
        Rota__TrailEntry *entry = r == 0 ? entry_new(q, row.packed) : NULL;
        if (r == 0 && !entry)
            r = err_raise(-ENOMEM);
        if (r != 0)
            break;
        bytes += row.packed.n;
        result->entry[result->n_entry++] = entry;
        result->next = get_be64(key.p) + 1;
        r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_trail_list(struct query *q)
{
    const Rota__TrailList *list = q->request->trail_list;
    size_t limit = !list->limit                    ? TRAIL_LIMIT_DEFAULT
                   : list->limit < TRAIL_LIMIT_MAX ? list->limit
                                                   : TRAIL_LIMIT_MAX;
    uint64_t from = list->from;
    Rota__TrailListResult *result;
    QUERY_NEW(q, result, Rota__TrailListResult, rota__trail_list_result__init);
    if (!result || !(result->entry = query_array(q, limit)))
        return E_MEMORY;
    int r = from ? 0 : first_of_newest(q, limit, &from);
    if (r == 0)
        r = entries_fill(q, from, limit, result);
    if (r < 0)
        return query_fault(r);
    q->reply->trail_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_TRAIL_LIST;
    return E_OK;
}
