/* origin.h: where a package comes from, judged as text alone. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What a package.json or a lockfile asks for is git, an address, a folder or a program in place of
 * a version. */
bool origin_is_foreign(const char *spec);

/* https://HOST/…/NAME/-/FILE, as every registry's tarballs look; without a user part, which would
 * be a secret. */
bool origin_is_registry(const char *url);

/* At least one hash that nobody can forge together with its package. */
bool origin_is_integrity(const char *text);

/* "NAME/-/FILE" out of such an address: where the same tarball lies in any registry. False: it does
 * not fit. */
bool origin_place(const char *url, char *ret, size_t size);

/* The name in "NAME@RANGE"; "@scope/x@npm:y@1" gives "@scope/x". 0: there is no range. */
size_t origin_name_len(const char *pattern);
