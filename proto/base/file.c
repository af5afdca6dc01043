/* file.c: a whole file is one buffer, and a written file is either the old one or the new one: the
 * bytes go to a temporary name in the same folder, reach the disk, and only then take the name. */
#include "base/file.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int write_all(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_raise(-errno);
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int read_all(int fd, void *p, size_t n, size_t *ret_n)
{
    char *at = p;
    size_t left = n;
    while (left) {
        ssize_t got = read(fd, at, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_raise(-errno);
        if (got == 0)
            break;
        at += got;
        left -= (size_t)got;
    }
    *ret_n = n - left;
    return 0;
}

/* The size from fstat is only a first guess: pipes and /proc say 0, and a file may grow meanwhile.
 */
static int fd_read(int fd, size_t max, char **ret_text, size_t *ret_n)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_raise(-errno);
    size_t cap = st.st_size > 0 ? (size_t)st.st_size : 4095, used = 0;
    AUTO_FREE char *text = NULL;
    for (;;) {
        if (cap > max)
            cap = max;
        char *bigger = realloc(text, cap + 2);
        if (!bigger)
            return err_raise(-ENOMEM);
        text = bigger;
        size_t got = 0;
        int r = read_all(fd, text + used, cap + 1 - used, &got);
        if (r < 0)
            return err_pass(r);
        used += got;
        if (used <= cap)
            break; /* the end came before the room ran out */
        if (cap == max)
            return err_raise(-EFBIG);
        cap = cap > max / 2 ? max : cap * 2;
    }
    text[used] = 0;
    *ret_n = used;
    *ret_text = TAKE(text);
    return 0;
}

static int path_read(const char *path, size_t max, mode_t forbidden, char **ret_text, size_t *ret_n)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_raise(-errno);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_raise(-errno);
    if (S_ISDIR(st.st_mode))
        return err_raise(-EISDIR);
    if (st.st_mode & forbidden)
        return err_raise(-EPERM);
    int r = fd_read(fd, max, ret_text, ret_n);
    return r < 0 ? err_pass(r) : 0;
}

int file_read(const char *path, size_t max, char **ret_text, size_t *ret_n)
{
    int r = path_read(path, max, 0, ret_text, ret_n);
    return r < 0 ? err_pass(r) : 0;
}

int file_read_secret(const char *path, size_t max, char **ret_text, size_t *ret_n)
{
    int r = path_read(path, max, S_IRWXG | S_IRWXO, ret_text, ret_n);
    return r < 0 ? err_pass(r) : 0;
}

/* "a/b" -> "a", "b" -> ".", "/b" -> "/". */
static int folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= PATH_MAX)
        return err_raise(-ENAMETOOLONG);
    if (n)
        memcpy(folder, path, n);
    else
        folder[n++] = slash ? '/' : '.';
    folder[n] = 0;
    return 0;
}

/* A rename is only durable once its folder is. */
static int folder_sync(const char *path)
{
    char folder[PATH_MAX];
    int r = folder_of(path, folder);
    if (r < 0)
        return err_pass(r);
    AUTO_FD fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_raise(-errno);
    if (fsync(fd) < 0)
        return err_raise(-errno);
    return 0;
}

static int temporary_fill(int fd, mode_t mode, const void *p, size_t n)
{
    if (fchmod(fd, mode) < 0)
        return err_raise(-errno);
    int r = write_all(fd, p, n);
    if (r < 0)
        return err_pass(r);
    if (fsync(fd) < 0)
        return err_raise(-errno);
    return 0;
}

int file_write(const char *path, mode_t mode, const void *p, size_t n)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof temporary)
        return err_raise(-ENAMETOOLONG);
    AUTO_FD fd = mkostemp(temporary, O_CLOEXEC); /* 0600 until its mode is set */
    if (fd < 0)
        return err_raise(-errno);
    int r = temporary_fill(fd, mode, p, n);
    if (r == 0 && rename(temporary, path) < 0)
        r = err_raise(-errno);
    if (r < 0) {
        unlink(temporary);
        return err_pass(r);
    }
    r = folder_sync(path);
    return r < 0 ? err_pass(r) : 0;
}

int dir_make(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return err_raise(n ? -ENAMETOOLONG : -ENOENT);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != 0)
            continue;
        char was = part[i];
        part[i] = 0;
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return err_raise(-errno);
        part[i] = was;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_raise(-errno);
    return S_ISDIR(st.st_mode) ? 0 : err_raise(-ENOTDIR);
}
