/* object.h: carries bytes to and from the artifact store by the capability URL that the broker
 * signed: file:// on the broker's own host, https:// from a bucket. Main thread. */
#pragma once

#include "cli.h"

/* Writes the object that was announced, from the beginning of `fd`, to the capability; durable
 * before it returns. */
MUST_USE int object_put(const Rota__SignResult *sign, int fd);

/* Fetches the capability's object as DIR/NAME by way of a temporary name, and holds it against its
 * hash before it gets its own. */
MUST_USE int object_get(const Rota__SignResult *sign, const char *dir, const char *name);

/* May this be the name of a file in a folder of ours? */
bool object_name_is_plain(const char *name);
