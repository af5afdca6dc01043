/* compare.c: does the cache hold what a fresh load of the store gives? After an abort, and in
 * tests.
 */
#include "engine/cache.h"

#include <stdio.h>

static int differ(const char *what, uint64_t number)
{
    fprintf(stderr, "cache differs: %s %llu\n", what, (unsigned long long)number);
    return 1;
}

static bool rate_is_same(const struct rate *a, const struct rate *b)
{
    return a->now.tat == b->now.tat && a->now.is_dry == b->now.is_dry &&
           !a->alarm.place == !b->alarm.place;
}

/* Only dry buckets are brought back by a load. */
static bool is_dry(const struct account *a)
{
    return a->rate && a->rate->now.is_dry;
}

static int compare_account(const struct account *a, const struct account *b)
{
    if (a->tier != b->tier || a->running_own != b->running_own || a->running != b->running ||
        a->running_max != b->running_max || a->rate_own_n != b->rate_own_n ||
        a->rate_own_ms != b->rate_own_ms || a->bars != b->bars ||
        a->storage_bytes != b->storage_bytes)
        return differ("account", a->number);
    if (is_dry(a) != is_dry(b) || (is_dry(a) && !rate_is_same(a->rate, b->rate)))
        return differ("bucket of account", a->number);
    for (const struct tally *t = a->tallies; t; t = t->next) {
        const struct tally *o = b->tallies;
        while (o && o->pool->number != t->pool->number)
            o = o->next;
        static const struct tally none;
        const struct tally_row *x = &t->now, *y = o ? &o->now : &none.now;
        uint64_t turn = o ? o->node.turn : 0;
        if (x->ready != y->ready || x->running != y->running || x->delayed != y->delayed ||
            x->held != y->held || x->head_ms != y->head_ms || t->node.turn != turn)
            return differ("tally of account", a->number);
    }
    return 0;
}

/* What stands in no table of its own: the pauses of whole tiers. */
static int compare_tiers(const struct cache *a, const struct cache *b)
{
    if (a->tiers.version != b->tiers.version || !rate_is_same(&a->rate_global, &b->rate_global))
        return differ("table of tiers, version", a->tiers.version);
    for (int t = 0; t < TIERS; t++)
        if (a->tier_bars[t] != b->tier_bars[t] || !rate_is_same(&a->rate_tier[t], &b->rate_tier[t]))
            return differ("bars of tier", (uint64_t)t);
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
           a->trail_seq == b->trail_seq && a->review == b->review && a->bulk == b->bulk &&
           job_id_cmp(a->last_job, b->last_job) == 0;
}

static bool pool_is_same(const struct pool *p, const struct pool *q)
{
    return p->rotation.number == q->rotation.number && p->rotation.c == q->rotation.c &&
           p->rotation.n == q->rotation.n && p->is_paused == q->is_paused &&
           p->runs.mean_ms == q->runs.mean_ms && p->runs.dev_ms == q->runs.dev_ms &&
           p->runs.n == q->runs.n && bars_kept(p->bars) == bars_kept(q->bars);
}

/* `x` may believe that jobs are set aside when there are none, but not the reverse. */
static bool class_is_same(const struct class *x, const struct class *y)
{
    return strcmp(x->name, y->name) == 0 && x->pool->number == y->pool->number &&
           x->is_paused == y->is_paused && x->breaker.state == y->breaker.state &&
           x->breaker.faults == y->breaker.faults && x->breaker.probe == y->breaker.probe &&
           x->breaker.until_ms == y->breaker.until_ms && (x->has_aside || !y->has_aside);
}

/* In RAM they stand in the order of their birth, after a load by name. */
static int compare_classes(const struct cache *a, const struct cache *b)
{
    for (size_t i = 0; i < a->classes_n; i++) {
        size_t j = 0;
        while (j < b->classes_n && !class_is_same(&a->classes[i], &b->classes[j]))
            j++;
        if (j == b->classes_n)
            return differ("class", i);
    }
    return a->classes_n == b->classes_n ? 0 : differ("classes", a->classes_n);
}

int cache_compare(const struct cache *a, const struct cache *b)
{
    if (!hot_is_same(&a->hot, &b->hot))
        return differ("counters", a->hot.event_seq);
    if (a->leases.count != b->leases.count)
        return differ("leases", a->leases.count);
    if (a->bulks_n != b->bulks_n || memcmp(a->bulks, b->bulks, a->bulks_n * sizeof *a->bulks) != 0)
        return differ("bulk acts", a->bulks_n);
    size_t bucket;
    for (struct map_node *n = map_begin(&a->leases, &bucket); n;
         n = map_after(&a->leases, n, &bucket)) {
        const struct lease *l = CONTAINER(n, lease, by_job), *o = cache_lease(b, l->job);
        if (!o || o->token != l->token || o->attempt != l->attempt || o->cancel_ms != l->cancel_ms)
            return differ("lease token", l->token);
    }
    for (size_t i = 1; i <= POOLS_MAX; i++) {
        const struct pool *p = a->pools[i], *q = b->pools[i];
        if (!p != !q || (p && !pool_is_same(p, q)))
            return differ("pool", i);
        for (int t = 0; p && t < TIERS; t++)
            if (p->ring[t].count != q->ring[t].count || !ring_is_sound(&p->ring[t]))
                return differ("ring of pool", i);
    }
    return compare_tiers(a, b) || compare_classes(a, b) || compare_accounts(a, b) ||
           compare_accounts(b, a);
}
