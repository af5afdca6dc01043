/* query_list.c: jobs, newest first, a page at a time: a find by account, app and state, whose
 * cursor is the last job's id. */
#include "engine/query.h"
#include "engine/query_parts.h"
#include "engine/search.h"

enum error_code query_list(struct query *q)
{
    const Rota__List *list = q->request->list;
    Rota__Where where = ROTA__WHERE__INIT;
    Rota__ListResult *result;
    struct job_id below;
    struct match m;
    struct found f;
    struct spot edge;
    where.account = list->account;
    where.app = list->app;
    where.state = list->state;
    if (*list->cursor && job_id_parse(list->cursor, &below) != 0)
        return E_CURSOR_INVALID;
    enum error_code e = query_match(q, &where, &m);
    if (*list->cursor)
        edge = spot_of(below);
    if (e == E_OK)
        e = found_read(q, &m, list->limit, *list->cursor ? &edge : NULL, &f);
    if (e)
        return e;
    QUERY_NEW(q, result, Rota__ListResult, rota__list_result__init);
    if (!result)
        return E_MEMORY;
    result->n_job = f.n;
    result->job = f.job;
    if (f.is_full) {
        char text[JOB_ID_TEXT_LEN + 1];
        result->next_cursor = query_text(q, job_id_text(spot_id(&f.edge, f.edge_n), text));
    }
    q->reply->list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_LIST;
    return E_OK;
}
