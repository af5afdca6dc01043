/* trees.h: the node_modules folders of a build as a list of paths below the app, one a line. Pure.
 */
#pragma once

#include "cache.h"

#include <stdbool.h>
#include <stddef.h>

enum { TREES_MAX = 1000, TREES_TEXT_MAX = CACHE_NOTE_MAX, TREES_PATH_MAX = 400 };

struct trees {
    char text[TREES_TEXT_MAX + 1];
    size_t n;
    bool is_cut; /* a path was refused or found no room */
};

/* A relative path of plain names, the last of them node_modules; anything else only sets is_cut. */
void trees_add(struct trees *t, const char *path);

/* Out of a text that trees_add() made; false: it is none. */
bool trees_read(struct trees *t, const char *text);

/* The path behind `after` (NULL: the first) with its length, or NULL. */
const char *trees_next(const struct trees *t, const char *after, size_t *ret_n);
