/* escape_host.h: what lies about on a host for an attacker to find: a file, a process with a secret
 * in its environment and its arguments, sockets that listen, shared memory, an open descriptor,
 * another job's workspace. All of them hold one canary. Aborts on any failure. */
#pragma once

#include <space.h>
#include <stdbool.h>
#include <sys/types.h>

enum { CANARY_LEN = 32 };

struct escape_host {
    char folder[64]; /* mkdtemp */
    char canary[CANARY_LEN + 1];
    char file[128], socket_file[128], abstract[64], posix_shm[64];
    int port, shm_key, shm_id;
    pid_t pid;
    int listen[3]; /* TCP, abstract, file */
    int leaked;    /* on purpose without O_CLOEXEC */
    struct space *other;
};

void escape_host_open(struct escape_host *h, const struct space_root *root, uid_t owner);
/* Nobody came: no connection waits at a socket, the process lives, the file is as it was. */
bool escape_host_is_whole(const struct escape_host *h);
void escape_host_close(struct escape_host *h);
/* Writes "name=value" lines for the attacker. */
void escape_host_tell(const struct escape_host *h, const char *path);
/* Copies a file of the attacker's app, hostile/escape below `apps`, into the space's folder `to`.
 */
void escape_bring(const char *apps, const char *name, const struct space *s, const char *to);
