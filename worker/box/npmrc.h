/* npmrc.h: the app's own .npmrc, which the unpacker put aside, read by the list of
 * proto/registry_rc.h. registries.h does the same for Yarn's file. */
#pragma once

#include "box.h"

enum { NPMRC_BYTES_MAX = 64 * 1024 };

struct npmrc_reader {
    /* A line that counts, in its one spelling ("key=value"); a token's value is "${NAME}". */
    int (*line)(void *arg, const char *line);
    int (*left_out)(void *arg, const char *key); /* a setting that does not count */
    void *arg;
};

/* Reads `text`. Refuses NPMRC_INVALID and NPMRC_SECRET and names the key, never a value. */
MUST_USE int box_npmrc_read(const char *text, size_t n, const struct npmrc_reader *reader,
                            struct box_refusal *ret_refusal);

/* The same for the file .npmrc in `folder`, if there is one. */
MUST_USE int box_npmrc(const char *folder, const struct npmrc_reader *reader,
                       struct box_refusal *ret_refusal);
