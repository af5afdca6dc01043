/* cache_choose.h: which folder the cache of this worker lies in. Main thread, at start. */
#pragma once

#include "cache.h"

/* `told` is the option: a folder, "none", or NULL for /var/cache/rota (root's) or the user's own
 * cache folder. Logs what was chosen; a folder that cannot be used is no reason not to work. */
void cache_choose(const char *told, uint64_t bytes_max, struct cache *ret_cache);
