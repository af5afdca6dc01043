/* trees.c: paths come from the sandbox and become mount points of the next one, so each is judged:
 * nothing absolute, no "..", no control characters. */
#include "trees.h"

#include <string.h>

static const char last_name[] = "node_modules";

static bool is_good(const char *path, size_t n)
{
    const char *end = path + n, *last = path;
    if (n == 0 || n > TREES_PATH_MAX || *path == '/')
        return false;
    for (const char *p = path; p < end; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    for (const char *p = path; p < end;) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t part = (size_t)((slash ? slash : end) - p);
        if (part == 0 || (part == 1 && *p == '.') || (part == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        last = p;
        p += part + (slash != NULL);
    }
    return (size_t)(end - last) == sizeof last_name - 1 &&
           memcmp(last, last_name, sizeof last_name - 1) == 0;
}

static void add(struct trees *t, const char *path, size_t n)
{
    size_t used = strlen(t->text);
    if (!is_good(path, n) || t->n == TREES_MAX || used + n + 1 > TREES_TEXT_MAX) {
        t->is_cut = true;
        return;
    }
    memcpy(t->text + used, path, n);
    memcpy(t->text + used + n, "\n", 2);
    t->n++;
}

void trees_add(struct trees *t, const char *path)
{
    add(t, path, strlen(path));
}

bool trees_read(struct trees *t, const char *text)
{
    *t = (struct trees){.n = 0};
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        add(t, p, n);
        p += n + (p[n] == '\n');
    }
    return t->n > 0 && !t->is_cut;
}

const char *trees_next(const struct trees *t, const char *after, size_t *ret_n)
{
    const char *p = after ? strchr(after, '\n') + 1 : t->text;
    *ret_n = strcspn(p, "\n");
    return *p ? p : NULL;
}
