/* cache_choose.c: the places of the XDG base directory specification, and /var/cache for a service.
 */
#include "cache_choose.h"

#include <base/log.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char for_root[] = "/var/cache/rota";

static bool user_folder(char path[PATH_MAX])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return snprintf(path, PATH_MAX, "%s/rota", cache) < PATH_MAX;
    return home && *home == '/' && snprintf(path, PATH_MAX, "%s/.cache/rota", home) < PATH_MAX;
}

static bool open_at(const char *path, uint64_t bytes_max, struct cache *ret_cache,
                    char why[CACHE_WHY_MAX])
{
    size_t entries = 0;
    uint64_t bytes = 0;
    if (cache_open(path, bytes_max, NULL, ret_cache, why) != 0)
        return false;
    if (cache_sum(ret_cache, &entries, &bytes) < 0)
        entries = 0;
    log_info("cache.open", "dir=%s bytes_max=%" PRIu64 " entries=%zu bytes=%" PRIu64,
             ret_cache->path, bytes_max, entries, bytes);
    return true;
}

void cache_choose(const char *told, uint64_t bytes_max, struct cache *ret_cache)
{
    char path[PATH_MAX], why[CACHE_WHY_MAX] = "no folder for it: HOME is not set";
    *ret_cache = (struct cache){.fd = -1};
    if (told && strcmp(told, "none") == 0) {
        log_info("cache.off", "why=\"--cache-dir none\" every build starts from nothing");
        return;
    }
    if (told ? open_at(told, bytes_max, ret_cache, why)
             : (geteuid() == 0 && open_at(for_root, bytes_max, ret_cache, why)) ||
                   (user_folder(path) && open_at(path, bytes_max, ret_cache, why)))
        return;
    log_warn("cache.off", "why=\"%s\" every build starts from nothing", why);
}
