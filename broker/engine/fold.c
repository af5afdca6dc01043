/* fold.c: the listing index, kept up a little at a time.
 *
 * A publish appends to `job` and touches nothing for listings. The turn folds the tail of `job` into
 * `job_of` in slices sorted by account, so that neighbours land on the same pages; until then a listing
 * merges the index with the tail (at most UNFOLDED_MAX jobs). meta "fold" says how far it has come.   */
#include "engine/turn.h"

#include "store/keys.h"

#include <stdlib.h>

enum {
    FOLD_SLICE = 128,
    FOLD_AT_LEAST = 128, /* wait for so many, or until FOLD_PATIENCE_MS have gone by */
};

void fold_add(struct turn *t, struct job_id id, uint64_t account, uint32_t app)
{
    struct cache *c = t->cache;
    /* Beyond unfolded_end nobody reads, so only the end is journaled. */
    c->unfolded[c->unfolded_end % UNFOLDED_MAX] = (struct unfolded){id, account, app};
    SET(t->undo, c->unfolded_end, c->unfolded_end + 1);
}

static int by_account(const void *x, const void *y)
{
    const struct unfolded *a = x, *b = y;
    if (a->account != b->account)
        return a->account < b->account ? -1 : 1;
    return job_id_cmp(a->id, b->id);
}

static int fold_one(struct turn *t, const struct unfolded *u)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    int r = turn_store(
        row_put(t->txn, &job_of_row_type, key_of_account(&k, u->account, u->id), &mark));
    if (r == 0 && u->app)
        r = turn_store(
            row_put(t->txn, &job_of_row_type, key_of_app(&k, u->account, u->app, u->id), &mark));
    return r;
}

/* One slice; its last id is how far the fold has come. */
static int fold_slice(struct turn *t, size_t n)
{
    struct cache *c = t->cache;
    struct unfolded slice[FOLD_SLICE];
    for (size_t i = 0; i < n; i++)
        slice[i] = c->unfolded[(c->unfolded_first + i) % UNFOLDED_MAX];
    struct job_id last = slice[n - 1].id;
    qsort(slice, n, sizeof *slice, by_account);
    for (size_t i = 0; i < n; i++) {
        int r = fold_one(t, &slice[i]);
        if (r != 0)
            return r;
    }
    SET(t->undo, c->unfolded_first, c->unfolded_first + n);
    struct meta_row row = {span_of(last.b, sizeof last.b)};
    return turn_store(row_put(t->txn, &meta_row_type, span_str("fold"), &row));
}

int fold_some(struct turn *t)
{
    struct cache *c = t->cache;
    uint64_t waiting = c->unfolded_end - c->unfolded_first;
    if (waiting < FOLD_AT_LEAST && t->bt_ms < t->engine->fold_ms + FOLD_PATIENCE_MS)
        return 0;
    t->engine->fold_ms = t->bt_ms;
    /* A burst of publish_many may run ahead: fold more, so that one more turn always fits. */
    uint64_t keep = UNFOLDED_MAX - 2 * TURN_JOBS_MAX;
    int r = 0;
    do {
        size_t n = waiting < FOLD_SLICE ? waiting : FOLD_SLICE;
        if (n)
            r = fold_slice(t, n);
        waiting -= n;
    } while (r == 0 && waiting > keep);
    return r;
}
