/* escape_groups.h: a folder of our own below each of cgroup v1's controllers, as an operator makes
 * them for a worker's --cgroup. A process that waits for the test removes them, however it ends.
 * One a process. */
#pragma once

#include "escape_run.h"

/* Forks: the test goes on in the child. False: there is no v1 here that takes folders, and
 * p->groups.why says which and why. */
bool escape_groups_open(struct escape_place *p);

struct escape_quota {
    unsigned periods;   /* in which the kernel held the group to a quota of processors */
    unsigned throttled; /* in which it had used that up */
};

/* As it was when the attacker last told what it had used. */
struct escape_quota escape_groups_quota(void);

/* An agent is killed while a build runs that has lost a worker for want of memory: the next build
 * of that slot ends well, the next agent finds no group left. */
void escape_groups_killed(struct escape_place *p);
