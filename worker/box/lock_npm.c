/* lock_npm.c: package-lock.json and npm-shrinkwrap.json.
 *
 * npm itself would run git for a git source, read any address of an https one, and keep trying for
 * more than 90 s when an integrity does not fit; all that is caught here, before npm runs, with the
 * package's name. Formats 2 and 3 list everything in `packages`: the key is the place in the tree
 * ("" the app, "packages/x" a workspace, "node_modules/x" an installed package). `resolved` may be
 * missing: npm then asks its registry for name and version. So it is left out of what npm sees:
 * that takes no longer (15.2 s against 16.3 s for 300 packages and an empty cache), and holds for
 * whichever registry the worker and the app's scopes have. */
#include "lock.h"
#include "origin.h"
#include "package.h"
#include "path.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

enum { LOCKFILE_FORMAT_MIN = 2, LOCKFILE_FORMAT_MAX = 3 };

/* The package's name out of its place: "node_modules/a/node_modules/@b/c" is @b/c. */
static const char *name_of(const char *place)
{
    static const char folder[] = "node_modules/";
    const char *name = place;
    for (const char *p = place; (p = strstr(p, folder)); p += sizeof folder - 1)
        name = p + sizeof folder - 1;
    return *name ? name : "the app itself";
}

static bool is_installed(const char *place)
{
    return path_has_part(place, "node_modules");
}

/* A link is a workspace of the same source; anywhere else would be a file: source. */
static int check_link(const char *place, json_t *entry, struct box_refusal *ret)
{
    const char *target = json_string_value(json_object_get(entry, "resolved"));
    if (!target || !path_is_inside(target) || strchr(target, ':'))
        return BOX_REFUSE(ret, LOCKFILE_SOURCE, "`%s` comes from `%s`, a folder outside the app",
                          name_of(place), target ? target : "nowhere");
    return 0;
}

static int check_installed(const char *place, json_t *entry, struct box_refusal *ret)
{
    const char *resolved = json_string_value(json_object_get(entry, "resolved"));
    if (resolved && !origin_is_registry(resolved))
        return BOX_REFUSE(ret, LOCKFILE_SOURCE, "`%s` comes from `%s`", name_of(place), resolved);
    if (!origin_is_integrity(json_string_value(json_object_get(entry, "integrity"))))
        return BOX_REFUSE(ret, LOCKFILE_INTEGRITY, "`%s` (%s) has no integrity", name_of(place),
                          place);
    json_object_del(entry, "resolved");
    return 0;
}

static int check_entry(const char *place, json_t *entry, uint64_t *packages,
                       struct box_refusal *ret)
{
    if (!json_is_object(entry) || (*place && !path_is_inside(place)))
        return BOX_REFUSE(ret, LOCKFILE_INVALID, "the entry `%s` is none", place);
    if (json_is_true(json_object_get(entry, "link")))
        return check_link(place, entry, ret);
    if (!is_installed(place))
        return package_wishes(*place ? place : "package.json", entry, ret);
    if (json_is_true(json_object_get(entry, "inBundle")))
        return 0; /* it lies in the tarball of another package, whose integrity covers it */
    ++*packages;
    return check_installed(place, entry, ret);
}

static int check_all(json_t *root, struct lock *lock, struct box_refusal *ret)
{
    json_int_t format = json_integer_value(json_object_get(root, "lockfileVersion"));
    json_t *entries = json_object_get(root, "packages");
    if (format < LOCKFILE_FORMAT_MIN || format > LOCKFILE_FORMAT_MAX || !json_is_object(entries))
        return BOX_REFUSE(ret, LOCKFILE_INVALID, "it has lockfileVersion %lld; 2 and 3 are read",
                          (long long)format);
    lock->version = (unsigned)format;
    const char *place;
    json_t *entry;
    json_object_foreach(entries, place, entry)
    {
        int r = check_entry(place, entry, &lock->packages, ret);
        if (r != 0)
            return r;
    }
    return 0;
}

int lock_npm(const char *text, size_t n, FILE *to, struct lock *lock,
             struct box_refusal *ret_refusal)
{
    json_error_t why;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return BOX_REFUSE(ret_refusal, LOCKFILE_INVALID, "line %d: %s", why.line, why.text);
    int r = check_all(root, lock, ret_refusal);
    if (r == 0 && to) {
        json_object_del(root, "dependencies"); /* format 2's second list, for npm 6 */
        r = json_dumpf(root, to, JSON_INDENT(1)) < 0 ? err_raise(-EIO) : 0;
    }
    json_decref(root);
    return r < 0 ? err_pass(r) : r;
}
