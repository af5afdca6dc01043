/* cache.h: what builds may leave for later builds: a bounded store of entries in one folder of the
 * host, shared by all workers of the machine.
 *
 *   DIR/key                   32 random bytes, made at first use; entries are named and sealed by
 * it DIR/lock                  held for the moment in which entries come or go DIR/KIND/NAME/entry
 * size, time, a note; its lock says who uses it, its mtime when last DIR/KIND/NAME/data        the
 * thing itself, a folder or a file DIR/staging/RANDOM/       the same, while it is made or after it
 * was thrown out
 *
 * An entry appears by one rename and is never changed afterwards. Whoever uses one holds a shared
 * lock on it, and only what nobody has locked is removed; locks go with their process, so a killed
 * worker leaves at most a folder in staging/, and the next cache_open() sweeps that up. No answer
 * of a cache is a reason for a build to fail: callers take every fault for "not there".
 *
 * cache_open() on the main thread, once the process is in its own mount namespace; the rest from
 * any thread, one use and one fill at a time from one. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* HEAT is a note alone: what the newest heat build worked with. */
enum cache_kind { CACHE_MODULES, CACHE_LAYER, CACHE_BYTECODE, CACHE_HEAT, CACHE_KINDS };

enum {
    CACHE_PATH_MAX = 512,
    CACHE_KEY_BYTES = 32,
    CACHE_NOTE_MAX = 32 * 1024,
    CACHE_WHY_MAX = 256
};

enum cache_outcome {
    CACHE_MISS = 1, /* not there, too old, or just being removed */
    CACHE_HAVE,     /* somebody else was quicker: the same thing is there */
    CACHE_LARGE,    /* it fits only in the place of entries that are in use, or not at all */
    CACHE_BUSY,     /* another worker holds the store for seconds */
    CACHE_UNUSABLE, /* the folder cannot be used; said why */
};

struct cache {
    int fd; /* of the folder; -1: there is no cache */
    char path[CACHE_PATH_MAX];
    uint64_t bytes_max;
    uint8_t name_key[CACHE_KEY_BYTES], seal_key[CACHE_KEY_BYTES];
    uint64_t (*now_ms)(void); /* Unix time; a test has its own */
};

/* Makes the folder if need be, sweeps, and drops what is too old. `now_ms` NULL: the wall clock. */
MUST_USE int cache_open(const char *path, uint64_t bytes_max, uint64_t (*now_ms)(void),
                        struct cache *ret_cache, char why[CACHE_WHY_MAX]);
void cache_close(struct cache *c);

const char *cache_kind_name(enum cache_kind kind);
/* 0: as long as there is room. */
uint64_t cache_kind_age_ms_max(enum cache_kind kind);

/* Entries and bytes that are there now. */
MUST_USE int cache_sum(const struct cache *c, size_t *ret_entries, uint64_t *ret_bytes);

/* ---- names ---- */

struct cache_name {
    char hex[2 * CACHE_KEY_BYTES + 1];
};

/* Each part with its length: ("ab", "c") and ("a", "bc") are two names. */
struct cache_namer {
    crypto_generichash_state state;
};
void cache_name_begin(const struct cache *c, enum cache_kind kind, struct cache_namer *n);
void cache_name_add(struct cache_namer *n, const void *p, size_t bytes);
void cache_name_text(struct cache_namer *n, const char *text);
void cache_name_end(struct cache_namer *n, struct cache_name *ret_name);

/* ---- using ---- */

struct cache_use {
    int lock_fd;
    char data[CACHE_PATH_MAX]; /* path of the thing */
    char note[CACHE_NOTE_MAX + 1];
    uint64_t bytes, made_ms;
};

/* CACHE_MISS, or 0: the entry stays as it is until cache_use_free(). */
MUST_USE int cache_use(const struct cache *c, enum cache_kind kind, const struct cache_name *name,
                       struct cache_use **ret_use);
struct cache_use *cache_use_free(struct cache_use *u);
DEFINE_FREEP(cache_use)

/* Takes an entry out that turned out to be no good. Other users keep what they see. */
void cache_remove(const struct cache *c, enum cache_kind kind, const struct cache_name *name);

/* ---- filling ---- */

struct cache_fill {
    const struct cache *cache;
    enum cache_kind kind;
    int lock_fd;
    char folder[CACHE_PATH_MAX]; /* the entry to be */
    char data[CACHE_PATH_MAX];   /* its thing: a folder of `owner`, or a name for a file */
    bool is_published;
};

/* Makes a place to fill; CACHE_BUSY. What is not published goes with cache_fill_free(). */
MUST_USE int cache_fill_begin(const struct cache *c, enum cache_kind kind, uid_t owner,
                              struct cache_fill **ret_fill);
struct cache_fill *cache_fill_free(struct cache_fill *f);
DEFINE_FREEP(cache_fill)

/* Makes room, least recently used first, and puts the entry in its place. `bytes` is what it takes
 * on the disk; `note` may be NULL. `replaces`: in the place of one that is there; without, that one
 * stays and the answer is CACHE_HAVE. CACHE_LARGE, CACHE_BUSY. */
MUST_USE int cache_publish(struct cache_fill *f, const struct cache_name *name, uint64_t bytes,
                           const char *note, bool replaces);
