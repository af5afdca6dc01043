/* package.h: what rota-box reads out of a package.json. */
#pragma once

#include "box.h"

#include <jansson.h>

enum { PACKAGE_BYTES_MAX = 4 << 20, PACKAGE_PATH_MAX = 4096 };

/* The text of a regular file; its last name is never a link. Below 0 without a note in the error
 * trace: -ENOENT, -EFBIG and what else reading says. */
MUST_USE int package_text(const char *folder, const char *name, size_t max, char **ret_text,
                          size_t *ret_n);

/* The package.json of `source`/`place`; the caller drops the reference. Refuses
 * PACKAGE_JSON_INVALID. */
MUST_USE int package_read(const char *source, const char *place, json_t **ret_package,
                          struct box_refusal *ret_refusal);

/* What it depends on must not name a foreign place. `place` is for the text. Refuses
 * LOCKFILE_SOURCE. */
MUST_USE int package_wishes(const char *place, json_t *package, struct box_refusal *ret_refusal);

/* Scripts do not run: an app whose own scripts patch its packages would be built without the
 * patches and nobody would know. Refuses PACKAGE_NEEDS_SCRIPT with the first such package. */
MUST_USE int package_scripts(const char *source, const char *place, json_t *package,
                             struct box_refusal *ret_refusal);
