/* layer.h: Metro's transforms that a heat build left for all accounts. A build sees them read-only
 * at /layer/PLATFORM when they fit its packages, Node and driver; what it transforms itself goes
 * to /w/cache, on its own tmpfs, and with it. Only what a heat build left there becomes a layer.
 * One thread, the slot's. */
#pragma once

#include "work.h"

struct layer;

/* The hash of worker/js as the sandbox sees it, below the folder that becomes /rota. At start. */
MUST_USE int layer_driver_hash(const char *tools, uint8_t ret_sha256[32]);

/* Looks for the build's platform's; a build does without as well. */
void layer_find(struct work *w);
/* Those of all platforms, for a process that does not know its build yet. */
void layer_find_all(struct work *w);
/* Says in the build's log what there is of its platform. */
void layer_say(struct work *w);

/* What steps with `has_layer` see of them. */
const struct sandbox_mount *layer_mounts(const struct work *w, size_t *ret_n);

/* Behind the bundle phase of a heat build: its transforms become the layer. */
void layer_keep(struct work *w);

void layer_end(struct work *w);
