/* tree.h: walks through folders that nobody else changes meanwhile. */
#pragma once

#include <base/err.h>
#include <sys/stat.h>

enum tree_step { TREE_GO_ON = 0, TREE_SKIP = 1 };

/* Called for each entry but the root, folders before what is in them, names sorted by bytes; `path`
 * is relative to the root. TREE_SKIP: do not go into this folder. <0 ends the walk. */
typedef int tree_visit(void *arg, const char *path, const struct stat *st);

/* Follows no links. 0, or the fault of `visit` or of reading. */
MUST_USE int tree_walk(const char *root, tree_visit *visit, void *arg);
