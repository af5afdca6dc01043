/* retention.c: ended jobs are kept for a while, then forgotten, a few a turn.
 *
 * By count: each account keeps its newest succeeded and its newest other jobs, as many as the
 * engine's configuration says. An account whose counts went beyond stands in a line in RAM; its
 * listing is walked from the oldest. The line is not stored: after a restart an account comes into
 * it again with the next of its jobs that ends. By age: the listing of all jobs by their end is
 * looked at from its oldest. A dead job's source, which a retry would need, is kept for a day. */
#include "engine/life.h"

#include "engine/usage.h"
#include "source_ref.h"
#include "store/keys.h"

#include <assert.h>
#include <errno.h>

enum {
    LOOK_MAX = 64,   /* rows looked at in a turn */
    OVER_SLACK = 32, /* jobs beyond the count before an account is walked */
    FINISHED_BYTES = 1 + 8 + 16,
    DUE_BYTES = 8 + 16,
};
static const uint64_t source_kept_ms = 24ull * 3600 * 1000;

bool job_is_folded(const struct turn *t, struct job_id id)
{
    return job_id_cmp(id, t->cache->fold.done) <= 0;
}

/* ---- a dead job's source ---- */

static uint64_t source_due_ms(uint64_t finished_ms)
{
    return finished_ms + source_kept_ms;
}

int source_keep(struct turn *t, struct job_id id)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    uint64_t due_ms = source_due_ms(t->now.wall_ms);
    if (due_ms < t->cache->source_due_ms)
        SET(t->undo, t->cache->source_due_ms, due_ms);
    struct span key = key_source_due(&k, due_ms, id);
    return turn_store(row_put(t->txn, &source_due_row_type, key, &mark));
}

int source_kept(struct turn *t, const struct job *j, bool *ret_is_kept)
{
    struct key_buf k;
    struct span value, key = key_source_due(&k, source_due_ms(j->finished_ms), j->id);
    int r = txn_get(t->txn, TABLE_SOURCE_DUE, key, &value);
    *ret_is_kept = r == 0;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

int source_unkeep(struct turn *t, const struct job *j)
{
    struct key_buf k;
    int r =
        txn_del(t->txn, TABLE_SOURCE_DUE, key_source_due(&k, source_due_ms(j->finished_ms), j->id));
    return r == STORE_MISSING ? 0 : turn_store(r);
}

bool source_is_wanted(struct txn *txn, struct job_id id)
{
    struct key_buf k;
    struct span value;
    struct done_row done;
    int r = txn_get(txn, TABLE_JOB, key_id(&k, id), &value);
    if (r != 0)
        return r < 0;
    r = row_get(txn, &done_row_type, key_id(&k, id), &done);
    if (r != 0)
        return true;
    uint64_t due_ms = source_due_ms(done.finished_ms);
    return done.state == ROTA__STATE__DEAD &&
           txn_get(txn, TABLE_SOURCE_DUE, key_source_due(&k, due_ms, id), &value) != STORE_MISSING;
}

static int source_go(struct turn *t, struct job_id id, uint64_t due_ms)
{
    struct key_buf k;
    struct job j;
    int r = turn_store(txn_del(t->txn, TABLE_SOURCE_DUE, key_source_due(&k, due_ms, id)));
    if (r == 0)
        r = job_load_known(t, id, &j);
    return r == 0 ? source_release(t, &j) : r;
}

static int sources_some(struct turn *t, unsigned *budget)
{
    while (*budget && t->cache->source_due_ms <= t->now.wall_ms) {
        AUTO(cursor) cursor = NULL;
        struct span key, value;
        uint64_t due_ms = UINT64_MAX;
        struct job_id id = {{0}};
        int r = turn_store(cursor_open(t->txn, TABLE_SOURCE_DUE, &cursor));
        if (r == 0)
            r = cursor_seek(cursor, span_of("", 0), &key, &value);
        if (r == 0 && key.n == DUE_BYTES) {
            due_ms = get_be64(key.p);
            id = key_tail_id(key);
        }
        cursor = cursor_free(cursor);
        if (r < 0)
            return err_pass(r);
        if (due_ms > t->now.wall_ms) {
            SET(t->undo, t->cache->source_due_ms, due_ms);
            return 0;
        }
        r = source_go(t, id, due_ms);
        if (r != 0)
            return r;
        --*budget;
    }
    return 0;
}

/* ---- forgetting one job ---- */

static int row_drop(struct turn *t, enum table table, struct span key)
{
    int r = txn_del(t->txn, table, key);
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* The key may be a newer job's by now: it is free again a day after the end of its job. */
static int idem_drop(struct turn *t, struct span key, struct job_id id)
{
    struct idem_row row;
    int r = row_get(t->txn, &idem_row_type, key, &row);
    if (r == STORE_MISSING || (r == 0 && job_id_cmp(row.job, id) != 0))
        return 0;
    return r == 0 ? turn_store(txn_del(t->txn, TABLE_IDEM, key)) : turn_store(r);
}

/* Listings, idempotency key and row. What is read from the row is used before the first delete. */
static int rows_drop(struct turn *t, const struct job *j)
{
    struct job_row row;
    struct key_buf k, idem;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, j->id), &row));
    if (r != 0)
        return r;
    struct span idem_key = row.idempotency_key.n
                               ? key_idem(&idem, row.idempotency_key, j->account->number)
                               : span_of("", 0);
    uint64_t account = j->account->number;
    if (idem_key.n)
        r = idem_drop(t, idem_key, j->id);
    if (r == 0)
        r = row_drop(t, TABLE_JOB_OF, key_of_account(&k, account, j->id));
    if (r == 0 && j->app)
        r = row_drop(t, TABLE_JOB_OF, key_of_app(&k, account, j->app, j->id));
    if (r == 0)
        r = row_drop(t, TABLE_JOB_OF, key_of_finished(&k, j->finished_ms, j->id));
    if (r == 0)
        r = row_drop(t, TABLE_DONE, key_id(&k, j->id));
    return r == 0 ? row_drop(t, TABLE_JOB, key_id(&k, j->id)) : r;
}

int job_forget(struct turn *t, struct job_id id)
{
    struct job j;
    int r = job_load_known(t, id, &j);
    if (r != 0)
        return r;
    assert(job_has_ended(j.state) && job_is_folded(t, id));
    r = artifacts_release(t, &j);
    bool is_kept = false;
    if (r == 0 && j.state == ROTA__STATE__DEAD)
        r = source_kept(t, &j, &is_kept);
    if (r == 0 && is_kept)
        r = source_unkeep(t, &j);
    if (r == 0 && is_kept)
        r = source_release(t, &j);
    if (r == 0)
        r = usage_kept(t, j.account, j.state, -1);
    return r == 0 ? rows_drop(t, &j) : r;
}

/* ---- by age ---- */

static int age_some(struct turn *t, unsigned *budget)
{
    uint64_t kept_ms = t->engine->config.kept_ms;
    while (*budget && kept_ms && t->cache->finished_ms + kept_ms <= t->now.wall_ms) {
        AUTO(cursor) cursor = NULL;
        struct key_buf k;
        struct span key, value;
        static const struct job_id zero;
        uint64_t finished_ms = t->now.wall_ms; /* without any: none before now */
        struct job_id id = zero;
        int r = turn_store(cursor_open(t->txn, TABLE_JOB_OF, &cursor));
        if (r == 0)
            r = cursor_seek(cursor, key_of_finished(&k, 0, zero), &key, &value);
        if (r == 0 && key.n == FINISHED_BYTES && *(const uint8_t *)key.p == 'F') {
            finished_ms = get_be64((const uint8_t *)key.p + 1);
            id = key_tail_id(key);
        }
        cursor = cursor_free(cursor);
        if (r < 0)
            return err_pass(r);
        if (finished_ms + kept_ms > t->now.wall_ms || !job_is_folded(t, id)) {
            SET(t->undo, t->cache->finished_ms, finished_ms);
            return 0;
        }
        r = job_forget(t, id);
        if (r != 0)
            return r;
        --*budget;
    }
    return 0;
}

/* ---- by count ---- */

/* Does it keep more than it may, by `slack` at least? Of this kind, or of any (STATE_NONE). */
static int is_beyond(struct turn *t, struct account *a, Rota__State state, uint64_t slack,
                     bool *ret_is_beyond)
{
    uint64_t succeeded = 0, failed = 0;
    int r = usage_kept_of(t, a, &succeeded, &failed);
    bool many = succeeded > t->engine->config.kept_succeeded + slack;
    bool many_failed = failed > t->engine->config.kept_failed + slack;
    *ret_is_beyond = state == ROTA__STATE__STATE_NONE  ? many || many_failed
                     : state == ROTA__STATE__SUCCEEDED ? many
                                                       : many_failed;
    return r;
}

int retention_note(struct turn *t, struct account *a)
{
    struct cache *c = t->cache;
    bool is_over = false;
    if (a->is_over || c->over_n == OVER_MAX)
        return 0;
    int r = is_beyond(t, a, ROTA__STATE__STATE_NONE, OVER_SLACK, &is_over);
    if (r != 0 || !is_over)
        return r;
    SET(t->undo, a->is_over, true);
    SET(t->undo, c->over[c->over_n], a->number);
    SET(t->undo, c->over_n, c->over_n + 1);
    return 0;
}

static void over_end(struct turn *t, struct account *a)
{
    struct cache *c = t->cache;
    SET(t->undo, a->is_over, false);
    SET(t->undo, c->over_n, c->over_n - 1);
    SET(t->undo, c->over[0], c->over[c->over_n]);
    SET(t->undo, c->over_at, (struct job_id){{0}});
}

/* Walked to its end, and some of its jobs are not listed yet: again when they are. */
static void over_again(struct turn *t)
{
    SET(t->undo, t->cache->over_at, (struct job_id){{0}});
    SET(t->undo, t->cache->over_folds, t->cache->hot.last_job);
}

/* The ids of the account from where the walk stands; *ret_is_end: there are no more. */
static int listed(struct turn *t, const struct account *a, unsigned budget, struct job_id *ret_ids,
                  size_t *ret_n, bool *ret_is_end)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    size_t head = 1 + sizeof a->number;
    *ret_n = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_JOB_OF, &cursor));
    if (r != 0)
        return r;
    struct span from = key_of_account(&k, a->number, job_id_after(t->cache->over_at));
    r = cursor_seek(cursor, from, &key, &value);
    while (r == 0 && *ret_n < budget && memcmp(key.p, k.b, head) == 0) {
        ret_ids[(*ret_n)++] = key_tail_id(key);
        r = cursor_next(cursor, &key, &value);
    }
    *ret_is_end = *ret_n < budget;
    return r < 0 ? err_pass(r) : 0;
}

static int over_look(struct turn *t, struct account *a, struct job_id id)
{
    struct job j;
    SET(t->undo, t->cache->over_at, id);
    int r = job_load_known(t, id, &j);
    if (r != 0 || !job_has_ended(j.state) || !job_is_folded(t, id))
        return r;
    bool is_surplus = false;
    r = is_beyond(t, a, j.state, 0, &is_surplus);
    return r == 0 && is_surplus ? job_forget(t, id) : r;
}

bool retention_is_due(const struct cache *c)
{
    return c->over_n && job_id_cmp(c->fold.done, c->over_folds) >= 0;
}

static int count_some(struct turn *t, unsigned *budget)
{
    while (*budget && retention_is_due(t->cache)) {
        struct job_id ids[LOOK_MAX];
        struct account *a;
        size_t n = 0;
        bool is_end = false;
        int r = cache_account(t->cache, t->txn, t->cache->over[0], &a);
        if (r != 0)
            return r == STORE_MISSING ? err_raise(-EBADMSG) : turn_store(r);
        r = listed(t, a, *budget, ids, &n, &is_end);
        for (size_t i = 0; i < n && r == 0; i++)
            r = over_look(t, a, ids[i]);
        if (r != 0)
            return r;
        *budget -= (unsigned)n;
        bool goes_on = false;
        r = is_beyond(t, a, ROTA__STATE__STATE_NONE, 0, &goes_on);
        if (r != 0)
            return r;
        if (!goes_on || (is_end && job_is_folded(t, t->cache->hot.last_job)))
            over_end(t, a);
        else if (is_end)
            over_again(t);
    }
    return 0;
}

int retention_some(struct turn *t)
{
    unsigned budget = LOOK_MAX;
    int r = sources_some(t, &budget);
    if (r == 0)
        r = age_some(t, &budget);
    return r == 0 ? count_some(t, &budget) : r;
}
