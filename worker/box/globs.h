/* globs.h: the globs in package.json's `workspaces`, as Yarn 1 reads them: *, ?, [abc], {a,b} and,
 * for any number of folders, **. None of them matches a name that begins with a dot. Pure. */
#pragma once

#include <stdbool.h>

enum { GLOB_BYTES_MAX = 256, GLOB_STARS_MAX = 8, GLOB_CHOICES_MAX = 32 };

/* False: it leads out of the workspace, is larger than the bounds above, or says what is not read
 * here: a backslash, round brackets, ranges of numbers, braces within braces. */
bool glob_is_read(const char *glob);

/* A `folder` of the workspace, "." for its top, is meant by a glob that is read. */
bool glob_match(const char *glob, const char *folder);
