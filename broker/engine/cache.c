/* cache.c: making the cache, and loading it from the store.
 *
 * Loading reads tally, pool, class, lease and the pauses of pools and tiers: their size follows the
 * accounts and the workers, never the backlog. Rings come from the tallies' turns, put in order by
 * one sort. */
#include "engine/cache.h"

#include "engine/bulk.h"
#include "engine/rates.h"
#include "store/keys.h"

#include <assert.h>
#include <base/auto.h>
#include <errno.h>
#include <stdlib.h>

static const struct field hot_fields[] = {
    FIELD(hot_row, event_seq, U64),      FIELD(hot_row, ring_turn, U64),
    FIELD(hot_row, account_number, U64), FIELD(hot_row, broker_ms, U64),
    FIELD(hot_row, key_serial, U32),     FIELD(hot_row, epoch, U32),
    FIELD(hot_row, pool_number, U16),    FIELD(hot_row, last_job, ID),
    FIELD(hot_row, waits, U64),          FIELD(hot_row, trail_seq, U64),
    FIELD(hot_row, review, U64),         FIELD(hot_row, bulk, U64),
    FIELD(hot_row, checkpoint_seq, U64),
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
        r = key_uses_init(&c->key_uses);
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
    usage_free(a);
    free(a->rate);
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
    key_uses_deinit(&c->key_uses);
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
enum { LOAD_END = 1 }; /* no row after this one counts */

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
        if (got != 0)
            return got < 0 ? err_pass(got) : 0;
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
    p->runs = durations_of(&row);
    p->bars = row.is_paused ? ROTA__BAR__BAR_PAUSED : 0;
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
    class->is_paused = row.is_paused;
    class->breaker = (struct breaker){.until_ms = row.breaker_until_ms,
                                      .probe = row.breaker_probe,
                                      .open_ms = row.breaker_open_ms,
                                      .state = row.breaker_state,
                                      .faults = row.breaker_faults};
    if (!breaker_is_valid(&class->breaker))
        return err_raise(-EBADMSG);
    class->gate = row.is_paused                               ? GATE_PAUSED
                  : class->breaker.state == BREAKER_CLOSED    ? GATE_OPEN
                  : class->breaker.state == BREAKER_HALF_OPEN ? GATE_PROBE
                                                              : GATE_BREAKER;
    return 0;
}

/* Which classes have jobs set aside; the first turn looks at every gate. */
static int load_asides(struct load *l)
{
    AUTO(cursor) cursor = NULL;
    static const struct job_id zero;
    struct key_buf k;
    struct span key, value;
    int r = cursor_open(l->txn, TABLE_ASIDE, &cursor);
    for (size_t i = 0; i < l->c->classes_n && r >= 0; i++) {
        struct class *class = &l->c->classes[i];
        size_t prefix = strlen(class->name) + 1;
        r = cursor_seek(cursor, key_aside(&k, span_str(class->name), 0, 0, zero), &key, &value);
        class->has_aside = r == 0 && key.n > prefix && memcmp(key.p, k.b, prefix) == 0;
        l->c->classes_odd |= class->has_aside || class->gate != GATE_OPEN;
    }
    return r < 0 ? err_pass(r) : 0;
}

/* Pauses of pools and tiers; those of accounts and classes stand in their own rows. */
static int load_pause(struct load *l, struct span key, struct span value)
{
    const uint8_t *p = key.p;
    if (p[0] > ROTA__PAUSE_SCOPE__PAUSE_TIER)
        return LOAD_END;
    if (p[0] == ROTA__PAUSE_SCOPE__PAUSE_TIER && key.n == 3 && p[2] >= '0' && p[2] < '0' + TIERS) {
        l->c->tier_bars[p[2] - '0'] |= ROTA__BAR__BAR_PAUSED;
        return 0;
    }
    for (size_t i = 1; i <= POOLS_MAX; i++) {
        struct pool *pool = l->c->pools[i];
        if (pool && strlen(pool->name) == key.n - 1 && memcmp(pool->name, p + 1, key.n - 1) == 0)
            pool->is_paused = true;
    }
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
    t->pool->share.ready[a->tier] += row.ready;
    t->pool->share.leased += row.running;
    t->head.state = row.head_ms || !row.ready ? HEAD_STORED : HEAD_LOST;
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
    r = txn_count(l->txn, TABLE_ERASE, &rows);
    if (r < 0)
        return err_pass(r);
    l->c->has_erase = rows > 0;
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
        r = limits_table_read(txn, &c->tiers, NULL);
    if (r == 0)
        r = each(&l, TABLE_POOL, span_of("", 0), load_pool);
    if (r == 0)
        r = each(&l, TABLE_CLASS, span_of("", 0), load_class);
    if (r == 0)
        r = load_asides(&l);
    if (r == 0)
        r = each(&l, TABLE_PAUSE, span_of(&(uint8_t){ROTA__PAUSE_SCOPE__PAUSE_POOL}, 1),
                 load_pause);
    if (r == 0)
        r = each(&l, TABLE_TALLY, span_of("", 0), load_tally);
    if (r == 0)
        r = rates_load(c, txn, broker_ms);
    if (r == 0)
        r = enter_rings(c);
    if (r == 0)
        r = each(&l, TABLE_LEASE, span_of("", 0), load_lease);
    if (r == 0)
        r = load_fold(&l);
    if (r == 0)
        r = load_waits(&l);
    if (r == 0)
        r = bulks_load(c, txn);
    if (r == 0)
        r = accounts_settle(c); /* the caps that ship may have changed meanwhile */
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
        if (a->tallies || (a->rate && a->rate->alarm.place))
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
    key_uses_tend(&c->key_uses);
    int r = alarms_tend(&c->alarms, 10240);
    if (r < 0)
        return err_pass(r);
    accounts_forget_idle(c);
    return 0;
}
