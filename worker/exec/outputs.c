/* outputs.c: the program has ended, so nobody changes the folder any more; it is read through its
 * descriptor, and each file through no link (space_open_file). */
#include "outputs.h"

#include "product.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct names {
    char name[OUTPUTS_MAX][OUTPUT_NAME_MAX + 1];
    size_t n;
};

static int refuse(struct build_result *ret, const char *what, const char *name)
{
    build_fail(ret, E_OUTPUTS_INVALID, "%.100s%s", name, what);
    return WORK_ENDED;
}

static bool is_name(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(text);
    return n <= OUTPUT_NAME_MAX && text[0] != '-' && strspn(text, plain) == n;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(x, y);
}

static int names_read(DIR *d, struct names *names, struct build_result *ret)
{
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!is_name(e->d_name))
            return refuse(ret,
                          "an output's name is longer than 100, begins with - or has other "
                          "characters than A-Z a-z 0-9 . _ -",
                          "");
        if (names->n == OUTPUTS_MAX)
            return refuse(ret, "more than 4 outputs", "");
        snprintf(names->name[names->n++], sizeof names->name[0], "%.*s", OUTPUT_NAME_MAX,
                 e->d_name);
    }
    if (errno != 0)
        return err_raise(-errno);
    qsort(names->name, names->n, sizeof names->name[0], by_name);
    return 0;
}

static int folder_read(const struct space *space, struct names *names, struct build_result *ret)
{
    int fd = openat(space->fd, "out", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int r = err_raise(-errno);
        if (fd >= 0)
            close(fd);
        return r;
    }
    int r = names_read(d, names, ret);
    closedir(d);
    return r < 0 ? err_pass(r) : r;
}

static int output_take(struct work *w, const char *name)
{
    product_add(w, ROTA__OBJECT_KIND__OUTPUT, "out", name);
    struct product *p = &w->product[w->products - 1];
    if (space_open_file(w->space, p->path, &p->fd) != 0)
        return refuse(w->result, " is no regular file", name);
    int r = product_hash(w, p);
    return r == 0 ? product_upload(w, w->products - 1) : r;
}

int outputs_deliver(struct build *b, const struct setup *setup, struct space *space,
                    struct build_result *ret)
{
    struct names names = {.n = 0};
    struct work w = {.build = b, .result = ret, .setup = setup, .space = space, .log_fd = -1};
    int r = folder_read(space, &names, ret);
    for (size_t i = 0; i < names.n && r == 0; i++)
        r = output_take(&w, names.name[i]);
    products_close(&w);
    return r < 0 ? err_pass(r) : 0;
}
