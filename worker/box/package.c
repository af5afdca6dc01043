/* package.c: patch-package keeps one file for each package, NAME+VERSION.patch, with "+" for the
 * slash of a scope; its folder is patches/, or what --patch-dir says. */
#include "package.h"

#include "origin.h"

#include <base/auto.h>
#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int package_text(const char *folder, const char *name, size_t max, char **ret_text, size_t *ret_n)
{
    char path[PACKAGE_PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (lstat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -ENOENT;
    return file_read(path, max, ret_text, ret_n);
}

static const char *name_of(const char *place)
{
    return strcmp(place, ".") == 0 ? "the top of the source" : place;
}

int package_read(const char *source, const char *place, json_t **ret_package,
                 struct box_refusal *ret)
{
    AUTO_FREE char *text = NULL;
    char folder[PACKAGE_PATH_MAX];
    size_t n = 0;
    snprintf(folder, sizeof folder, "%s/%s", source, place);
    int r = package_text(folder, "package.json", PACKAGE_BYTES_MAX, &text, &n);
    if (r == -ENOENT || r == -ENOTDIR)
        return BOX_REFUSE(ret, PACKAGE_JSON_INVALID, "there is no package.json at %s",
                          name_of(place));
    if (r < 0)
        return BOX_REFUSE(ret, PACKAGE_JSON_INVALID, "package.json cannot be read");
    json_error_t why;
    json_t *package = json_loadb(text, n, 0, &why);
    if (!package)
        return BOX_REFUSE(ret, PACKAGE_JSON_INVALID, "package.json line %d: %s", why.line,
                          why.text);
    if (!json_is_object(package)) {
        json_decref(package);
        return BOX_REFUSE(ret, PACKAGE_JSON_INVALID, "package.json is no JSON object");
    }
    *ret_package = package;
    return 0;
}

int package_wishes(const char *place, json_t *package, struct box_refusal *ret)
{
    static const char *const groups[] = {"dependencies", "devDependencies", "optionalDependencies"};
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        const char *name;
        json_t *spec;
        json_object_foreach(json_object_get(package, groups[i]), name, spec)
        {
            const char *text = json_string_value(spec);
            if (text && origin_is_foreign(text))
                return BOX_REFUSE(ret, LOCKFILE_SOURCE, "`%s` (asked for by %s) comes from `%s`",
                                  name, place, text);
        }
    }
    return 0;
}

/* ---- scripts ---- */

/* The word behind --patch-dir, or "patches". */
static void patch_folder(const char *script, char *ret, size_t size)
{
    static const char option[] = "--patch-dir";
    const char *at = strstr(script, option);
    at = at ? at + sizeof option - 1 : "";
    at += strspn(at, " =\"'");
    int n = (int)strcspn(at, " \"'&;|");
    snprintf(ret, size, "%.*s", n ? n : (int)strlen("patches"), n ? at : "patches");
}

/* "@scope+name+1.0.0+001+fix.patch" is of @scope/name. */
static void patched_name(const char *file, char *ret, size_t size)
{
    const char *plus = strchr(file, '+');
    if (*file == '@' && plus)
        plus = strchr(plus + 1, '+');
    snprintf(ret, size, "%.*s", plus ? (int)(plus - file) : (int)strcspn(file, "."), file);
    char *slash = *ret == '@' ? strchr(ret, '+') : NULL;
    if (slash)
        *slash = '/';
}

/* The first by name, so that the same source is always refused with the same words. */
static bool first_patch(const char *folder, char *ret, size_t size)
{
    DIR *d = opendir(folder);
    ret[0] = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (n > 6 && n < size && strcmp(e->d_name + n - 6, ".patch") == 0 &&
            (!*ret || strcmp(e->d_name, ret) < 0))
            memcpy(ret, e->d_name, n + 1);
    }
    if (d)
        closedir(d);
    return *ret;
}

static int script_check(const char *source, const char *place, const char *name, const char *script,
                        struct box_refusal *ret)
{
    char below[128], folder[PACKAGE_PATH_MAX], file[256], package[256];
    if (!strstr(script, "patch-package"))
        return 0;
    patch_folder(script, below, sizeof below);
    snprintf(folder, sizeof folder, "%.2000s/%.1000s/%s", source, place, below);
    if (!first_patch(folder, file, sizeof file))
        return 0;
    patched_name(file, package, sizeof package);
    return BOX_REFUSE(ret, PACKAGE_NEEDS_SCRIPT,
                      "`%s` is changed by %s/%s, which patch-package would apply in the script %s",
                      package, below, file, name);
}

int package_scripts(const char *source, const char *place, json_t *package, struct box_refusal *ret)
{
    static const char *const names[] = {"preinstall", "install",     "postinstall", "preprepare",
                                        "prepare",    "postprepare", "prepublish"};
    json_t *scripts = json_object_get(package, "scripts");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *script = json_string_value(json_object_get(scripts, names[i]));
        int r = script ? script_check(source, place, names[i], script, ret) : 0;
        if (r != 0)
            return r;
    }
    return 0;
}
