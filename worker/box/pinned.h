/* pinned.h: whether a yarn.lock of Yarn 1 pins all that an install will fetch. */
#pragma once

#include "package.h"
#include "pins.h"

/* Each wish of the top, of each package of the workspace, of the top's resolutions and of the
 * lockfile's own packages must have its "NAME@RANGE" among `pins` (which are sorted here), or be a
 * member of the workspace; and what is pinned must be of the range. Yarn 1 looks at the top's
 * alone, and asks the registry for the others anew. `folder` is the workspace as Yarn will see it,
 * `top` its package.json. Refuses LOCKFILE_INVALID with package and member, LOCKFILE_SOURCE,
 * PACKAGE_JSON_INVALID. */
MUST_USE int pinned_judge(const char *folder, json_t *top, struct pins *pins,
                          struct box_refusal *ret_refusal);
