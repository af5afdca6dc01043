/* settle.c: says where an install left its node_modules folders: one for the app, and one for each
 * workspace that has its own. They stay where they are; later steps see each of them, read-only, at
 * the same place below the app. Many tools keep things in node_modules/.cache, so each gets such a
 * folder, which a later step can be given an empty one over. */
#include "box.h"
#include "path.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

struct settling {
    const char *from;
    settle_tree *found;
    void *arg;
    unsigned trees;
};

static int tree_one(void *arg, const char *path, const struct stat *st)
{
    struct settling *s = arg;
    if (!S_ISDIR(st->st_mode) || strcmp(path_last(path), "node_modules") != 0)
        return TREE_GO_ON;
    char cache[PATH_BYTES];
    int n = snprintf(cache, sizeof cache, "%s/%s/.cache", s->from, path);
    if (n < 0 || (size_t)n >= sizeof cache)
        return err_raise(-ENAMETOOLONG);
    if (mkdir(cache, 0755) < 0 && errno != EEXIST)
        return err_raise(-errno);
    s->trees++;
    if (s->trees <= SETTLE_TREES_MAX)
        s->found(s->arg, path);
    return TREE_SKIP;
}

int box_settle(const char *from, settle_tree *found, void *arg, struct box_refusal *ret_refusal)
{
    struct settling s = {.from = from, .found = found, .arg = arg};
    int r = tree_walk(from, tree_one, &s);
    if (r < 0)
        return err_pass(r);
    if (s.trees == 0)
        return BOX_REFUSE(ret_refusal, INSTALL_FAILED,
                          "nothing was installed: the lockfile names no packages");
    if (s.trees > SETTLE_TREES_MAX)
        return BOX_REFUSE(ret_refusal, INSTALL_FAILED,
                          "%u workspaces have a node_modules of their own; at most %d may", s.trees,
                          SETTLE_TREES_MAX);
    return 0;
}
