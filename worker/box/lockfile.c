/* lockfile.c: lets a lockfile pass only when every package comes from a registry and is pinned by a
 * hash.
 *
 * npm itself would run git for a git source, read any address of an https one, and keep trying for
 * more than 90 s when an integrity does not fit; all that is caught here, before npm runs, with the
 * package's name. Formats 2 and 3 list everything in `packages`: the key is the place in the tree
 * ("" the app, "packages/x" a workspace, "node_modules/x" an installed package). `resolved` may be
 * missing: npm then asks its registry for name and version. */
#include "box.h"
#include "path.h"

#include <jansson.h>
#include <string.h>

enum { LOCKFILE_FORMAT_MIN = 2, LOCKFILE_FORMAT_MAX = 3 };

/* Beginnings of what npm takes from elsewhere. */
static const char *const foreign[] = {
    "git+",  "git:",       "git@",  "ssh:",   "github:", "gitlab:",
    "gist:", "bitbucket:", "http:", "https:", "file:",   "link:"};

static bool is_foreign(const char *spec)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strncmp(spec, foreign[i], strlen(foreign[i])) == 0)
            return true;
    return false;
}

/* "owner/name" is npm's short form of a GitHub repository; "npm:@scope/name@1" is an alias. */
static bool is_repository(const char *spec)
{
    return strchr(spec, '/') && strncmp(spec, "npm:", 4) != 0 &&
           strncmp(spec, "workspace:", 10) != 0;
}

static const char *const hashes[] = {"sha512-", "sha384-", "sha256-", "sha1-"};

static bool is_integrity(const char *text)
{
    for (size_t i = 0; text && i < sizeof hashes / sizeof *hashes; i++)
        if (strncmp(text, hashes[i], strlen(hashes[i])) == 0 && text[strlen(hashes[i])])
            return true;
    return false;
}

/* A registry's tarballs all look like https://HOST/…/NAME/-/FILE.tgz; a user part would be a
 * secret. */
static bool is_registry_url(const char *url)
{
    static const char scheme[] = "https://";
    if (strncmp(url, scheme, sizeof scheme - 1) != 0 || strpbrk(url, "?# \\"))
        return false;
    const char *host = url + sizeof scheme - 1;
    size_t n = strcspn(host, "/");
    return n > 0 && !memchr(host, '@', n) && strstr(host + n, "/-/");
}

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

/* What the app or a workspace asks for must not name a foreign place. */
static int check_wishes(const char *place, json_t *entry, struct box_refusal *ret)
{
    static const char *const groups[] = {"dependencies", "devDependencies", "optionalDependencies"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const char *name;
        json_t *spec;
        json_object_foreach(json_object_get(entry, groups[i]), name, spec)
        {
            const char *text = json_string_value(spec);
            if (text && (is_foreign(text) || is_repository(text)))
                return BOX_REFUSE(ret, LOCKFILE_SOURCE, "`%s` (asked for by %s) comes from `%s`",
                                  name, *place ? place : "package.json", text);
        }
    }
    return 0;
}

/* A link is a workspace of the same source; anywhere else would be a file: source. */
static int check_link(const char *place, json_t *entry, struct box_refusal *ret)
{
    const char *target = json_string_value(json_object_get(entry, "resolved"));
    if (!target || !path_is_inside(target) || is_foreign(target))
        return BOX_REFUSE(ret, LOCKFILE_SOURCE, "`%s` comes from `%s`, a folder outside the app",
                          name_of(place), target ? target : "nowhere");
    return 0;
}

static int check_installed(const char *place, json_t *entry, struct box_refusal *ret)
{
    const char *resolved = json_string_value(json_object_get(entry, "resolved"));
    if (resolved && !is_registry_url(resolved))
        return BOX_REFUSE(ret, LOCKFILE_SOURCE, "`%s` comes from `%s`", name_of(place), resolved);
    if (!is_integrity(json_string_value(json_object_get(entry, "integrity"))))
        return BOX_REFUSE(ret, LOCKFILE_INTEGRITY, "`%s` (%s) has no integrity", name_of(place),
                          place);
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
        return check_wishes(place, entry, ret);
    if (json_is_true(json_object_get(entry, "inBundle")))
        return 0; /* it lies in the tarball of another package, whose integrity covers it */
    ++*packages;
    return check_installed(place, entry, ret);
}

static int check_all(json_t *root, uint64_t *packages, struct box_refusal *ret)
{
    json_int_t format = json_integer_value(json_object_get(root, "lockfileVersion"));
    json_t *entries = json_object_get(root, "packages");
    if (format < LOCKFILE_FORMAT_MIN || format > LOCKFILE_FORMAT_MAX || !json_is_object(entries))
        return BOX_REFUSE(ret, LOCKFILE_INVALID, "it has lockfileVersion %lld; 2 and 3 are read",
                          (long long)format);
    const char *place;
    json_t *entry;
    json_object_foreach(entries, place, entry)
    {
        int r = check_entry(place, entry, packages, ret);
        if (r != 0)
            return r;
    }
    return 0;
}

int box_lockfile_check(const char *text, size_t n, uint64_t *ret_packages,
                       struct box_refusal *ret_refusal)
{
    json_error_t why;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return BOX_REFUSE(ret_refusal, LOCKFILE_INVALID, "line %d: %s", why.line, why.text);
    uint64_t packages = 0;
    int r = check_all(root, &packages, ret_refusal);
    json_decref(root);
    if (r == 0)
        *ret_packages = packages;
    return r;
}
