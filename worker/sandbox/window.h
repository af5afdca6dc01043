/* window.h: a folder of the host shown below the agent's base tmpfs.
 *
 * The sandbox's user may not walk into the cache (it is the agent's alone), and a bind mount needs
 * a path that it may walk. The window is such a path; only the agent's own mount namespace has it.
 * Any thread; windows that are open at one time have different names. */
#pragma once

#include "space.h"

struct window {
    char path[SPACE_PATH_MAX];
    bool is_mounted;
};

MUST_USE int window_new(const struct space_root *root, const char *name, const char *folder,
                        struct window **ret_window);
struct window *window_free(struct window *w);
DEFINE_FREEP(window)
