/* names.c: grows by doubling; looking for a double is linear, the list is short. */
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int names_grow(struct names *names)
{
    if (names->n & (names->n - 1) || names->n == 1)
        return 0; /* there is room: it was doubled at each power of two from two on */
    char **v = reallocarray(names->v, names->n ? names->n * 2 : 2, sizeof *v);
    if (!v)
        return err_raise(-ENOMEM);
    names->v = v;
    return 0;
}

int names_add(struct names *names, const char *text)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->v[i], text) == 0)
            return 0;
    if (names->n == NAMES_MAX)
        return err_raise(-E2BIG);
    int r = names_grow(names);
    char *copy = r == 0 ? strdup(text) : NULL;
    if (r == 0 && !copy)
        r = err_raise(-ENOMEM);
    if (r < 0)
        return err_pass(r);
    names->v[names->n++] = copy;
    return 0;
}

void names_deinit(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
    *names = (struct names){0};
}
