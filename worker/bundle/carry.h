/* carry.h: carries an object between a capability URL and a descriptor.
 *
 * Today a capability is a file:// URL, good on the broker's own host; any other scheme is named and
 * refused. The path stands in the broker's answer, never in a job. Any thread; blocks on disk only.
 */
#pragma once

#include <base/err.h>
#include <stdint.h>

enum carry_outcome {
    CARRY_GONE = 1, /* nothing is there */
    CARRY_SCHEME,   /* a URL that this worker cannot use */
    CARRY_BAD_URL,
    CARRY_FAILED, /* the disk: errno in *ret_errno where there is one */
};

/* Opens the object for reading. */
MUST_USE int carry_get(const char *url, int *ret_fd);

/* Writes all of `fd` from its beginning into the new object, down to the disk. Nothing is left of a
 * write that failed. */
MUST_USE int carry_put(const char *url, int fd, uint64_t size, int *ret_errno);

/* The path of a file:// URL, percent-decoded; CARRY_SCHEME or CARRY_BAD_URL otherwise. Pure. */
enum { CARRY_PATH_MAX = 1024 };
MUST_USE int carry_path(const char *url, char ret_path[CARRY_PATH_MAX]);
