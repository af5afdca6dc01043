/* uses.c: a hash table by serial, and a queue of those that wait to be written down. */
#include "engine/uses.h"

#include "engine/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { IDLE_MAX = 8192, MINUTE_MS = 60000 };

struct node {
    struct map_node by_serial;
    struct node *next; /* in the queue */
    bool is_waiting, is_touched;
    uint64_t written_ms; /* last_used_ms as it is stored */
    struct use use;
};

struct uses {
    struct map map;
    size_t kept; /* when idle ones were last let go */
    struct node *first, **end;
    size_t waiting;
};

int uses_new(struct uses **ret_uses)
{
    AUTO(uses) u = calloc(1, sizeof *u);
    if (!u)
        return err_raise(-ENOMEM);
    u->end = &u->first;
    int r = map_init(&u->map);
    if (r < 0)
        return err_pass(r);
    *ret_uses = TAKE(u);
    return 0;
}

struct uses *uses_free(struct uses *u)
{
    size_t bucket;
    if (!u)
        return NULL;
    for (struct map_node *n = u->map.buckets ? map_begin(&u->map, &bucket) : NULL, *next; n;
         n = next) {
        next = map_after(&u->map, n, &bucket);
        free(CONTAINER(n, node, by_serial));
    }
    map_deinit(&u->map);
    free(u);
    return NULL;
}

static struct node *find(struct uses *u, uint32_t serial)
{
    for (struct map_node *n = map_first(&u->map, hash_u64(serial)); n; n = map_same(n)) {
        struct node *node = CONTAINER(n, node, by_serial);
        if (node->use.serial == serial)
            return node;
    }
    return NULL;
}

const struct use *uses_find(struct uses *u, uint32_t serial)
{
    struct node *n = find(u, serial);
    return n ? &n->use : NULL;
}

/* Looks only when as many have come as may stay idle. */
static void forget_idle(struct uses *u, uint64_t wall_ms)
{
    size_t bucket;
    if (u->map.count < u->kept + IDLE_MAX)
        return;
    for (struct map_node *m = map_begin(&u->map, &bucket), *next; m; m = next) {
        next = map_after(&u->map, m, &bucket);
        struct node *n = CONTAINER(m, node, by_serial);
        bool is_full = n->use.last_used_ms + MINUTE_MS < wall_ms;
        if (n->is_waiting || !is_full)
            continue;
        map_del(&u->map, m, NULL);
        free(n);
    }
    u->kept = u->map.count;
}

int uses_add(struct uses *u, const struct use *stored, uint64_t wall_ms)
{
    if (find(u, stored->serial))
        return 0;
    forget_idle(u, wall_ms);
    map_tend(&u->map);
    struct node *n = calloc(1, sizeof *n);
    if (!n)
        return err_raise(-ENOMEM);
    n->use = *stored;
    n->written_ms = stored->last_used_ms;
    map_add(&u->map, &n->by_serial, hash_u64(stored->serial), NULL);
    return 0;
}

static void enqueue(struct uses *u, struct node *n)
{
    if (n->is_waiting)
        return;
    n->is_waiting = true;
    n->next = NULL;
    *u->end = n;
    u->end = &n->next;
    u->waiting++;
}

bool uses_count(struct uses *u, uint32_t serial, bool is_rated, uint32_t rate_minute,
                uint64_t wall_ms, uint64_t *ret_free_ms)
{
    struct node *n = find(u, serial);
    assert(n);
    if (is_rated && !bucket_take(&n->use.bucket, rate_minute, MINUTE_MS, wall_ms)) {
        *ret_free_ms = bucket_free_at(&n->use.bucket, rate_minute, MINUTE_MS, wall_ms);
        return false;
    }
    n->use.requests++;
    n->use.last_used_ms = wall_ms;
    bool is_news = wall_ms < n->written_ms || wall_ms - n->written_ms >= MINUTE_MS;
    if (is_rated || is_news)
        enqueue(u, n);
    return true;
}

void uses_touch(struct uses *u, uint32_t serial)
{
    struct node *n = find(u, serial);
    assert(n);
    n->is_touched = true;
    enqueue(u, n);
}

size_t uses_take(struct uses *u, struct use *ret_uses, size_t n)
{
    size_t taken = 0;
    for (struct node *at = u->first; at && taken < n; at = at->next) {
        at->is_touched = false;
        ret_uses[taken++] = at->use;
    }
    return taken;
}

void uses_written(struct uses *u, const struct use *written, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct node *at = u->first;
        assert(at && at->use.serial == written[i].serial);
        u->first = at->next;
        if (!u->first)
            u->end = &u->first;
        u->waiting--;
        at->is_waiting = false;
        at->written_ms = written[i].last_used_ms;
        if (at->is_touched || at->use.requests != written[i].requests)
            enqueue(u, at); /* used again meanwhile */
    }
}

size_t uses_waiting(const struct uses *u)
{
    return u->waiting;
}
