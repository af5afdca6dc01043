/* unpack.c: reads the archive with libarchive and judges each entry before anything of it is
 * written.
 *
 * Three doors, each of which suffices for what it guards: the names are judged here as text;
 * libarchive itself refuses to write through a symbolic link, above the folder, or to an absolute
 * name; and all of it happens inside the sandbox, where nothing else could be reached. Sizes are
 * those that the headers announce, because libarchive never writes more for an entry than its
 * header says; a compressed bomb is refused at the first header that breaks the bound. Owners,
 * times, and special modes are dropped. Files named .npmrc are put aside, out of sight of all but
 * the one program that reads them; it gets copies of Yarn's files, too. */
#include "box.h"
#include "npmrc.h"
#include "path.h"
#include "registries.h"

#include <archive.h>
#include <archive_entry.h>
#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { READ_BLOCK_BYTES = 128 * 1024, DEPTH_MAX = 64, ASIDE_MAX = 64, PATH_BYTES = 8192 };

struct unpack {
    struct archive *in, *out;
    const struct box_limits *limits;
    const char *aside; /* where .npmrc files go, or NULL */
    struct unpack_count count;
    struct box_refusal *refusal;
};

static void unpack_close(struct unpack *u)
{
    archive_read_free(u->in);
    archive_write_free(u->out);
}

/* What libarchive says when it fails; a full disk has its own name. */
static int refuse_archive(struct unpack *u, struct archive *a, const char *what)
{
    const char *why = archive_error_string(a);
    if (archive_errno(a) == ENOSPC || archive_errno(a) == EDQUOT)
        return BOX_REFUSE(u->refusal, WORKSPACE_FULL, "%s: the workspace is full", what);
    return BOX_REFUSE(u->refusal, ARCHIVE_INVALID, "%s: %s", what, why ? why : "unreadable");
}

static int unpack_open(struct unpack *u, int fd)
{
    u->in = archive_read_new();
    u->out = archive_write_disk_new();
    if (!u->in || !u->out)
        return err_raise(-ENOMEM);
    archive_read_support_filter_gzip(u->in);
    archive_read_support_filter_zstd(u->in);
    archive_read_support_format_tar(u->in);
    archive_write_disk_set_options(u->out, ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                               ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                                               ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
    if (archive_read_open_fd(u->in, fd, READ_BLOCK_BYTES) != ARCHIVE_OK)
        return refuse_archive(u, u->in, "the source is no tar, tar.gz or tar.zst");
    return 0;
}

static size_t depth_of(const char *path)
{
    size_t depth = 0;
    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

static int judge_name(struct unpack *u, const char *path)
{
    if (!path || !path_is_inside(path))
        return BOX_REFUSE(u->refusal, ARCHIVE_UNSAFE,
                          "`%s` is absolute, empty or climbs out with ..", path ? path : "");
    if (strlen(path) > u->limits->path_bytes_max || depth_of(path) > DEPTH_MAX)
        return BOX_REFUSE(u->refusal, ARCHIVE_TOO_LARGE,
                          "`%.100s…` is a name longer than %llu bytes or deeper than %d folders",
                          path, (unsigned long long)u->limits->path_bytes_max, DEPTH_MAX);
    return 0;
}

static int judge_link(struct unpack *u, struct archive_entry *e, const char *path)
{
    const char *hard = archive_entry_hardlink(e);
    if (hard && !path_is_inside(hard))
        return BOX_REFUSE(u->refusal, ARCHIVE_UNSAFE, "`%s` is a hard link to `%s`, outside", path,
                          hard);
    const char *target = archive_entry_symlink(e);
    if (archive_entry_filetype(e) == AE_IFLNK && (!target || !link_is_inside(path, target)))
        return BOX_REFUSE(u->refusal, ARCHIVE_UNSAFE,
                          "`%s` is a link to `%s`, which may leave the tree", path,
                          target ? target : "");
    return 0;
}

static int judge_type(struct unpack *u, struct archive_entry *e, const char *path)
{
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
    case AE_IFDIR:
    case AE_IFLNK:
        return 0;
    case 0: /* a hard link has no type of its own */
        if (archive_entry_hardlink(e))
            return 0;
        break;
    default:
        break;
    }
    return BOX_REFUSE(u->refusal, ARCHIVE_UNSAFE, "`%s` is a device, a pipe or a socket", path);
}

static int judge_size(struct unpack *u, struct archive_entry *e)
{
    la_int64_t size = archive_entry_size(e);
    if (size < 0 || (uint64_t)size > u->limits->bytes_max - u->count.bytes)
        return BOX_REFUSE(u->refusal, ARCHIVE_TOO_LARGE, "more than %llu MiB when unpacked",
                          (unsigned long long)(u->limits->bytes_max >> 20));
    u->count.bytes += (uint64_t)size;
    return 0;
}

static int judge(struct unpack *u, struct archive_entry *e)
{
    const char *path = archive_entry_pathname(e);
    int r = judge_name(u, path);
    if (r == 0)
        r = judge_type(u, e, path);
    if (r == 0)
        r = judge_link(u, e, path);
    return r == 0 ? judge_size(u, e) : r;
}

static bool is_npmrc(const char *path)
{
    return strcmp(path_last(path), ".npmrc") == 0;
}

static bool is_left_out(const char *path)
{
    return path_has_part(path, "node_modules") || is_npmrc(path);
}

/* Modes that a build can work with, whatever the packer had. */
static void entry_tame(struct archive_entry *e)
{
    bool runs = archive_entry_perm(e) & S_IXUSR;
    archive_entry_set_perm(e, archive_entry_filetype(e) == AE_IFDIR || runs ? 0755 : 0644);
    archive_entry_unset_mtime(e);
    archive_entry_unset_atime(e);
    archive_entry_unset_ctime(e);
}

static int write_data(struct unpack *u, const char *path)
{
    const void *block;
    size_t n;
    la_int64_t at;
    int r;
    while ((r = archive_read_data_block(u->in, &block, &n, &at)) == ARCHIVE_OK)
        if (archive_write_data_block(u->out, block, n, at) < ARCHIVE_OK)
            return refuse_archive(u, u->out, path);
    return r == ARCHIVE_EOF ? 0 : refuse_archive(u, u->in, path);
}

static int write_entry(struct unpack *u, struct archive_entry *e)
{
    const char *path = archive_entry_pathname(e);
    entry_tame(e);
    if (archive_write_header(u->out, e) != ARCHIVE_OK) {
        if (archive_errno(u->out) == ENOSPC)
            return refuse_archive(u, u->out, path);
        return BOX_REFUSE(u->refusal, ARCHIVE_UNSAFE, "`%s`: %s", path,
                          archive_error_string(u->out));
    }
    int r = archive_entry_size(e) > 0 ? write_data(u, path) : 0;
    if (r == 0 && archive_write_finish_entry(u->out) != ARCHIVE_OK)
        r = refuse_archive(u, u->out, path);
    return r;
}

/* Nobody else writes there, so no part of the path is a link. Of two at one place the first counts,
 * also where one wants a folder and the other a file. */
static int aside_refused(int e)
{
    return e == EEXIST || e == ENOTDIR || e == EISDIR ? 0 : err_raise(-e);
}

static int aside_write(struct unpack *u, const char *path, const char *text, size_t n)
{
    char full[PATH_BYTES];
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    if ((size_t)snprintf(full, sizeof full, "%s/%s", u->aside, path) >= sizeof full)
        return 0;
    char *last = strrchr(full, '/');
    *last = 0;
    int r = dir_make(full, 0755);
    if (r < 0)
        return aside_refused(-r);
    *last = '/';
    AUTO_FD fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return aside_refused(errno);
    u->count.aside++;
    return write_all(fd, text, n);
}

static int aside_put(struct unpack *u, struct archive_entry *e)
{
    const char *path = archive_entry_pathname(e);
    size_t n = (size_t)archive_entry_size(e);
    if (!u->aside || !is_npmrc(path) || path_has_part(path, "node_modules") ||
        archive_entry_filetype(e) != AE_IFREG || u->count.aside == ASIDE_MAX)
        return 0;
    if (n > NPMRC_BYTES_MAX)
        return BOX_REFUSE(u->refusal, NPMRC_INVALID, "`%s` is larger than %d bytes", path,
                          NPMRC_BYTES_MAX);
    AUTO_FREE char *text = malloc(n + 1);
    if (!text)
        return err_raise(-ENOMEM);
    if (archive_read_data(u->in, text, n) != (la_ssize_t)n)
        return refuse_archive(u, u->in, path);
    return aside_write(u, path, text, n);
}

static bool is_yarnrc(const char *path, struct archive_entry *e)
{
    return strcmp(path_last(path), ".yarnrc.yml") == 0 && archive_entry_filetype(e) == AE_IFREG;
}

/* It stays where it lies as well: it is among the settings that rota-box verify cuts down. One that
 * is too large, or cannot be read, is refused there, if its manager is Yarn. */
static int aside_copy(struct unpack *u, const char *path)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    if (!u->aside || u->count.aside == ASIDE_MAX)
        return 0;
    int r = file_read(path, REGISTRIES_BYTES_MAX, &text, &n);
    if (r < 0)
        return r == -ENOMEM ? err_pass(r) : 0;
    return aside_write(u, path, text, n);
}

static int unpack_entry(struct unpack *u, struct archive_entry *e)
{
    if (++u->count.entries > u->limits->entries_max)
        return BOX_REFUSE(u->refusal, ARCHIVE_TOO_LARGE, "more than %llu files and folders",
                          (unsigned long long)u->limits->entries_max);
    int r = judge(u, e);
    if (r != 0)
        return r;
    const char *path = archive_entry_pathname(e);
    if (is_left_out(path)) {
        u->count.skipped++;
        return aside_put(u, e);
    }
    r = write_entry(u, e);
    return r == 0 && is_yarnrc(path, e) ? aside_copy(u, path) : r;
}

static int unpack_all(struct unpack *u, int fd)
{
    int r = unpack_open(u, fd);
    if (r != 0)
        return r;
    for (;;) {
        struct archive_entry *e;
        int got = archive_read_next_header(u->in, &e);
        if (got == ARCHIVE_EOF)
            break;
        if (got < ARCHIVE_WARN)
            return refuse_archive(u, u->in, "the archive cannot be read");
        r = unpack_entry(u, e);
        if (r != 0)
            return r;
    }
    if (u->count.entries == 0)
        return BOX_REFUSE(u->refusal, ARCHIVE_INVALID, "the archive is empty");
    return 0;
}

int box_unpack(int fd, const struct unpack_to *to, const struct box_limits *limits,
               struct unpack_count *ret_count, struct box_refusal *ret_refusal)
{
    struct unpack u = {.limits = limits, .aside = to->aside, .refusal = ret_refusal};
    if (chdir(to->folder) < 0)
        return err_raise(-errno);
    umask(022);
    int r = unpack_all(&u, fd);
    unpack_close(&u);
    *ret_count = u.count;
    return r;
}
