/* object.h: carries bytes to and from the artifact store by the capability URL that the broker
 * signed.
 *
 * Here every store is the broker's own folder, so the only scheme is file://; another one is
 * refused by its name. Main thread. */
#pragma once

#include "cli.h"

/* The path of a file:// URL, or the exit code, said. The caller frees the path. */
MUST_USE int object_path(const char *url, char **ret_path);

/* Writes `size` bytes of `fd`, from its beginning, to the capability; durable before it returns. */
MUST_USE int object_put(const char *url, int fd, uint64_t size);

/* Fetches the capability's object as DIR/NAME by way of a temporary name. */
MUST_USE int object_get(const char *url, const char *dir, const char *name);

/* May this be the name of a file in a folder of ours? */
bool object_name_is_plain(const char *name);
