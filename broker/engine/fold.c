/* fold.c: the listing index, kept up a little at a time.
 *
 * A publish appends to `job` and touches nothing for listings. The turn folds the tail of `job`
 * into `job_of`: a large batch of it is sorted by account once, then written in slices, one a turn,
 * so that what lies side by side in the index is written side by side. Measured, a batch of 32,768
 * costs a half to a third of sorting each slice alone (docs/adr, layout). meta "fold" says how far
 * whole batches have come; a batch that a crash cut short is folded again, which changes nothing.
 * Until its fold a job is listed from the tail itself.
 *
 * What this process published, at most UNFOLDED_MAX jobs, is known in RAM. What an earlier process
 * left is read from `job` a little a turn, and not before the broker has been up for a second,
 * because the first lease after a restart must not wait for it. */
#include "engine/turn.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    FOLD_SLICE = 128,
    FOLD_GATHER = 512,    /* rows of an earlier process read in a turn */
    FOLD_AGE_MS = 1000,   /* a tail that is so old is a batch, however short */
    FOLD_AFTER_MS = 1000, /* since the start, for what an earlier process left */
};

static uint64_t waiting_of(const struct cache *c)
{
    return c->unfolded_end - c->unfolded_first;
}

void fold_add(struct turn *t, struct job_id id, uint64_t account, uint32_t app)
{
    struct cache *c = t->cache;
    assert(waiting_of(c) < UNFOLDED_MAX);
    /* The slot may be that of a job which was folded earlier in this turn. */
    SET(t->undo, c->unfolded[c->unfolded_end % UNFOLDED_MAX],
        ((struct unfolded){id, account, app}));
    SET(t->undo, c->unfolded_end, c->unfolded_end + 1);
    t->engine->publish_ms = t->bt_ms;
}

/* ---- making a batch ---- */

static int by_account(const void *x, const void *y)
{
    const struct unfolded *a = x, *b = y;
    if (a->account != b->account)
        return a->account < b->account ? -1 : 1;
    return job_id_cmp(a->id, b->id);
}

static void batch_seal(struct cache *c)
{
    struct fold *f = &c->fold;
    if (!f->n)
        return;
    f->last = f->batch[f->n - 1].id; /* before the sort: the newest */
    f->is_sealed = true;
    qsort(f->batch, f->n, sizeof *f->batch, by_account);
}

/* Out of RAM. Some of these jobs may be of this very turn, so an abort must take the batch back. */
static void batch_own(struct turn *t)
{
    struct cache *c = t->cache;
    struct fold *f = &c->fold;
    uint64_t waiting = waiting_of(c);
    undo_save(t->undo, f, sizeof *f);
    f->n = waiting < FOLD_BATCH_MAX ? (size_t)waiting : FOLD_BATCH_MAX;
    f->at = 0;
    f->is_own = true;
    for (size_t i = 0; i < f->n; i++)
        f->batch[i] = c->unfolded[(c->unfolded_first + i) % UNFOLDED_MAX];
    batch_seal(c);
}

static int gather_row(struct fold *f, struct span key, struct span value)
{
    struct job_row row;
    int r = row_decode(&job_row_type, key, value, &row);
    if (r != 0)
        return err_pass(r);
    f->tail_at = key_tail_id(key);
    f->batch[f->n++] = (struct unfolded){f->tail_at, row.account, row.app};
    return 0;
}

/* Out of the store. All of it was committed by an earlier process, so nothing here is journaled: it
 * is true whatever becomes of this turn. */
static int batch_gather(struct turn *t)
{
    struct fold *f = &t->cache->fold;
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct key_buf k;
    f->is_own = false;
    int r = turn_store(cursor_open(t->txn, TABLE_JOB, &cursor));
    if (r != 0)
        return r;
    r = cursor_seek(cursor, key_id(&k, job_id_after(f->tail_at)), &key, &value);
    for (int i = 0; r == 0 && i < FOLD_GATHER && f->n < FOLD_BATCH_MAX; i++) {
        if (job_id_cmp(key_tail_id(key), f->tail_end) > 0)
            break;
        r = gather_row(f, key, value);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    if (r < 0)
        return err_pass(r);
    if (job_id_cmp(f->tail_at, f->tail_end) >= 0 || r == STORE_MISSING)
        f->tail_end = f->tail_at;
    if (f->n == FOLD_BATCH_MAX || job_id_cmp(f->tail_at, f->tail_end) == 0)
        batch_seal(t->cache);
    if (!f->n)
        f->has_tail = false;
    return 0;
}

/* ---- writing it ---- */

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
    struct fold *f = &c->fold;
    struct meta_row row = {span_of(f->last.b, sizeof f->last.b)};
    if (f->is_own)
        SET(t->undo, c->unfolded_first, c->unfolded_first + f->n);
    else
        f->has_tail = job_id_cmp(f->tail_at, f->tail_end) < 0;
    f->n = f->at = 0;
    f->is_sealed = false;
    f->done = f->last;
    c->fold_ended = true; /* from here on this turn may write over what it would have to restore */
    return turn_store(row_put(t->txn, &meta_row_type, span_str("fold"), &row));
}

static int batch_slice(struct turn *t, size_t n)
{
    struct fold *f = &t->cache->fold;
    assert(f->is_sealed && f->at < f->n);
    undo_save(t->undo, f, sizeof *f);
    size_t end = f->at + n < f->n ? f->at + n : f->n;
    for (; f->at < end; f->at++) {
        int r = fold_one(t, &f->batch[f->at]);
        if (r != 0)
            return r;
    }
    return end == f->n ? batch_end(t) : 0;
}

/* The members of the batch are restored by the journal, its contents are not: it begins anew from
 * the last place that was stored. Folding a job twice changes nothing. */
void fold_aborted(struct cache *c)
{
    struct fold *f = &c->fold;
    if (!c->fold_ended)
        return;
    c->fold_ended = false;
    f->n = f->at = 0;
    f->is_sealed = false;
    f->tail_at = f->done;
}

/* ---- when ---- */

uint64_t fold_due_ms(const struct engine *e, uint64_t bt_ms)
{
    const struct cache *c = &e->cache;
    if (c->fold.is_sealed)
        return bt_ms;
    if (c->fold.has_tail)
        return c->fold.n ? bt_ms : e->opened_ms + FOLD_AFTER_MS;
    uint64_t waiting = waiting_of(c);
    if (waiting == 0 || waiting >= FOLD_BATCH_MAX)
        return waiting ? bt_ms : UINT64_MAX;
    uint64_t quiet_ms = e->publish_ms + FOLD_QUIET_MS, old_ms = e->fold_ms + FOLD_AGE_MS;
    return quiet_ms < old_ms ? quiet_ms : old_ms;
}

/* One step: a piece of the sealed batch, else a piece of the next batch is gathered. */
static int fold_step(struct turn *t, size_t slice)
{
    struct cache *c = t->cache;
    if (!c->fold.is_sealed && c->fold.has_tail)
        return batch_gather(t);
    if (!c->fold.is_sealed)
        batch_own(t);
    return batch_slice(t, slice);
}

/* As many steps as it takes. */
static int fold_down_to(struct turn *t, uint64_t most)
{
    int r = 0;
    while (r == 0 && waiting_of(t->cache) > most)
        r = fold_step(t, FOLD_BATCH_MAX);
    return r;
}

int fold_make_room(struct turn *t)
{
    return fold_down_to(t, UNFOLDED_MAX - 1);
}

/* Bursts run ahead of the slices: then more at once, so that an ordinary turn's worth always fits
 * behind the tail and no publish has to wait for room. */
int fold_some(struct turn *t)
{
    uint64_t waiting = waiting_of(t->cache), room = UNFOLDED_MAX - waiting;
    bool is_full = room / 2 < TURN_JOBS_MAX, is_crowded = room < FOLD_BATCH_MAX / 2;
    if (fold_due_ms(t->engine, t->bt_ms) > t->bt_ms && !is_full)
        return 0;
    t->engine->fold_ms = t->bt_ms;
    return is_full ? fold_down_to(t, UNFOLDED_MAX - 2 * TURN_JOBS_MAX)
                   : fold_step(t, is_crowded ? 16 * FOLD_SLICE : FOLD_SLICE);
}
