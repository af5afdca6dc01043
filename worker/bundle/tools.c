/* tools.c: looks up what a React Native build needs besides the frame, and brings it there. */
#include "frame.h"
#include "trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int node_check(const char *node, struct node_at *own, char why[TOOLS_WHY_MAX])
{
    int r = node_version(node, own);
    if (r < 0)
        return err_pass(r);
    if (r == NODES_NONE)
        return frame_missing(why, "%s does not run: set ROTA_NODE to a working Node", node);
    const struct engines_version *v = &own->version;
    if (v->major < NODE_MAJOR_MIN || (v->major == NODE_MAJOR_MIN && v->minor < NODE_MINOR_MIN))
        return frame_missing(why,
                             "Node %s is too old: set ROTA_NODE to %d.%d or newer (scripts/setup "
                             "brings one)",
                             own->text, NODE_MAJOR_MIN, NODE_MINOR_MIN);
    return 0;
}

/* Debian's npm finds its parts in /usr/share/nodejs, so that one must be used in place. */
static int npm_bind(struct tools *t, const char *npm)
{
    static const char debian[] = "/usr/share/nodejs/";
    bool is_in_place = strncmp(npm, debian, sizeof debian - 1) == 0;
    snprintf(t->npm_cli, sizeof t->npm_cli, "%.480s/bin/npm-cli.js",
             is_in_place ? npm : "/rota/npm");
    return is_in_place ? 0 : frame_bind(npm, t->always, "npm");
}

static int js_bind(struct tools *t)
{
    char parts[TOOL_PATH_MAX], js[TOOL_PATH_MAX + 8];
    if (!parts_find(parts))
        return err_raise(-ENOENT);
    snprintf(js, sizeof js, "%s/js", parts);
    return frame_bind(js, t->always, "js");
}

static int net_fill(struct tools *t, const char *node, const char *npm, char why[TOOLS_WHY_MAX])
{
    struct npmrc rc;
    int r = npmrc_read(node, npm, &rc);
    if (r == NPMRC_UNREADABLE)
        return frame_missing(why, "`npm config get` failed: does %s belong to %s?", npm, node);
    if (r < 0)
        return err_pass(r);
    t->has_cafile = rc.cafile[0] != 0;
    if (t->has_cafile)
        r = frame_bind(rc.cafile, t->net, "cafile");
    const char *extra = getenv("NODE_EXTRA_CA_CERTS");
    t->has_extra_ca = extra && *extra == '/' && access(extra, R_OK) == 0;
    if (r == 0 && t->has_extra_ca)
        r = frame_bind(extra, t->net, "extra-ca");
    if (r == 0)
        r = trust_write(t->net, "git-ca");
    t->rc = rc;
    return r < 0 ? err_pass(r) : 0;
}

static int fill(const struct space_root *root, struct tools *t, const char *node, const char *npm)
{
    int r = frame_folder(root, "net", t->net);
    if (r == 0)
        r = frame_bind(node, t->always, "node");
    if (r == 0)
        r = npm_bind(t, npm);
    if (r == 0)
        r = js_bind(t);
    return r < 0 ? err_pass(r) : 0;
}

int tools_find(const struct space_root *root, struct tools *ret_tools, char why[TOOLS_WHY_MAX])
{
    struct tools t = {0};
    struct node_at own = {0};
    char node[TOOL_PATH_MAX], npm[TOOL_PATH_MAX];
    if (!node_find(node))
        return frame_missing(why, "no Node: set ROTA_NODE or put node into PATH");
    if (!npm_find(node, npm))
        return frame_missing(why, "no npm beside %s or in PATH: install it with Node", node);
    int r = frame_make(root, &t, why);
    if (r == 0)
        r = node_check(node, &own, why);
    if (r == 0)
        r = nodes_find(root, &own, &t.nodes);
    if (r == 0)
        r = fill(root, &t, node, npm);
    if (r == 0)
        r = net_fill(&t, node, npm, why);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    *ret_tools = t;
    return 0;
}
