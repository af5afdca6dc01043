/* job_deeds.c: what is done with a job that the client has published, one by one and in bulk. */
#include "sim/deeds.h"

enum { RETRY_TRIES = 6 };

/* Into c->asking[0], where its text stays until the answer. */
static bool known_choose(struct world *w, struct client *c)
{
    if (!c->known_n)
        return false;
    c->asking[c->asking_n++] = c->known[world_below(w, (unsigned)c->known_n)];
    return true;
}

bool cancel_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    rota__cancel__init(&q->cancel);
    q->request.op_case = ROTA__REQUEST__OP_CANCEL;
    q->request.cancel = &q->cancel;
    q->cancel.job = c->asking[0].job;
    q->cancel.reason = (char *)"changed my mind";
    return job_id_parse(c->asking[0].job, &q->about.job) == 0;
}

bool hold_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    rota__hold__init(&q->hold);
    q->request.op_case = ROTA__REQUEST__OP_HOLD;
    q->request.hold = &q->hold;
    q->hold.job = c->asking[0].job;
    q->hold.reason = (char *)"let me look at it";
    return true;
}

/* Any held job: an operator sees them all. */
bool release_ask(struct world *w, struct client *c, struct asking *q)
{
    struct job_id job;
    if (!world_find(w, TABLE_HELD, &job))
        return false;
    rota__job_release__init(&q->job_release);
    q->request.op_case = ROTA__REQUEST__OP_JOB_RELEASE;
    q->request.job_release = &q->job_release;
    q->job_release.job = job_id_text(job, c->asking[0].job);
    return true;
}

static bool may_be_tried_again(struct world *w, const char *text)
{
    struct job_id id;
    const struct past_job *job = job_id_parse(text, &id) == 0 ? history_job(&w->history, id) : NULL;
    return job && job->state > ROTA__STATE__SUCCEEDED;
}

/* Mostly one that failed, if it knows of one. */
bool retry_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    for (unsigned i = 0; i < RETRY_TRIES && !may_be_tried_again(w, c->asking[0].job); i++)
        c->asking[0] = c->known[world_below(w, (unsigned)c->known_n)];
    rota__retry__init(&q->retry);
    q->request.op_case = ROTA__REQUEST__OP_RETRY;
    q->request.retry = &q->retry;
    q->retry.job = c->asking[0].job;
    return true;
}

bool move_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    rota__move__init(&q->move);
    q->request.op_case = ROTA__REQUEST__OP_MOVE;
    q->request.move = &q->move;
    q->move.job = c->asking[0].job;
    q->move.priority = 1 + world_below(w, 9);
    if (world_chance(w, 500))
        q->move.pool = (char *)world_pool(world_below(w, POOLS));
    return true;
}

/* ---- in bulk ---- */

static Rota__BulkStart *bulk_begin(struct asking *q, Rota__BulkVerb verb)
{
    rota__bulk_start__init(&q->bulk_start);
    rota__where__init(&q->where);
    q->request.op_case = ROTA__REQUEST__OP_BULK_START;
    q->request.bulk_start = &q->bulk_start;
    q->bulk_start.where = &q->where;
    q->bulk_start.verb = verb;
    q->bulk_start.reason = (char *)"all of them";
    return &q->bulk_start;
}

/* A narrow filter for what cannot be undone. */
bool bulk_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)c;
    Rota__BulkVerb verb = (Rota__BulkVerb)(1 + world_below(w, ROTA__BULK_VERB__BULK_RELEASE));
    Rota__BulkStart *start = bulk_begin(q, verb);
    start->dry_run = world_chance(w, 200);
    if (verb == ROTA__BULK_VERB__BULK_MOVE)
        start->priority = 1 + world_below(w, 9);
    if (verb == ROTA__BULK_VERB__BULK_MOVE && world_chance(w, 300))
        start->pool = (char *)world_pool(world_below(w, POOLS));
    if (verb != ROTA__BULK_VERB__BULK_RELEASE)
        q->where.account = (char *)world_account(world_below(w, w->accounts_n));
    if (verb == ROTA__BULK_VERB__BULK_RETRY)
        q->where.state = ROTA__STATE__DEAD;
    else if (verb == ROTA__BULK_VERB__BULK_RELEASE || world_chance(w, 300))
        q->where.state = (Rota__State)(1 + world_below(w, ROTA__STATE__HELD));
    if (world_chance(w, 300))
        q->where.class_ = (char *)world_class(world_below(w, CLASSES));
    return true;
}

void bulk_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    (void)w;
    c->bulk = reply->bulk_start->bulk->bulk;
}

bool bulk_stop_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)w;
    if (!c->bulk)
        return false;
    rota__bulk_stop__init(&q->bulk_stop);
    q->request.op_case = ROTA__REQUEST__OP_BULK_STOP;
    q->request.bulk_stop = &q->bulk_stop;
    q->bulk_stop.bulk = c->bulk;
    return true;
}

bool release_all_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)w, (void)c;
    bulk_begin(q, ROTA__BULK_VERB__BULK_RELEASE);
    q->where.state = ROTA__STATE__HELD;
    return true;
}
