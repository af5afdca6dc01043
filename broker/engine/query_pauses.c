/* query_pauses.c: what is paused, by whom and until when, a page at a time. A cursor is the row
 * after which the page begins: "<scope>:<name>". */
#include "engine/query.h"
#include "engine/query_parts.h"

#include <errno.h>

/* The first key of the page. */
static bool cursor_key(const char *text, struct key_buf *k, struct span *ret_key)
{
    struct span first = key_pause(k, ROTA__PAUSE_SCOPE__PAUSE_POOL, span_of("", 0));
    bool is_form = text[0] >= '0' + ROTA__PAUSE_SCOPE__PAUSE_POOL &&
                   text[0] <= '0' + ROTA__PAUSE_SCOPE__PAUSE_CLASS && text[1] == ':' && text[2];
    if (is_form)
        first = key_pause(k, (uint8_t)(text[0] - '0'), span_str(text + 2));
    *ret_key = first;
    return is_form || !*text;
}

static Rota__Pause *pause_new(struct query *q, struct span key, const struct pause_row *row)
{
    Rota__Pause *pause;
    QUERY_NEW(q, pause, Rota__Pause, rota__pause__init);
    if (!pause)
        return NULL;
    pause->scope = (Rota__PauseScope) * (const uint8_t *)key.p;
    pause->name = query_str(q, span_of((const uint8_t *)key.p + 1, key.n - 1));
    pause->reason = query_str(q, row->reason);
    pause->by = query_str(q, row->by);
    pause->since_ms = row->since_ms;
    pause->until_ms = row->until_ms;
    return pause;
}

static int pauses_fill(struct query *q, struct span from, size_t limit,
                       Rota__PauseListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct pause_row row;
    int r = cursor_open(q->txn, TABLE_PAUSE, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, from, &key, &value);
    if (r == 0 && key.n == from.n && memcmp(key.p, from.p, key.n) == 0)
        r = cursor_next(cursor, &key, &value);
    while (r == 0) {
        if (result->n_pause == limit) {
            const Rota__Pause *last = result->pause[limit - 1];
            result->next_cursor = arena_printf(q->arena, "%d:%s", (int)last->scope, last->name);
            return result->next_cursor ? 0 : err_raise(-ENOMEM);
        }
        r = row_decode(&pause_row_type, key, value, &row);
        Rota__Pause *pause = r == 0 ? pause_new(q, key, &row) : NULL;
        if (r == 0 && !pause)
            r = err_raise(-ENOMEM);
        if (r != 0)
            break;
        result->pause[result->n_pause++] = pause;
        r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_pause_list(struct query *q)
{
    const Rota__PauseList *list = q->request->pause_list;
    size_t limit = !list->limit                   ? LIST_LIMIT_DEFAULT
                   : list->limit < LIST_LIMIT_MAX ? list->limit
                                                  : LIST_LIMIT_MAX;
    struct key_buf k;
    struct span from;
    Rota__PauseListResult *result;
    if (!cursor_key(list->cursor, &k, &from))
        return E_CURSOR_INVALID;
    QUERY_NEW(q, result, Rota__PauseListResult, rota__pause_list_result__init);
    if (!result || !(result->pause = query_array(q, limit)))
        return E_MEMORY;
    int r = pauses_fill(q, from, limit, result);
    if (r < 0)
        return query_fault(r);
    q->reply->pause_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_PAUSE_LIST;
    return E_OK;
}
