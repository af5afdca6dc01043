/* map.c: chains in a power-of-two array of buckets. */
#include "engine/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

int map_init(struct map *m)
{
    *m = (struct map){.buckets = calloc(BUCKETS_MIN, sizeof(struct map_node *)),
                      .mask = BUCKETS_MIN - 1};
    return m->buckets ? 0 : err_raise(-ENOMEM);
}

void map_deinit(struct map *m)
{
    free(m->buckets);
    *m = (struct map){0};
}

void map_tend(struct map *m)
{
    size_t size = m->mask + 1;
    if (m->count <= size)
        return;
    while (size < m->count * 2)
        size *= 2;
    struct map_node **buckets = calloc(size, sizeof(struct map_node *));
    if (!buckets)
        return;
    for (size_t i = 0; i <= m->mask; i++)
        for (struct map_node *n = m->buckets[i], *next; n; n = next) {
            next = n->next;
            n->next = buckets[n->hash & (size - 1)];
            buckets[n->hash & (size - 1)] = n;
        }
    free(m->buckets);
    m->buckets = buckets;
    m->mask = size - 1;
}

void map_add(struct map *m, struct map_node *n, uint64_t hash, struct undo *u)
{
    struct map_node **bucket = &m->buckets[hash & m->mask];
    SET(u, n->hash, hash);
    SET(u, n->next, *bucket);
    SET(u, *bucket, n);
    SET(u, m->count, m->count + 1);
}

void map_del(struct map *m, struct map_node *n, struct undo *u)
{
    struct map_node **at = &m->buckets[n->hash & m->mask];
    while (*at && *at != n)
        at = &(*at)->next;
    assert(*at == n);
    SET(u, *at, n->next);
    SET(u, m->count, m->count - 1);
}

static struct map_node *with_hash(struct map_node *n, uint64_t hash)
{
    while (n && n->hash != hash)
        n = n->next;
    return n;
}

struct map_node *map_first(const struct map *m, uint64_t hash)
{
    return with_hash(m->buckets[hash & m->mask], hash);
}

struct map_node *map_same(const struct map_node *n)
{
    return with_hash(n->next, n->hash);
}

static struct map_node *from_bucket(const struct map *m, size_t i, size_t *ret_bucket)
{
    while (i <= m->mask && !m->buckets[i])
        i++;
    *ret_bucket = i;
    return i <= m->mask ? m->buckets[i] : NULL;
}

struct map_node *map_begin(const struct map *m, size_t *ret_bucket)
{
    return from_bucket(m, 0, ret_bucket);
}

struct map_node *map_after(const struct map *m, const struct map_node *n, size_t *bucket)
{
    return n->next ? n->next : from_bucket(m, *bucket + 1, bucket);
}
