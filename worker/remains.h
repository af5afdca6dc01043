/* remains.h: whether anything of a job outlived its workspace.
 *
 * Nothing should: the mount goes with its folder, and the kernel has killed every process before
 * the runner hears that a step has ended. This looks, so that a mistake of ours or of the kernel's
 * is seen at once and does not meet the next job. What is left is noted for the thread that freed
 * the space, and its slot takes no job until it is gone. Any thread, each for its own.
 *
 * The agent knows no sandbox; it asks by agent_config. What looks is worker/sandbox/remains.c. */
#pragma once

#include <stdbool.h>

/* A workspace that was at `path` is freed; `fd` (-1: none) is its root folder and ours from here
 * on. Looks for the mount, and for processes below this one that hold something of it or see it
 * among their mounts. What is left is logged. */
void remains_look(const char *path, int fd);

/* Looks again at what this thread had to note. False: there is nothing, or it is gone. */
bool remains_are_there(void);
