/* lock.h: what a lockfile pins. One reader for each format; each lets a lockfile pass only when
 * every package comes from a registry and is pinned by a hash, and says the package's name when it
 * does not. Nothing of it has been shown to a package manager yet: those would run git for a git
 * source, ask any address, and run programs for some kinds.
 *
 * Refusals: LOCKFILE_INVALID, LOCKFILE_SOURCE, LOCKFILE_INTEGRITY, MANAGER_SETTING. */
#pragma once

#include "box.h"
#include "names.h"
#include "pins.h"

#include <stdio.h>

enum { LOCK_KEY_MAX = 16 };

struct lock {
    uint64_t packages; /* that an install fetches */
    uint64_t unpinned; /* of these, what the manager itself keeps no hash of (lock_berry.c) */
    unsigned version;  /* of the format */
    char cache_key[LOCK_KEY_MAX]; /* berry: how the hashes were made; "10c0" */
    struct names patches;         /* files of the source that change packages */
    struct pins pins;             /* Yarn 1: by range, and what its packages ask for */
};

void lock_deinit(struct lock *lock);

/* `to` takes the lockfile as the manager shall see it: where it named a place in some registry
 * (`resolved`), it names none, or the same place in whichever registry is configured. The hash says
 * what must come from there. NULL: not wanted. */
typedef int lock_read(const char *text, size_t n, FILE *to, struct lock *lock,
                      struct box_refusal *ret_refusal);

MUST_USE lock_read lock_npm;   /* package-lock.json, formats 2 and 3 */
MUST_USE lock_read lock_yarn;  /* yarn.lock of Yarn 1 */
MUST_USE lock_read lock_berry; /* yarn.lock of Yarn 2 and later */
MUST_USE lock_read lock_pnpm;  /* pnpm-lock.yaml, formats 6 and 9 */

/* A yarn.lock is of Yarn 2 or later. */
bool lock_is_berry(const char *text);
