/* box.h: the parts of rota-box, the helper that runs inside the sandbox and touches an app's bytes
 * in C: unpacking, reading package.json and lockfile, moving and packing trees.
 *
 * Every function returns 0, BOX_REFUSED with `ret_refusal` filled in, or a fault. What is refused
 * is the app's own fault and has a name of errors.def. Single thread. */
#pragma once

#include "errors.h"

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum box_outcome { BOX_REFUSED = 1 };

enum { BOX_TEXT_MAX = 600 };

struct box_refusal {
    const char *name; /* of errors.def */
    char text[BOX_TEXT_MAX + 1];
};

/* Fills the refusal and returns BOX_REFUSED. A name that errors.def does not have does not compile.
 */
#define BOX_REFUSE(refusal, NAME, ...) box_refuse((refusal), E_##NAME, #NAME, __VA_ARGS__)
__attribute__((format(printf, 4, 5))) int box_refuse(struct box_refusal *ret, enum error_code code,
                                                     const char *name, const char *format, ...);

/* Bounds of one source; whatever is larger is refused before it is written. */
struct box_limits {
    uint64_t bytes_max; /* of all files together, unpacked */
    uint64_t entries_max;
    uint64_t path_bytes_max; /* of one name */
};
extern const struct box_limits box_limits_default;

struct unpack_count {
    uint64_t entries, bytes, skipped;
    uint64_t aside; /* .npmrc files, all of them skipped, and copies of .yarnrc.yml files */
};

struct unpack_to {
    const char *folder;
    /* Absolute: .npmrc files go there, and copies of .yarnrc.yml files, under the same names; NULL:
     * nowhere. */
    const char *aside;
};

/* Unpacks a tar (plain, gzip or zstd) from `fd`. Folders named node_modules are left out: packages
 * come from a registry only. So are files named .npmrc, which go aside. Makes the folder the
 * working directory. Refuses ARCHIVE_INVALID, ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE, WORKSPACE_FULL,
 * NPMRC_INVALID. */
MUST_USE int box_unpack(int fd, const struct unpack_to *to, const struct box_limits *limits,
                        struct unpack_count *ret_count, struct box_refusal *ret_refusal);

enum { BOX_NAME_MAX = 64, BOX_PATH_MAX = 256, BOX_HASH_BYTES = 32 };

struct verified {
    char manager[BOX_NAME_MAX];  /* "npm", "yarn", "pnpm" */
    char program[BOX_NAME_MAX];  /* which of the worker's: "npm", "yarn-4", … */
    char lockfile[BOX_NAME_MAX]; /* its file name */
    char root[BOX_PATH_MAX];     /* the folder of the lockfile below the source; "." is its top */
    char engines[BOX_PATH_MAX];  /* the app's engines.node; empty: it has none */
    uint8_t lockfile_sha256[BOX_HASH_BYTES]; /* as it lies in the source */
    /* Over the program's name and everything that it gets to see. */
    uint8_t deps_sha256[BOX_HASH_BYTES];
    uint64_t packages; /* that an install fetches */
    uint64_t unpinned; /* of these, what the manager keeps no hash of */
    uint64_t left_out; /* settings that no install gets to see */
};

/* Judges the app in `source`/`app` ("." is the source itself): its package.json, the workspace that
 * it belongs to, its lockfile and its package manager's settings. Then puts into `to`, at the same
 * places below it, all that the manager gets to see: every package.json of the workspace, the
 * lockfile, allowed settings, patches. Refuses PACKAGE_JSON_INVALID, PACKAGE_NEEDS_SCRIPT,
 * MANAGER_UNKNOWN, MANAGER_SETTING, NPMRC_INVALID, NPMRC_SECRET, LOCKFILE_MISSING,
 * LOCKFILE_AMBIGUOUS, LOCKFILE_INVALID, LOCKFILE_SOURCE, LOCKFILE_INTEGRITY. */
MUST_USE int box_verify(const char *source, const char *app, const char *to,
                        struct verified *ret_verified, struct box_refusal *ret_refusal);

enum { SETTLE_TREES_MAX = 1000 };

/* Calls `found` for each node_modules below `from` that does not lie in another one, with its path,
 * and makes a folder .cache in it. Refuses INSTALL_FAILED when there is none, or too many. */
typedef void settle_tree(void *arg, const char *path);
MUST_USE int box_settle(const char *from, settle_tree *found, void *arg,
                        struct box_refusal *ret_refusal);

struct keep_count {
    uint64_t entries, bytes; /* as blocks on a disk */
};

/* Copies what lies in folders named node_modules below `from` to the same places below `to`. Only
 * faults: nothing is refused. */
MUST_USE int box_keep(const char *from, const char *to, struct keep_count *ret_count);

/* Copies everything below `from` to `to`, then what `old` has besides, up to a bound; there may be
 * no `old`. */
MUST_USE int box_merge(const char *from, const char *old, const char *to,
                       struct keep_count *ret_count);

/* Packs the folder `from` as a tar.gz into the new file `to`. The same files give the same bytes:
 * sorted names, no owners, no times. */
MUST_USE int box_pack(const char *from, const char *to, struct box_refusal *ret_refusal);
