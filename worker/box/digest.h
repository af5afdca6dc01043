/* digest.h: one hash for a folder of plain files. */
#pragma once

#include <base/err.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32 };

void digest_text(const void *p, size_t n, uint8_t ret[DIGEST_BYTES]);

/* sha256 over `first` and, sorted by path, each file's path, size and bytes. No file may be larger
 * than `file_bytes_max`. */
MUST_USE int digest_folder(const char *folder, const char *first, size_t file_bytes_max,
                           uint8_t ret[DIGEST_BYTES]);
