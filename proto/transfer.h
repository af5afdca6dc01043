/* transfer.h: carries one object over http(s), by a URL that is its own permission.
 *
 * https anywhere, http on loopback alone. Each try begins anew; what a repeat can mend is tried
 * five times with pauses that double and are spread by chance. A host that failed eight tries in a
 * row is left alone for five seconds, and twice as long after each further one, a minute at most:
 * until then its transfers end at once. Any thread; each transfer blocks its own. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRANSFER_WHY_MAX = 320 };

enum transfer_outcome {
    TRANSFER_GONE = 1,  /* nothing is there */
    TRANSFER_REFUSED,   /* the URL has expired, or the store does not want this object */
    TRANSFER_TOO_LARGE, /* than size_max */
    TRANSFER_MISMATCH,  /* what came is not what was announced */
    TRANSFER_AWAY,      /* not reached, all tries spent, or the host is left alone */
    TRANSFER_STOPPED,   /* stop_fd spoke */
    TRANSFER_BAD_URL,   /* none that this program may use */
    TRANSFER_LOCAL,     /* our own file: errno in `error` */
};

struct transfer {
    const char *url;
    int fd;                /* PUT: read from its beginning; GET: written from its beginning */
    uint64_t size;         /* PUT: so many bytes; GET: must be so many, UINT64_MAX: not known */
    uint64_t size_max;     /* of a GET */
    const uint8_t *sha256; /* of these bytes; a GET's may be NULL: not known */
    int stop_fd;           /* readable: stop; -1: none */
    void (*progress)(void *arg, uint64_t done); /* NULL: nobody listens */
    void *arg;
    /* the answer */
    char why[TRANSFER_WHY_MAX]; /* for people, without the URL */
    int error;
};

MUST_USE int transfer_put(struct transfer *t);
MUST_USE int transfer_get(struct transfer *t);

/* Is it a URL for a transfer at all (and no file://, say)? */
bool transfer_is_for(const char *url);
