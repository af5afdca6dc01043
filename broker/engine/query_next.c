/* query_next.c: the next dispatches of a pool if nothing else happened, each with the time at which
 * it may begin; also as if an account had another tier or cap, or the pool other slots. */
#include "engine/query_preview.h"

#include <errno.h>

static int job_show(struct query *q, const struct outlook *o, struct job_id id, uint8_t tier,
                    Rota__NextResult *result)
{
    struct job_row row;
    char text[JOB_ID_TEXT_LEN + 1];
    struct key_buf k;
    struct promise_eta eta;
    int r = row_get(q->txn, &job_row_type, key_id(&k, id), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : err_raise(-EBADMSG);
    Rota__NextJob *job;
    QUERY_NEW(q, job, Rota__NextJob, rota__next_job__init);
    if (!job)
        return err_raise(-ENOMEM);
    job->job = query_text(q, job_id_text(id, text));
    job->account = query_str(q, row.account_id);
    job->app = query_str(q, row.app_name);
    job->tier = (Rota__Tier)tier;
    job->waited_ms = q->wall_ms > row.published_ms ? q->wall_ms - row.published_ms : 0;
    if (outlook_eta(o, result->n_job, &eta) == 0)
        job->eta_ms = eta.wait_ms;
    result->job[result->n_job++] = job;
    return 0;
}

static enum error_code next_play(struct query *q, const struct outlook *o, struct preview *p,
                                 size_t count, Rota__NextResult *result)
{
    const Rota__Next *next = q->request->next;
    struct job_id id;
    uint8_t tier;
    for (size_t i = 0; i < next->n_what_if; i++) {
        enum error_code e = preview_suppose(p, next->what_if[i]);
        if (e != E_OK)
            return e;
    }
    int r = 0;
    while (r == 0 && result->n_job < count) {
        r = preview_step(p, &id, &tier);
        if (r == 0)
            r = job_show(q, o, id, tier, result);
    }
    return r < 0 ? query_fault(r) : E_OK;
}

enum error_code query_next(struct query *q)
{
    const Rota__Next *next = q->request->next;
    size_t count = next->count ? next->count : NEXT_COUNT_DEFAULT;
    struct outlook *o = arena_alloc(q->arena, sizeof *o);
    struct preview *p = NULL;
    Rota__NextResult *result;
    QUERY_NEW(q, result, Rota__NextResult, rota__next_result__init);
    if (count > NEXT_COUNT_MAX)
        count = NEXT_COUNT_MAX;
    if (!o || !result || !(result->job = query_array(q, count)))
        return E_MEMORY;
    int r = outlook_load(q, *next->pool ? next->pool : "bundle", 0, o);
    if (r == STORE_MISSING)
        return E_POOL_UNKNOWN;
    if (next->slots)
        o->slots = next->slots;
    if (r == 0)
        r = preview_new(q, o, &p);
    if (r < 0)
        return query_fault(r);
    enum error_code e = next_play(q, o, p, count, result);
    preview_end(p);
    if (e != E_OK)
        return e;
    q->reply->next = result;
    q->reply->result_case = ROTA__REPLY__RESULT_NEXT;
    return E_OK;
}
