/* spec.h: what the spec of a bundle job says: a JSON object, every member optional.
 *
 *   {"root": "apps/mobile", "entry": "index.js", "node": "20"}
 *
 * Pure. */
#pragma once

#include <base/err.h>
#include <stddef.h>

enum { SPEC_PATH_MAX = 200, SPEC_NODE_MAX = 20, SPEC_WHY_MAX = 200 };

struct spec {
    char root[SPEC_PATH_MAX + 1];  /* the app's folder below the source; "." is the source */
    char entry[SPEC_PATH_MAX + 1]; /* a file below `root`; empty: by React Native's own rule */
    char node[SPEC_NODE_MAX + 1];  /* "20", "22.13"; empty: by the app's engines */
};

enum spec_outcome { SPEC_REFUSED = 1 };

/* No bytes at all are an empty object. SPEC_REFUSED: `why` names the member and what it may be. */
MUST_USE int spec_parse(const void *p, size_t n, struct spec *ret_spec, char why[SPEC_WHY_MAX]);
