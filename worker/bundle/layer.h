/* layer.h: Metro's transforms that a heat build left for all accounts. A build sees them read-only
 * at /layer when they fit its packages, platform, Node and driver; what it transforms itself goes
 * to /w/cache, on its own tmpfs, and with it. Only what a heat build left there becomes a layer.
 * One thread, the slot's. */
#pragma once

#include "work.h"

struct layer;

/* The hash of worker/js as the sandbox sees it, below the folder that becomes /rota. At start. */
MUST_USE int layer_driver_hash(const char *tools, uint8_t ret_sha256[32]);

/* Looks for one; a build does without as well. */
void layer_find(struct work *w);

/* The mount of STEP_BUNDLE, or NULL. */
const struct sandbox_mount *layer_mount(const struct work *w);

/* Behind the bundle phase of a heat build: its transforms become the layer. */
void layer_keep(struct work *w);

void layer_end(struct work *w);
