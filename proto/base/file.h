/* file.h: small whole files and the names of things in a folder. Any thread. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* Reads a whole file of at most `max` bytes into memory with a NUL behind it; the caller frees.
 * -EFBIG when it is larger. */
MUST_USE int file_read(const char *path, size_t max, char **ret_text, size_t *ret_n);

/* The same for a file with a secret inside: -EPERM when group or others may read it, so the caller
 * can say `chmod 600`. */
MUST_USE int file_read_secret(const char *path, size_t max, char **ret_text, size_t *ret_n);

/* Writes a temporary file beside `path`, fsyncs it, renames it over `path`, fsyncs the folder. */
MUST_USE int file_write(const char *path, mode_t mode, const void *p, size_t n);

/* All bytes or a fault; retries EINTR and short counts. */
MUST_USE int write_all(int fd, const void *p, size_t n);
MUST_USE int read_all(int fd, void *p, size_t n, size_t *ret_n);

/* mkdir -p; existing folders keep their mode. */
MUST_USE int dir_make(const char *path, mode_t mode);
