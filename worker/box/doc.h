/* doc.h: a YAML file, read as it passes: each value with the names of the maps that it lies in.
 *
 * Only what lockfiles and settings use: maps, lists and texts in one document. Anchors, aliases and
 * tags are refused, because a few bytes of them can stand for gigabytes and because readers differ
 * in what they make of them; so are names that are no texts. Depth, length of a text and the number
 * of values are bounded. */
#pragma once

#include "box.h"

enum { DOC_DEPTH_MAX = 24, DOC_VALUES_MAX = 2000000, DOC_TEXT_MAX = 64 * 1024 };

struct doc_place {
    const char *name[DOC_DEPTH_MAX]; /* from the outermost map inwards; "-" in a list */
    size_t depth;
    unsigned line; /* from 1 */
    unsigned column;
};

/* Each returns 0 to go on, BOX_REFUSED or a fault. All may be NULL. */
struct doc_reader {
    int (*name)(void *arg, const struct doc_place *at); /* the last of `at` was met */
    int (*value)(void *arg, const struct doc_place *at, const char *text);
    int (*end)(void *arg, const struct doc_place *at); /* of the map or list at this place */
    void *arg;
};

/* The name at this depth is `name`. */
bool doc_is(const struct doc_place *at, size_t depth, const char *name);

/* Refuses with `error`, saying "FILE line N: why". */
MUST_USE int doc_read(const char *file, const char *text, size_t n, const struct doc_reader *reader,
                      struct box_refusal *ret_refusal);
