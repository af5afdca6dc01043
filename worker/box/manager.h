/* manager.h: which package manager an app has, and where its workspace begins. */
#pragma once

#include "lock.h"

#include <jansson.h>

enum { MANAGER_NAME_MAX = 32, MANAGER_PATH_MAX = 256 };

struct manager {
    const char *name;     /* "npm", "yarn", "pnpm" */
    const char *lockfile; /* its file */
    uint32_t major;       /* of package.json's packageManager; 0: not said */
    lock_read *read;
    char root[MANAGER_PATH_MAX]; /* the folder of the lockfile below the source; "." is its top */
};

/* The workspace of the app in `source`/`app` begins at the nearest folder, from the app upwards,
 * that has a lockfile. Refuses LOCKFILE_MISSING. */
MUST_USE int manager_root(const char *source, const char *app, char ret_root[MANAGER_PATH_MAX],
                          struct box_refusal *ret_refusal);

/* The packageManager field of the root's package.json decides, else the only lockfile. Refuses
 * MANAGER_UNKNOWN, LOCKFILE_AMBIGUOUS, LOCKFILE_MISSING. `read` is not set yet. */
MUST_USE int manager_find(const char *source, const char *root, json_t *package,
                          struct manager *ret_manager, struct box_refusal *ret_refusal);

/* Sets `read` by the lockfile's text. Refuses LOCKFILE_INVALID when it is of another generation
 * than packageManager names. */
MUST_USE int manager_reader(struct manager *m, const char *text, struct box_refusal *ret_refusal);

/* Which program of the worker's reads this lockfile as it stands and leaves it as it is: "npm",
 * "yarn-4", … as worker/bundle/managers.c lists them. */
const char *manager_program(const struct manager *m, const struct lock *lock);
