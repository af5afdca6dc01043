/* window.c: a bind mount and its end. As with a job's tmpfs, the mount point is removed as well:
 * that takes the mount out of the copies that other jobs' children have of our namespace, and lets
 * the files go when the entry is deleted. */
#include "window.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

int window_new(const struct space_root *root, const char *name, const char *folder,
               struct window **ret_window)
{
    AUTO(window) w = calloc(1, sizeof *w);
    if (!w)
        return err_raise(-ENOMEM);
    if ((size_t)snprintf(w->path, sizeof w->path, "%s/%s", root->path, name) >= sizeof w->path)
        return err_raise(-ENAMETOOLONG);
    if (mkdir(w->path, 0755) < 0 && errno != EEXIST)
        return err_raise(-errno);
    if (mount(folder, w->path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_raise(-errno);
    w->is_mounted = true;
    *ret_window = TAKE(w);
    return 0;
}

struct window *window_free(struct window *w)
{
    if (!w)
        return NULL;
    if (w->is_mounted)
        umount2(w->path, MNT_DETACH | UMOUNT_NOFOLLOW);
    if (w->path[0])
        rmdir(w->path);
    free(w);
    return NULL;
}
