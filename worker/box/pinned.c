/* pinned.c: Yarn 1.22 with --frozen-lockfile stops when a wish of the top has no key in the
 * lockfile, and there only. A wish of a workspace's member, of a resolution or of a package in the
 * lockfile that has none is resolved anew and installed, and so is one whose key has a version
 * that is not of its range. All of that is looked up here, in what Yarn will see.
 *
 * A resolution pins by its own key, and the wishes that it answers stand beside that key in one
 * entry with whatever version the resolution says. */
#include "pinned.h"

#include "bundle/engines.h"
#include "members.h"
#include "origin.h"

#include <base/auto.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PATTERN_MAX = 1400 };

struct judge {
    const struct pins *pins;
    struct members members;
    json_t *resolutions; /* of the top */
    struct box_refusal *refusal;
};

static int unpinned(struct judge *j, const char *name, const char *range, const char *asker)
{
    return BOX_REFUSE(j->refusal, LOCKFILE_INVALID,
                      "yarn.lock has no `%.150s@%.100s` (asked for by %.200s): run `yarn install`",
                      name, range, asker);
}

/* NULL: nothing pins it. */
static const struct pin *pin_of(struct judge *j, const char *name, const char *range)
{
    char pattern[PATTERN_MAX];
    int n = snprintf(pattern, sizeof pattern, "%s@%s", name, range);
    return n > 0 && (size_t)n < sizeof pattern ? pins_find(j->pins, pattern) : NULL;
}

static int wish_check(struct judge *j, const char *name, const char *range, const char *asker)
{
    if (pin_of(j, name, range) || members_have(&j->members, name, range))
        return 0;
    return unpinned(j, name, range, asker);
}

/* ---- package.json ---- */

static const char *const groups[] = {"optionalDependencies", "dependencies", "devDependencies"};

static bool is_trivial(json_t *spec)
{
    const char *text = json_string_value(spec);
    return text && (!*text || strcmp(text, "*") == 0);
}

/* A name in several groups counts once, with the first range that says something. */
static json_t *spec_of(json_t *package, const char *name)
{
    json_t *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        json_t *spec = json_object_get(json_object_get(package, groups[i]), name);
        if (spec && !is_trivial(spec))
            return spec;
        first = first ? first : spec;
    }
    return first;
}

/* Yarn goes through lists and texts too, as if their indices were names. */
static int group_check(struct judge *j, json_t *package, const char *group, const char *place)
{
    json_t *v = json_object_get(package, group);
    if (json_array_size(v) == 0 && json_string_length(v) == 0)
        return 0;
    return BOX_REFUSE(j->refusal, PACKAGE_JSON_INVALID, "`%s` of %.200s is no JSON object", group,
                      place);
}

static int package_check(struct judge *j, json_t *package, const char *place)
{
    int r = package_wishes(place, package, j->refusal);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(groups); i++)
        r = group_check(j, package, groups[i], place);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(groups); i++) {
        const char *name;
        json_t *spec;
        json_object_foreach(json_object_get(package, groups[i]), name, spec)
        {
            const char *range = json_string_value(spec_of(package, name));
            r = range ? wish_check(j, name, range, place) : unpinned(j, name, "?", place);
            if (r != 0)
                break;
        }
    }
    return r;
}

static int members_check(struct judge *j, const char *folder)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < j->members.places.n; i++) {
        char place[PACKAGE_PATH_MAX];
        json_t *package = NULL;
        if (!j->members.v[i].name)
            continue;
        snprintf(place, sizeof place, "%.4000s/package.json", j->members.places.v[i]);
        r = package_read(folder, j->members.places.v[i], &package, j->refusal);
        if (r == 0)
            r = package_check(j, package, place);
        json_decref(package);
    }
    return r < 0 ? err_pass(r) : r;
}

/* ---- resolutions ---- */

/* "a", "**" "/a" and "b/@s/a" are of the packages a, a and @s/a. */
static const char *resolved_name(const char *path)
{
    const char *name = strrchr(path, '/');
    if (!name)
        return path;
    const char *scope = name;
    while (scope > path && scope[-1] != '/')
        scope--;
    return *scope == '@' ? scope : name + 1;
}

/* Yarn leaves out what is no range but a tag, as "latest". */
static bool is_range(const char *text)
{
    return strchr(text, ':') || !isalpha((unsigned char)*text) ||
           engines_match(text, (struct engines_version){0}) != ENGINES_UNREADABLE;
}

static int resolutions_check(struct judge *j)
{
    static const char asker[] = "the resolutions of package.json";
    const char *path;
    json_t *spec;
    json_object_foreach(j->resolutions, path, spec)
    {
        const char *range = json_string_value(spec), *name = resolved_name(path);
        if (range && origin_is_foreign(range))
            return BOX_REFUSE(j->refusal, LOCKFILE_SOURCE,
                              "`%.200s` (asked for by %s) comes from `%.200s`", name, asker, range);
        int r = range && is_range(range) ? wish_check(j, name, range, asker) : 0;
        if (r != 0)
            return r;
    }
    return 0;
}

/* The entry has a resolution's key for that name beside this one, which is then not looked at. */
static bool is_resolved(struct judge *j, const struct pin *pin, const char *name)
{
    bool is_found = false;
    const char *path;
    json_t *spec;
    json_object_foreach(j->resolutions, path, spec)
    {
        const char *range = json_string_value(spec);
        if (!range || strcmp(resolved_name(path), name) != 0)
            continue;
        const struct pin *key = pin_of(j, name, range);
        if (key == pin)
            return false;
        is_found = is_found || (key && key->entry == pin->entry);
    }
    return is_found;
}

/* ---- the lockfile itself ---- */

/* "NAME@RANGE" in two; every pattern here was read by lock_yarn.c, and has both. */
static const char *pattern_cut(const char *pattern, char ret_name[PATTERN_MAX])
{
    size_t n = origin_name_len(pattern);
    snprintf(ret_name, PATTERN_MAX, "%.*s", (int)n, pattern);
    return pattern + n + 1;
}

static int wishes_check(struct judge *j)
{
    const struct pins *p = j->pins;
    int r = 0;
    for (size_t i = 0; r == 0 && i < p->wishes.n; i++) {
        const char *pattern = p->text + p->wishes.v[i].pattern;
        char name[PATTERN_MAX];
        if (pins_find(p, pattern))
            continue;
        const char *range = pattern_cut(pattern, name);
        if (!members_have(&j->members, name, range))
            r = unpinned(j, name, range, p->text + p->wishes.v[i].word);
    }
    return r;
}

/* Nothing is said of a pre-release, nor of numbers that engines.c finds too large. */
static bool is_of_other_range(const char *version, const char *range)
{
    struct engines_version v;
    return !strchr(version, '-') && engines_version_read(version, &v) == 0 &&
           engines_match(range, v) == ENGINES_OTHER;
}

static int keys_check(struct judge *j)
{
    const struct pins *p = j->pins;
    for (size_t i = 0; i < p->keys.n; i++) {
        const struct pin *pin = &p->keys.v[i];
        const char *pattern = p->text + pin->pattern, *version = p->text + pin->word;
        char name[PATTERN_MAX];
        if (is_of_other_range(version, pattern_cut(pattern, name)) && !is_resolved(j, pin, name))
            return BOX_REFUSE(
                j->refusal, LOCKFILE_INVALID,
                "yarn.lock has `%.200s` at version %.100s, which is not of that range: run "
                "`yarn install`",
                pattern, version);
    }
    return 0;
}

int pinned_judge(const char *folder, json_t *top, struct pins *pins,
                 struct box_refusal *ret_refusal)
{
    struct judge j = {
        .pins = pins, .resolutions = json_object_get(top, "resolutions"), .refusal = ret_refusal};
    const char *twice = pins_sort(pins);
    if (twice)
        return BOX_REFUSE(ret_refusal, LOCKFILE_INVALID, "yarn.lock has `%.200s` twice", twice);
    int r = members_read(folder, top, &j.members, ret_refusal);
    if (r == 0)
        r = group_check(&j, top, "resolutions", "package.json");
    if (r == 0)
        r = package_check(&j, top, "package.json");
    if (r == 0)
        r = members_check(&j, folder);
    if (r == 0)
        r = resolutions_check(&j);
    if (r == 0)
        r = wishes_check(&j);
    if (r == 0)
        r = keys_check(&j);
    members_deinit(&j.members);
    return r < 0 ? err_pass(r) : r;
}
