/* modules.h: the node_modules of one build: found in the cache, or installed and kept for the next.
 *
 * A build uses what its own account left, or what the operator's heat build did; only a heat build
 * fills what all accounts see. A build with a private registry uses and leaves nothing. Wherever
 * they come from, each step sees them read-only at their places below /w/app, with an empty,
 * writable node_modules/.cache for the app's, so that a build cannot tell one way from the other.
 * One thread, the slot's. */
#pragma once

#include "work.h"

struct modules;

enum modules_outcome { MODULES_MISS = 1 };

/* Looks in the cache. 0: found, and no install is needed. */
MUST_USE int modules_find(struct work *w);
/* The same among what all accounts share. */
MUST_USE int modules_find_shared(struct work *w);
/* Says in the build's log what was found. */
void modules_say(struct work *w);
/* One node_modules, at the top of the source. */
bool modules_are_plain(const struct work *w);
/* How long what was found may still be used. */
uint64_t modules_left_ms(const struct work *w);

/* Before STEP_SETTLE, which fills in where they are. */
MUST_USE int modules_begin(struct work *w);
/* A path out of STEP_SETTLE's mouth. */
void modules_tree(void *work, const char *path);
/* Behind it: begins to keep them. -EPROTO when a path cannot be used. */
MUST_USE int modules_settled(struct work *w);

/* What steps with `has_modules` see of them. */
const struct sandbox_mount *modules_mounts(const struct work *w, size_t *ret_n);

/* Opens a file below /w/app that lies in node_modules, for reading; MODULES_MISS: it does not. */
MUST_USE int modules_open(const struct work *w, const char *path, int *ret_fd);

/* Waits for what is being kept, and lets go. */
void modules_end(struct work *w);
