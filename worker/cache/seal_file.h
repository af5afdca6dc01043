/* seal_file.h: files as one sealed stream, and back. Any thread.
 *
 * Chunks of libsodium's secretstream: order, end and name are part of what is authenticated. */
#pragma once

#include <base/err.h>
#include <stddef.h>
#include <stdint.h>

enum seal_file_outcome { SEAL_FILE_BROKEN = 1 };

enum { SEAL_FILES_MAX = 4 };

/* Writes the contents of `from`, each from its beginning, as one stream to `to`. `name` must be
 * given again to open it. *ret_bytes is what was written. */
MUST_USE int seal_files(const uint8_t key[32], const char *name, const int *from, size_t n, int to,
                        uint64_t *ret_bytes);

/* Writes them back, in order. SEAL_FILE_BROKEN: what lies in `from` is not what was sealed under
 * this name; the files hold rubbish or nothing then. */
MUST_USE int unseal_files(const uint8_t key[32], const char *name, int from, const int *to,
                          size_t n);
