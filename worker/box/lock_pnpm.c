/* lock_pnpm.c: pnpm-lock.yaml.
 *
 *   lockfileVersion: '9.0'
 *   importers:                      what the app and its workspaces ask for (format 6 with one
 *     apps/mobile:                  importer: `dependencies` and its like at the top)
 *       dependencies:
 *         '@app/shared':
 *           specifier: workspace:*
 *           version: link:../../packages/shared
 *   packages:
 *     nullthrows@1.1.1:             format 6: /nullthrows@1.1.1
 *       resolution: {integrity: sha512-…}
 *
 * A package of a registry has an integrity and nothing else in its resolution. */
#include "doc.h"
#include "lock.h"
#include "origin.h"
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pnpm {
    struct lock *lock;
    struct box_refusal *refusal;
    bool has_integrity; /* the package */
};

static int on_version(struct pnpm *p, const char *text)
{
    char *dot = NULL;
    p->lock->version = (unsigned)strtoul(text, &dot, 10);
    if ((p->lock->version != 6 && p->lock->version != 9) || *dot != '.')
        return BOX_REFUSE(p->refusal, LOCKFILE_INVALID,
                          "pnpm-lock.yaml has lockfileVersion %.20s; 6 and 9 are read", text);
    return 0;
}

static const char *package_name(const struct doc_place *at)
{
    const char *name = at->name[1];
    return *name == '/' ? name + 1 : name;
}

static int on_resolution(struct pnpm *p, const struct doc_place *at, const char *text)
{
    if (!doc_is(at, 3, "integrity"))
        return BOX_REFUSE(p->refusal, LOCKFILE_SOURCE, "`%s` comes from %s `%s`", package_name(at),
                          at->name[3], text);
    if (p->has_integrity)
        return BOX_REFUSE(p->refusal, LOCKFILE_INVALID,
                          "pnpm-lock.yaml line %u: a second integrity", at->line);
    p->has_integrity = origin_is_integrity(text);
    return 0;
}

/* `at` ends with NAME, "specifier" or "version"; `importer` is the folder that asks. */
static int on_wish(struct pnpm *p, const struct doc_place *at, const char *importer,
                   const char *text)
{
    const char *name = at->name[at->depth - 2], *what = at->name[at->depth - 1];
    bool is_link = strncmp(text, "link:", 5) == 0;
    if (strcmp(what, "specifier") == 0 && origin_is_foreign(text))
        return BOX_REFUSE(p->refusal, LOCKFILE_SOURCE, "`%s` (asked for by %s) comes from `%s`",
                          name, strcmp(importer, ".") == 0 ? "package.json" : importer, text);
    if (strcmp(what, "version") == 0 && is_link && !path_leads_inside(importer, text + 5))
        return BOX_REFUSE(p->refusal, LOCKFILE_SOURCE, "`%s` comes from `%s`, outside the source",
                          name, text);
    return 0;
}

static bool is_group(const struct doc_place *at, size_t depth)
{
    return doc_is(at, depth, "dependencies") || doc_is(at, depth, "devDependencies") ||
           doc_is(at, depth, "optionalDependencies");
}

static int on_name(void *arg, const struct doc_place *at)
{
    struct pnpm *p = arg;
    if (at->depth == 2 && doc_is(at, 0, "packages"))
        p->has_integrity = false;
    if (at->depth == 2 && doc_is(at, 0, "importers") && strcmp(at->name[1], ".") != 0 &&
        !path_is_inside(at->name[1]))
        return BOX_REFUSE(p->refusal, LOCKFILE_SOURCE, "the workspace `%s` lies outside the source",
                          at->name[1]);
    if (at->depth == 1 && doc_is(at, 0, "pnpmfileChecksum"))
        return BOX_REFUSE(
            p->refusal, MANAGER_SETTING,
            "pnpm-lock.yaml was made with a .pnpmfile.cjs, a program that does not run "
            "here");
    return 0;
}

static int on_value(void *arg, const struct doc_place *at, const char *text)
{
    struct pnpm *p = arg;
    if (at->depth == 1 && doc_is(at, 0, "lockfileVersion"))
        return on_version(p, text);
    if (at->depth == 4 && doc_is(at, 0, "packages") && doc_is(at, 2, "resolution"))
        return on_resolution(p, at, text);
    if (at->depth == 5 && doc_is(at, 0, "importers") && is_group(at, 2))
        return on_wish(p, at, at->name[1], text);
    if (at->depth == 3 && is_group(at, 0))
        return on_wish(p, at, ".", text);
    if (at->depth == 3 && doc_is(at, 0, "patchedDependencies") && doc_is(at, 2, "path"))
        return names_add(&p->lock->patches, text);
    return 0;
}

static int on_end(void *arg, const struct doc_place *at)
{
    struct pnpm *p = arg;
    if (at->depth != 2 || !doc_is(at, 0, "packages"))
        return 0;
    p->lock->packages++;
    if (!p->has_integrity)
        return BOX_REFUSE(p->refusal, LOCKFILE_INTEGRITY, "`%s` has no integrity",
                          package_name(at));
    return 0;
}

int lock_pnpm(const char *text, size_t n, FILE *to, struct lock *lock,
              struct box_refusal *ret_refusal)
{
    struct pnpm p = {.lock = lock, .refusal = ret_refusal};
    struct doc_reader reader = {.name = on_name, .value = on_value, .end = on_end, .arg = &p};
    int r = doc_read("pnpm-lock.yaml", text, n, &reader, ret_refusal);
    if (r == 0 && lock->version == 0)
        return BOX_REFUSE(ret_refusal, LOCKFILE_INVALID, "pnpm-lock.yaml has no lockfileVersion");
    if (r == 0 && to && fwrite(text, 1, n, to) != n)
        return err_raise(-EIO);
    return r < 0 ? err_pass(r) : r;
}
