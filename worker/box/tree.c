/* tree.c: fts does the walking; it is told to stay physical, to stay on the file system, and to
 * sort. */
#include "tree.h"

#include <errno.h>
#include <fts.h>
#include <string.h>

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int visit_one(FTS *fts, FTSENT *e, size_t root_len, tree_visit *visit, void *arg)
{
    if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
        return err_raise(-(e->fts_errno ? e->fts_errno : EIO));
    if (e->fts_info == FTS_DP || e->fts_level == 0)
        return 0;
    int r = visit(arg, e->fts_path + root_len + 1, e->fts_statp);
    if (r == TREE_SKIP)
        fts_set(fts, e, FTS_SKIP);
    return r < 0 ? err_pass(r) : 0;
}

int tree_walk(const char *root, tree_visit *visit, void *arg)
{
    char *const roots[] = {(char *)root, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, by_name);
    if (!fts)
        return err_raise(-errno);
    int r = 0;
    size_t root_len = strlen(root);
    for (FTSENT *e; r == 0 && (errno = 0, e = fts_read(fts));)
        r = visit_one(fts, e, root_len, visit, arg);
    if (r == 0 && errno != 0)
        r = err_raise(-errno);
    fts_close(fts);
    return r;
}
