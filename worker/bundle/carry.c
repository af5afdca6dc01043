/* carry.c: file:// by hand is a dozen lines; over the network transfer.h carries. */
#include "carry.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

static int said(struct carry *c, int outcome, const char *why)
{
    snprintf(c->why, sizeof c->why, "%s", why);
    return outcome;
}

static int path_of(struct carry *c, char path[CARRY_PATH_MAX])
{
    int r = carry_path(c->url, path);
    return r == 0 ? 0 : said(c, r, "the broker's address for it cannot be used");
}

/* ---- over the network ---- */

static int outcome_of(struct carry *c, const struct transfer *t, int r)
{
    static const int outcomes[] = {
        [TRANSFER_GONE] = CARRY_GONE,        [TRANSFER_REFUSED] = CARRY_FAILED,
        [TRANSFER_TOO_LARGE] = CARRY_FAILED, [TRANSFER_MISMATCH] = CARRY_FAILED,
        [TRANSFER_AWAY] = CARRY_AWAY,        [TRANSFER_STOPPED] = CARRY_STOPPED,
        [TRANSFER_BAD_URL] = CARRY_BAD_URL,  [TRANSFER_LOCAL] = CARRY_FAILED,
    };
    if (r <= 0)
        return r;
    return said(c, outcomes[r], r == TRANSFER_LOCAL ? strerror(t->error) : t->why);
}

static struct transfer transfer_of(const struct carry *c, int fd)
{
    return (struct transfer){.url = c->url,
                             .fd = fd,
                             .size = c->size,
                             .size_max = c->size,
                             .sha256 = c->sha256,
                             .stop_fd = c->stop_fd};
}

static int net_get(struct carry *c, int *ret_fd)
{
    AUTO_FD fd = -1;
    int r = c->file(c->arg, &fd);
    if (r < 0)
        return said(c, CARRY_FAILED, strerror(-r));
    struct transfer t = transfer_of(c, fd);
    r = outcome_of(c, &t, transfer_get(&t));
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

static int net_put(struct carry *c, int fd)
{
    struct transfer t = transfer_of(c, fd);
    return outcome_of(c, &t, transfer_put(&t));
}

/* ---- both ---- */

int carry_get(struct carry *c, int *ret_fd)
{
    char path[CARRY_PATH_MAX];
    if (transfer_is_for(c->url))
        return net_get(c, ret_fd);
    int r = path_of(c, path);
    if (r != 0)
        return r;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return said(c, errno == ENOENT ? CARRY_GONE : CARRY_FAILED, strerror(errno));
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return said(c, CARRY_FAILED, "it is no regular file");
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

int carry_put(struct carry *c, int fd)
{
    char path[CARRY_PATH_MAX];
    if (transfer_is_for(c->url))
        return net_put(c, fd);
    int r = path_of(c, path);
    if (r != 0)
        return r;
    AUTO_FD to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (to < 0)
        return said(c, CARRY_FAILED, strerror(errno));
    r = copy_all(fd, to, c->size);
    if (r == 0)
        return 0;
    unlink(path);
    return said(c, CARRY_FAILED, strerror(-r));
}
