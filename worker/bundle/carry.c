/* carry.c: file:// by hand is a dozen lines; libcurl comes with the first URL that needs a network.
 */
#include "carry.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BYTES = 128 * 1024 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* One character of the URL, decoded; 0 when it is none that a path may hold. */
static char decode(const char **p)
{
    char c = *(*p)++;
    if (c == '%') {
        int high = hex((*p)[0]);
        int low = high < 0 ? -1 : hex((*p)[1]);
        if (low < 0)
            return 0;
        *p += 2;
        c = (char)(unsigned char)(high << 4 | low);
    } else if (c == '?' || c == '#') {
        return 0;
    }
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return 0;
    return c;
}

int carry_path(const char *url, char ret_path[CARRY_PATH_MAX])
{
    static const char scheme[] = "file://";
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return CARRY_SCHEME;
    char path[CARRY_PATH_MAX];
    size_t n = 0;
    for (const char *p = url + sizeof scheme - 1; *p;) {
        char c = decode(&p);
        if (!c || n + 1 >= sizeof path)
            return CARRY_BAD_URL;
        path[n++] = c;
    }
    path[n] = 0;
    size_t last = n >= 3 ? n - 3 : 0;
    if (path[0] != '/' || strstr(path, "/../") || strcmp(path + last, "/..") == 0)
        return CARRY_BAD_URL;
    memcpy(ret_path, path, n + 1);
    return 0;
}

int carry_get(const char *url, int *ret_fd)
{
    char path[CARRY_PATH_MAX];
    int r = carry_path(url, path);
    if (r != 0)
        return r;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? CARRY_GONE : CARRY_FAILED;
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return CARRY_FAILED;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Exactly `size` bytes: what was hashed, even when the file has grown since, as a log does. */
static int copy_all(int from, int to, uint64_t size)
{
    char buf[COPY_BYTES];
    for (uint64_t done = 0; done < size;) {
        uint64_t left = size - done;
        ssize_t n = pread(from, buf, left < sizeof buf ? left : sizeof buf, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        int r = write_all(to, buf, (size_t)n);
        if (r < 0)
            return r;
        done += (uint64_t)n;
    }
    return fsync(to) == 0 ? 0 : -errno;
}

int carry_put(const char *url, int fd, uint64_t size, int *ret_errno)
{
    char path[CARRY_PATH_MAX];
    *ret_errno = 0;
    int r = carry_path(url, path);
    if (r != 0)
        return r;
    AUTO_FD to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (to < 0) {
        *ret_errno = errno;
        return CARRY_FAILED;
    }
    r = copy_all(fd, to, size);
    if (r == 0)
        return 0;
    *ret_errno = -r;
    unlink(path);
    return CARRY_FAILED;
}
