/* cache.c: making the cache, loading it from the store, and comparing two of them.
 *
 * Loading reads tally, pool, class and lease: their size follows the accounts and
 * the workers, never the backlog. Rings come from the tallies' turns, put in order by one sort. */
#include "engine/cache.h"

#include "sched/tier.h"
#include "store/keys.h"

#include <assert.h>
#include <base/auto.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct field hot_fields[] = {
    FIELD(hot_row, event_seq, U64),      FIELD(hot_row, ring_turn, U64),
    FIELD(hot_row, account_number, U64), FIELD(hot_row, broker_ms, U64),
    FIELD(hot_row, key_serial, U32),     FIELD(hot_row, epoch, U32),
    FIELD(hot_row, pool_number, U16),    FIELD(hot_row, last_job, ID),
    FIELD(hot_row, waits, U64),          FIELD(hot_row, trail_seq, U64),
    FIELD(hot_row, review, U64),         FIELD(hot_row, bulk, U64),
};
const struct row_type hot_row_type = {TABLE_META, 2, hot_fields, ARRAY_LEN(hot_fields),
                                      sizeof(struct hot_row)};

struct span hot_key(void)
{
    return span_str("hot");
}

int cache_init(struct cache *c)
{
    *c = (struct cache){0};
    c->unfolded = calloc(UNFOLDED_MAX, sizeof *c->unfolded);
    c->fold.batch = calloc(FOLD_BATCH_MAX, sizeof *c->fold.batch);
    if (!c->unfolded || !c->fold.batch)
        return err_raise(-ENOMEM);
    int r = undo_new(&c->undo);
    if (r == 0)
        r = map_init(&c->accounts);
    if (r == 0)
        r = map_init(&c->leases);
    if (r == 0)
        r = map_init(&c->workers);
    if (r == 0)
        r = alarms_init(&c->alarms);
    return r < 0 ? err_pass(r) : 0;
}

static void account_destroy(struct account *a)
{
    for (struct tally *t = a->tallies, *next; t; t = next) {
        next = t->next;
        free(t);
    }
    free(a);
}

static void accounts_destroy(struct cache *c)
{
    size_t bucket;
    for (struct map_node *n = map_begin(&c->accounts, &bucket), *next; n; n = next) {
        next = map_after(&c->accounts, n, &bucket);
        account_destroy(CONTAINER(n, account, by_number));
    }
}

void cache_deinit(struct cache *c)
{
    size_t bucket;
    if (c->accounts.buckets)
        accounts_destroy(c);
    for (struct map_node *n = c->leases.buckets ? map_begin(&c->leases, &bucket) : NULL, *next; n;
         n = next) {
        next = map_after(&c->leases, n, &bucket);
        free(CONTAINER(n, lease, by_job));
    }
    for (struct map_node *n = c->workers.buckets ? map_begin(&c->workers, &bucket) : NULL, *next; n;
         n = next) {
        next = map_after(&c->workers, n, &bucket);
        struct worker *w = CONTAINER(n, worker, by_name);
        free(w->poll);
        free(w);
    }
    for (size_t i = 0; i <= POOLS_MAX; i++)
        free(c->pools[i]);
    map_deinit(&c->accounts);
    map_deinit(&c->leases);
    map_deinit(&c->workers);
    alarms_deinit(&c->alarms);
    free(c->unfolded);
    free(c->fold.batch);
    c->undo = undo_free(c->undo);
}

/* ---- loading ---- */

/* Calls `row` for each row of a table, from `from` on. */
struct load {
    struct cache *c;
    struct txn *txn;
    uint64_t broker_ms, lease_ms;
};
typedef int load_row(struct load *l, struct span key, struct span value);

static int each(struct load *l, enum table t, struct span from, load_row *row)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = cursor_open(l->txn, t, &cursor);
    if (r < 0)
        return err_pass(r);
    for (r = cursor_seek(cursor, from, &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        int got = row(l, key, value);
        if (got < 0)
            return err_pass(got);
    }
    return r < 0 ? err_pass(r) : 0;
}

static int load_pool(struct load *l, struct span key, struct span value)
{
    struct pool_row row;
    int r = row_decode(&pool_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    uint16_t number = get_be16(key.p);
    struct rotation rotation = {row.c, row.n, row.n_max, row.number};
    if (number == 0 || number > POOLS_MAX || row.name.n > POOL_NAME_MAX ||
        !rotation_is_valid(&rotation))
        return err_raise(-EBADMSG);
    char name[POOL_NAME_MAX + 1] = "";
    memcpy(name, row.name.p, row.name.n);
    struct pool *p = pool_new(l->c, number, name);
    if (!p)
        return err_raise(-ENOMEM);
    p->rotation = rotation;
    p->heat_slots = row.heat_slots;
    p->heat_until_ms = row.heat_until_ms;
    p->is_dirty = false;
    return 0;
}

static int load_class(struct load *l, struct span key, struct span value)
{
    struct class_row row;
    int r = row_decode(&class_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    if (l->c->classes_n == CLASSES_ALL_MAX || key.n > CLASS_NAME_MAX || row.pool > POOLS_MAX ||
        !l->c->pools[row.pool])
        return err_raise(-EBADMSG);
    struct class *class = &l->c->classes[l->c->classes_n++];
    memcpy(class->name, key.p, key.n);
    class->pool = l->c->pools[row.pool];
    return 0;
}

static int load_tally(struct load *l, struct span key, struct span value)
{
    struct tally_row row;
    struct account *a;
    int r = row_decode(&tally_row_type, key, value, &row);
    if (r == 0)
        r = cache_account(l->c, l->txn, get_be64(key.p), &a);
    if (r < 0)
        return err_pass(r);
    uint16_t pool = get_be16((const uint8_t *)key.p + 8);
    if (r != 0 || pool > POOLS_MAX || !l->c->pools[pool])
        return err_raise(-EBADMSG);
    struct tally *t = account_tally(l->c, a, l->c->pools[pool]);
    if (!t)
        return err_raise(-ENOMEM);
    t->now = t->stored = row;
    t->stored_tier = a->tier;
    a->running += row.running;
    return 0;
}

static int by_turn(const void *x, const void *y)
{
    uint64_t a = (*(struct tally *const *)x)->stored.turn;
    uint64_t b = (*(struct tally *const *)y)->stored.turn;
    return (a > b) - (a < b);
}

static int enter_rings(struct cache *c)
{
    size_t n = 0, cap = 0, bucket;
    AUTO_FREE struct tally **all = NULL;
    for (struct map_node *m = map_begin(&c->accounts, &bucket); m;
         m = map_after(&c->accounts, m, &bucket))
        for (struct tally *t = CONTAINER(m, account, by_number)->tallies; t; t = t->next) {
            if (!t->stored.turn)
                continue;
            if (n == cap) {
                cap = cap ? cap * 2 : 256;
                struct tally **more = realloc(all, cap * sizeof(struct tally *));
                if (!more)
                    return err_raise(-ENOMEM);
                all = more;
            }
            all[n++] = t;
        }
    if (n)
        qsort(all, n, sizeof(struct tally *), by_turn);
    for (size_t i = 0; i < n; i++)
        ring_enter(&all[i]->pool->ring[all[i]->account->tier], &all[i]->node, all[i]->stored.turn,
                   NULL);
    return 0;
}

static int load_lease(struct load *l, struct span key, struct span value)
{
    struct cache *c = l->c;
    struct lease_row row;
    int r = row_decode(&lease_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    struct account *a = cache_account_known(c, row.account);
    struct pool *p = row.pool <= POOLS_MAX ? c->pools[row.pool] : NULL;
    if (!a || !p || row.worker.n > WORKER_NAME_MAX || row.tier >= TIERS)
        return err_raise(-EBADMSG);
    char name[WORKER_NAME_MAX + 1] = "";
    memcpy(name, row.worker.p, row.worker.n);
    struct worker *w = cache_worker(c, p, name);
    r = alarms_tend(&c->alarms, 4);
    if (r < 0)
        return err_pass(r);
    if (!w)
        w = worker_new(c, p, name);
    struct tally *t = account_tally(c, a, p);
    struct lease *lease = w && t ? lease_new(c, key_tail_id(key), t, w) : NULL;
    if (!lease)
        return err_raise(-ENOMEM);
    lease->nonce = row.nonce;
    lease->epoch = row.epoch;
    lease->token = row.token;
    lease->tier = row.tier;
    lease->attempt = row.attempt;
    lease->granted_ms = row.granted_ms;
    lease->granted_bt_ms = row.granted_bt_ms;
    lease->timeout_ms = row.timeout_ms;
    lease->cancel_ms = row.cancel_ms;
    lease->silent_bt_ms = l->broker_ms + l->lease_ms;
    w->facts.seen_bt_ms = l->broker_ms;
    alarm_set(&c->alarms, &lease->alarm, lease->silent_bt_ms, NULL);
    /* Should it never come back, it leaves the list after its leases. */
    alarm_set(&c->alarms, &w->alarm, lease->silent_bt_ms, NULL);
    return 0;
}

/* Where an earlier process left the fold. Its tail is read later: the first lease does not wait. */
static int load_fold(struct load *l)
{
    struct fold *f = &l->c->fold;
    struct meta_row row;
    int r = row_get(l->txn, &meta_row_type, span_str("fold"), &row);
    if (r < 0)
        return err_pass(r);
    f->tail_at = (struct job_id){{0}};
    if (r == 0 && row.value.n == sizeof f->tail_at.b)
        memcpy(f->tail_at.b, row.value.p, row.value.n);
    f->done = f->tail_at;
    f->tail_end = l->c->hot.last_job;
    f->has_tail = job_id_cmp(f->tail_at, f->tail_end) < 0;
    return 0;
}

/* Jobs that wait for a moment, and ended ones whose children are still to be told: when the first
 * turn must look. */
static int load_waits(struct load *l)
{
    uint64_t rows;
    int r = txn_count(l->txn, TABLE_FOLLOW, &rows);
    if (r < 0)
        return err_pass(r);
    l->c->has_follow = rows > 0;
    l->c->delayed_ms[DUE_BROKER] = l->c->delayed_ms[DUE_WALL] = 0;
    return 0;
}

int cache_load(struct cache *c, struct txn *txn, uint64_t broker_ms, uint64_t lease_ms)
{
    struct load l = {c, txn, broker_ms, lease_ms};
    struct undo *undo = c->undo;
    c->undo = NULL; /* for good */
    int r = row_get(txn, &hot_row_type, hot_key(), &c->hot);
    if (r == STORE_MISSING)
        r = err_raise(-EBADMSG);
    if (r == 0)
        r = each(&l, TABLE_POOL, span_of("", 0), load_pool);
    if (r == 0)
        r = each(&l, TABLE_CLASS, span_of("", 0), load_class);
    if (r == 0)
        r = each(&l, TABLE_TALLY, span_of("", 0), load_tally);
    if (r == 0)
        r = enter_rings(c);
    if (r == 0)
        r = each(&l, TABLE_LEASE, span_of("", 0), load_lease);
    if (r == 0)
        r = load_fold(&l);
    if (r == 0)
        r = load_waits(&l);
    size_t bucket;
    for (struct map_node *n = map_begin(&c->accounts, &bucket); n && r == 0;
         n = map_after(&c->accounts, n, &bucket))
        account_settle(c, CONTAINER(n, account, by_number)); /* caps may have changed meanwhile */
    c->undo = undo;
    return r < 0 ? err_pass(r) : 0;
}

/* Looks only when as many have come as may stay idle, so that many busy accounts cost a turn
 * nothing.
 */
static void accounts_forget_idle(struct cache *c)
{
    size_t bucket;
    if (c->accounts.count < c->accounts_kept + ACCOUNTS_IDLE_MAX)
        return;
    for (struct map_node *n = map_begin(&c->accounts, &bucket), *next; n; n = next) {
        next = map_after(&c->accounts, n, &bucket);
        struct account *a = CONTAINER(n, account, by_number);
        if (a->tallies)
            continue;
        map_del(&c->accounts, n, NULL);
        account_destroy(a);
    }
    c->accounts_kept = c->accounts.count;
}

int cache_tend(struct cache *c)
{
    assert(undo_entries(c->undo) == 0);
    map_tend(&c->accounts);
    map_tend(&c->leases);
    map_tend(&c->workers);
    int r = alarms_tend(&c->alarms, 8192);
    if (r < 0)
        return err_pass(r);
    accounts_forget_idle(c);
    return 0;
}

/* ---- comparing ---- */

static int differ(const char *what, uint64_t number)
{
    fprintf(stderr, "cache differs: %s %llu\n", what, (unsigned long long)number);
    return 1;
}

static int compare_account(const struct account *a, const struct account *b)
{
    if (a->tier != b->tier || a->running_own != b->running_own || a->running != b->running)
        return differ("account", a->number);
    for (const struct tally *t = a->tallies; t; t = t->next) {
        const struct tally *o = b->tallies;
        while (o && o->pool->number != t->pool->number)
            o = o->next;
        static const struct tally none;
        const struct tally_row *x = &t->now, *y = o ? &o->now : &none.now;
        uint64_t turn = o ? o->node.turn : 0;
        if (x->ready != y->ready || x->running != y->running || x->delayed != y->delayed ||
            x->held != y->held || t->node.turn != turn)
            return differ("tally of account", a->number);
    }
    return 0;
}

static bool account_is_blank(const struct account *a)
{
    for (const struct tally *t = a->tallies; t; t = t->next)
        if (t->now.ready || t->now.running || t->now.delayed || t->now.held)
            return false;
    return true;
}

static int compare_accounts(const struct cache *a, const struct cache *b)
{
    size_t bucket;
    for (struct map_node *n = map_begin(&a->accounts, &bucket); n;
         n = map_after(&a->accounts, n, &bucket)) {
        const struct account *x = CONTAINER(n, account, by_number);
        const struct account *y = cache_account_known(b, x->number);
        if (y ? compare_account(x, y) : !account_is_blank(x))
            return differ("accounts", x->number);
    }
    return 0;
}

/* All but the broker's time, which runs on between writes. */
static bool hot_is_same(const struct hot_row *a, const struct hot_row *b)
{
    return a->event_seq == b->event_seq && a->ring_turn == b->ring_turn &&
           a->account_number == b->account_number && a->key_serial == b->key_serial &&
           a->epoch == b->epoch && a->pool_number == b->pool_number &&
           job_id_cmp(a->last_job, b->last_job) == 0;
}

int cache_compare(const struct cache *a, const struct cache *b)
{
    if (!hot_is_same(&a->hot, &b->hot))
        return differ("counters", a->hot.event_seq);
    if (a->leases.count != b->leases.count)
        return differ("leases", a->leases.count);
    size_t bucket;
    for (struct map_node *n = map_begin(&a->leases, &bucket); n;
         n = map_after(&a->leases, n, &bucket)) {
        const struct lease *l = CONTAINER(n, lease, by_job), *o = cache_lease(b, l->job);
        if (!o || o->token != l->token || o->attempt != l->attempt || o->cancel_ms != l->cancel_ms)
            return differ("lease token", l->token);
    }
    for (size_t i = 1; i <= POOLS_MAX; i++) {
        const struct pool *p = a->pools[i], *q = b->pools[i];
        if (!p != !q || (p && (p->rotation.number != q->rotation.number ||
                               p->rotation.c != q->rotation.c || p->rotation.n != q->rotation.n)))
            return differ("pool", i);
        for (int t = 0; p && t < TIERS; t++)
            if (p->ring[t].count != q->ring[t].count || !ring_is_sound(&p->ring[t]))
                return differ("ring of pool", i);
    }
    return compare_accounts(a, b) || compare_accounts(b, a);
}
