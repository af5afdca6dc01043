/* space.h: where builds keep their bytes: tmpfs mounts that only the agent's own mount namespace
 * has.
 *
 * At start the agent enters a mount namespace of its own (inside a user namespace when it may not
 * do so otherwise). One base tmpfs there holds the tools of the sandbox; each job gets a tmpfs of
 * its own with a size limit. Nobody else on the machine sees either, nothing of a job ever reaches
 * a disk, and when the agent dies in whatever way, the kernel drops all of it with the namespace.
 * On the host only an empty folder is left, which the next start uses again.
 *
 * space_enter() runs once while the process has one thread; the rest from any thread, one space at
 * a time from one. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SPACE_PATH_MAX = 512, SPACE_WHY_MAX = 256 };

struct space_root {
    char path[SPACE_PATH_MAX]; /* the base tmpfs */
    bool has_user_namespace;   /* made one to be allowed to mount */
    bool has_noswap;           /* pages of the tmpfs mounts stay in memory */
};

enum space_outcome { SPACE_REFUSED = 1 };

/* SPACE_REFUSED: this machine does not let us; `why` says what to do. */
MUST_USE int space_enter(struct space_root *ret_root, char why[SPACE_WHY_MAX]);

struct space {
    char path[SPACE_PATH_MAX];
    int fd; /* its root folder */
};

/* Mounts a tmpfs of at most `bytes` under `name` and makes the folders of a build in it, all
 * belonging to `owner`. */
MUST_USE int space_new(const struct space_root *root, const char *name, uint64_t bytes, uid_t owner,
                       struct space **ret_space);
/* Unmounts; the memory goes with the last process that used it. Looks whether there is one, or
 * anything else of the job: remains.h. */
struct space *space_free(struct space *s);
DEFINE_FREEP(space)

/* Opens a file that a build made, for reading: below the space, through no link, a regular file,
 * nothing mounted over. -ELOOP, -ENOENT, -EINVAL otherwise. */
MUST_USE int space_open_file(const struct space *s, const char *path, int *ret_fd);

/* A file without a name in the space: it counts against its size, and goes with its last
 * descriptor. */
MUST_USE int space_file(const struct space *s, int *ret_fd);

/* Not even a small file fits in any more. */
bool space_is_full(const struct space *s);
