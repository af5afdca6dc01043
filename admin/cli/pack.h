/* pack.h: a folder as a source archive. Main thread.
 *
 * Deterministic: the same files give the same bytes (sorted names, no times, no owners), so a
 * folder that did not change is the same source. Left out are version control, installed packages,
 * secrets and build outputs: pack_rules() lists them. No link is followed: a link that stays inside
 * the folder is kept as a link; one that leaves it, and whatever is neither file nor link nor
 * folder, is left out by name. A .yarnrc.yml with a secret in it does not travel: beside a
 * yarn.lock, where a build reads it, the whole folder is refused, elsewhere the file is left out by
 * name. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pack_outcome {
    PACK_NO_FOLDER = 1, /* the path is no folder that can be read */
    PACK_FILE,          /* `failed` could not be read; fault says why */
    PACK_CHANGED,       /* `failed` changed while it was read */
    PACK_EMPTY,         /* nothing to pack */
    PACK_REFUSED,       /* `refusal` says why: builds would refuse it, too */
};

struct pack_refusal {
    const char *error; /* a name of errors.def */
    char text[600];
};

struct pack_result {
    uint64_t files, bytes; /* packed, before compression */
    size_t left_out;       /* by the rules */
    int fault;             /* of PACK_FILE, -errno */
    char failed[256];
    struct pack_refusal refusal; /* of PACK_REFUSED */
};

/* Told of each entry that is left out although no rule names it; may be NULL. */
typedef void pack_skipped(void *arg, const char *path, const char *why);

/* Writes the tar.gz to `fd` (from its position on). <0: the archive could not be written. */
MUST_USE int pack_folder(const char *folder, int fd, pack_skipped *skipped, void *arg,
                         struct pack_result *ret_result);

/* The rules, ended by NULL: "node_modules" matches a name at any depth, "ios/Pods" the end of a
 * path. */
const char *const *pack_rules(void);
bool pack_is_left_out(const char *path);

/* Does a link at `path` (relative to the folder) with this target stay inside the folder? */
bool pack_link_stays(const char *path, const char *target);
