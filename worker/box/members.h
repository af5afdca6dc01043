/* members.h: the packages of a workspace, as Yarn 1 finds them by the top's `workspaces`. */
#pragma once

#include "names.h"
#include "package.h"

enum { MEMBERS_MAX = NAMES_MAX, MEMBERS_BYTES_MAX = 64 << 20, GLOBS_MAX = 64 };

struct member {
    char *name, *version;
};

/* All zero: none. */
struct members {
    struct names places; /* their folders; "." is the top */
    struct member *v;    /* one for each place; names are NULL where Yarn leaves a package out */
};

/* Reads the package.json files below `folder`, which is the workspace as its manager will see it;
 * `top` is that of the folder itself. Refuses PACKAGE_JSON_INVALID: a glob that is not read, more
 * than MEMBERS_MAX or MEMBERS_BYTES_MAX of them, or one that is no JSON. */
MUST_USE int members_read(const char *folder, json_t *top, struct members *ret,
                          struct box_refusal *ret_refusal);

/* Yarn takes the member for this wish, and asks no registry. */
bool members_have(const struct members *m, const char *name, const char *range);

void members_deinit(struct members *m);
