/* path.h: names inside an archive or a lockfile, judged as text alone. Pure. */
#pragma once

#include <stdbool.h>

/* Relative, not empty, and without a ".." part. */
bool path_is_inside(const char *path);

/* `part` is one of the names between the slashes of `path`. */
bool path_has_part(const char *path, const char *part);

/* The last name of `path`; "a/b/" gives "b/". */
const char *path_last(const char *path);

/* A symbolic link at `path` that says `target` stays inside the tree, also when it runs through
 * other links that passed here: `..` may stand in front only, and no more of them than folders
 * above. */
bool link_is_inside(const char *path, const char *target);

/* `target`, as seen from the folder `from` of the tree ("." is its top), lies in the tree. */
bool path_leads_inside(const char *from, const char *target);
