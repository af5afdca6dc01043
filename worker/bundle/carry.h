/* carry.h: carries an object between a capability URL and a descriptor.
 *
 * file:// for a broker on this host, http(s) for a store that is far away (transfer.h). The URL
 * stands in the broker's answer, never in a job. Any thread; blocks, over the network until
 * `stop_fd` speaks.
 */
#pragma once

#include <base/err.h>
#include <stdint.h>
#include <transfer.h>

enum carry_outcome {
    CARRY_GONE = 1, /* nothing is there */
    CARRY_SCHEME,   /* a URL that this worker cannot use */
    CARRY_BAD_URL,
    CARRY_FAILED,  /* the disk, or what came is not the object */
    CARRY_AWAY,    /* the store cannot be reached */
    CARRY_STOPPED, /* stop_fd spoke */
};

struct carry {
    const char *url;
    uint64_t size;         /* the object's */
    const uint8_t *sha256; /* the object's */
    int stop_fd;           /* -1: none */
    /* GET over the network: where its bytes go. A descriptor for reading and writing. */
    int (*file)(void *arg, int *ret_fd);
    void *arg;
    char why[TRANSFER_WHY_MAX]; /* after an outcome, for people */
};

/* Opens the object for reading. Over the network it is fetched first, and is what `sha256` says;
 * from this host's store nothing has been looked at yet. */
MUST_USE int carry_get(struct carry *c, int *ret_fd);

/* Writes c->size bytes of `fd` from its beginning into the new object, down to the disk. Nothing is
 * left of a write that failed. */
MUST_USE int carry_put(struct carry *c, int fd);

/* The path of a file:// URL, percent-decoded; CARRY_SCHEME or CARRY_BAD_URL otherwise. Pure. */
enum { CARRY_PATH_MAX = 1024 };
MUST_USE int carry_path(const char *url, char ret_path[CARRY_PATH_MAX]);
