/* yarnrc.h: an install's npm configuration in the words of Yarn 2 and later, which read none of
 * npm's: registries, those of scopes, and their tokens. Pure. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>

/* `npmrc`: lines "key=value", as the install's /net/npmrc has them. `is_old`: for Yarn 3, which
 * calls one setting otherwise. -E2BIG when the text does not fit. */
MUST_USE int yarnrc_write(const char *npmrc, bool is_old, char *ret, size_t size);
