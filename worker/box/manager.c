/* manager.c: lockfiles and managers as tables.
 *
 * Yarn writes its own format's number into the lockfile and will not run --immutable with an older
 * one, so the number chooses the Yarn, whatever packageManager says. Measured: 4.13 writes 8, 4.14
 * writes 9, from 4.15 on 10; 3.8 writes 6. pnpm 9 reads formats 6 and 9, pnpm 10 only 9. */
#include "manager.h"

#include "package.h"
#include "path.h"

#include <base/auto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct lockfile {
    const char *file, *manager;
    bool is_read;
} lockfiles[] = {
    {"npm-shrinkwrap.json", "npm", true}, /* npm prefers it to the next */
    {"package-lock.json", "npm", true},   {"yarn.lock", "yarn", true},
    {"pnpm-lock.yaml", "pnpm", true},     {"bun.lock", "bun", false},
    {"bun.lockb", "bun", false},
};

static bool is_there(const char *source, const char *root, const char *file)
{
    char path[PACKAGE_PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s/%s", source, root, file);
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* ---- the root ---- */

static bool has_lockfile(const char *source, const char *root)
{
    for (size_t i = 0; i < ARRAY_LEN(lockfiles); i++)
        if (is_there(source, root, lockfiles[i].file))
            return true;
    return false;
}

/* "a/b" becomes "a", "a" becomes "."; false: it was the top. */
static bool parent(char root[MANAGER_PATH_MAX])
{
    char *slash = strrchr(root, '/');
    if (strcmp(root, ".") == 0)
        return false;
    if (slash)
        *slash = 0;
    else
        memcpy(root, ".", 2);
    return true;
}

static int missing(const char *folder, const char *files, struct box_refusal *ret)
{
    bool is_top = strcmp(folder, ".") == 0;
    return BOX_REFUSE(ret, LOCKFILE_MISSING, "there is no %s at the top of the source%s%s", files,
                      is_top ? "" : " or in ", is_top ? "" : folder);
}

int manager_root(const char *source, const char *app, char ret_root[MANAGER_PATH_MAX],
                 struct box_refusal *ret_refusal)
{
    char root[MANAGER_PATH_MAX];
    snprintf(root, sizeof root, "%s", app);
    do {
        if (!has_lockfile(source, root))
            continue;
        memcpy(ret_root, root, sizeof root);
        return 0;
    } while (parent(root));
    return missing(app, "package-lock.json, yarn.lock or pnpm-lock.yaml", ret_refusal);
}

/* ---- the manager ---- */

static int unknown(const char *name, struct box_refusal *ret)
{
    return BOX_REFUSE(ret, MANAGER_UNKNOWN, "`%s` is no package manager that is known here", name);
}

static int take(struct manager *m, const struct lockfile *l, struct box_refusal *ret)
{
    if (!l->is_read)
        return unknown(l->manager, ret);
    m->name = l->manager;
    m->lockfile = l->file;
    return 0;
}

/* "yarn@4.1.0+sha512.…" */
static int find_by_field(const char *source, const char *field, struct manager *m,
                         struct box_refusal *ret)
{
    char name[MANAGER_NAME_MAX], files[128] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(field, "@"), field);
    if (sscanf(field, "%*[^@]@%u.", &m->major) != 1)
        m->major = 0;
    for (size_t i = 0; i < ARRAY_LEN(lockfiles); i++) {
        if (strcmp(lockfiles[i].manager, name) != 0)
            continue;
        if (is_there(source, m->root, lockfiles[i].file))
            return take(m, &lockfiles[i], ret);
        size_t used = strlen(files);
        snprintf(files + used, sizeof files - used, "%s%s", used ? " or " : "", lockfiles[i].file);
    }
    return *files ? missing(m->root, files, ret) : unknown(name, ret);
}

static int find_by_file(const char *source, struct manager *m, struct box_refusal *ret)
{
    const struct lockfile *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(lockfiles); i++) {
        if (!is_there(source, m->root, lockfiles[i].file))
            continue;
        if (found && strcmp(found->manager, lockfiles[i].manager) != 0)
            return BOX_REFUSE(ret, LOCKFILE_AMBIGUOUS,
                              "there are %s and %s, and package.json has no packageManager",
                              found->file, lockfiles[i].file);
        found = found ? found : &lockfiles[i];
    }
    return found ? take(m, found, ret) : missing(m->root, "lockfile", ret);
}

int manager_find(const char *source, const char *root, json_t *package, struct manager *ret_manager,
                 struct box_refusal *ret_refusal)
{
    struct manager m = {0};
    const char *field = json_string_value(json_object_get(package, "packageManager"));
    snprintf(m.root, sizeof m.root, "%s", root);
    int r = field ? find_by_field(source, field, &m, ret_refusal)
                  : find_by_file(source, &m, ret_refusal);
    if (r == 0)
        *ret_manager = m;
    return r;
}

int manager_reader(struct manager *m, const char *text, struct box_refusal *ret_refusal)
{
    if (strcmp(m->name, "npm") == 0)
        m->read = lock_npm;
    else if (strcmp(m->name, "pnpm") == 0)
        m->read = lock_pnpm;
    else
        m->read = lock_is_berry(text) ? lock_berry : lock_yarn;
    if (m->major &&
        ((m->read == lock_yarn && m->major > 1) || (m->read == lock_berry && m->major == 1)))
        return BOX_REFUSE(ret_refusal, LOCKFILE_INVALID,
                          "package.json asks for yarn %u, but yarn.lock was written by %s",
                          m->major, m->read == lock_yarn ? "Yarn 1" : "Yarn 2 or later");
    return 0;
}

/* ---- the program ---- */

static const struct {
    lock_read *read;
    unsigned version_most; /* of the lockfile */
    const char *program;
} programs[] = {
    {lock_npm, UINT32_MAX, "npm"}, {lock_yarn, UINT32_MAX, "yarn-1"},
    {lock_berry, 6, "yarn-3"},     {lock_berry, 8, "yarn-4.13"},
    {lock_berry, 9, "yarn-4.14"},  {lock_berry, UINT32_MAX, "yarn-4"},
    {lock_pnpm, 6, "pnpm-9"},      {lock_pnpm, UINT32_MAX, "pnpm-10"},
};

const char *manager_program(const struct manager *m, const struct lock *lock)
{
    if (m->read == lock_pnpm && m->major && m->major < 10)
        return "pnpm-9";
    for (size_t i = 0; i < ARRAY_LEN(programs); i++)
        if (programs[i].read == m->read && lock->version <= programs[i].version_most)
            return programs[i].program;
    return "npm";
}
