/* session.c: pools, leases and workers in RAM. */
#include "engine/cache.h"

#include <assert.h>
#include <stdlib.h>

/* ---- pools and classes ---- */

struct pool *cache_pool(const struct cache *c, const char *name)
{
    for (size_t i = 1; i <= POOLS_MAX; i++)
        if (c->pools[i] && strcmp(c->pools[i]->name, name) == 0)
            return c->pools[i];
    return NULL;
}

struct class *cache_class(struct cache *c, const char *name)
{
    for (size_t i = 0; i < c->classes_n; i++)
        if (strcmp(c->classes[i].name, name) == 0)
            return &c->classes[i];
    return NULL;
}

struct pool *pool_new(struct cache *c, uint16_t number, const char *name)
{
    assert(number > 0 && number <= POOLS_MAX && !c->pools[number]);
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    undo_born(c->undo, p, free);
    p->number = number;
    p->rotation = ROTATION_FRESH;
    p->is_dirty = true;
    memcpy(p->name, name, strnlen(name, POOL_NAME_MAX));
    SET(c->undo, c->pools[number], p);
    SET(c->undo, c->pools_n, c->pools_n + 1);
    return p;
}

uint8_t pool_eligible(const struct cache *c, const struct pool *p)
{
    uint8_t eligible = 0;
    if (p->bars)
        return 0;
    for (int t = 0; t < TIERS; t++)
        if (p->ring[t].count && !c->tier_bars[t])
            eligible |= (uint8_t)(1 << t);
    return eligible;
}

/* ---- leases ---- */

static uint64_t job_hash(struct job_id job)
{
    return hash_u64(get_be64(job.b) ^ get_be64(job.b + 8));
}

struct lease *cache_lease(const struct cache *c, struct job_id job)
{
    for (struct map_node *n = map_first(&c->leases, job_hash(job)); n; n = map_same(n)) {
        struct lease *l = CONTAINER(n, lease, by_job);
        if (job_id_cmp(l->job, job) == 0)
            return l;
    }
    return NULL;
}

struct lease *lease_new(struct cache *c, struct job_id job, struct tally *t, struct worker *w)
{
    struct lease *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    undo_born(c->undo, l, free);
    l->job = job;
    l->tally = t;
    l->account = t->account;
    l->worker = w;
    l->alarm.kind = ALARM_LEASE;
    map_add(&c->leases, &l->by_job, job_hash(job), c->undo);
    l->worker_next = w->leases;
    if (w->leases)
        SET(c->undo, w->leases->worker_prev, l);
    SET(c->undo, w->leases, l);
    SET(c->undo, w->leases_n, w->leases_n + 1);
    return l;
}

void lease_drop(struct cache *c, struct lease *l)
{
    struct worker *w = l->worker;
    map_del(&c->leases, &l->by_job, c->undo);
    alarm_clear(&c->alarms, &l->alarm, c->undo);
    if (l->worker_prev)
        SET(c->undo, l->worker_prev->worker_next, l->worker_next);
    else
        SET(c->undo, w->leases, l->worker_next);
    if (l->worker_next)
        SET(c->undo, l->worker_next->worker_prev, l->worker_prev);
    SET(c->undo, w->leases_n, w->leases_n - 1);
    undo_dies(c->undo, l, free);
}

/* ---- workers ---- */

static uint64_t worker_hash(const struct pool *p, const char *name)
{
    return hash_bytes(name, strlen(name)) + p->number;
}

struct worker *cache_worker(const struct cache *c, const struct pool *p, const char *name)
{
    for (struct map_node *n = map_first(&c->workers, worker_hash(p, name)); n; n = map_same(n)) {
        struct worker *w = CONTAINER(n, worker, by_name);
        if (w->pool == p && strcmp(w->facts.name, name) == 0)
            return w;
    }
    return NULL;
}

struct worker *worker_new(struct cache *c, struct pool *p, const char *name)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    undo_born(c->undo, w, free);
    w->pool = p;
    w->alarm.kind = ALARM_WORKER;
    w->facts.pool = p->number;
    memcpy(w->facts.name, name, strnlen(name, WORKER_NAME_MAX));
    memcpy(w->facts.pool_name, p->name, sizeof w->facts.pool_name);
    map_add(&c->workers, &w->by_name, worker_hash(p, name), c->undo);
    return w;
}

void worker_drop(struct cache *c, struct worker *w)
{
    assert(!w->leases && !w->poll && !w->beat_parked);
    map_del(&c->workers, &w->by_name, c->undo);
    alarm_clear(&c->alarms, &w->alarm, c->undo);
    undo_dies(c->undo, w, free);
}
