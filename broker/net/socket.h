/* socket.h: what the kernel knows of our own descriptors, where nng does not tell. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

bool address_is_loopback(const struct sockaddr *address);

/* Same family, port and path. A wildcard equals every host, because an accepted connection stands
 * at the host that was called. */
bool address_is_same(const struct sockaddr *bound, const struct sockaddr *other);

/* Closes our listening TCP descriptors at the address without nng noticing: each is first made
 * deaf, so that no call of nng is under way in it, then replaced by an empty one. */
MUST_USE int listening_replace(const struct sockaddr *address);

/* A connection that may have been stranded: taken in by a dead listener, which never reads it. */
struct suspect {
    int fd;
    ino_t inode; /* tells whether the descriptor is still the same socket */
    bool was_unread;
};

/* All connections that were accepted at the address; the caller frees the array. */
MUST_USE int suspects_collect(const struct sockaddr *address, struct suspect **ret_suspects,
                              size_t *ret_n);

/* Looks at each once more. Who has had unread bytes at two looks is hung up on, so that its client
 * connects anew; who was read is cleared. Both leave the array; returns how many stay, and adds
 * to *hung_up. */
size_t suspects_look(struct suspect *suspects, size_t n, uint32_t *hung_up);
