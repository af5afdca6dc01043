/* query_job.c: one job as anybody may see it, put together from the tables of one snapshot.
 *
 * An accepted job is in exactly one of ready, delayed, waits_on, held, lease, done; the tables are
 * asked in an order that needs the fewest look-ups for the jobs that people look at: ended,
 * running, waiting. Progress comes from the board, which the queue thread writes after its commit,
 * so it may be a moment older or newer than the snapshot; it is shown only when it belongs to the
 * same lease.             */
#include "engine/query.h"
#include "engine/query_starting.h"
#include "engine/turn.h"

#include <errno.h>

enum error_code query_job_row(struct query *q, struct job_id id, struct job_row *ret_row)
{
    struct key_buf k;
    struct job_row row;
    int r = row_get(q->txn, &job_row_type, key_id(&k, id), &row);
    if (r < 0)
        return query_fault(r);
    if (r == STORE_MISSING || !auth_sees(q->who, row.account))
        return E_JOB_UNKNOWN;
    *ret_row = row;
    return auth_app(q->who, row.app_name);
}

/* Is there a row of this type? The rows of marks hold nothing that we need. */
static int has_row(struct query *q, enum table t, struct span key, bool *ret_has)
{
    struct span value;
    int r = txn_get(q->txn, t, key, &value);
    if (r < 0)
        return err_pass(r);
    *ret_has = r == 0;
    return 0;
}

static int get_state_row(struct query *q, struct job_id id, struct state_row *ret_row)
{
    struct key_buf k;
    int r = row_get(q->txn, &state_row_type, key_id(&k, id), ret_row);
    if (r == STORE_MISSING)
        *ret_row = (struct state_row){0};
    return r < 0 ? err_pass(r) : 0;
}

static Rota__Error *stored_error(struct query *q, struct span name, struct span text,
                                 struct span hint)
{
    if (!name.n)
        return NULL;
    Rota__Error *error;
    QUERY_NEW(q, error, Rota__Error, rota__error__init);
    if (!error)
        return NULL;
    error->name = query_str(q, name);
    enum error_code code = error_by_name(error->name);
    const struct error_row *row = code ? error_row(code) : NULL;
    error->text = text.n || !row ? query_str(q, text) : query_text(q, row->text);
    error->hint = hint.n || !row ? query_str(q, hint) : query_text(q, row->hint);
    error->retryable = row && row->retryable;
    return error;
}

/* What the worker left behind with its finish. */
static void fill_facts(struct query *q, struct span facts, Rota__Job *job)
{
    if (!facts.n)
        return;
    Rota__Finish *finish = rota__finish__unpack(arena_allocator(q->arena), facts.n, facts.p);
    if (!finish) {
        q->is_short = true;
        return;
    }
    job->n_artifact = finish->n_artifact;
    job->artifact = finish->artifact;
    job->n_phase_time = finish->n_phase_time;
    job->phase_time = finish->phase_time;
    job->attestation = finish->attestation;
}

/* The newer job's id out of "SUPERSEDED by job_…", else "". */
static const char *superseded_by(const char *reason)
{
    size_t n = strlen(SUPERSEDED_BY);
    return strncmp(reason, SUPERSEDED_BY, n) == 0 ? reason + n : "";
}

static void fill_done(struct query *q, const struct done_row *done, Rota__Job *job)
{
    job->state = (Rota__State)done->state;
    if (done->pool)
        job->pool = query_pool_name(q, done->pool);
    job->attempt = done->attempt;
    job->started_ms = done->started_ms;
    job->finished_ms = done->finished_ms;
    job->worker = query_str(q, done->worker);
    job->reason = query_str(q, done->reason);
    job->commit = query_str(q, done->commit);
    job->superseded_by = query_text(q, superseded_by(job->reason));
    job->error = stored_error(q, done->error_name, done->error_text, done->error_hint);
    if (job->state == ROTA__STATE__SUCCEEDED)
        job->percent = 100;
    fill_facts(q, done->facts, job);
}

static int fill_leased(struct query *q, struct job_id id, const struct lease_row *lease,
                       Rota__Job *job)
{
    struct state_row state;
    int r = get_state_row(q, id, &state);
    if (r < 0)
        return err_pass(r);
    job->commit = query_str(q, state.commit);
    job->state = ROTA__STATE__LEASED;
    job->pool = query_pool_name(q, lease->pool);
    job->cancelling = lease->cancel_ms != 0;
    job->attempt = lease->attempt;
    job->started_ms = lease->granted_ms;
    job->worker = query_str(q, lease->worker);
    job->reason = query_str(q, lease->cancel_reason);
    struct board_lease seen;
    if (board_lease(q->board, id, &seen) == 0 && seen.token == lease->token) {
        job->phase = query_text(q, seen.phase);
        job->message = query_text(q, seen.message);
        job->percent = seen.percent;
    }
    return 0;
}

/* Of the jobs it was published to wait for, those that have not yet succeeded. */
static int fill_parents(struct query *q, struct job_id id, const struct state_row *state,
                        Rota__Job *job)
{
    struct job_row row;
    struct key_buf k;
    int r = state->waits ? row_get(q->txn, &job_row_type, key_id(&k, id), &row) : STORE_MISSING;
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    job->after = query_array(q, row.after.n / sizeof(struct job_id) + 1);
    for (size_t i = 0; job->after && i + sizeof(struct job_id) <= row.after.n;
         i += sizeof(struct job_id)) {
        struct job_id parent;
        char text[JOB_ID_TEXT_LEN + 1];
        bool has = false;
        memcpy(parent.b, (const uint8_t *)row.after.p + i, sizeof parent.b);
        r = has_row(q, TABLE_WAITS_ON, key_waits_on(&k, parent, id), &has);
        if (r < 0)
            return err_pass(r);
        if (has)
            job->after[job->n_after++] = query_text(q, job_id_text(parent, text));
    }
    return 0;
}

/* A ready job that nobody can run yet, because its pool's workers are only being started. */
static void fill_starting(struct query *q, uint16_t pool, Rota__Job *job)
{
    struct starting s;
    uint64_t since_ms = job->since_ms ? job->since_ms : job->published_ms;
    if (*job->reason || !query_starting(q, pool, since_ms, &s) || !s.is_expected)
        return;
    job->reason = (char *)s.reason;
    job->since_ms = s.since_ms;
}

static int fill_waiting(struct query *q, struct job_id id, const struct job_row *row,
                        Rota__Job *job)
{
    struct state_row state;
    int r = get_state_row(q, id, &state);
    if (r < 0)
        return err_pass(r);
    job->attempt = state.attempt;
    job->reason = query_str(q, state.reason);
    job->commit = query_str(q, state.commit);
    job->error = stored_error(q, state.error_name, state.error_text, span_of("", 0));
    job->due_ms = state.due_ms;
    if (state.priority)
        job->priority = state.priority;
    if (state.pool)
        job->pool = query_pool_name(q, state.pool);
    job->state = state.state ? (Rota__State)state.state : ROTA__STATE__READY;
    job->since_ms = state.since_ms;
    job->by = query_str(q, state.by);
    r = fill_parents(q, id, &state, job);
    if (r == 0 && job->state == ROTA__STATE__READY)
        r = query_job_review(q, row->account, job);
    if (r == 0 && job->state == ROTA__STATE__READY)
        fill_starting(q, state.pool ? state.pool : row->pool, job);
    return r;
}

static int fill_place(struct query *q, struct job_id id, const struct job_row *row, Rota__Job *job)
{
    struct key_buf k;
    struct done_row done;
    struct lease_row lease;
    int r = row_get(q->txn, &done_row_type, key_id(&k, id), &done);
    if (r == 0)
        fill_done(q, &done, job);
    if (r != STORE_MISSING)
        return r < 0 ? err_pass(r) : 0;
    r = row_get(q->txn, &lease_row_type, key_id(&k, id), &lease);
    if (r == 0)
        r = fill_leased(q, id, &lease, job);
    if (r != STORE_MISSING)
        return r < 0 ? err_pass(r) : 0;
    return fill_waiting(q, id, row, job);
}

static void fill_row(struct query *q, struct job_id id, const struct job_row *row, Rota__Job *job)
{
    char text[JOB_ID_TEXT_LEN + 1];
    job->job = query_text(q, job_id_text(id, text));
    job->account = query_str(q, row->account_id);
    job->app = query_str(q, row->app_name);
    job->platform = query_text(q, platform_name(row->platform));
    job->class_ = query_str(q, row->class);
    job->pool = query_pool_name(q, row->pool);
    job->tier = (Rota__Tier)row->tier;
    job->attempts_max = row->attempts_max;
    job->priority = row->priority;
    job->source = query_str(q, row->source);
    job->spec.data = (uint8_t *)query_str(q, row->spec);
    job->spec.len = row->spec.n;
    job->timeout_ms = row->timeout_ms;
    job->published_ms = row->published_ms;
    job->principal = query_str(q, row->principal);
    job->ref = query_str(q, row->ref);
    job->key_serial = row->key_serial;
}

enum error_code query_job_fill(struct query *q, struct job_id id, const struct job_row *row,
                               Rota__Job **ret_job)
{
    Rota__Job *job;
    QUERY_NEW(q, job, Rota__Job, rota__job__init);
    if (!job)
        return E_MEMORY;
    fill_row(q, id, row, job);
    int r = fill_place(q, id, row, job);
    if (r < 0)
        return query_fault(r);
    if (q->is_short)
        return E_MEMORY;
    *ret_job = job;
    return E_OK;
}

/* FNV-1a over what a watcher sees, so that the version of a job needs no memory of its own and
 * means the same before and after a restart. */
static uint64_t mix_number(uint64_t h, uint32_t v)
{
    return (h ^ v) * 0x100000001b3ull;
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = mix_number(h, (uint8_t)*text);
    return mix_number(h, 0);
}

static uint64_t version_of(const Rota__Job *job)
{
    const uint32_t numbers[] = {(uint32_t)job->state, job->cancelling, job->attempt, job->percent,
                                job->priority};
    const char *const texts[] = {job->phase, job->message, job->reason, job->worker, job->pool};
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        h = mix_number(h, numbers[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        h = mix_text(h, texts[i]);
    return h ? h : 1;
}

enum error_code query_job(struct query *q, const char *job_text, Rota__Job **ret_job,
                          uint64_t *ret_version)
{
    struct job_id id;
    struct job_row row = {0};
    if (job_id_parse(job_text, &id) != 0)
        return E_JOB_ID_INVALID;
    enum error_code e = query_job_row(q, id, &row);
    if (e == E_OK)
        e = query_job_fill(q, id, &row, ret_job);
    if (e == E_OK)
        *ret_version = version_of(*ret_job);
    return e;
}
