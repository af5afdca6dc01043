/* queue.h: nobody is overtaken. Inside a tier of a pool the accounts stand in a line; whoever has
 * been served goes to its end.
 *
 * Looked at from outside: between two looks an account that kept its place (the same turn in the
 * same ring) may have seen each other account of its ring served once at most, and only one that
 * stood ahead of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;

struct standing {
    uint64_t turn, account;
    uint16_t pool;
    uint8_t tier;
};

/* The rings as of the last look. */
struct queue {
    struct standing *all;
    size_t n, cap;
};

/* Compares the rings with those of the last look and with what has been served since. */
void queue_look(struct world *w, struct txn *txn);
void queue_deinit(struct queue *q);
