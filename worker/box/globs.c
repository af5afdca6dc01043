/* globs.c: braces first, each choice a glob of its own; then part by part, with fnmatch() for what
 * is in a part. The bounds keep the product of choices, stars and folders small. */
#include "globs.h"

#include "path.h"

#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES_MAX = 256 };

/* Every brace is closed, has no other in it, and something to choose from. */
static bool braces_are_read(const char *glob)
{
    size_t choices = 0;
    for (const char *at = glob; (at = strpbrk(at, "{}"));) {
        size_t n = strcspn(at + 1, "{}");
        if (*at != '{' || at[1 + n] != '}' || !memchr(at, ',', n + 1))
            return false;
        for (size_t i = 0; i <= n; i++)
            choices += at[i] == ',' || at[i] == '{';
        at += n + 2;
    }
    return choices <= GLOB_CHOICES_MAX;
}

bool glob_is_read(const char *glob)
{
    size_t stars = 0;
    for (const char *at = glob; *at; at++)
        stars += *at == '*';
    return strlen(glob) < GLOB_BYTES_MAX && stars <= GLOB_STARS_MAX && path_is_inside(glob) &&
           !strstr(glob, "..") && !strpbrk(glob, "\\()") && braces_are_read(glob);
}

/* Takes the part at `*at`; false: it does not fit, or there is none. */
static bool part_take(const char **at, char ret[NAME_BYTES_MAX])
{
    size_t n = strcspn(*at, "/");
    if (n == 0 || n >= NAME_BYTES_MAX)
        return false;
    memcpy(ret, *at, n);
    ret[n] = 0;
    *at += n;
    *at += strspn(*at, "/");
    return true;
}

/* `glob` without braces; the top is the empty `folder`. */
static bool parts_match(const char *glob, const char *folder)
{
    char part[NAME_BYTES_MAX], name[NAME_BYTES_MAX];
    while (glob[0] == '.' && (glob[1] == '/' || !glob[1]))
        glob += 1 + strspn(glob + 1, "/");
    if (!*glob)
        return !*folder;
    if (!part_take(&glob, part))
        return false;
    bool is_any = strcmp(part, "**") == 0;
    while (is_any && !parts_match(glob, folder))
        if (*folder == '.' || !part_take(&folder, name))
            return false;
    return is_any || (part_take(&folder, name) && fnmatch(part, name, FNM_PERIOD) == 0 &&
                      parts_match(glob, folder));
}

bool glob_match(const char *glob, const char *folder)
{
    const char *open = strchr(glob, '{');
    if (!open)
        return parts_match(glob, strcmp(folder, ".") == 0 ? "" : folder);
    const char *close = open + strcspn(open, "}");
    for (const char *at = open + 1;; at++) {
        char one[GLOB_BYTES_MAX];
        size_t n = strcspn(at, ",}");
        snprintf(one, sizeof one, "%.*s%.*s%s", (int)(open - glob), glob, (int)n, at, close + 1);
        if (glob_match(one, folder))
            return true;
        at += n;
        if (at == close)
            return false;
    }
}
