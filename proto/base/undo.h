/* undo.h: a journal that takes RAM back to where a turn began.
 *
 * Before a turn changes memory it saves the old bytes here; undo_keep() drops the journal after a
 * commit, undo_unwind() puts everything back, newest first, after an abort. Objects born in the
 * turn are freed by the unwinding, objects that die in it are freed by the keeping, so that a
 * pointer in the journal never dangles. Single thread: the turn's. All functions accept a NULL
 * journal, which means "for good": bytes are not saved and deaths are immediate (loading at start,
 * tests).          */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct undo;

MUST_USE int undo_new(struct undo **ret_undo);
struct undo *undo_free(struct undo *u);

/* Saves `n` bytes at `p`. Aborts the process when memory for the journal cannot be had: the turn
 * has half changed the cache by then, and a restart loses nothing. */
void undo_save(struct undo *u, void *p, size_t n);

/* `object` was made in this turn: destroy(object) on unwinding. */
void undo_born(struct undo *u, void *object, void (*destroy)(void *));

/* `object` leaves in this turn: destroy(object) on keeping. */
void undo_dies(struct undo *u, void *object, void (*destroy)(void *));

/* Calls back on unwinding, in its place among the saved bytes. */
void undo_call(struct undo *u, void (*back)(void *arg, void *object), void *arg, void *object);

void undo_keep(struct undo *u);
void undo_unwind(struct undo *u);

/* How many entries the journal holds; 0 between turns. */
size_t undo_entries(const struct undo *u);

/* Assigns through the journal: SET(u, account->running, n + 1). The size is the type's, so that it
 * is plain to readers and clang-tidy that a pointer is meant where a pointer is saved. */
#define SET(u, lvalue, value)                                                                      \
    do {                                                                                           \
        undo_save((u), &(lvalue), sizeof(typeof(lvalue)));                                         \
        (lvalue) = (value);                                                                        \
    } while (0)
