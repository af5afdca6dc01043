/* pin.c: a job out of git is one commit. Its publisher names a branch or a tag, the worker that
 * fetches it first says what that is, and this is kept before anything is built: an attempt that is
 * lost is made up for by another one of the same commit, and a retry is one, too. */
#include "engine/job.h"

#include "source_ref.h"
#include "store/keys.h"

#include <errno.h>

/* A job that names its commit itself, or has no git source, has nothing to be pinned. */
static int source_check(struct turn *t, struct job_id job)
{
    struct source_ref source;
    struct job_row row;
    struct key_buf k;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, job), &row));
    if (r != 0)
        return r;
    if (source_ref_parse(row.source, &source) == 0 && source.kind == SOURCE_GIT &&
        !source.is_commit)
        return 0;
    return turn_refuse(t, E_FIELD_INVALID, "source_pin: the job's source is no branch or tag");
}

/* What a put may move is copied first. */
static int state_keep(struct turn *t, struct state_row *row)
{
    int r = turn_keep(t, &row->reason);
    if (r == 0)
        r = turn_keep(t, &row->error_name);
    if (r == 0)
        r = turn_keep(t, &row->error_text);
    return r == 0 ? turn_keep(t, &row->by) : r;
}

static int commit_put(struct turn *t, struct job_id job, struct span commit)
{
    struct state_row row = {0};
    struct key_buf k;
    int r = row_get(t->txn, &state_row_type, key_id(&k, job), &row);
    if (r != 0 && r != STORE_MISSING)
        return turn_store(r);
    if (row.commit.n && (row.commit.n != commit.n || memcmp(row.commit.p, commit.p, commit.n) != 0))
        return turn_refuse(t, E_FIELD_INVALID, "source_pin: the job builds %.*s", (int)row.commit.n,
                           (const char *)row.commit.p);
    if (row.commit.n)
        return 0;
    r = state_keep(t, &row);
    row.commit = commit;
    return r == 0 ? turn_store(row_put(t->txn, &state_row_type, key_id(&k, job), &row)) : r;
}

static int pin(struct turn *t, const Rota__SourcePin *q)
{
    struct lease *l;
    Rota__State state;
    if (!q->commit[0])
        return turn_refuse(t, E_FIELD_MISSING, "source_pin.commit is empty");
    int r = lease_by_ref(t, q->lease, &l, &state);
    if (r != 0)
        return r;
    if (!l)
        return turn_refuse(t, E_LEASE_LOST, "%s has ended", q->lease->job);
    if (l->cancel_ms)
        return turn_refuse(t, E_CANCELLED, "%s was cancelled", q->lease->job);
    r = source_check(t, l->job);
    return r == 0 ? commit_put(t, l->job, span_str(q->commit)) : r;
}

int turn_source_pin(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    reply->source_pin = arena_alloc(t->fx->arena, sizeof *reply->source_pin);
    if (!reply->source_pin)
        return err_raise(-ENOMEM);
    rota__source_pin_result__init(reply->source_pin);
    return pin(t, request->source_pin);
}
