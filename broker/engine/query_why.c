/* query_why.c: `why JOB`: one reason, and the numbers that go with it.
 *
 * A bound is stated only where SCHEDULING.md promises one (A2): for an account's head job, while
 * nothing but its turn is in its way; every other number is an estimate and named so. The time of
 * its start is reckoned from the runs of late and those that go on, by its pool's slots and by its
 * own account's cap (promise.h). */
#include "engine/query_why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { OWN_RUNS_SEEN_MAX = 256 };

void why_say(struct why *w, const char *reason, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    w->result->reason = (char *)reason;
    w->result->text = query_text(w->q, text);
}

/* ---- what is read ---- */

static int state_load(struct why *w)
{
    struct key_buf k;
    int r = row_get(w->q->txn, &state_row_type, key_id(&k, w->id), &w->state);
    if (r == STORE_MISSING)
        w->state = (struct state_row){0};
    w->priority = w->state.priority ? w->state.priority : w->row.priority;
    return r < 0 ? err_pass(r) : 0;
}

static int tally_load(struct why *w, uint16_t pool)
{
    struct account_load load;
    struct key_buf k;
    int r = row_get(w->q->txn, &tally_row_type, key_tally(&k, w->row.account, pool), &w->tally);
    if (r == STORE_MISSING)
        w->tally = (struct tally_row){0};
    if (r >= 0)
        r = query_account_load(w->q, w->row.account, &load);
    w->running = r == 0 ? load.running : 0;
    return r < 0 ? err_pass(r) : 0;
}

static int why_load(struct why *w)
{
    struct key_buf k;
    struct board_totals totals;
    board_totals(w->q->board, &totals);
    w->broker_ms = query_broker_ms(w->q, &totals);
    int r = state_load(w);
    uint16_t pool = w->state.pool ? w->state.pool : w->row.pool;
    if (r == 0)
        r = row_get(w->q->txn, &account_row_type, key_u64(&k, w->row.account), &w->account);
    if (r == 0)
        r = outlook_load(w->q, NULL, pool, &w->o);
    if (r == 0)
        r = tally_load(w, pool);
    if (r == 0 && w->account.tier >= TIERS)
        r = err_raise(-EBADMSG);
    if (r == 0)
        w->cap = w->account.running_max ? w->account.running_max
                                        : w->o.tiers.row[w->account.tier].running_max;
    return r == STORE_MISSING ? err_raise(-EBADMSG) : r;
}

/* ---- states but ready ---- */

static int ended(struct why *w)
{
    const Rota__Job *job = w->job;
    const ProtobufCEnumValue *word =
        protobuf_c_enum_descriptor_get_value(&rota__state__descriptor, (int)job->state);
    const char *name = word ? word->name : "ENDED";
    if (job->error && job->error->text[0])
        why_say(w, name, "it has ended: %s", job->error->text);
    else
        why_say(w, name, "it has ended%s%s", job->reason[0] ? ": " : "", job->reason);
    w->result->since_ms = job->finished_ms;
    return 0;
}

static int running(struct why *w)
{
    const Rota__Job *job = w->job;
    w->result->since_ms = job->started_ms;
    if (job->cancelling)
        why_say(w, "CANCELLING", "it is being cancelled: worker %s lets go of it", job->worker);
    else
        why_say(w, "RUNNING", "it runs on worker %s, attempt %u of %u%s%s", job->worker,
                job->attempt, job->attempts_max, job->phase[0] ? ", phase " : "", job->phase);
    return 0;
}

/* Set aside with its class, by a review, or by somebody's hand. */
static int held(struct why *w)
{
    const Rota__Job *job = w->job;
    bool is_class = false;
    int r = strcmp(job->reason, "CLASS_PAUSED") == 0 ? why_class(w, &is_class) : 0;
    if (r < 0 || is_class)
        return r;
    bool is_review =
        strcmp(job->reason, "HELD_FOR_REVIEW") == 0 || strcmp(job->reason, "BLOCKED") == 0;
    w->result->by = job->by;
    w->result->since_ms = job->since_ms;
    if (is_review)
        why_say(w, job->reason, "account %s is %s%s%s", job->account,
                job->reason[0] == 'B' ? "blocked" : "held until somebody has looked at it",
                job->by[0] ? ": " : "", job->by);
    else
        why_say(w, "HELD", "it was held%s%s%s%s", job->by[0] ? " by " : "", job->by,
                job->reason[0] && strcmp(job->reason, "HELD") != 0 ? ": " : "",
                strcmp(job->reason, "HELD") != 0 ? job->reason : "");
    return 0;
}

/* A backoff is counted in broker time. */
static uint64_t due_ms(const struct why *w)
{
    const struct state_row *s = &w->state;
    if (!s->due_ms || s->due_clock == DUE_WALL)
        return s->due_ms;
    return w->q->wall_ms + (s->due_ms > w->broker_ms ? s->due_ms - w->broker_ms : 0);
}

static int delayed(struct why *w)
{
    const Rota__Job *job = w->job;
    char minute[MINUTE_TEXT_LEN + 1];
    w->result->since_ms = job->since_ms;
    if (w->state.waits) {
        w->result->after = job->after;
        w->result->n_after = job->n_after;
        why_say(w, "DEPENDS_ON", "%zu job%s that it waits for %s not succeeded yet", job->n_after,
                job->n_after == 1 ? "" : "s", job->n_after == 1 ? "has" : "have");
        return 0;
    }
    uint64_t due = w->result->free_at_ms = due_ms(w);
    if (due > w->q->wall_ms) {
        w->result->eta_ms = due - w->q->wall_ms;
        w->result->confidence = (char *)promise_confidence_text(PROMISE_LOW);
    }
    if (strcmp(job->reason, "BACKOFF") == 0)
        why_say(w, "BACKOFF",
                "attempt %u of %u met an infrastructure fault; it is tried again in %.1f s",
                job->attempt, job->attempts_max, (double)w->result->eta_ms / 1000);
    else
        why_say(w, "DELAYED", "it is not to begin before %s", minute_text(due, minute));
    return 0;
}

/* ---- ready ---- */

/* Under its cap an account is like a pool of so many slots, for its own jobs alone. */
static int own_eta(const struct why *w, struct promise_eta *ret_eta)
{
    uint64_t elapsed_ms[OWN_RUNS_SEEN_MAX];
    struct promise_slots own = {.slots = w->cap, .running = w->running, .elapsed_ms = elapsed_ms};
    own.known = outlook_runs_of(w->q, &w->o, w->row.account, elapsed_ms, OWN_RUNS_SEEN_MAX);
    return promise_eta(w->place.own - 1, &own, &w->o.runs, w->o.run_ms_max, ret_eta);
}

static void eta_fill(struct why *w, bool is_free)
{
    Rota__WhyResult *m = w->result;
    struct promise_eta eta = {0, PROMISE_LOW}, own;
    bool is_at_cap = strcmp(m->reason, "ACCOUNT_AT_CAP") == 0;
    if (!is_free && !is_at_cap && !m->free_at_ms)
        return;
    if (outlook_eta(&w->o, w->place.ahead, &eta) == PROMISE_NO_SLOTS)
        return;
    if (eta.wait_ms && own_eta(w, &own) == 0)
        eta = promise_under_cap(eta, own, w->place.own, w->cap);
    uint64_t obstacle = m->free_at_ms > w->q->wall_ms ? m->free_at_ms - w->q->wall_ms : 0;
    if (obstacle > eta.wait_ms && eta.confidence == PROMISE_HIGH)
        eta.confidence = PROMISE_MEDIUM;
    m->eta_ms = obstacle > eta.wait_ms ? obstacle : eta.wait_ms;
    if (m->eta_ms)
        m->confidence = (char *)promise_confidence_text(eta.confidence);
}

static int ready(struct why *w)
{
    Rota__WhyResult *m = w->result;
    const struct place *p = &w->place;
    bool is_free = false;
    int r = why_ready(w, &is_free);
    if (r < 0)
        return err_pass(r);
    m->place = p->own;
    m->place_is_more = p->own_is_more;
    m->ring_place = p->ring;
    m->ring_is_more = p->ring_is_more;
    m->ring_size = p->ring_size;
    m->ahead = p->ahead;
    m->has_bound = is_free && place_is_head(p);
    *(m->has_bound ? &m->bound : &m->estimate) = place_bound(p);
    if (m->has_bound && promise_wall_ms(m->bound, w->o.slots, w->o.run_ms_max, &m->worst_ms) != 0)
        m->worst_ms = 0;
    eta_fill(w, is_free);
    return 0;
}

/* ---- the answer ---- */

static int why_state(struct why *w)
{
    switch (w->job->state) {
    case ROTA__STATE__READY:
        return ready(w);
    case ROTA__STATE__DELAYED:
        return delayed(w);
    case ROTA__STATE__HELD:
        return held(w);
    case ROTA__STATE__LEASED:
        return running(w);
    default:
        return ended(w);
    }
}

static enum error_code why_fill(struct why *w)
{
    Rota__Job *job;
    enum error_code e = query_job_row(w->q, w->id, &w->row);
    if (e == E_OK)
        e = query_job_fill(w->q, w->id, &w->row, &job);
    if (e != E_OK)
        return e;
    w->job = job;
    w->result->job = job->job;
    w->result->state = job->state;
    int r = why_load(w);
    if (r == 0)
        r = why_state(w);
    return r < 0 ? query_fault(r) : E_OK;
}

enum error_code query_why(struct query *q)
{
    struct why *w = arena_alloc(q->arena, sizeof *w);
    Rota__WhyResult *result;
    QUERY_NEW(q, result, Rota__WhyResult, rota__why_result__init);
    if (!w || !result)
        return E_MEMORY;
    *w = (struct why){.q = q, .result = result};
    if (job_id_parse(q->request->why->job, &w->id) != 0)
        return E_JOB_ID_INVALID;
    enum error_code e = why_fill(w);
    if (e != E_OK)
        return e;
    q->reply->why = result;
    q->reply->result_case = ROTA__REPLY__RESULT_WHY;
    return E_OK;
}
