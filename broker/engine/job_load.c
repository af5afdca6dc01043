/* job_load.c: a job and where it is, put together from its row and, as far as needed, its lease in
 * RAM, its end and its state. */
#include "engine/job.h"

#include "store/keys.h"

#include <errno.h>

static int commit_keep(struct turn *t, struct job *j, struct span commit)
{
    if (!commit.n)
        return 0;
    j->commit = commit;
    return turn_keep(t, &j->commit);
}

static int load_done(struct turn *t, struct job *j, bool *ret_found)
{
    struct done_row row;
    struct key_buf k;
    int r = row_get(t->txn, &done_row_type, key_id(&k, j->id), &row);
    *ret_found = r == 0;
    if (r != 0)
        return r == STORE_MISSING ? 0 : turn_store(r);
    j->state = (Rota__State)row.state;
    j->attempt = row.attempt;
    j->finished_ms = row.finished_ms;
    j->is_refunded = row.is_refunded;
    j->charge_month = row.charge_month;
    if (row.pool && row.pool <= POOLS_MAX)
        j->pool = t->cache->pools[row.pool];
    return commit_keep(t, j, row.commit);
}

static int load_state(struct turn *t, struct job *j)
{
    struct state_row row;
    struct key_buf k;
    int r = row_get(t->txn, &state_row_type, key_id(&k, j->id), &row);
    if (r != 0)
        return r == STORE_MISSING ? 0 : turn_store(r);
    if (row.priority)
        j->priority = row.priority;
    if (row.pool && row.pool <= POOLS_MAX)
        j->pool = t->cache->pools[row.pool];
    j->charge_month = row.charge_month;
    r = commit_keep(t, j, row.commit);
    if (r != 0 || j->lease)
        return r;
    j->attempt = row.attempt;
    if (row.state)
        j->state = (Rota__State)row.state;
    j->due_ms = row.due_ms;
    j->due_clock = row.due_clock;
    j->waits = row.waits;
    j->since_ms = row.since_ms;
    j->reason = row.reason;
    j->by = row.by;
    r = turn_keep(t, &j->reason);
    return r == 0 ? turn_keep(t, &j->by) : r;
}

static int load_place(struct turn *t, struct job *j)
{
    bool found = false;
    j->lease = cache_lease(t->cache, j->id);
    int r = j->lease ? 0 : load_done(t, j, &found);
    if (r == 0 && !found)
        r = load_state(t, j);
    if (r == 0 && j->lease) {
        j->state = ROTA__STATE__LEASED;
        j->pool = j->lease->tally->pool;
        j->attempt = j->lease->attempt;
    }
    return r;
}

int job_load(struct turn *t, struct job_id id, struct job *ret_job)
{
    struct job_row row;
    struct key_buf k;
    int r = row_get(t->txn, &job_row_type, key_id(&k, id), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    if (row.pool > POOLS_MAX || !t->cache->pools[row.pool])
        return err_raise(-EBADMSG);
    struct job j = {.id = id,
                    .state = ROTA__STATE__READY,
                    .pool = t->cache->pools[row.pool],
                    .home = t->cache->pools[row.pool],
                    .app = row.app,
                    .platform = row.platform,
                    .priority = row.priority,
                    .priority_home = row.priority,
                    .attempts_max = row.attempts_max,
                    .supersedes = row.supersedes,
                    .is_charged = row.is_charged,
                    .key_serial = row.key_serial,
                    .published_ms = row.published_ms};
    uint64_t account = row.account;
    if (row.after.n) {
        j.after = row.after;
        r = turn_keep(t, &j.after);
        if (r != 0)
            return r;
    }
    r = cache_account(t->cache, t->txn, account, &j.account);
    if (r == 0)
        r = load_place(t, &j);
    if (r == 0)
        j.tally = account_tally(t->cache, j.account, j.pool);
    if (r == 0 && !j.tally)
        return err_raise(-ENOMEM);
    if (r == 0)
        *ret_job = j;
    return r == STORE_MISSING ? err_raise(-EBADMSG) : r;
}

int job_load_known(struct turn *t, struct job_id id, struct job *ret_job)
{
    int r = job_load(t, id, ret_job);
    return r == STORE_MISSING ? err_raise(-EBADMSG) : r < 0 ? err_pass(r) : r;
}

/* A key that is good for one app only acts on that app's jobs. */
static int check_app(struct turn *t, const char *text, struct job_id id)
{
    struct job_row row;
    struct key_buf k;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, id), &row));
    if (r != 0 || auth_app(&t->who, row.app_name) == E_OK)
        return r;
    return turn_refuse(t, E_KEY_APP, "key %s is good for app \"%s\" only, %s is another's",
                       t->who.key_prefix, t->who.app, text);
}

int job_load_for(struct turn *t, const char *text, struct job *ret_job)
{
    struct job_id id;
    int r = job_parse(t, text, &id);
    if (r != 0)
        return r;
    r = job_load(t, id, ret_job);
    if (r == STORE_MISSING || (r == 0 && !auth_sees(&t->who, ret_job->account->number)))
        return turn_refuse(t, E_JOB_UNKNOWN, "no job %s", text);
    if (r < 0)
        return err_pass(r);
    return t->who.app[0] ? check_app(t, text, id) : 0;
}
