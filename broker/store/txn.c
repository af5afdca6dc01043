/* txn.c: transactions, and the one function through which every write goes.
 *
 * The write transaction lives inside the store: there is one at a time. Snapshots are kept for
 * reuse: a reset one holds its slot in LMDB's reader table but pins no page, and renewing it costs
 * neither memory nor the table's lock.
 *
 * A commit that fails on its way to the disk makes the store dead. The kernel may have marked pages
 * clean that never arrived, so a later commit that "succeeds" could stand on pages that are not
 * there; only a reopening tells what the disk holds.
 *
 * But for one failure: the disk is full. LMDB writes no page that the last commit refers to, so
 * what it wrote before it found no room are free pages to everybody, and each commit writes all
 * pages that it refers to anew. Only the last step, the meta page, could have ended the commit;
 * when that one fails, LMDB itself refuses the next transaction, and the store is dead
 * (docs/adr/0023-full-disks.md). */
#include "store/store_impl.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <stdlib.h>

/* ---- beginning and ending ---- */

int store_begin(struct store *s, struct txn **ret_txn)
{
    assert(ret_txn);
    assert(!s->writer.mdb); /* LMDB would wait for itself for ever */
    if (s->is_dead)
        return err_raise(-EIO);
    MDB_txn *mdb;
    int rc = LMDB(mdb_txn_begin(s->env, NULL, 0, &mdb));
    if (rc)
        return store_fault(rc);
    struct txn *txn = &s->writer;
    txn->store = s;
    txn->mdb = mdb;
    txn->is_write = true;
    txn->cursors = 0;
    txn->failed = 0;
    txn->reserved.is_set = false;
    *ret_txn = txn;
    return 0;
}

static struct txn *pool_take(struct store *s)
{
    pthread_mutex_lock(&s->pool_lock);
    struct txn *txn = s->pool;
    if (txn) {
        s->pool = txn->next;
        s->pool_n--;
    }
    pthread_mutex_unlock(&s->pool_lock);
    return txn;
}

static bool pool_give(struct store *s, struct txn *txn)
{
    pthread_mutex_lock(&s->pool_lock);
    bool is_kept = s->pool_n < STORE_POOL_MAX;
    if (is_kept) {
        txn->next = s->pool;
        s->pool = txn;
        s->pool_n++;
    }
    pthread_mutex_unlock(&s->pool_lock);
    return is_kept;
}

static struct txn *snapshot_drop(struct txn *txn)
{
    if (txn->mdb)
        mdb_txn_abort(txn->mdb);
    free(txn);
    return NULL;
}

void snapshots_drop(struct store *s)
{
    for (struct txn *txn; (txn = pool_take(s));)
        snapshot_drop(txn);
}

int store_snapshot(struct store *s, struct txn **ret_txn)
{
    assert(ret_txn);
    struct txn *txn = pool_take(s);
    int rc;
    if (txn) {
        rc = LMDB(mdb_txn_renew(txn->mdb));
    } else {
        txn = calloc(1, sizeof *txn);
        if (!txn)
            return err_raise(-ENOMEM);
        txn->store = s;
        rc = LMDB(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn->mdb));
        if (rc)
            txn->mdb = NULL;
    }
    if (rc) {
        snapshot_drop(txn);
        return store_fault(rc);
    }
    *ret_txn = txn;
    return 0;
}

struct txn *txn_free(struct txn *txn)
{
    if (!txn)
        return NULL;
    assert(txn->cursors == 0);
    if (txn->is_write) {
        mdb_txn_abort(TAKE(txn->mdb));
        return NULL;
    }
    mdb_txn_reset(txn->mdb);
    return pool_give(txn->store, txn) ? NULL : snapshot_drop(txn);
}

/* Tells the collector about a reserved value, which is filled by now. */
static void reserved_settle(struct txn *txn)
{
    struct reserved *v = &txn->reserved;
    if (!v->is_set)
        return;
    v->is_set = false;
    struct store *s = txn->store;
    s->collector(s->collector_arg, v->table, span_of(v->key, v->key_bytes), v->value);
}

/* A commit failed by this. Was it for want of room on the disk, in front of the meta page? A write
 * that finds room for a part only is EIO in LMDB. */
static bool is_out_of_room(struct store *s, int r)
{
    MDB_txn *mdb;
    if (r != -ENOSPC && !(r == -EIO && ahead_is_spent(s)))
        return false;
    if (LMDB(mdb_txn_begin(s->env, NULL, 0, &mdb)) != 0)
        return false;
    mdb_txn_abort(mdb);
    return true;
}

int store_commit(struct txn **ptxn)
{
    struct txn *txn = TAKE(*ptxn);
    assert(txn && txn->is_write && txn->cursors == 0);
    struct store *s = txn->store;
    if (txn->failed) {
        int failed = txn->failed;
        txn_free(txn);
        return failed < 0 ? err_pass(failed) : failed;
    }
    reserved_settle(txn);
    int rc = lmdb_commit(TAKE(txn->mdb));
    int r = store_code_write(rc);
    if (r == 0) {
        s->commits++;
        return 0;
    }
    if (is_out_of_room(s, r)) {
        s->room = STORE_FULL;
        s->room_seen_ms = clock_boot_ms();
        return STORE_FULL;
    }
    /* No room in the map and no memory show before the first page is written; anything else may be
     * later. */
    if (r != STORE_FULL && r != -ENOMEM) {
        s->is_dead = true;
        return r < 0 ? r : err_raise(-EIO);
    }
    return r;
}

/* ---- reading ---- */

int txn_get(struct txn *txn, enum table t, struct span key, struct span *ret_value)
{
    assert(t < TABLE_COUNT && txn->mdb);
    MDB_val k = val_of(key), v;
    int rc = LMDB(mdb_get(txn->mdb, txn->store->dbi[t], &k, &v));
    if (rc)
        return store_code_read(rc);
    *ret_value = span_of_val(v);
    return 0;
}

int txn_count(struct txn *txn, enum table t, uint64_t *ret_rows)
{
    assert(t < TABLE_COUNT && txn->mdb);
    MDB_stat stat;
    int rc = LMDB(mdb_stat(txn->mdb, txn->store->dbi[t], &stat));
    if (rc)
        return store_fault(rc);
    *ret_rows = stat.ms_entries;
    return 0;
}

/* ---- writing ---- */

enum write_kind { WRITE_PUT, WRITE_RESERVE, WRITE_DEL };

struct write {
    enum write_kind kind;
    enum table table;
    bool is_append;
    struct span key;
    struct span value; /* RESERVE: n counts, p is the answer */
};

static void write_collect(struct txn *txn, const struct write *w)
{
    struct store *s = txn->store;
    if (!s->collector)
        return;
    if (w->kind != WRITE_RESERVE) {
        s->collector(s->collector_arg, w->table, w->key, w->value);
        return;
    }
    txn->reserved.is_set = true;
    txn->reserved.table = w->table;
    txn->reserved.value = w->value;
    txn->reserved.key_bytes = w->key.n;
    memcpy(txn->reserved.key, w->key.p, w->key.n);
}

static int write_apply(struct txn *txn, struct write *w)
{
    MDB_dbi dbi = txn->store->dbi[w->table];
    MDB_val k = val_of(w->key), v = val_of(w->value);
    if (w->kind == WRITE_DEL)
        return LMDB(mdb_del(txn->mdb, dbi, &k, NULL));
    unsigned flags =
        (w->is_append ? MDB_APPEND : 0u) | (w->kind == WRITE_RESERVE ? MDB_RESERVE : 0u);
    int rc = LMDB(mdb_put(txn->mdb, dbi, &k, &v, flags));
    w->value = span_of_val(v);
    return rc;
}

/* Every write of every transaction. A collector sees it after it has been taken. */
static int store_write(struct txn *txn, struct write *w)
{
    assert(txn->is_write && txn->mdb && w->table < TABLE_COUNT);
    assert(w->key.n > 0 && w->key.n <= STORE_KEY_BYTES_MAX);
    if (txn->failed)
        return txn->failed < 0 ? err_pass(txn->failed) : txn->failed;
    reserved_settle(txn);
    int r = store_code_write(write_apply(txn, w));
    if (r == 0) {
        txn->store->writes++;
        write_collect(txn, w);
    } else if (r != STORE_MISSING && r != STORE_EXISTS) {
        txn->failed = r; /* pages may be half changed: only an abort is left */
    }
    return r;
}

int txn_put(struct txn *txn, enum table t, struct span key, struct span value)
{
    struct write w = {.kind = WRITE_PUT, .table = t, .key = key, .value = value};
    return store_write(txn, &w);
}

int txn_append(struct txn *txn, enum table t, struct span key, struct span value)
{
    struct write w = {.kind = WRITE_PUT, .table = t, .is_append = true, .key = key, .value = value};
    return store_write(txn, &w);
}

int txn_reserve(struct txn *txn, enum table t, struct span key, size_t n, bool is_append,
                void **ret_p)
{
    struct write w = {.kind = WRITE_RESERVE,
                      .table = t,
                      .is_append = is_append,
                      .key = key,
                      .value = span_of(NULL, n)};
    int r = store_write(txn, &w);
    if (r == 0)
        *ret_p = (void *)(uintptr_t)w.value.p;
    return r;
}

int txn_del(struct txn *txn, enum table t, struct span key)
{
    struct write w = {.kind = WRITE_DEL, .table = t, .key = key};
    return store_write(txn, &w);
}
