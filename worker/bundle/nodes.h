/* nodes.h: the versions of Node on this machine, and which of them a build gets.
 *
 * ROTA_NODES names a folder with one folder for each major version (scripts/setup --node makes it);
 * the worker's own Node is always one of them. Each is bound below the base tmpfs, because a
 * sandbox may not walk to where it lies; a build's own is mounted over /rota/node. Found by the
 * main thread, once at start; read by any thread afterwards. */
#pragma once

#include "engines.h"
#include "toolpath.h"

#include <base/err.h>
#include <stddef.h>

struct space_root;

enum { NODES_MAX = 12, NODE_VERSION_MAX = 32, NODES_TEXT_MAX = 200 };

struct node_at {
    struct engines_version version;
    char text[NODE_VERSION_MAX]; /* "v22.13.0" */
    char path[TOOL_PATH_MAX]; /* what is mounted; empty: the worker's own, which is there anyway */
};

struct nodes {
    struct node_at node[NODES_MAX]; /* the worker's own first, then from the oldest on */
    size_t n;
};

enum nodes_outcome { NODES_NONE = 1, NODES_UNREADABLE };

/* What `node --version` says. NODES_NONE: it does not run. */
MUST_USE int node_version(const char *node, struct node_at *ret);

/* `own`: the worker's. A folder of ROTA_NODES without a Node that runs is left out. */
MUST_USE int nodes_find(const struct space_root *root, const struct node_at *own,
                        struct nodes *ret_nodes);

/* The worker's own if it will do, else the oldest that does. NODES_UNREADABLE: `range` is none. */
MUST_USE int nodes_pick(const struct nodes *nodes, const char *range,
                        const struct node_at **ret_node);

/* "v20.20.2,v22.23.3" */
void nodes_text(const struct nodes *nodes, char ret[NODES_TEXT_MAX]);
