/* layout_world.c: rows are the broker's own (rows.h), written as the turn would write them. The one table
 * that the broker does not have, `fresh`, borrows the name of a table that this program does not use.
 *
 * In a layout that folds `ready`, the fold of a batch leaves its rows in `fresh` until the whole batch is
 * done and then deletes them in key order: deleting them in the order of the fold would scatter over the
 * table and cost what the fold saves. That is the most favourable form of that layout.                 */
#include "layout_world.h"

#include "store/keys.h"
#include "store/rows.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    BATCH = 32768,         /* jobs sorted together; at most two batches are unfolded */
    FOLD_MAX = 128,        /* jobs folded in a turn */
    PRELOAD_COMMIT = 4000, /* jobs */
    POOL = 1,
    PAYLOAD_BYTES = 1024,
};
#define TABLE_FRESH TABLE_WAITS_ON

struct entry {
    struct job_id id;
    uint32_t account;
    bool is_taken;
};

struct world {
    struct layout layout;
    unsigned accounts;
    char dir[256];
    struct store *store;
    struct entry *jobs; /* every job, in the order of its id */
    size_t n, room;
    size_t take_at;     /* oldest job that stands in no queue by account (is_queued false) */
    size_t batch[BATCH]; /* indexes, sorted by account */
    size_t batch_n, batch_at, batch_from, batch_to;
    size_t fresh_gone; /* jobs before it have no fresh row any more */
    struct entry *leased;
    size_t leased_n;
    bool is_queued;
    struct tally_row *tally;
    unsigned *tally_turn; /* a tally is written once a turn */
    uint64_t *ring_turn, ring_next;
    unsigned turn, ring_at;
    uint64_t seq, x;
    struct job_id last;
};

static uint64_t random_next(struct world *w)
{
    w->x ^= w->x << 13;
    w->x ^= w->x >> 7;
    w->x ^= w->x << 17;
    return w->x;
}

/* ---- the rows of one job ---- */

static int write_job(struct world *w, struct txn *txn, const struct entry *e)
{
    static char spec[PAYLOAD_BYTES];
    struct key_buf k;
    struct job_row row = {.account = e->account,
                          .pool = POOL,
                          .account_id = span_str("account"),
                          .app_name = span_str("app"),
                          .class = span_str("task"),
                          .spec = span_of(spec, sizeof spec)};
    return row_append(txn, &job_row_type, key_id(&k, e->id), &row);
}

static int write_event(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    uint8_t packed[90] = {0};
    memcpy(packed, e->id.b, sizeof e->id.b);
    struct event_row row = {.packed = span_of(packed, sizeof packed)};
    return row_append(txn, &event_row_type, key_u64(&k, ++w->seq), &row);
}

static struct span ready_key(struct key_buf *k, const struct entry *e)
{
    return key_ready(k, POOL, e->account, 5, e->id);
}

static const struct mark_row no_mark;

static int write_ready(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return e->is_taken ? 0 : row_put(txn, &ready_row_type, ready_key(&k, e), &no_mark);
}

static int write_fresh(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_append(txn, &waits_on_row_type, key_id(&k, e->id), &no_mark);
}

static int write_of_account(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_put(txn, &job_of_row_type, key_of_account(&k, e->account, e->id), &no_mark);
}

static int write_of_app(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_put(txn, &job_of_row_type, key_of_app(&k, e->account, 1, e->id), &no_mark);
}

static int write_tally(struct world *w, struct txn *txn, const struct entry *e)
{
    if (w->tally_turn[e->account] == w->turn)
        return 0;
    w->tally_turn[e->account] = w->turn;
    struct key_buf k;
    return row_put(txn, &tally_row_type, key_tally(&k, e->account, POOL), &w->tally[e->account]);
}

static int idem_put(struct txn *txn, const struct entry *e, const void *key, size_t n)
{
    struct key_buf k;
    struct idem_row row = {.job = e->id};
    return row_put(txn, &idem_row_type, key_idem(&k, span_of(key, n), e->account), &row);
}

static int write_idem(struct world *w, struct txn *txn, const struct entry *e)
{
    char text[JOB_ID_TEXT_LEN + 1];
    return idem_put(txn, e, job_id_text(e->id, text), JOB_ID_TEXT_LEN);
}

static int write_idem_random(struct world *w, struct txn *txn, const struct entry *e)
{
    uint64_t key[4];
    for (size_t i = 0; i < 4; i++)
        key[i] = random_next(w);
    return idem_put(txn, e, key, sizeof key);
}

static int write_lease(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    struct lease_row row = {.account = e->account, .pool = POOL, .worker = span_str("worker-1")};
    return row_put(txn, &lease_row_type, key_id(&k, e->id), &row);
}

static int write_done(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    uint8_t facts[64] = {0};
    struct done_row row = {.worker = span_str("worker-1"), .facts = span_of(facts, sizeof facts)};
    return row_put(txn, &done_row_type, key_id(&k, e->id), &row);
}

static int write_of_finished(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_put(txn, &job_of_row_type, key_of_finished(&k, w->turn, e->id), &no_mark);
}

/* The account goes to the end of its ring. */
static int write_ring(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    uint64_t *turn = &w->ring_turn[e->account];
    int r = *turn ? txn_del(txn, TABLE_RING, key_ring(&k, POOL, 1, *turn)) : 0;
    if (r)
        return r;
    *turn = ++w->ring_next;
    struct ring_row row = {.account = e->account};
    return row_put(txn, &ring_row_type, key_ring(&k, POOL, 1, *turn), &row);
}

static int write_state(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    struct state_row row = {.attempt = 1, .reason = span_str("BACKOFF")};
    return row_put(txn, &state_row_type, key_id(&k, e->id), &row);
}

static int write_meta(struct world *w, struct txn *txn, const struct entry *e)
{
    struct meta_row row = {.value = span_of(e->id.b, sizeof e->id.b)};
    return row_put(txn, &meta_row_type, span_str("fold"), &row);
}

static const struct {
    const char *name;
    int (*write)(struct world *w, struct txn *txn, const struct entry *e);
} parts[PART_COUNT] = {
    [PART_JOB] = {"job", write_job},
    [PART_EVENT] = {"event", write_event},
    [PART_READY] = {"ready", write_ready},
    [PART_FRESH] = {"fresh", write_fresh},
    [PART_OF_ACCOUNT] = {"job_of account", write_of_account},
    [PART_OF_APP] = {"job_of app", write_of_app},
    [PART_TALLY] = {"tally", write_tally},
    [PART_IDEM] = {"idem, in order", write_idem},
    [PART_IDEM_RANDOM] = {"idem, random", write_idem_random},
    [PART_LEASE] = {"lease", write_lease},
    [PART_DONE] = {"done", write_done},
    [PART_OF_FINISHED] = {"job_of finished", write_of_finished},
    [PART_RING] = {"ring", write_ring},
    [PART_STATE] = {"state", write_state},
    [PART_META] = {"meta", write_meta},
};

const char *part_name(enum part p)
{
    return parts[p].name;
}

static int parts_write(struct world *w, struct txn *txn, const struct entry *e, unsigned mask)
{
    int r = 0;
    for (unsigned p = 0; p < PART_COUNT && r == 0; p++)
        if (mask & (1u << p))
            r = parts[p].write(w, txn, e);
    return r;
}

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
    static struct by_account sorted[BATCH];
    w->batch_from = w->batch_to;
    w->batch_to = w->batch_from + BATCH;
    for (size_t i = 0; i < BATCH; i++)
        sorted[i] = (struct by_account){w->jobs[w->batch_from + i].account,
                                        (uint32_t)(w->batch_from + i)};
    qsort(sorted, BATCH, sizeof *sorted, by_account_cmp);
    for (size_t i = 0; i < BATCH; i++)
        w->batch[i] = sorted[i].index;
    w->batch_n = BATCH;
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
    if (w->batch_at == w->batch_n && w->n - w->batch_to >= BATCH)
        batch_start(w);
    int r = 0;
    const struct entry *e = NULL;
    for (unsigned i = 0; i < n && i < FOLD_MAX && w->batch_at < w->batch_n && r == 0; i++) {
        e = &w->jobs[w->batch[w->batch_at++]];
        r = parts_write(w, txn, e, w->layout.folded);
    }
    if (r == 0 && w->layout.at_once & BIT(FRESH))
        r = fresh_delete(w, txn);
    return r || !e ? r : write_meta(w, txn, e);
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
    uint64_t bits = random_next(w);
    struct entry *e = &w->jobs[w->n++];
    w->last = job_id_next(w->last, 1800000000000 + w->n / 50, (const uint8_t *)&bits);
    *e = (struct entry){.id = w->last, .account = (uint32_t)(random_next(w) % w->accounts)};
    *ret_entry = e;
    return 0;
}

static int publish(struct world *w, struct txn *txn, unsigned n)
{
    int r = 0;
    for (unsigned i = 0; i < n && r == 0; i++) {
        struct entry *e = NULL;
        r = entry_new(w, &e);
        if (r == 0) {
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
        uint32_t account = w->ring_at++ % w->accounts;
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
    if (w->layout.is_tended)
        store_tend(w->store, ++w->turn);
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

/* Job `index` of the history as it stands after all turns before: folded, but for the last two batches. */
static unsigned preload_mask(const struct world *w, size_t index, size_t history)
{
    unsigned at_once = w->layout.at_once;
    if (!w->layout.folded || index + 2 * BATCH >= history)
        return at_once;
    return (at_once & ~BIT(FRESH)) | w->layout.folded;
}

static int preload_slice(struct world *w, size_t history)
{
    AUTO(txn) txn = NULL;
    int r = store_begin(w->store, &txn);
    w->turn++;
    for (unsigned i = 0; i < PRELOAD_COMMIT && w->n < history && r == 0; i++) {
        struct entry *e = NULL;
        r = entry_new(w, &e);
        if (r)
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
    w->batch_to = history > 2 * BATCH ? history - 2 * BATCH : 0;
    w->fresh_gone = w->batch_to;
    return 0;
}

static int memory_take(struct world *w)
{
    w->leased = calloc(4096, sizeof *w->leased);
    w->tally = calloc(w->accounts, sizeof *w->tally);
    w->tally_turn = calloc(w->accounts, sizeof *w->tally_turn);
    w->ring_turn = calloc(w->accounts, sizeof *w->ring_turn);
    return w->leased && w->tally && w->tally_turn && w->ring_turn ? 0 : err_raise(-ENOMEM);
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
    struct store_config sc = {.dir = w->dir, .create = true};
    if (r == 0)
        r = store_open(&sc, &w->store);
    if (r == 0)
        r = preload(w, config->history);
    if (r)
        return r;
    *ret_world = TAKE(w);
    return 0;
}

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

struct world *world_free(struct world *w)
{
    if (!w)
        return NULL;
    store_free(w->store);
    nftw(w->dir, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w->jobs);
    free(w->leased);
    free(w->tally);
    free(w->tally_turn);
    free(w->ring_turn);
    free(w);
    return NULL;
}
