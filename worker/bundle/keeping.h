/* keeping.h: a build's folders copied into the cache, in a sandbox, beside the build's own steps.
 *
 * Nothing here is a reason for a build to end: what goes wrong costs the entry and one line in the
 * worker's log. keeping_start() runs the copy on a thread of its own; one build has at most one at
 * a time. */
#pragma once

#include "cache.h"
#include "work.h"

struct keeping;

struct keeping_order {
    enum cache_kind kind;
    enum step_id step; /* sees the new entry at /w/keep */
    struct cache_name name;
    const struct sandbox_mount *extra; /* besides; borrowed until the end */
    size_t extra_n;
    const char *note; /* NULL: none; borrowed */
    bool replaces;
};

/* NULL: it could not begin. */
struct keeping *keeping_start(const struct work *w, const struct keeping_order *order);

/* Waits for its end; says in the build's log what was kept. Accepts NULL; returns NULL. */
struct keeping *keeping_end(struct work *w, struct keeping *k);

/* "This went wrong with the cache, and the build goes on without": one line in the worker's log.
 * `outcome` is a fault, or of enum cache_outcome. */
void keeping_complain(const char *what, enum cache_kind kind, int outcome);
