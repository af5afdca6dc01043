/* frame.h: the part of /rota that every sandbox has, whatever runs in it: rota-box, names for uid
 * 65534, an empty folder. Runners bring their own programs into the same folder. Main thread, once
 * at start, after space_enter(). */
#pragma once

#include "tools.h"

/* Fills in what struct tools knows of bubblewrap, setpriv, the owner and the folder. TOOLS_MISSING:
 * `why` names what is missing and how to bring it. */
MUST_USE int frame_make(const struct space_root *root, struct tools *t, char why[TOOLS_WHY_MAX]);

/* Tries the sandbox with a program that does nothing: as nobody if that works; some kernels let
 * only root make namespaces, then as ourselves. TOOLS_MISSING: not at all. */
MUST_USE int frame_probe(struct tools *t, char why[TOOLS_WHY_MAX]);

/* A folder below the base tmpfs; what lies in it. */
MUST_USE int frame_folder(const struct space_root *root, const char *name, char ret[TOOL_PATH_MAX]);
MUST_USE int frame_bind(const char *what, const char *folder, const char *name);
MUST_USE int frame_text(const char *text, const char *folder, const char *name);

/* Writes `why`; gives TOOLS_MISSING. */
__attribute__((format(printf, 2, 3))) int frame_missing(char why[TOOLS_WHY_MAX], const char *format,
                                                        ...);
