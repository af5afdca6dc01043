/* trust.c: PEM files one behind the other are a PEM file. */
#include "trust.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { AUTHORITIES_BYTES_MAX = 1 << 20, PATH_BYTES = 1024 };

static const char machine[] = "/etc/ssl/certs/ca-certificates.crt";

/* A file that is not there or is too large for any list of authorities adds nothing. */
static int part_add(int fd, const char *path)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    if (file_read(path, AUTHORITIES_BYTES_MAX, &text, &n) < 0)
        return 0;
    int r = write_all(fd, text, n);
    return r < 0 ? r : write_all(fd, "\n", 1);
}

int trust_write(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    const char *told = getenv("GIT_SSL_CAINFO"), *extra = getenv("NODE_EXTRA_CA_CERTS");
    const char *first = told && *told ? told : machine;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_raise(-errno);
    int r = part_add(fd, first);
    if (r == 0 && extra && *extra && strcmp(extra, first) != 0)
        r = part_add(fd, extra);
    return r < 0 ? err_pass(r) : 0;
}
