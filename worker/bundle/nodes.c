/* nodes.c: looks for Node in two places of each folder: where archives of Node have it, and where
 * npm puts the package `node`. */
#include "nodes.h"

#include "frame.h"

#include <base/auto.h>
#include <child.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct said {
    char text[64];
    size_t n;
};

static void said_add(void *arg, const void *p, size_t n)
{
    struct said *s = arg;
    for (size_t i = 0; i < n && s->n + 1 < sizeof s->text; i++)
        s->text[s->n++] = ((const char *)p)[i];
}

int node_version(const char *node, struct node_at *ret)
{
    struct said said = {0};
    const char *const argv[] = {node, "--version", NULL}, *const env[] = {NULL};
    struct child_spec spec = {
        .argv = argv, .env = env, .stop_fd = -1, .output = said_add, .arg = &said};
    struct child_end end;
    int r = child_run(&spec, &end);
    if (r < 0)
        return err_pass(r);
    if (r != 0 || end.status != 0 || said.text[0] != 'v' ||
        engines_version_read(said.text, &ret->version) != 0)
        return NODES_NONE;
    snprintf(ret->text, sizeof ret->text, "%.*s", (int)strcspn(said.text, "\n"), said.text);
    return 0;
}

static bool place_find(const char *folder, const char *name, char ret[TOOL_PATH_MAX])
{
    static const char *const places[] = {"bin/node", "node_modules/node/bin/node"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        char path[2 * TOOL_PATH_MAX];
        snprintf(path, sizeof path, "%.480s/%.80s/%s", folder, name, places[i]);
        if (program_resolve(path, ret))
            return true;
    }
    return false;
}

static bool is_known(const struct nodes *nodes, const char *text)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (strcmp(nodes->node[i].text, text) == 0)
            return true;
    return false;
}

static int node_add(const struct space_root *root, const char *place, const char *name,
                    struct nodes *nodes)
{
    struct node_at at = {0};
    char folder[TOOL_PATH_MAX];
    int r = node_version(place, &at);
    if (r < 0)
        return err_pass(r);
    if (r == NODES_NONE || is_known(nodes, at.text))
        return 0;
    r = frame_folder(root, "nodes", folder);
    if (r == 0)
        r = frame_bind(place, folder, name);
    if (r < 0)
        return err_pass(r);
    snprintf(at.path, sizeof at.path, "%.400s/%.80s", folder, name);
    nodes->node[nodes->n++] = at;
    return 0;
}

static int older(const void *a, const void *b)
{
    const struct engines_version *x = &((const struct node_at *)a)->version,
                                 *y = &((const struct node_at *)b)->version;
    if (x->major != y->major)
        return x->major < y->major ? -1 : 1;
    return x->minor < y->minor ? -1 : x->minor > y->minor;
}

static bool is_major(const char *name)
{
    return *name && name[strspn(name, "0123456789")] == 0;
}

static int folder_read(const struct space_root *root, const char *folder, struct nodes *nodes)
{
    int r = 0;
    char place[TOOL_PATH_MAX];
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? 0 : err_raise(-errno);
    for (struct dirent *e; r == 0 && nodes->n < NODES_MAX && (e = readdir(d));)
        if (is_major(e->d_name) && place_find(folder, e->d_name, place))
            r = node_add(root, place, e->d_name, nodes);
    closedir(d);
    return r;
}

int nodes_find(const struct space_root *root, const struct node_at *own, struct nodes *ret_nodes)
{
    struct nodes nodes = {.node = {*own}, .n = 1};
    const char *folder = getenv("ROTA_NODES");
    int r = folder && *folder ? folder_read(root, folder, &nodes) : 0;
    if (r < 0)
        return err_pass(r);
    qsort(nodes.node + 1, nodes.n - 1, sizeof *nodes.node, older);
    *ret_nodes = nodes;
    return 0;
}

int nodes_pick(const struct nodes *nodes, const char *range, const struct node_at **ret_node)
{
    for (size_t i = 0; i < nodes->n; i++) {
        int r = engines_match(range, nodes->node[i].version);
        if (r == ENGINES_UNREADABLE)
            return NODES_UNREADABLE;
        if (r == 0) {
            *ret_node = &nodes->node[i];
            return 0;
        }
    }
    return NODES_NONE;
}

void nodes_text(const struct nodes *nodes, char ret[NODES_TEXT_MAX])
{
    size_t n = 0;
    ret[0] = 0;
    for (size_t i = 0; i < nodes->n && n < NODES_TEXT_MAX; i++)
        n += (size_t)snprintf(ret + n, NODES_TEXT_MAX - n, "%s%s", i ? "," : "",
                              nodes->node[i].text);
}
