/* pack.c: a tar.gz that depends on names and contents only: sorted, owner 0, time 0, gzip without a
 * name or a time. A folder without files still gives a valid, empty archive. */
#include "box.h"
#include "tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <base/auto.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { PATH_BYTES = 4096, COPY_BYTES = 64 * 1024 };

struct packing {
    const char *from;
    struct archive *out;
};

static int pack_data(struct packing *p, const char *path)
{
    char full[PATH_BYTES], buf[COPY_BYTES];
    snprintf(full, sizeof full, "%s/%s", p->from, path);
    AUTO_FD fd = open(full, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_raise(-errno);
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        if (archive_write_data(p->out, buf, (size_t)n) != n)
            return err_raise(-EIO);
    return n < 0 ? err_raise(-errno) : 0;
}

static int pack_one(void *arg, const char *path, const struct stat *st)
{
    struct packing *p = arg;
    if (!S_ISREG(st->st_mode))
        return TREE_GO_ON; /* folders follow from the names; the layout has nothing else */
    struct archive_entry *e = archive_entry_new();
    if (!e)
        return err_raise(-ENOMEM);
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, st->st_size);
    archive_entry_set_mtime(e, 0, 0);
    int r = archive_write_header(p->out, e) == ARCHIVE_OK ? pack_data(p, path) : err_raise(-EIO);
    archive_entry_free(e);
    return r < 0 ? err_pass(r) : TREE_GO_ON;
}

static int pack_all(struct packing *p, const char *to)
{
    archive_write_add_filter_gzip(p->out);
    archive_write_set_filter_option(p->out, "gzip", "timestamp", NULL);
    archive_write_set_format_pax_restricted(p->out);
    if (archive_write_open_filename(p->out, to) != ARCHIVE_OK)
        return err_raise(-EIO);
    int r = tree_walk(p->from, pack_one, p);
    if (r < 0)
        return err_pass(r);
    return archive_write_close(p->out) == ARCHIVE_OK ? 0 : err_raise(-EIO);
}

int box_pack(const char *from, const char *to, struct box_refusal *ret_refusal)
{
    struct packing p = {.from = from, .out = archive_write_new()};
    if (!p.out)
        return err_raise(-ENOMEM);
    int r = pack_all(&p, to);
    if (r < 0 && archive_errno(p.out) == ENOSPC)
        r = BOX_REFUSE(ret_refusal, WORKSPACE_FULL, "no space left for the packed assets");
    archive_write_free(p.out);
    return r;
}
