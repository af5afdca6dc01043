/* bundle_pack.h: makes a source archive out of layers of folders and a few texts. */
#pragma once

#include <stddef.h>

struct pack_text {
    const char *path, *text; /* written last, whatever the path is */
};

struct pack_plan {
    const char *top;           /* the folder that `layers` are in */
    const char *const *layers; /* a file of a later layer wins; NULL entries are skipped */
    size_t layers_n;
    const char *first_at; /* where the first layer lies in the archive; NULL: at its top */
    const struct pack_text *text;
    size_t text_n;
    const char *without; /* a path of the archive to leave out, or NULL */
};

/* Writes the tar.gz `to`, over an older one. node_modules of the layers stay out. Aborts on any
 * failure. */
void pack_source(const struct pack_plan *plan, const char *to);
