/* pack.c: walks the folder by descriptors (openat, O_NOFOLLOW), so that a name swapped for a link
 * while we walk leads nowhere; libarchive writes the archive.
 *
 * A folder itself is no entry: unpacking makes the folders that its files need. */
#include "pack.h"

#include "pack_rc.h"
#include "pack_yarnrc.h"
#include "text.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <base/auto.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BYTES = 128 * 1024, DEPTH_MAX = 64 };

static const char *const rules[] = {
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    ".npmrc",
    ".env*",
    ".DS_Store",
    ".gradle",
    ".cxx",
    ".expo",
    "ios/Pods",
    "ios/build",
    "ios/DerivedData",
    "android/build",
    "android/app/build",
    "*.hbc",
    "*.jsbundle",
    "*.apk",
    "*.aab",
    "*.ipa",
    NULL,
};

struct pack {
    struct archive *archive;
    struct pack_result *result;
    pack_skipped *skipped;
    void *arg;
};

const char *const *pack_rules(void)
{
    return rules;
}

/* The last `parts` parts of `path`; NULL when it has fewer. */
static const char *tail_of(const char *path, unsigned parts)
{
    for (const char *at = path + strlen(path); at > path; at--)
        if (at[-1] == '/' && !--parts)
            return at;
    return parts == 1 ? path : NULL;
}

bool pack_is_left_out(const char *path)
{
    for (size_t i = 0; rules[i]; i++) {
        unsigned parts = 1;
        for (const char *at = rules[i]; (at = strchr(at, '/')); at++)
            parts++;
        const char *tail = tail_of(path, parts);
        if (tail && fnmatch(rules[i], tail, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
}

bool pack_link_stays(const char *path, const char *target)
{
    int depth = 0;
    for (const char *at = path; (at = strchr(at, '/')); at++)
        depth++;
    if (*target == '/' || !*target)
        return false;
    /* `..` is allowed in front only: behind the name of another link it would lead from there. */
    bool named = false;
    for (const char *at = target; *at;) {
        size_t n = strcspn(at, "/");
        bool is_up = n == 2 && at[0] == '.' && at[1] == '.';
        if (is_up && (named || --depth < 0))
            return false;
        if (!is_up && n && !(n == 1 && *at == '.'))
            named = true;
        at += n + (at[n] == '/');
    }
    return true;
}

static int fail(struct pack *p, int outcome, const char *path, int fault)
{
    snprintf(p->result->failed, sizeof p->result->failed, "%s", path);
    p->result->fault = fault;
    return outcome;
}

static void skip(struct pack *p, const char *path, const char *why)
{
    if (p->skipped)
        p->skipped(p->arg, path, why);
}

static int archive_fault(struct archive *a)
{
    int e = archive_errno(a);
    return err_raise(e > 0 ? -e : -EIO);
}

/* Begins an entry: nothing of the machine it comes from but name, size and whether it may run. */
static int entry_write(struct pack *p, const char *path, const struct stat *st, const char *target)
{
    struct archive_entry *e = x_must(archive_entry_new());
    archive_entry_set_pathname(e, path);
    archive_entry_set_mtime(e, 0, 0);
    if (target) {
        archive_entry_set_filetype(e, AE_IFLNK);
        archive_entry_set_symlink(e, target);
        archive_entry_set_perm(e, 0777);
    } else {
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_size(e, st->st_size);
        archive_entry_set_perm(e, st->st_mode & 0100 ? 0755 : 0644);
    }
    int r = archive_write_header(p->archive, e);
    archive_entry_free(e);
    return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 0 : archive_fault(p->archive);
}

/* Copies exactly the size that the entry announced. */
static int content_write(struct pack *p, const char *path, int fd, uint64_t left)
{
    AUTO_FREE char *buf = x_alloc(COPY_BYTES);
    while (left) {
        size_t most = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        ssize_t n = read(fd, buf, most);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(p, PACK_FILE, path, -errno);
        if (n == 0)
            return fail(p, PACK_CHANGED, path, 0);
        if (archive_write_data(p->archive, buf, (size_t)n) != n)
            return archive_fault(p->archive);
        left -= (uint64_t)n;
    }
    return 0;
}

static int file_pack(struct pack *p, int dir, const char *name, const char *path)
{
    struct stat st;
    AUTO_FD fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(p, PACK_FILE, path, -errno);
    if (!S_ISREG(st.st_mode))
        return fail(p, PACK_CHANGED, path, 0);
    int r = entry_write(p, path, &st, NULL);
    if (r < 0)
        return err_pass(r);
    p->result->files++;
    p->result->bytes += (uint64_t)st.st_size;
    return content_write(p, path, fd, (uint64_t)st.st_size);
}

/* A file made of what was read already. */
static int text_pack(struct pack *p, const char *path, const struct stat *st, const char *text)
{
    size_t n = (size_t)st->st_size;
    int r = entry_write(p, path, st, NULL);
    if (r < 0)
        return err_pass(r);
    p->result->files++;
    p->result->bytes += n;
    return archive_write_data(p->archive, text, n) == (la_ssize_t)n ? 0 : archive_fault(p->archive);
}

/* Of an .npmrc its allowed lines travel, if it has any. */
static int rc_pack(struct pack *p, int dir, const char *name, const char *path)
{
    AUTO_FD fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    const char *why = NULL;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        p->result->left_out++;
        return 0;
    }
    AUTO_FREE char *text = pack_rc_text(fd, &why);
    if (!text) {
        p->result->left_out++;
        if (why)
            skip(p, path, why);
        return 0;
    }
    st = (struct stat){.st_size = (off_t)strlen(text)};
    return text_pack(p, path, &st, text);
}

static int link_pack(struct pack *p, int dir, const char *name, const char *path)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
    if (n < 0)
        return fail(p, PACK_FILE, path, -errno);
    target[n] = 0;
    if (!pack_link_stays(path, target)) {
        skip(p, path, "a link that leaves the folder");
        return 0;
    }
    p->result->files++;
    return entry_write(p, path, NULL, target);
}

/* Without it a build of that yarn.lock would install something else: there it is not left out. */
static int yarnrc_refused(struct pack *p, int dir, const char *path, struct pack_refusal *refusal)
{
    if (faccessat(dir, "yarn.lock", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        p->result->refusal = *refusal;
        return fail(p, PACK_REFUSED, path, 0);
    }
    p->result->left_out++;
    skip(p, path, refusal->text);
    return 0;
}

/* A link is judged by what it leads to, and travels as a link. */
static int yarnrc_pack(struct pack *p, int dir, const char *name, const char *path, bool is_link)
{
    struct stat st;
    struct pack_refusal refusal;
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (is_link ? 0 : O_NOFOLLOW));
    if (is_link && (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
        return link_pack(p, dir, name, path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(p, PACK_FILE, path, -errno);
    if (!S_ISREG(st.st_mode))
        return fail(p, PACK_CHANGED, path, 0);
    int r = pack_yarnrc_text(fd, path, &text, &n, &refusal);
    if (r < 0)
        return fail(p, PACK_FILE, path, r);
    if (r == PACK_REFUSED)
        return yarnrc_refused(p, dir, path, &refusal);
    st.st_size = (off_t)n;
    return is_link ? link_pack(p, dir, name, path) : text_pack(p, path, &st, text);
}

/* The names of a folder, sorted by bytes. */
static int names_read(int fd, char ***ret_names, size_t *ret_n)
{
    char **names = NULL;
    size_t n = 0;
    DIR *dir = fdopendir(fd);
    if (!dir)
        return -errno;
    errno = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        names = x_realloc(names, (n + 1) * sizeof *names);
        names[n++] = x_strdup(e->d_name);
    }
    int fault = -errno;
    closedir(dir);
    *ret_names = names;
    *ret_n = n;
    return fault;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int folder_pack(struct pack *p, int dir, const char *path, unsigned depth);

static int entry_pack(struct pack *p, int dir, const char *name, const char *path, unsigned depth)
{
    struct stat st;
    if (strcmp(name, ".npmrc") == 0)
        return rc_pack(p, dir, name, path);
    if (pack_is_left_out(path)) {
        p->result->left_out++;
        return 0;
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(p, PACK_FILE, path, -errno);
    if (strcmp(name, ".yarnrc.yml") == 0 && (S_ISLNK(st.st_mode) || S_ISREG(st.st_mode)))
        return yarnrc_pack(p, dir, name, path, S_ISLNK(st.st_mode));
    if (S_ISLNK(st.st_mode))
        return link_pack(p, dir, name, path);
    if (S_ISREG(st.st_mode))
        return file_pack(p, dir, name, path);
    if (!S_ISDIR(st.st_mode)) {
        skip(p, path, "neither file, folder nor link");
        return 0;
    }
    if (depth == DEPTH_MAX)
        return fail(p, PACK_FILE, path, -ELOOP);
    int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return sub < 0 ? fail(p, PACK_FILE, path, -errno) : folder_pack(p, sub, path, depth + 1);
}

/* Takes over `dir`. */
static int folder_pack(struct pack *p, int dir, const char *path, unsigned depth)
{
    AUTO_FD kept = dup(dir);
    char **names = NULL;
    size_t n = 0;
    int r = names_read(dir, &names, &n);
    if (r < 0 || kept < 0)
        r = fail(p, PACK_FILE, *path ? path : ".", r < 0 ? r : -EMFILE);
    if (n)
        qsort(names, n, sizeof *names, by_bytes);
    for (size_t i = 0; i < n; i++) {
        AUTO_FREE char *sub = x_printf("%s%s%s", path, *path ? "/" : "", names[i]);
        if (!r)
            r = entry_pack(p, kept, names[i], sub, depth);
        free(names[i]);
    }
    free(names);
    return r;
}

static int archive_start(struct pack *p, int fd)
{
    p->archive = x_must(archive_write_new());
    if (archive_write_add_filter_gzip(p->archive) != ARCHIVE_OK ||
        archive_write_set_filter_option(p->archive, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(p->archive) != ARCHIVE_OK ||
        archive_write_open_fd(p->archive, fd) != ARCHIVE_OK)
        return archive_fault(p->archive);
    return 0;
}

int pack_folder(const char *folder, int fd, pack_skipped *skipped, void *arg,
                struct pack_result *ret_result)
{
    struct pack p = {.result = ret_result, .skipped = skipped, .arg = arg};
    *ret_result = (struct pack_result){0};
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return fail(&p, PACK_NO_FOLDER, folder, -errno);
    int r = archive_start(&p, fd);
    if (!r)
        r = folder_pack(&p, dir, "", 0);
    else
        close(dir);
    if (!r && !ret_result->files)
        r = fail(&p, PACK_EMPTY, folder, 0);
    if (!r && archive_write_close(p.archive) != ARCHIVE_OK)
        r = archive_fault(p.archive);
    archive_write_free(p.archive);
    return r;
}
