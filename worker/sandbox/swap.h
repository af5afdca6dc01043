/* swap.h: can memory of a build reach a disk? A source that lives in tmpfs only must not be written
 * to a swap area, where it outlives the build and the machine's switch.
 *
 * Areas on zram without a backing device and on dm-crypt are no danger. With any other, two locks
 * together are enough: tmpfs mounted with noswap (Linux 6.4 and root; space.h), and a cgroup that
 * lets the build's processes swap nothing. Looked at once, at start. Main thread. */
#pragma once

#include "cgroup.h"
#include "space.h"

/* Where the kernel says it; a test points it at recorded files. */
struct swap_host {
    const char *swaps;  /* "/proc/swaps" */
    const char *blocks; /* "/sys/block" */
};

enum { SWAP_NAME_MAX = 256 };
enum swap_outcome { SWAP_EXPOSED = 1 };

/* SWAP_EXPOSED: the first area that would hold memory in the clear, in ret_name. <0: the kernel
 * does not say. */
MUST_USE int swap_look(const struct swap_host *host, char ret_name[SWAP_NAME_MAX]);

/* SWAP_EXPOSED unless there is no danger, or both locks are on: `why` says what to do. */
MUST_USE int swap_check(const struct swap_host *host, const struct space_root *root,
                        const struct cgroups *groups, char why[SPACE_WHY_MAX]);

/* The same for this machine. `is_allowed`: the operator takes it upon himself. */
MUST_USE int swap_check_here(const struct space_root *root, const struct cgroups *groups,
                             bool is_allowed, char why[SPACE_WHY_MAX]);
