/* tools.h: the programs and files that a build needs besides the app's own, brought together in one
 * folder that every sandbox sees read-only at /rota.
 *
 *   /rota/node          Node (ROTA_NODE, else `node` in PATH), at least 20.19
 *   /rota/npm/          npm, which comes with Node
 *   /rota/js/           the Metro driver
 *   /rota/box           rota-box
 *   /rota/passwd, group names for uid 65534
 *   /rota/none/         an empty folder, to cover others with
 * and what a step with a network sees besides at /net (proxy.h has the rest):
 *   /net/cafile         of the operator's npm configuration
 *   /net/extra-ca       NODE_EXTRA_CA_CERTS
 *   /net/git-ca         all authorities that git shall trust
 *
 * Main thread, once at start, after space_enter(). */
#pragma once

#include "nodes.h"
#include "npmrc.h"
#include "space.h"
#include "toolpath.h"

#include <base/err.h>
#include <stdbool.h>

enum { TOOLS_WHY_MAX = 400, NODE_MAJOR_MIN = 20, NODE_MINOR_MIN = 19 };

struct tools {
    char bwrap[TOOL_PATH_MAX];   /* on the host, as is setpriv */
    char setpriv[TOOL_PATH_MAX]; /* empty: bubblewrap runs under our own uid */
    char always[TOOL_PATH_MAX];  /* the folder that becomes /rota */
    char net[TOOL_PATH_MAX];     /* the folder with the certificate authorities of /net */
    char npm_cli[TOOL_PATH_MAX]; /* inside the sandbox */
    struct nodes nodes;
    struct npmrc rc; /* the operator's */
    bool has_cafile, has_extra_ca;
    uid_t owner; /* who owns a workspace: the uid that sandboxes have on the host */
};

enum tools_outcome { TOOLS_MISSING = 1 };

/* TOOLS_MISSING: `why` names what is missing and how to bring it. */
MUST_USE int tools_find(const struct space_root *root, struct tools *ret_tools,
                        char why[TOOLS_WHY_MAX]);
