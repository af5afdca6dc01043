/* map.h: an intrusive hash map whose changes go through the journal.
 *
 * Nodes live in the caller's structs; the map owns only its buckets. It grows between turns alone
 * (map_tend), because a journal must never point into buckets that have moved. Single thread. */
#pragma once

#include <base/err.h>
#include <base/undo.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t mask, count;
};

MUST_USE int map_init(struct map *m);
void map_deinit(struct map *m);

/* The journal is empty here: grows the buckets to fit what is in the map. Without memory the map
 * just gets slower. */
void map_tend(struct map *m);

void map_add(struct map *m, struct map_node *n, uint64_t hash, struct undo *u);
void map_del(struct map *m, struct map_node *n, struct undo *u);

/* The first node of this hash, and the one of the same hash after `n`; NULL at the end. */
struct map_node *map_first(const struct map *m, uint64_t hash);
struct map_node *map_same(const struct map_node *n);

/* Walks all nodes; `n` may be deleted in the loop's body. */
struct map_node *map_begin(const struct map *m, size_t *ret_bucket);
struct map_node *map_after(const struct map *m, const struct map_node *n, size_t *bucket);

static inline uint64_t hash_u64(uint64_t v)
{
    v ^= v >> 33;
    v *= 0xff51afd7ed558ccdull;
    v ^= v >> 33;
    v *= 0xc4ceb9fe1a85ec53ull;
    return v ^ v >> 33;
}

static inline uint64_t hash_bytes(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3ull;
    return hash_u64(h);
}

#define CONTAINER(p, type, member)                                                                 \
    ((struct type *)(void *)((char *)(p)-offsetof(struct type, member)))
