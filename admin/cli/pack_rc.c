/* pack_rc.c: a secret in the clear, or a line that every build would be refused for, keeps the
 * whole file at home: half of it could install other packages than all of it. */
#include "pack_rc.h"

#include "text.h"

#include <base/auto.h>
#include <base/file.h>
#include <registry_rc.h>
#include <stdio.h>
#include <string.h>

enum { RC_BYTES_MAX = 64 * 1024 };

static char *line_add(char *text, const struct rc_row *row)
{
    if (row->kind == RC_NOTHING || row->kind == RC_LEFT_OUT)
        return text;
    char *more = x_printf("%s%s=%s\n", text ? text : "", row->key, row->value);
    free(text);
    return more;
}

char *pack_rc_text(int fd, const char **ret_why)
{
    AUTO_FREE char *all = x_alloc(RC_BYTES_MAX + 1);
    char *text = NULL;
    size_t n = 0;
    *ret_why = "larger than a build reads";
    if (read_all(fd, all, RC_BYTES_MAX + 1, &n) < 0 || n > RC_BYTES_MAX)
        return NULL;
    for (const char *p = all, *end = all + n; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t len = stop ? (size_t)(stop - p) : (size_t)(end - p);
        struct rc_row row;
        int r = registry_rc_read(span_of(p, len), &row);
        if (r != 0 || (len > 0 && *p == '[')) {
            free(text);
            *ret_why = r == RC_SECRET ? "it holds a secret: write ${NAME} and use `rota var set`"
                                      : "it has a line that builds are refused for";
            return NULL;
        }
        text = line_add(text, &row);
        p += len + 1;
    }
    *ret_why = NULL;
    return text;
}
