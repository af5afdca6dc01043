/* object.c: libcurl takes the URL apart; the copy itself is read and write. An upload's file must
 * not be there (O_EXCL): a capability is good for one object, once. */
#include "object.h"

#include "terminal.h"
#include "text.h"

#include <assert.h>
#include <base/file.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BYTES = 128 * 1024, NAME_LEN_MAX = 128 };

int object_path(const char *url, char **ret_path)
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
        code = cli_error(
            E_UNAVAILABLE,
            "the artifact store speaks %s, this version only file; run it on the broker's host",
            scheme);
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

int object_put(const char *url, int fd, uint64_t size)
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

bool object_name_is_plain(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/')
            return false;
    return *name && *name != '.' && strlen(name) <= NAME_LEN_MAX;
}

int object_get(const char *url, const char *dir, const char *name)
{
    AUTO_FREE char *path = NULL, *part = x_printf("%s/.%s.part", dir, name),
                   *final = x_printf("%s/%s", dir, name);
    int code = object_path(url, &path);
    if (code)
        return code;
    assert(path);
    AUTO_FD from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return cli_io(path, -errno);
    unlink(part);
    AUTO_FD to = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (to < 0)
        return cli_io(part, -errno);
    term_guard(part);
    int64_t n = copy(from, to, UINT64_MAX);
    if (n >= 0 && rename(part, final) < 0)
        n = -errno;
    if (n < 0)
        unlink(part);
    term_guard(NULL);
    return n < 0 ? cli_io(final, (int)n) : 0;
}
