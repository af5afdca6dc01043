/* object.c: libcurl takes a file:// URL apart and the copy itself is read and write; over the
 * network transfer.h carries. An upload's file must not be there (O_EXCL): a capability is good for
 * one object, once. */
#include "object.h"

#include "terminal.h"
#include "text.h"

#include <assert.h>
#include <base/file.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <sign.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <transfer.h>

enum { COPY_BYTES = 128 * 1024, NAME_LEN_MAX = 128 };

/* The path of a file:// URL, or the exit code, said. The caller frees the path. */
static int object_path(const char *url, char **ret_path)
{
    CURLU *parts = x_must(curl_url());
    char *scheme = NULL, *path = NULL;
    int code = 0;
    CURLUcode e = curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (e == CURLUE_OK)
        e = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    if (e == CURLUE_OK)
        e = curl_url_get(parts, CURLUPART_PATH, &path, CURLU_URLDECODE);
    if (e != CURLUE_OK || !path || !*path)
        code = cli_error(E_MALFORMED, "the broker's answer holds no URL");
    else if (strcmp(scheme, "file") != 0)
        code = cli_error(E_UNAVAILABLE,
                         "the artifact store speaks %s, this version only file and https", scheme);
    else
        *ret_path = x_strdup(path);
    curl_free(scheme);
    curl_free(path);
    curl_url_cleanup(parts);
    return code;
}

/* Copies until the end of `from` or until `most` bytes; the count, or -errno. */
static int64_t copy(int from, int to, uint64_t most)
{
    AUTO_FREE char *buf = x_alloc(COPY_BYTES);
    uint64_t done = 0;
    while (done < most) {
        uint64_t left = most - done;
        ssize_t n = read(from, buf, left < COPY_BYTES ? (size_t)left : COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        int r = write_all(to, buf, (size_t)n);
        if (r < 0)
            return r;
        done += (uint64_t)n;
    }
    return (int64_t)done;
}

/* ---- over the network ---- */

static const struct {
    int outcome;
    enum error_code error;
} refusals[] = {
    {TRANSFER_GONE, E_OBJECT_MISSING},       {TRANSFER_REFUSED, E_UPLOAD_FAILED},
    {TRANSFER_TOO_LARGE, E_OBJECT_MISMATCH}, {TRANSFER_MISMATCH, E_OBJECT_MISMATCH},
    {TRANSFER_AWAY, E_STORE_UNAVAILABLE},    {TRANSFER_BAD_URL, E_MALFORMED},
};

static int transfer_said(const struct transfer *t, int r, const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (r == refusals[i].outcome)
            return cli_error(refusals[i].error, "%s", t->why);
    return r ? cli_io(path, r == TRANSFER_LOCAL ? -t->error : r) : 0;
}

static struct transfer transfer_of(const Rota__SignResult *sign, int fd)
{
    return (struct transfer){.url = sign->url,
                             .fd = fd,
                             .size = sign->size,
                             .size_max = sign->size,
                             .sha256 = sign->sha256.len == 32 ? sign->sha256.data : NULL,
                             .stop_fd = -1};
}

/* ---- up ---- */

static int file_put(const char *url, int fd, uint64_t size)
{
    AUTO_FREE char *path = NULL;
    int code = object_path(url, &path);
    if (code)
        return code;
    assert(path);
    AUTO_FD to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (to < 0)
        return cli_io(path, -errno);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return cli_io(path, -errno);
    int64_t n = copy(fd, to, size);
    if (n >= 0 && (uint64_t)n != size)
        n = -EIO; /* the file behind fd became shorter */
    if (n >= 0 && fsync(to) < 0)
        n = -errno;
    if (n < 0)
        unlink(path);
    return n < 0 ? cli_io(path, (int)n) : 0;
}

int object_put(const Rota__SignResult *sign, int fd)
{
    if (!transfer_is_for(sign->url))
        return file_put(sign->url, fd, sign->size);
    struct transfer t = transfer_of(sign, fd);
    return transfer_said(&t, transfer_put(&t), "the source");
}

/* ---- down ---- */

bool object_name_is_plain(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/')
            return false;
    return *name && *name != '.' && strlen(name) <= NAME_LEN_MAX;
}

static int file_get(const Rota__SignResult *sign, int to, const char *part)
{
    AUTO_FREE char *path = NULL;
    uint8_t sha256[32], blake2b[32];
    uint64_t size = 0;
    int code = object_path(sign->url, &path);
    if (code)
        return code;
    assert(path);
    AUTO_FD from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return cli_io(path, -errno);
    int64_t n = copy(from, to, UINT64_MAX);
    int r = n < 0 ? (int)n : hash_file(to, sha256, blake2b, &size);
    if (r < 0)
        return cli_io(part, r);
    if (sign->sha256.len == 32 && memcmp(sha256, sign->sha256.data, 32) != 0)
        return cli_error(E_OBJECT_MISMATCH, "the stored object is not what its name says");
    return 0;
}

static int part_fill(const Rota__SignResult *sign, int to, const char *part)
{
    if (!transfer_is_for(sign->url))
        return file_get(sign, to, part);
    struct transfer t = transfer_of(sign, to);
    return transfer_said(&t, transfer_get(&t), part);
}

int object_get(const Rota__SignResult *sign, const char *dir, const char *name)
{
    AUTO_FREE char *part = x_printf("%s/.%s.part", dir, name),
                   *final = x_printf("%s/%s", dir, name);
    unlink(part);
    AUTO_FD to = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (to < 0)
        return cli_io(part, -errno);
    term_guard(part);
    int code = part_fill(sign, to, part);
    if (!code && rename(part, final) < 0)
        code = cli_io(final, -errno);
    if (code)
        unlink(part);
    term_guard(NULL);
    return code;
}
