/* layout_world.c: rows are the broker's own (rows.h), written as the turn would write them. The one
 * table that the broker does not have, `fresh`, borrows the name of a table that this program does
 * not use.
 *
 * In a layout that folds `ready`, the fold of a batch leaves its rows in `fresh` until the whole
 * batch is done and then deletes them in key order: deleting them in the order of the fold would
 * scatter over the table and cost what the fold saves. That is the most favourable form of that
 * layout.                 */
#include "../unit/folder.h"
#include "layout_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- the fold ---- */

struct by_account {
    uint32_t account;
    uint32_t index;
};

static int by_account_cmp(const void *a, const void *b)
{
    const struct by_account *x = a, *y = b;
    if (x->account != y->account)
        return x->account < y->account ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static void batch_start(struct world *w)
{
    static struct by_account sorted[BATCH_MAX];
    const size_t n = w->layout.batch;
    w->batch_from = w->batch_to;
    w->batch_to = w->batch_from + n;
    for (size_t i = 0; i < n; i++)
        sorted[i] =
            (struct by_account){w->jobs[w->batch_from + i].account, (uint32_t)(w->batch_from + i)};
    qsort(sorted, n, sizeof *sorted, by_account_cmp);
    for (size_t i = 0; i < n; i++)
        w->batch[i] = sorted[i].index;
    w->batch_n = n;
    w->batch_at = 0;
}

static int fresh_delete(struct world *w, struct txn *txn)
{
    struct key_buf k;
    int r = 0;
    for (unsigned i = 0; i < FOLD_MAX && w->fresh_gone < w->batch_from && r == 0; i++) {
        const struct entry *e = &w->jobs[w->fresh_gone++];
        if (!e->is_taken) /* else it went when it was taken */
            r = txn_del(txn, TABLE_FRESH, key_id(&k, e->id));
    }
    return r;
}

/* As many jobs as this turn published: the tail neither grows nor shrinks. */
static int fold(struct world *w, struct txn *txn, unsigned n)
{
    if (!w->layout.folded)
        return 0;
    if (w->batch_at == w->batch_n && w->n - w->batch_to >= w->layout.batch)
        batch_start(w);
    int r = 0;
    const struct entry *e = NULL;
    for (unsigned i = 0; i < n && i < FOLD_MAX && w->batch_at < w->batch_n && r == 0; i++) {
        e = &w->jobs[w->batch[w->batch_at++]];
        r = parts_write(w, txn, e, w->layout.folded);
    }
    if (r == 0 && w->layout.at_once & BIT(FRESH))
        r = fresh_delete(w, txn);
    return r || !e ? r : parts_write(w, txn, e, BIT(META));
}

/* ---- turns ---- */

static int entry_new(struct world *w, struct entry **ret_entry)
{
    if (w->n == w->room) {
        size_t room = w->room ? w->room * 2 : 1 << 16;
        struct entry *jobs = realloc(w->jobs, room * sizeof *jobs);
        if (!jobs)
            return err_raise(-ENOMEM);
        w->jobs = jobs;
        w->room = room;
    }
    uint64_t bits = world_random(w);
    struct entry *e = &w->jobs[w->n++];
    w->last = job_id_next(w->last, 1800000000000 + w->n / 50, (const uint8_t *)&bits);
    *e = (struct entry){.id = w->last, .account = (uint32_t)(world_random(w) % w->accounts)};
    *ret_entry = e;
    return 0;
}

static int publish(struct world *w, struct txn *txn, unsigned n)
{
    int r = 0;
    for (unsigned i = 0; i < n && r == 0; i++) {
        struct entry *e = NULL;
        r = entry_new(w, &e);
        if (e) {
            w->tally[e->account].ready++;
            r = parts_write(w, txn, e, w->layout.at_once);
        }
    }
    return r;
}

/* The oldest job of the next account that has one in `ready`. */
static int queue_take(struct world *w, struct txn *txn, struct cursor *c, struct entry *ret)
{
    static const struct job_id lowest;
    for (unsigned i = 0; i < w->accounts; i++) {
        uint32_t account = w->ring_order[w->ring_at++ % w->accounts];
        struct key_buf k;
        struct span key, value;
        int r = cursor_seek(c, key_ready(&k, POOL, account, 0, lowest), &key, &value);
        if (r < 0)
            return r;
        if (r == STORE_MISSING || get_be64((const uint8_t *)key.p + 2) != account)
            continue;
        *ret = (struct entry){.id = key_tail_id(key), .account = account};
        return txn_del(txn, TABLE_READY, ready_key(&k, ret));
    }
    return STORE_MISSING;
}

/* The oldest job of all: the queue is short, so it stands where the publish put it. */
static int tail_take(struct world *w, struct txn *txn, struct entry *ret)
{
    if (w->take_at == w->n)
        return STORE_MISSING;
    struct entry *e = &w->jobs[w->take_at++];
    struct key_buf k;
    e->is_taken = true;
    *ret = *e;
    if (w->layout.at_once & BIT(FRESH))
        return txn_del(txn, TABLE_FRESH, key_id(&k, e->id));
    return txn_del(txn, TABLE_READY, ready_key(&k, e));
}

static int finish(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    w->tally[e->account].running--;
    int r = txn_del(txn, TABLE_LEASE, key_id(&k, e->id));
    return r ? r : parts_write(w, txn, e, BIT(DONE) | BIT(OF_FINISHED) | BIT(EVENT) | BIT(TALLY));
}

static int finish_all(struct world *w, struct txn *txn)
{
    int r = 0;
    for (size_t i = 0; i < w->leased_n && r == 0; i++)
        r = finish(w, txn, &w->leased[i]);
    w->leased_n = 0;
    return r;
}

static int lease(struct world *w, struct txn *txn, unsigned n)
{
    AUTO(cursor) c = NULL;
    int r = cursor_open(txn, TABLE_READY, &c);
    for (unsigned i = 0; i < n && r == 0; i++) {
        struct entry *e = &w->leased[w->leased_n];
        r = w->is_queued ? queue_take(w, txn, c, e) : tail_take(w, txn, e);
        if (r)
            break;
        w->leased_n++;
        w->tally[e->account].ready--;
        w->tally[e->account].running++;
        r = parts_write(w, txn, e, BIT(LEASE) | BIT(EVENT) | BIT(RING) | BIT(TALLY));
    }
    return r;
}

static int turn_begin(struct world *w, struct txn **ret_txn)
{
    w->turn++;
    return store_begin(w->store, ret_txn);
}

int world_publish(struct world *w, unsigned n)
{
    AUTO(txn) txn = NULL;
    int r = turn_begin(w, &txn);
    if (r == 0)
        r = publish(w, txn, n);
    if (r == 0)
        r = fold(w, txn, n);
    return r ? r : store_commit(&txn);
}

int world_cycle(struct world *w, unsigned n)
{
    AUTO(txn) txn = NULL;
    int r = turn_begin(w, &txn);
    if (r == 0)
        r = finish_all(w, txn);
    if (r == 0)
        r = publish(w, txn, n);
    if (r == 0)
        r = lease(w, txn, n);
    if (r == 0)
        r = fold(w, txn, n);
    return r ? r : store_commit(&txn);
}

/* ---- making a world ---- */

/* Job `index` of the history as it stands after all turns before: folded, but for the last two
 * batches. */
static unsigned preload_mask(const struct world *w, size_t index, size_t history)
{
    unsigned at_once = w->layout.at_once;
    if (!w->layout.folded || index + 2 * w->layout.batch >= history)
        return at_once;
    bool has_fresh = index + 3 * w->layout.batch >= history; /* folded, not yet deleted there */
    return (has_fresh ? at_once : at_once & ~BIT(FRESH)) | w->layout.folded;
}

static int preload_slice(struct world *w, size_t history)
{
    AUTO(txn) txn = NULL;
    int r = store_begin(w->store, &txn);
    w->turn++;
    for (unsigned i = 0; i < PRELOAD_COMMIT && w->n < history && r == 0; i++) {
        struct entry *e = NULL;
        r = entry_new(w, &e);
        if (!e)
            break;
        e->is_taken = !w->is_queued;
        unsigned mask = preload_mask(w, w->n - 1, history);
        if (e->is_taken)
            mask = (mask & ~(BIT(FRESH) | BIT(READY))) | BIT(DONE) | BIT(OF_FINISHED);
        r = parts_write(w, txn, e, mask);
    }
    return r ? r : store_commit(&txn);
}

static int preload(struct world *w, size_t history)
{
    int r = 0;
    while (w->n < history && r == 0)
        r = preload_slice(w, history);
    if (r)
        return r;
    w->take_at = w->n;
    assert(history >= 3 * w->layout.batch);
    w->batch_to = history - 2 * w->layout.batch;
    w->fresh_gone = history - 3 * w->layout.batch;
    return 0;
}

/* The rotation serves accounts in the order in which they came, not in the order of their numbers:
 * taken by number, neighbours in the rotation would share pages of `ready`, and leases look too
 * cheap. */
static void ring_shuffle(struct world *w)
{
    for (uint32_t i = 0; i < w->accounts; i++) {
        uint32_t j = (uint32_t)(world_random(w) % (i + 1));
        w->ring_order[i] = w->ring_order[j];
        w->ring_order[j] = i;
    }
}

static int memory_take(struct world *w)
{
    w->ring_order = calloc(w->accounts, sizeof *w->ring_order);
    w->leased = calloc(4096, sizeof *w->leased);
    w->tally = calloc(w->accounts, sizeof *w->tally);
    w->tally_turn = calloc(w->accounts, sizeof *w->tally_turn);
    w->ring_turn = calloc(w->accounts, sizeof *w->ring_turn);
    return w->ring_order && w->leased && w->tally && w->tally_turn && w->ring_turn
               ? 0
               : err_raise(-ENOMEM);
}

int world_new(const struct world_config *config, struct world **ret_world)
{
    AUTO(world) w = calloc(1, sizeof *w);
    if (!w)
        return err_raise(-ENOMEM);
    w->layout = config->layout;
    w->accounts = config->accounts;
    w->is_queued = config->is_queued;
    w->x = 88172645463325252u;
    snprintf(w->dir, sizeof w->dir, "%s/world-XXXXXX", config->dir);
    int r = memory_take(w);
    if (r == 0 && !mkdtemp(w->dir))
        r = err_raise(-errno);
    if (r == 0)
        ring_shuffle(w);
    struct store_config sc = {.dir = w->dir, .create = true};
    if (r == 0)
        r = store_open(&sc, &w->store);
    /* The files live on while they are open, and nothing is left behind however this ends. */
    folder_remove(w->dir);
    if (r == 0)
        r = preload(w, config->history);
    if (r)
        return r;
    *ret_world = TAKE(w);
    return 0;
}

struct world *world_free(struct world *w)
{
    if (!w)
        return NULL;
    store_free(w->store);
    free(w->jobs);
    free(w->leased);
    free(w->tally);
    free(w->tally_turn);
    free(w->ring_turn);
    free(w->ring_order);
    free(w);
    return NULL;
}
