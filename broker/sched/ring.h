/* ring.h: whose account's turn it is inside one (pool, tier).
 *
 * Eligible accounts stand in a line by their turn number. Serving takes the first; if it stays
 * eligible it re-enters at the tail with the next turn number, else it leaves. An account enters at
 * the tail when it becomes eligible, so it is overtaken only by those that stood there before it.
 * Intrusive: the node lives in the caller's struct. Pure; changes go through the journal `u` (NULL:
 * none). Single thread. */
#pragma once

#include <base/undo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_node {
    struct ring_node *prev, *next;
    uint64_t turn; /* rises along the ring; 0: not in a ring */
};

struct ring {
    struct ring_node *first, *last;
    size_t count;
};

static inline bool ring_has(const struct ring_node *n)
{
    return n->turn != 0;
}

/* `turn` is above every turn in the ring; the node is in none. */
void ring_enter(struct ring *r, struct ring_node *n, uint64_t turn, struct undo *u);
void ring_leave(struct ring *r, struct ring_node *n, struct undo *u);
/* `n`, which is in no ring, takes the place and the turn of `old`, which leaves. */
void ring_replace(struct ring *r, struct ring_node *old, struct ring_node *n, struct undo *u);

/* Do the links fit and the turns rise? For asserts and tests. */
bool ring_is_sound(const struct ring *r);
