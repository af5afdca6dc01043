/* acts.c: what people do with a job: cancel, hold, release, retry, move. Each looks at the state
 * first and refuses in its own words; job_move() does the rest. */
#include "engine/classes.h"
#include "engine/life.h"
#include "engine/usage.h"
#include "source_ref.h"
#include "store/keys.h"

#include <errno.h>

int act_cancel(struct turn *t, struct job *j, const char *reason)
{
    if (j->state == ROTA__STATE__LEASED)
        return job_cancel_leased(t, j->lease, reason);
    if (j->state == ROTA__STATE__CANCELLED)
        return 0;
    if (!job_may(j->state, ROTA__STATE__CANCELLED))
        return turn_refuse(t, E_JOB_ENDED, "%s has ended", turn_job(t, j->id));
    struct step s = step_of(ROTA__STATE__CANCELLED, ROTA__EVENT_KIND__EVENT_FINISHED, E_CANCELLED);
    s.reason = span_str(reason);
    return job_move(t, j, &s);
}

/* Only a job that waits can be held or moved. */
static int check_waiting(struct turn *t, const struct job *j)
{
    if (j->state == ROTA__STATE__LEASED)
        return turn_refuse(t, E_JOB_RUNNING, "%s is running", turn_job(t, j->id));
    if (j->state >= ROTA__STATE__SUCCEEDED)
        return turn_refuse(t, E_JOB_ENDED, "%s has ended", turn_job(t, j->id));
    return 0;
}

int act_hold(struct turn *t, struct job *j, const char *reason)
{
    int r = check_waiting(t, j);
    if (r != 0 || (j->state == ROTA__STATE__HELD && !job_is_aside(j)))
        return r;
    struct step s = step_stay(j, ROTA__EVENT_KIND__EVENT_MOVED);
    s.to = ROTA__STATE__HELD;
    s.reason = span_str(reason);
    s.by = span_str(t->who.key_prefix);
    return job_move(t, j, &s);
}

/* To where it would be had it never been held. */
int act_release(struct turn *t, struct job *j)
{
    if (j->state != ROTA__STATE__HELD)
        return turn_refuse(t, E_JOB_NOT_HELD, "%s is not held", turn_job(t, j->id));
    uint64_t now_ms = j->due_clock == DUE_WALL ? t->now.wall_ms : t->bt_ms;
    bool is_later = j->due_ms > now_ms;
    struct step s = {.to = j->waits || is_later ? ROTA__STATE__DELAYED : ROTA__STATE__READY,
                     .why = ROTA__EVENT_KIND__EVENT_MOVED};
    if (s.to == ROTA__STATE__DELAYED) {
        s.due_ms = is_later ? j->due_ms : 0;
        s.due_clock = j->due_clock;
        s.waits = j->waits;
        s.reason = span_str(j->waits ? "DEPENDS_ON" : "RUN_AT");
    }
    return job_move(t, j, &s);
}

/* An ended job's source was deleted, unless it is dead or never had one. */
static int check_source_is_there(struct turn *t, const struct job *j)
{
    struct job_row row;
    struct key_buf k;
    struct source_ref source;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, j->id), &row));
    if (r != 0)
        return r;
    if (source_ref_parse(row.source, &source) != 0)
        return err_raise(-EBADMSG);
    bool is_kept = source.kind != SOURCE_UPLOAD;
    if (!is_kept && j->state == ROTA__STATE__DEAD)
        r = source_kept(t, j, &is_kept);
    if (r == 0 && !is_kept)
        return turn_refuse(t, E_SOURCE_GONE, "the source of %s was deleted when it ended",
                           turn_job(t, j->id));
    return r;
}

int act_retry(struct turn *t, struct job *j)
{
    if (j->state == ROTA__STATE__SUCCEEDED)
        return turn_refuse(t, E_JOB_SUCCEEDED, "%s has succeeded", turn_job(t, j->id));
    if (j->state < ROTA__STATE__SUCCEEDED)
        return turn_refuse(t, E_JOB_NOT_ENDED, "%s has not ended", turn_job(t, j->id));
    struct job_id waits[AFTER_MAX];
    size_t waits_n = 0;
    int r = check_source_is_there(t, j);
    if (r == 0)
        r = follow_again(t, j, waits, &waits_n);
    if (r == 0 && j->is_refunded)
        r = usage_check(t, j->account); /* it takes again what it was given back */
    struct step s = {.to = waits_n ? ROTA__STATE__DELAYED : ROTA__STATE__READY,
                     .why = ROTA__EVENT_KIND__EVENT_MOVED,
                     .waits = (uint16_t)waits_n,
                     .reason = span_str(waits_n ? "DEPENDS_ON" : "RETRY")};
    if (r == 0)
        r = job_move(t, j, &s);
    return r == 0 && waits_n && !t->is_trial ? follow_begin(t, j->id, waits, waits_n) : r;
}

/* Whose workers run it from now on is the operator's word: the class stays the job's. */
static int find_pool(struct turn *t, const char *name, struct pool **ret_pool)
{
    *ret_pool = cache_pool(t->cache, name);
    return *ret_pool ? 0 : turn_refuse(t, E_POOL_UNKNOWN, "no pool \"%s\"", name);
}

int act_move(struct turn *t, struct job *j, const char *pool, uint32_t priority)
{
    struct pool *p = j->pool;
    if (!pool[0] && !priority)
        return E_MOVE_NEEDED;
    if (priority > PRIORITY_LAST)
        return turn_refuse(t, E_FIELD_INVALID, "move.priority: %u, at most %d", priority,
                           PRIORITY_LAST);
    int r = check_waiting(t, j);
    if (r == 0 && pool[0])
        r = find_pool(t, pool, &p);
    if (r != 0)
        return r;
    if (p == j->pool && (!priority || priority == j->priority))
        return 0;
    struct step s = step_stay(j, ROTA__EVENT_KIND__EVENT_MOVED);
    s.pool = p;
    s.priority = (uint8_t)priority;
    return job_move(t, j, &s);
}

/* ---- the requests ---- */

/* An operator's act stands in the trail; an account's with its own jobs does not. */
static int act_noted(struct turn *t, const struct job *j, const char *detail)
{
    bool is_operator = t->who.role == ROTA__ROLE__OPERATOR;
    return is_operator ? trail_note(t, turn_job(t, j->id), "%s", detail) : 0;
}

int turn_cancel(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__Cancel *q = request->cancel;
    struct job j;
    Rota__CancelResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? job_load_for(t, q->job, &j) : err_raise(-ENOMEM);
    if (r == 0)
        r = act_cancel(t, &j, q->reason);
    if (r == 0)
        r = act_noted(t, &j, q->reason);
    if (r != 0)
        return r;
    rota__cancel_result__init(result);
    result->state = j.state;
    result->cancelling = j.state == ROTA__STATE__LEASED;
    reply->cancel = result;
    return 0;
}

static Rota__JobActResult *act_result(struct turn *t, Rota__State state)
{
    Rota__JobActResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return NULL;
    rota__job_act_result__init(result);
    result->state = state;
    return result;
}

int turn_hold(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    struct job j;
    int r = job_load_for(t, request->hold->job, &j);
    if (r == 0)
        r = act_hold(t, &j, request->hold->reason);
    if (r == 0)
        r = act_noted(t, &j, request->hold->reason);
    if (r == 0 && !(reply->hold = act_result(t, j.state)))
        r = err_raise(-ENOMEM);
    return r;
}

int turn_job_release(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    struct job j;
    int r = job_load_for(t, request->job_release->job, &j);
    if (r == 0)
        r = act_release(t, &j);
    if (r == 0)
        r = act_noted(t, &j, "");
    if (r == 0 && !(reply->job_release = act_result(t, j.state)))
        r = err_raise(-ENOMEM);
    return r;
}

int turn_retry(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    struct job j;
    int r = job_load_for(t, request->retry->job, &j);
    if (r == 0)
        r = act_retry(t, &j);
    if (r == 0)
        r = act_noted(t, &j, "");
    if (r == 0 && !(reply->retry = act_result(t, j.state)))
        r = err_raise(-ENOMEM);
    return r;
}

int turn_move(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__Move *q = request->move;
    struct job j;
    int r = job_load_for(t, q->job, &j);
    if (r == 0)
        r = act_move(t, &j, q->pool, q->priority);
    if (r == 0)
        r = trail_note(t, q->job, "pool %s, priority %u", j.pool->name, j.priority);
    if (r == 0 && !(reply->move = act_result(t, j.state)))
        r = err_raise(-ENOMEM);
    return r;
}
