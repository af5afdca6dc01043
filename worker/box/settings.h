/* settings.h: a package manager's settings in the source. Most decide where a manager asks, what it
 * runs and where it writes; the few that say what the tree of packages looks like are let through.
 */
#pragma once

#include "lock.h"
#include "manager.h"

/* Copies the allowed settings of the workspace into the folder `to` and adds the files that patch
 * packages to lock->patches; *ret_left_out is how many were left out. Refuses MANAGER_SETTING, and
 * what registries_read() refuses. */
MUST_USE int settings_copy(const char *folder, const char *to, const struct manager *m,
                           json_t *package, struct lock *lock, uint64_t *ret_left_out,
                           struct box_refusal *ret_refusal);
