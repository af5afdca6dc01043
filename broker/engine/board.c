/* board.c: a few small tables behind one mutex.
 *
 * Readers get copies and hold the lock for as long as the copying takes, so a slow reader can never
 * hold up the queue thread by more than that. The tables are hash tables because a heartbeat
 * replaces one lease of many thousands. Running out of memory in a put is a fault of that put
 * alone: the board is a view, and a lease that is missing from it shows without its progress. */
#include "engine/board.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->is_lost = true)
#include <uthash.h>
#include <utlist.h>

struct lease_item {
    struct board_lease lease;
    struct lease_item *owner_next, *owner_prev; /* of the same account */
    struct lease_item *run_next, *run_prev;     /* of the same pool */
    bool is_lost;                               /* the hash table had no memory for it */
    UT_hash_handle hh;
};

/* Leases of one account. */
struct owner_item {
    uint64_t account;
    struct lease_item *leases;
    bool is_lost;
    UT_hash_handle hh;
};

/* Without padding between the members, because the whole struct is the key. */
struct worker_key {
    char name[WORKER_NAME_MAX + 2];
    uint16_t pool;
};
_Static_assert(sizeof(struct worker_key) == WORKER_NAME_MAX + 4, "a key must have no padding");

struct worker_item {
    struct worker_key key;
    struct board_worker worker;
    bool is_lost;
    UT_hash_handle hh;
};

struct pool_item {
    struct board_pool pool;
    struct board_crew crew;
    struct lease_item *runs;
    bool is_shown; /* else it is here for its crew alone */
    bool is_lost;
    UT_hash_handle hh;
};

struct board {
    pthread_mutex_t lock;
    struct lease_item *leases;
    struct owner_item *owners;
    struct worker_item *workers;
    struct pool_item *pools;
    struct board_totals totals;
};

int board_new(struct board **ret_board)
{
    struct board *b = calloc(1, sizeof *b);
    if (!b)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&b->lock, NULL);
    *ret_board = b;
    return 0;
}

#define TABLE_FREE(table, type)                                                                    \
    do {                                                                                           \
        type *first = (table);                                                                     \
        HASH_CLEAR(hh, table);                                                                     \
        for (type * next; first; first = next) {                                                   \
            next = first->hh.next;                                                                 \
            free(first);                                                                           \
        }                                                                                          \
    } while (0)
struct board *board_free(struct board *b)
{
    if (!b)
        return NULL;
    TABLE_FREE(b->leases, struct lease_item);
    TABLE_FREE(b->owners, struct owner_item);
    TABLE_FREE(b->workers, struct worker_item);
    TABLE_FREE(b->pools, struct pool_item);
    pthread_mutex_destroy(&b->lock);
    free(b);
    return NULL;
}

static void board_lock(struct board *b)
{
    int r = pthread_mutex_lock(&b->lock);
    assert(r == 0);
}

static void board_unlock(struct board *b)
{
    int r = pthread_mutex_unlock(&b->lock);
    assert(r == 0);
}

static struct lease_item *lease_find(struct board *b, struct job_id job)
{
    struct lease_item *item = NULL;
    HASH_FIND(hh, b->leases, &job, sizeof job, item);
    return item;
}

/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
static struct owner_item *owner_of(struct board *b, uint64_t account)
{
    struct owner_item *o = NULL;
    HASH_FIND(hh, b->owners, &account, sizeof account, o);
    if (o)
        return o;
    o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->account = account;
    HASH_ADD(hh, b->owners, account, sizeof o->account, o);
    if (!o->is_lost)
        return o;
    free(o);
    return NULL;
}

static void owner_drop(struct board *b, struct lease_item *item)
{
    struct owner_item *o = owner_of(b, item->lease.account);
    assert(o);
    DL_DELETE2(o->leases, item, owner_prev, owner_next);
    if (o->leases)
        return;
    HASH_DEL(b->owners, o);
    free(o);
}

static struct pool_item *pool_find(struct board *b, uint16_t pool)
{
    struct pool_item *item = NULL;
    HASH_FIND(hh, b->pools, &pool, sizeof pool, item);
    return item;
}

/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
static struct pool_item *pool_of(struct board *b, uint16_t pool)
{
    struct pool_item *item = pool_find(b, pool);
    if (item)
        return item;
    item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->pool.pool = pool;
    HASH_ADD(hh, b->pools, pool.pool, sizeof item->pool.pool, item);
    if (!item->is_lost)
        return item;
    free(item);
    return NULL;
}

static void run_drop(struct board *b, struct lease_item *item)
{
    struct pool_item *p = pool_find(b, item->lease.pool);
    assert(p);
    DL_DELETE2(p->runs, item, run_prev, run_next);
}

/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
static struct lease_item *lease_add(struct board *b, const struct board_lease *lease)
{
    struct lease_item *item = calloc(1, sizeof *item);
    struct pool_item *p = item ? pool_of(b, lease->pool) : NULL;
    struct owner_item *o = p ? owner_of(b, lease->account) : NULL;
    if (!o) {
        free(item);
        return NULL;
    }
    item->lease = *lease;
    DL_APPEND2(o->leases, item, owner_prev, owner_next);
    DL_APPEND2(p->runs, item, run_prev, run_next);
    HASH_ADD(hh, b->leases, lease.job, sizeof item->lease.job, item);
    if (!item->is_lost)
        return item;
    run_drop(b, item);
    owner_drop(b, item);
    free(item);
    return NULL;
}

int board_put_lease(struct board *b, const struct board_lease *lease)
{
    board_lock(b);
    struct lease_item *item = lease_find(b, lease->job);
    if (!item)
        item = lease_add(b, lease);
    if (item)
        item->lease = *lease;
    board_unlock(b);
    return item ? 0 : err_raise(-ENOMEM);
}

void board_drop_lease(struct board *b, struct job_id job)
{
    board_lock(b);
    struct lease_item *item = lease_find(b, job);
    if (item) {
        HASH_DEL(b->leases, item);
        run_drop(b, item);
        owner_drop(b, item);
        free(item);
    }
    board_unlock(b);
}

static struct worker_key worker_key(uint16_t pool, const char *name)
{
    struct worker_key key = {.pool = pool};
    size_t n = strlen(name);
    assert(n <= WORKER_NAME_MAX);
    memcpy(key.name, name, n);
    return key;
}

/* Its part in the crew of its pool: counted (sign 1) or taken away (-1). */
static void crew_count(struct board *b, const struct board_worker *w, int sign)
{
    struct pool_item *item = pool_of(b, w->pool);
    if (!item)
        return;
    struct board_crew *c = &item->crew;
    uint32_t by = (uint32_t)sign, slots = w->slots ? w->slots : 1;
    if (w->draining) {
        c->draining += by;
    } else {
        c->workers += by;
        c->woken_ms = 0;
        c->slots += by * slots;
    }
    if (w->seen_bt_ms > c->seen_bt_ms)
        c->seen_bt_ms = w->seen_bt_ms;
}

static struct worker_item *worker_find(struct board *b, const struct worker_key *key)
{
    struct worker_item *item = NULL;
    HASH_FIND(hh, b->workers, key, sizeof *key, item);
    return item;
}

/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
static struct worker_item *worker_add(struct board *b, const struct worker_key *key)
{
    struct worker_item *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->key = *key;
    HASH_ADD(hh, b->workers, key, sizeof item->key, item);
    if (!item->is_lost)
        return item;
    free(item);
    return NULL;
}

int board_put_worker(struct board *b, const struct board_worker *worker)
{
    assert(worker->classes_n <= CLASSES_MAX);
    struct worker_key key = worker_key(worker->pool, worker->name);
    board_lock(b);
    struct worker_item *item = worker_find(b, &key);
    if (item)
        crew_count(b, &item->worker, -1);
    else
        item = worker_add(b, &key);
    if (item) {
        item->worker = *worker;
        crew_count(b, worker, 1);
    }
    board_unlock(b);
    return item ? 0 : err_raise(-ENOMEM);
}

void board_drop_worker(struct board *b, uint16_t pool, const char *name)
{
    struct worker_key key = worker_key(pool, name);
    board_lock(b);
    struct worker_item *item = worker_find(b, &key);
    if (item) {
        crew_count(b, &item->worker, -1);
        HASH_DEL(b->workers, item);
        free(item);
    }
    board_unlock(b);
}

int board_put_pool(struct board *b, const struct board_pool *pool)
{
    board_lock(b);
    struct pool_item *item = pool_of(b, pool->pool);
    if (item) {
        item->pool = *pool;
        item->is_shown = true;
    }
    board_unlock(b);
    return item ? 0 : err_raise(-ENOMEM);
}

void board_wake(struct board *b, uint16_t pool, uint64_t wall_ms)
{
    board_lock(b);
    struct pool_item *item = pool_find(b, pool);
    if (item)
        item->crew.woken_ms = wall_ms;
    board_unlock(b);
}

void board_put_totals(struct board *b, const struct board_totals *totals)
{
    board_lock(b);
    b->totals = *totals;
    board_unlock(b);
}

int board_lease(struct board *b, struct job_id job, struct board_lease *ret_lease)
{
    board_lock(b);
    const struct lease_item *item = lease_find(b, job);
    if (item)
        *ret_lease = item->lease;
    board_unlock(b);
    return item ? 0 : BOARD_MISSING;
}

int board_pool(struct board *b, uint16_t pool, struct board_pool *ret_pool)
{
    board_lock(b);
    const struct pool_item *item = pool_find(b, pool);
    bool is_shown = item && item->is_shown;
    if (is_shown)
        *ret_pool = item->pool;
    board_unlock(b);
    return is_shown ? 0 : BOARD_MISSING;
}

void board_crew(struct board *b, uint16_t pool, struct board_crew *ret_crew)
{
    board_lock(b);
    const struct pool_item *item = pool_find(b, pool);
    *ret_crew = item ? item->crew : (struct board_crew){0};
    board_unlock(b);
}

size_t board_runs(struct board *b, uint16_t pool, struct board_run *ret_runs, size_t max)
{
    size_t n = 0;
    board_lock(b);
    const struct pool_item *p = pool_find(b, pool);
    for (const struct lease_item *item = p ? p->runs : NULL; item && n < max; item = item->run_next)
        ret_runs[n++] = (struct board_run){item->lease.job, item->lease.granted_bt_ms};
    board_unlock(b);
    return n;
}

size_t board_runs_of(struct board *b, uint64_t account, struct board_run *ret_runs, size_t max)
{
    size_t n = 0;
    struct owner_item *o = NULL;
    board_lock(b);
    HASH_FIND(hh, b->owners, &account, sizeof account, o);
    for (const struct lease_item *item = o ? o->leases : NULL; item && n < max;
         item = item->owner_next)
        ret_runs[n++] = (struct board_run){item->lease.job, item->lease.granted_bt_ms};
    board_unlock(b);
    return n;
}

void board_totals(struct board *b, struct board_totals *ret_totals)
{
    board_lock(b);
    *ret_totals = b->totals;
    board_unlock(b);
}

/* One more than needed, so that an empty table still gives memory to free and no NULL. */
static void *copies_new(size_t n, size_t each)
{
    return calloc(n + 1, each);
}

int board_leases(struct board *b, struct board_lease **ret_all, size_t *ret_n)
{
    board_lock(b);
    size_t n = 0;
    struct board_lease *all = copies_new(HASH_COUNT(b->leases), sizeof *all);
    struct lease_item *item, *next;
    if (all)
        HASH_ITER (hh, b->leases, item, next)
            all[n++] = item->lease;
    board_unlock(b);
    if (!all)
        return err_raise(-ENOMEM);
    *ret_all = all;
    *ret_n = n;
    return 0;
}

int board_workers(struct board *b, struct board_worker **ret_all, size_t *ret_n)
{
    board_lock(b);
    size_t n = 0;
    struct board_worker *all = copies_new(HASH_COUNT(b->workers), sizeof *all);
    struct worker_item *item, *next;
    if (all)
        HASH_ITER (hh, b->workers, item, next)
            all[n++] = item->worker;
    board_unlock(b);
    if (!all)
        return err_raise(-ENOMEM);
    *ret_all = all;
    *ret_n = n;
    return 0;
}

int board_pools(struct board *b, struct board_pool **ret_all, size_t *ret_n)
{
    board_lock(b);
    size_t n = 0;
    struct board_pool *all = copies_new(HASH_COUNT(b->pools), sizeof *all);
    struct pool_item *item, *next;
    if (all)
        HASH_ITER (hh, b->pools, item, next)
            if (item->is_shown)
                all[n++] = item->pool;
    board_unlock(b);
    if (!all)
        return err_raise(-ENOMEM);
    *ret_all = all;
    *ret_n = n;
    return 0;
}
