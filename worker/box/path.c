/* path.c: see link_is_inside(): with ".." in front only, a target climbs real folders (nothing is
 * ever unpacked through a link), and everything behind it goes down or through links that were
 * judged by the same rule. A ".." behind a name would climb from wherever that name leads. */
#include "path.h"

#include <stddef.h>
#include <string.h>

static size_t part_len(const char *p)
{
    return strcspn(p, "/");
}

static bool part_is(const char *p, const char *part)
{
    size_t n = strlen(part);
    return part_len(p) == n && memcmp(p, part, n) == 0;
}

/* The part behind the one at `p`, or its end. */
static const char *part_next(const char *p)
{
    p += part_len(p);
    return p + strspn(p, "/");
}

bool path_has_part(const char *path, const char *part)
{
    for (const char *p = path + strspn(path, "/"); *p; p = part_next(p))
        if (part_is(p, part))
            return true;
    return false;
}

bool path_is_inside(const char *path)
{
    return *path && *path != '/' && !path_has_part(path, "..");
}

const char *path_last(const char *path)
{
    const char *last = path;
    for (const char *p = path; *p; p = part_next(p))
        last = p;
    return last;
}

/* How many folders stand above the entry itself. */
static size_t path_depth(const char *path)
{
    size_t depth = 0;
    for (const char *p = path; *p; p = part_next(p))
        if (!part_is(p, "."))
            depth++;
    return depth ? depth - 1 : 0;
}

bool link_is_inside(const char *path, const char *target)
{
    if (!*target || *target == '/')
        return false;
    size_t ups = 0;
    const char *p = target;
    for (; part_is(p, "..") || part_is(p, "."); p = part_next(p))
        ups += part_is(p, "..");
    return ups <= path_depth(path) && !path_has_part(p, "..");
}

/* How far below the top `path` ends when it is walked from `depth`; -1: it left the tree on its
 * way. */
static long path_walk(long depth, const char *path)
{
    for (const char *p = path; *p && depth >= 0; p = part_next(p))
        if (part_is(p, ".."))
            depth--;
        else if (!part_is(p, "."))
            depth++;
    return depth;
}

bool path_leads_inside(const char *from, const char *target)
{
    if (!*target || *target == '/' || *from == '/')
        return false;
    return path_walk(path_walk(0, from), target) >= 0;
}
