/* pack_yarnrc.h: whether a .yarnrc.yml may travel with a source. It is judged whole, by the reader
 * of the builds (worker/box/registries.h): half of it could install other packages than all of it.
 */
#pragma once

#include "pack.h"

#include <stddef.h>

/* The file behind `fd`, from its beginning, as text to be freed. PACK_REFUSED: a secret stands in
 * it, or something that every build would be refused for; *ret_refusal names the key and no value.
 * `path` is how messages call it. */
MUST_USE int pack_yarnrc_text(int fd, const char *path, char **ret_text, size_t *ret_n,
                              struct pack_refusal *ret_refusal);
