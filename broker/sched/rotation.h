/* rotation.h: which tier is served next.
 *
 * Tiers are 0 (P0, Enterprise) to 3 (P3, Free). With all four backlogged the order is
 * P0 P0 P0 P1 P0 P0 P2 P0 P0 P3, for ever; with any two, 3:1. Each lower tier's turn comes right
 * after N dispatches of strictly higher tiers, the previous turn counting as one of them if it was
 * higher. Bounds, checked over every state and set (T3): a continuously eligible tier waits at most
 * 1, 11, 10, 9 other dispatches (P0..P3) whatever the rest does; 1, 9, 9, 9 while the set is
 * stable. Pure; no clock. Why this rule: docs/adr (rotation). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { TIERS = 4, ROTATION_N_DEFAULT = 3, ROTATION_N_MAX = 15 };

/* Durable: stored with the dispatch number in the transaction of the lease. */
struct rotation {
    uint8_t c;       /* tier of the last turn, 1..3; fresh: 3 */
    uint8_t n;       /* dispatches since the last turn, stops at n_max; fresh: 0 */
    uint8_t n_max;   /* the N of "N to 1"; 3 is the one that gives the string above */
    uint64_t number; /* of the last dispatch; fresh: 0 */
};

#define ROTATION_FRESH ((struct rotation){.c = 3, .n = 0, .n_max = ROTATION_N_DEFAULT, .number = 0})

/* Chooses a tier out of `eligible` (bit t: tier t; not empty), moves the state on and raises
 * number. */
uint8_t rotation_next(struct rotation *r, uint8_t eligible);

/* Could these values have been written by us? For records read back. */
bool rotation_is_valid(const struct rotation *r);

/* The most other dispatches that a continuously eligible tier can see before it is served, the
 * other tiers coming and going at will, for this N; computed by walking every state. */
unsigned rotation_bound(uint8_t tier, uint8_t n_max);
