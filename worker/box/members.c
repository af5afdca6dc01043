/* members.c: first the folders, then each package.json, one at a time. Yarn leaves out a package
 * without a name or a version, and takes a member for a wish only when its version is of the range;
 * of a pre-release that is judged by its text alone. */
#include "members.h"

#include "bundle/engines.h"
#include "globs.h"
#include "path.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search {
    json_t *globs;
    struct names *places;
    uint64_t bytes;
    bool is_over;
};

static bool is_meant(json_t *globs, const char *folder)
{
    size_t i;
    json_t *glob;
    json_array_foreach(globs, i, glob)
    {
        if (glob_match(json_string_value(glob), folder))
            return true;
    }
    return false;
}

static int place_add(void *arg, const char *path, const struct stat *st)
{
    struct search *s = arg;
    char folder[PACKAGE_PATH_MAX];
    const char *file = path_last(path);
    if (!S_ISREG(st->st_mode) || strcmp(file, "package.json") != 0)
        return TREE_GO_ON;
    snprintf(folder, sizeof folder, "%.*s", file > path ? (int)(file - path - 1) : 1,
             file > path ? path : ".");
    if (s->is_over || !is_meant(s->globs, folder))
        return TREE_GO_ON;
    s->bytes += (uint64_t)st->st_size;
    s->is_over = s->places->n == MEMBERS_MAX || s->bytes > MEMBERS_BYTES_MAX;
    int r = s->is_over ? 0 : names_add(s->places, folder);
    return r < 0 ? err_pass(r) : TREE_GO_ON;
}

static int globs_check(json_t *globs, struct box_refusal *ret)
{
    size_t i;
    json_t *glob;
    if (json_array_size(globs) > GLOBS_MAX)
        return BOX_REFUSE(ret, PACKAGE_JSON_INVALID, "there are more than %d workspaces",
                          GLOBS_MAX);
    json_array_foreach(globs, i, glob)
    {
        const char *text = json_string_value(glob);
        if (!text || !glob_is_read(text))
            return BOX_REFUSE(ret, PACKAGE_JSON_INVALID,
                              "`%s` in `workspaces` is no glob that is read here",
                              text ? text : "?");
    }
    return 0;
}

static int member_read(const char *folder, const char *place, struct member *ret,
                       struct box_refusal *refusal)
{
    json_t *package = NULL;
    int r = package_read(folder, place, &package, refusal);
    if (r == BOX_REFUSED) {
        const struct box_refusal why = *refusal;
        return BOX_REFUSE(refusal, PACKAGE_JSON_INVALID, "in %.200s: %.300s", place, why.text);
    }
    if (r < 0)
        return err_pass(r);
    const char *name = json_string_value(json_object_get(package, "name"));
    const char *version = json_string_value(json_object_get(package, "version"));
    if (name && *name && version && *version) {
        ret->name = strdup(name);
        ret->version = strdup(version);
        if (!ret->name || !ret->version)
            r = err_raise(-ENOMEM);
    }
    json_decref(package);
    return r;
}

static int all_read(const char *folder, struct members *m, struct box_refusal *ret)
{
    m->v = calloc(m->places.n + 1, sizeof *m->v);
    if (!m->v)
        return err_raise(-ENOMEM);
    int r = 0;
    for (size_t i = 0; r == 0 && i < m->places.n; i++)
        r = member_read(folder, m->places.v[i], &m->v[i], ret);
    return r < 0 ? err_pass(r) : r;
}

int members_read(const char *folder, json_t *top, struct members *ret,
                 struct box_refusal *ret_refusal)
{
    json_t *globs = json_object_get(top, "workspaces");
    if (json_is_object(globs))
        globs = json_object_get(globs, "packages");
    struct members m = {0};
    struct search s = {.globs = globs, .places = &m.places};
    int r = globs_check(globs, ret_refusal);
    if (r == 0 && json_array_size(globs) > 0)
        r = tree_walk(folder, place_add, &s);
    if (r == 0 && s.is_over)
        r = BOX_REFUSE(ret_refusal, PACKAGE_JSON_INVALID,
                       "the workspace has more than %d packages, or more than %d MiB of them",
                       MEMBERS_MAX, MEMBERS_BYTES_MAX >> 20);
    if (r == 0)
        r = all_read(folder, &m, ret_refusal);
    if (r == 0)
        *ret = m;
    else
        members_deinit(&m);
    return r < 0 ? err_pass(r) : r;
}

static bool is_of_range(const char *version, const char *range)
{
    struct engines_version v;
    if (strcmp(range, version) == 0)
        return true;
    if (strchr(version, '-'))
        return strcmp(range + strspn(range, "^~=v"), version) == 0;
    return engines_version_read(version, &v) == 0 && engines_match(range, v) == 0;
}

bool members_have(const struct members *m, const char *name, const char *range)
{
    for (size_t i = 0; i < m->places.n; i++)
        if (m->v[i].name && strcmp(m->v[i].name, name) == 0)
            return is_of_range(m->v[i].version, range);
    return false;
}

void members_deinit(struct members *m)
{
    for (size_t i = 0; m->v && i < m->places.n; i++) {
        free(m->v[i].name);
        free(m->v[i].version);
    }
    free(m->v);
    names_deinit(&m->places);
    *m = (struct members){0};
}
