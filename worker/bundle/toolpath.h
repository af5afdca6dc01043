/* toolpath.h: where the tools of a build lie on this machine. Any thread; reads PATH, ROTA_NODE and
 * ROTA_TOOLS. */
#pragma once

#include <stdbool.h>

enum { TOOL_PATH_MAX = 512 };

/* All give absolute paths with links resolved; false: not there. */
bool path_search(const char *name, char ret[TOOL_PATH_MAX]);
bool program_resolve(const char *path, char ret[TOOL_PATH_MAX]); /* it can be run */
bool node_find(char ret[TOOL_PATH_MAX]);
bool npm_find(const char *node, char ret[TOOL_PATH_MAX]); /* npm's folder */
/* Notes where this program lies, for parts_find(). Before the agent enters its own mount namespace:
 * from there on a process in a chroot no longer sees its own path right. */
void program_note(void);
/* The folder with box/rota-box and js/: beside the running program, as in the build folder; in
 * ../libexec/rota, as installed; or where ROTA_TOOLS says. */
bool parts_find(char ret[TOOL_PATH_MAX]);
