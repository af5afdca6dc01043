/* outputs.c: what becomes of the objects that a job left.
 *
 * Bundles, assets, maps, provenance and logs stay as long as their job. A one-off output goes when
 * whoever fetched it says that it has it, or a day after its job's end, whichever comes first; the
 * row in `object_due` says that the job still holds its outputs, so that each hold ends once. */
#include "engine/life.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>

enum { LOOK_MAX = 16, DUE_BYTES = 8 + 16 };
static const uint64_t kept_ms = 24ull * 3600 * 1000;

static uint64_t due_ms_of(uint64_t finished_ms)
{
    return finished_ms + kept_ms;
}

static bool is_output(const Rota__Artifact *artifact)
{
    return artifact->kind == ROTA__OBJECT_KIND__OUTPUT;
}

int outputs_keep(struct turn *t, struct job_id id, const Rota__Finish *q)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    uint64_t due_ms = due_ms_of(t->now.wall_ms);
    size_t n = 0;
    for (size_t i = 0; i < q->n_artifact; i++)
        n += is_output(q->artifact[i]);
    if (!n)
        return 0;
    if (due_ms < t->cache->object_due_ms)
        SET(t->undo, t->cache->object_due_ms, due_ms);
    struct span key = key_source_due(&k, due_ms, id);
    return turn_store(row_put(t->txn, &object_due_row_type, key, &mark));
}

/* Does the job still hold its outputs? It does no more. */
static int outputs_let_go(struct turn *t, const struct job *j, bool *ret_held)
{
    struct key_buf k;
    int r = txn_del(t->txn, TABLE_OBJECT_DUE, key_source_due(&k, due_ms_of(j->finished_ms), j->id));
    *ret_held = r == 0;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* What an ended job left; NULL: nothing. */
static int facts_of(struct turn *t, const struct job *j, Rota__Finish **ret_facts)
{
    struct done_row done;
    struct key_buf k;
    *ret_facts = NULL;
    int r = turn_store(row_get(t->txn, &done_row_type, key_id(&k, j->id), &done));
    if (r != 0 || !done.facts.n)
        return r;
    *ret_facts = rota__finish__unpack(arena_allocator(t->fx->arena), done.facts.n, done.facts.p);
    return *ret_facts ? 0 : err_raise(-ENOMEM);
}

static int release(struct turn *t, const struct job *j, const Rota__Artifact *artifact)
{
    return artifact->sha256.len == 32
               ? object_release(t, (uint8_t)artifact->kind, j->account, artifact->sha256.data)
               : 0;
}

int artifacts_release(struct turn *t, const struct job *j)
{
    Rota__Finish *facts;
    bool holds_outputs = false;
    int r = facts_of(t, j, &facts);
    if (r == 0)
        r = outputs_let_go(t, j, &holds_outputs);
    for (size_t i = 0; facts && i < facts->n_artifact && r == 0; i++)
        if (!is_output(facts->artifact[i]) || holds_outputs)
            r = release(t, j, facts->artifact[i]);
    return r;
}

/* Its outputs alone; *ret_n: how many went now. */
static int outputs_release(struct turn *t, const struct job *j, uint32_t *ret_n)
{
    Rota__Finish *facts;
    bool is_held = false;
    *ret_n = 0;
    int r = facts_of(t, j, &facts);
    if (r == 0)
        r = outputs_let_go(t, j, &is_held);
    for (size_t i = 0; is_held && facts && i < facts->n_artifact && r == 0; i++) {
        if (!is_output(facts->artifact[i]))
            continue;
        r = release(t, j, facts->artifact[i]);
        ++*ret_n;
    }
    return r;
}

int turn_fetched(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    struct job j;
    Rota__FetchedResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? job_load_for(t, request->fetched->job, &j) : err_raise(-ENOMEM);
    if (r == 0 && !job_has_ended(j.state))
        r = turn_refuse(t, E_JOB_NOT_ENDED, "%s has not ended", request->fetched->job);
    if (r != 0)
        return r;
    rota__fetched_result__init(result);
    r = outputs_release(t, &j, &result->gone);
    reply->fetched = result;
    return r;
}

/* ---- by age ---- */

static int due_first(struct turn *t, uint64_t *ret_due_ms, struct job_id *ret_id)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    *ret_due_ms = UINT64_MAX;
    int r = turn_store(cursor_open(t->txn, TABLE_OBJECT_DUE, &cursor));
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    if (r == 0 && key.n == DUE_BYTES) {
        *ret_due_ms = get_be64(key.p);
        *ret_id = key_tail_id(key);
    }
    return r < 0 ? err_pass(r) : 0;
}

int outputs_some(struct turn *t)
{
    for (unsigned i = 0; i < LOOK_MAX && t->cache->object_due_ms <= t->now.wall_ms; i++) {
        uint64_t due_ms;
        uint32_t n;
        struct job_id id;
        struct job j;
        int r = due_first(t, &due_ms, &id);
        if (r != 0)
            return r;
        if (due_ms > t->now.wall_ms) {
            SET(t->undo, t->cache->object_due_ms, due_ms);
            return 0;
        }
        r = job_load_known(t, id, &j);
        assert(r != 0 || due_ms_of(j.finished_ms) == due_ms);
        if (r == 0)
            r = outputs_release(t, &j, &n);
        if (r != 0)
            return r;
    }
    return 0;
}
