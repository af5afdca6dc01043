/* cache_parts.h: what the files of the cache share. Not for others. */
#pragma once

#include "cache.h"

enum { CACHE_ENTRY_PATH_MAX = 160 };

/* The first line of an entry's file. */
struct cache_head {
    uint64_t bytes, made_ms;
};

/* An exclusive hold on the whole store: 0 and *ret_fd (closing lets go), or CACHE_BUSY. */
MUST_USE int cache_lock(const struct cache *c, int *ret_fd);

/* "modules/NAME", relative to the store. */
void cache_entry_path(enum cache_kind kind, const char *name, char path[CACHE_ENTRY_PATH_MAX]);
/* "staging/RANDOM". */
void cache_staging_path(char path[CACHE_ENTRY_PATH_MAX]);

/* Opens the file `entry` of the folder `path`, -1 with errno. */
int cache_entry_open(const struct cache *c, const char *path);

/* Reads head and note (NULL: not wanted). false: no entry of ours. */
bool cache_head_read(int fd, struct cache_head *ret_head, char *note);
MUST_USE int cache_head_write(int fd, const struct cache_head *head, const char *note);

bool cache_is_old(const struct cache *c, enum cache_kind kind, const struct cache_head *head);

/* Deletes the folder `path` with all in it, as well as it goes. */
void cache_tree_delete(const struct cache *c, const char *path);

/* Out of the way by one rename; then deleted, unless somebody uses it: then the next sweep does.
 * The store is locked. */
void cache_throw_out(const struct cache *c, const char *path);

/* The store is locked. Removes what staging holds and nobody makes or uses, entries that are too
 * old or no entries, then least recently used ones until `bytes` more fit.
 * 0, or CACHE_LARGE. */
MUST_USE int cache_make_room(const struct cache *c, uint64_t bytes);
