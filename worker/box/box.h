/* box.h: the parts of rota-box, the helper that runs inside the sandbox and touches an app's bytes
 * in C: unpacking, reading package.json and lockfile, moving and packing trees.
 *
 * Every function returns 0, BOX_REFUSED with `ret_refusal` filled in, or a fault. What is refused
 * is the app's own fault and has a name of errors.def. Single thread. */
#pragma once

#include "errors.h"

#include <base/err.h>
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
};

/* Unpacks a tar (plain, gzip or zstd) from `fd` into the folder `to`. Folders named node_modules
 * and files named .npmrc are left out: packages come from the registry only, and the operator alone
 * says which one. Makes `to` the working directory. Refuses ARCHIVE_INVALID, ARCHIVE_UNSAFE,
 * ARCHIVE_TOO_LARGE, WORKSPACE_FULL. */
MUST_USE int box_unpack(int fd, const char *to, const struct box_limits *limits,
                        struct unpack_count *ret_count, struct box_refusal *ret_refusal);

/* Checks the text of a package-lock.json; *ret_packages is how many packages an install fetches.
 * Refuses LOCKFILE_INVALID, LOCKFILE_SOURCE, LOCKFILE_INTEGRITY and names the package. */
MUST_USE int box_lockfile_check(const char *text, size_t n, uint64_t *ret_packages,
                                struct box_refusal *ret_refusal);

/* Checks package.json and package-lock.json of the folder `app`, then copies the lockfile and every
 * package.json into `to`, the only files that npm gets to see. */
MUST_USE int box_verify(const char *app, const char *to, uint64_t *ret_packages,
                        struct box_refusal *ret_refusal);

/* Moves each node_modules of `from` to the same place below `to`. */
MUST_USE int box_settle(const char *from, const char *to, struct box_refusal *ret_refusal);

/* Packs the folder `from` as a tar.gz into the new file `to`. The same files give the same bytes:
 * sorted names, no owners, no times. */
MUST_USE int box_pack(const char *from, const char *to, struct box_refusal *ret_refusal);
