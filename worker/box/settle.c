/* settle.c: brings what npm installed to where the app lies. Both are on one tmpfs, so each move is
 * one rename. Workspaces have node_modules of their own below their folders; those move as well.
 * Unpacking left every node_modules of the source out, so none is in the way. */
#include "box.h"
#include "path.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

struct settling {
    const char *from, *to;
    unsigned moved;
};

static int move_one(void *arg, const char *path, const struct stat *st)
{
    struct settling *s = arg;
    if (!S_ISDIR(st->st_mode) || strcmp(path_last(path), "node_modules") != 0)
        return TREE_GO_ON;
    char from[PATH_BYTES], to[PATH_BYTES];
    snprintf(from, sizeof from, "%s/%s", s->from, path);
    snprintf(to, sizeof to, "%s/%s", s->to, path);
    if (rename(from, to) < 0)
        return err_raise(-errno);
    s->moved++;
    return TREE_SKIP;
}

int box_settle(const char *from, const char *to, struct box_refusal *ret_refusal)
{
    struct settling s = {.from = from, .to = to};
    int r = tree_walk(from, move_one, &s);
    if (r < 0)
        return err_pass(r);
    if (s.moved == 0)
        return BOX_REFUSE(ret_refusal, INSTALL_FAILED,
                          "npm installed nothing: the lockfile names no packages");
    return 0;
}
