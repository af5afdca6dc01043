/* fold.c: the listing index, kept up a little at a time.
 *
 * A publish appends to `job` and touches nothing for listings. The turn folds the tail of `job`
 * into `job_of`: a large batch of it is sorted by account once, then written in slices, one a turn,
 * so that what lies side by side in the index is written side by side. Measured, a batch of 32,768
 * costs a half to a third of sorting each slice alone (docs/adr, layout). meta "fold" says how far
 * whole batches have come; a batch that a crash cut short is folded again, which changes nothing.
 * Until its fold a job is listed from the tail itself, at most UNFOLDED_MAX jobs. */
#include "engine/turn.h"

#include "store/keys.h"

#include <stdlib.h>

enum {
    FOLD_SLICE = 128,
    FOLD_AGE_MS = 1000, /* a tail that is so old is a batch, however short */
};

void fold_add(struct turn *t, struct job_id id, uint64_t account, uint32_t app)
{
    struct cache *c = t->cache;
    /* Beyond unfolded_end nobody reads, so only the end is journaled. */
    c->unfolded[c->unfolded_end % UNFOLDED_MAX] = (struct unfolded){id, account, app};
    SET(t->undo, c->unfolded_end, c->unfolded_end + 1);
    t->engine->publish_ms = t->bt_ms;
}

static int by_account(const void *x, const void *y)
{
    const struct unfolded *a = x, *b = y;
    if (a->account != b->account)
        return a->account < b->account ? -1 : 1;
    return job_id_cmp(a->id, b->id);
}

/* After a restart only the ids of the tail are known: reading every row would cost the first lease.
 */
static int unfolded_know(struct turn *t, struct unfolded *u)
{
    struct job_row row;
    struct key_buf k;
    if (u->account)
        return 0;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, u->id), &row));
    if (r != 0)
        return r;
    u->account = row.account;
    u->app = row.app;
    return 0;
}

/* The oldest part of the tail, in the order in which it will be written. */
static int batch_begin(struct turn *t, uint64_t waiting)
{
    struct cache *c = t->cache;
    size_t n = waiting < FOLD_BATCH_MAX ? (size_t)waiting : FOLD_BATCH_MAX;
    for (size_t i = 0; i < n; i++) {
        struct unfolded *u = &c->unfolded[(c->unfolded_first + i) % UNFOLDED_MAX];
        int r = unfolded_know(t, u);
        if (r != 0)
            return r;
        c->batch[i] = *u;
    }
    qsort(c->batch, n, sizeof *c->batch, by_account);
    SET(t->undo, c->batch_n, n);
    SET(t->undo, c->batch_at, 0);
    return 0;
}

static int fold_one(struct turn *t, const struct unfolded *u)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    int r =
        turn_store(row_put(t->txn, &job_of_row_type, key_of_account(&k, u->account, u->id), &mark));
    if (r == 0 && u->app)
        r = turn_store(
            row_put(t->txn, &job_of_row_type, key_of_app(&k, u->account, u->app, u->id), &mark));
    return r;
}

/* The whole batch is in the index: the tail begins behind it. */
static int batch_end(struct turn *t)
{
    struct cache *c = t->cache;
    struct job_id last = c->unfolded[(c->unfolded_first + c->batch_n - 1) % UNFOLDED_MAX].id;
    SET(t->undo, c->unfolded_first, c->unfolded_first + c->batch_n);
    SET(t->undo, c->batch_n, 0);
    struct meta_row row = {span_of(last.b, sizeof last.b)};
    return turn_store(row_put(t->txn, &meta_row_type, span_str("fold"), &row));
}

static int batch_slice(struct turn *t, size_t n)
{
    struct cache *c = t->cache;
    size_t end = c->batch_at + n < c->batch_n ? c->batch_at + n : c->batch_n;
    for (size_t i = c->batch_at; i < end; i++) {
        int r = fold_one(t, &c->batch[i]);
        if (r != 0)
            return r;
    }
    SET(t->undo, c->batch_at, end);
    return end == c->batch_n ? batch_end(t) : 0;
}

/* When is the tail long or old enough to be a batch? */
static uint64_t batch_due_ms(const struct engine *e)
{
    uint64_t quiet_ms = e->publish_ms + FOLD_QUIET_MS, old_ms = e->fold_ms + FOLD_AGE_MS;
    return quiet_ms < old_ms ? quiet_ms : old_ms;
}

uint64_t fold_due_ms(const struct engine *e, uint64_t bt_ms)
{
    const struct cache *c = &e->cache;
    uint64_t waiting = c->unfolded_end - c->unfolded_first;
    if (!waiting)
        return UINT64_MAX;
    return c->batch_n || waiting >= FOLD_BATCH_MAX ? bt_ms : batch_due_ms(e);
}

int fold_some(struct turn *t)
{
    struct cache *c = t->cache;
    if (fold_due_ms(t->engine, t->bt_ms) > t->bt_ms)
        return 0;
    t->engine->fold_ms = t->bt_ms;
    int r = 0;
    do {
        uint64_t waiting = c->unfolded_end - c->unfolded_first;
        /* Bursts of publish_many run ahead of the slices: then more at once, so that one turn's
         * worth always fits behind the tail. */
        bool is_crowded = waiting > UNFOLDED_MAX - FOLD_BATCH_MAX / 2;
        bool is_full = waiting > UNFOLDED_MAX - 2 * TURN_JOBS_MAX;
        if (!c->batch_n && waiting)
            r = batch_begin(t, waiting);
        if (r == 0 && c->batch_n)
            r = batch_slice(t, is_full || is_crowded ? 16 * FOLD_SLICE : FOLD_SLICE);
        if (!is_full)
            break;
    } while (r == 0);
    return r;
}
