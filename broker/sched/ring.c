/* ring.c: a doubly linked line, first to last by turn number. It is a list and not a tree because
 * accounts enter only at the tail and turn numbers only rise, so the order never needs a search;
 * leaving from the middle (an account that reached its cap, was paused or moved) is O(1) too.
 *
 * Every struct that changes is saved as a whole before its first change, so unwinding restores the
 * line to the byte. */
#include "sched/ring.h"

#include <assert.h>

void ring_enter(struct ring *r, struct ring_node *n, uint64_t turn, struct undo *u)
{
    assert(!ring_has(n));
    assert(turn != 0 && (!r->last || r->last->turn < turn));

    undo_save(u, n, sizeof *n);
    undo_save(u, r, sizeof *r);
    *n = (struct ring_node){.prev = r->last, .turn = turn};
    if (r->last) {
        undo_save(u, r->last, sizeof *r->last);
        r->last->next = n;
    } else {
        r->first = n;
    }
    r->last = n;
    r->count++;
}

void ring_leave(struct ring *r, struct ring_node *n, struct undo *u)
{
    assert(ring_has(n) && r->count > 0);
    assert((n->prev || r->first == n) && (n->next || r->last == n));

    undo_save(u, n, sizeof *n);
    undo_save(u, r, sizeof *r);
    if (n->prev) {
        undo_save(u, n->prev, sizeof *n->prev);
        n->prev->next = n->next;
    } else {
        r->first = n->next;
    }
    if (n->next) {
        undo_save(u, n->next, sizeof *n->next);
        n->next->prev = n->prev;
    } else {
        r->last = n->prev;
    }
    r->count--;
    *n = (struct ring_node){0};
}

void ring_replace(struct ring *r, struct ring_node *old, struct ring_node *n, struct undo *u)
{
    assert(ring_has(old) && !ring_has(n));

    undo_save(u, n, sizeof *n);
    undo_save(u, old, sizeof *old);
    undo_save(u, r, sizeof *r);
    *n = *old;
    if (n->prev)
        SET(u, n->prev->next, n);
    else
        r->first = n;
    if (n->next)
        SET(u, n->next->prev, n);
    else
        r->last = n;
    *old = (struct ring_node){0};
}

bool ring_is_sound(const struct ring *r)
{
    const struct ring_node *prev = NULL;
    uint64_t turn = 0;
    size_t count = 0;
    for (const struct ring_node *n = r->first; n; prev = n, n = n->next) {
        /* The count also ends the walk when the links go round in a circle. */
        if (++count > r->count || n->prev != prev || n->turn <= turn)
            return false;
        turn = n->turn;
    }
    return count == r->count && r->last == prev;
}
