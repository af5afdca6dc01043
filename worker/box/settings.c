/* settings.c: .yarnrc.yml and pnpm-workspace.yaml, cut down to the names on a list; what is left
 * out is named in the log. Yarn's registries and tokens are judged here, and reach the install
 * through the agent (registries.h).
 *
 * A file is cut by lines: its outermost map must be written in block style, one name at the
 * beginning of a line, as both managers write it. Never on the lists: what names programs, plugins
 * and hooks (yarnPath, plugins, configDependencies, pnpmfile), registries and secrets, folders.
 * Yarn's linker is forced: React Native's Metro needs node_modules. */
#include "settings.h"

#include "doc.h"
#include "package.h"
#include "registries.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { SETTINGS_BYTES_MAX = REGISTRIES_BYTES_MAX, SETTINGS_MAX = 256, NAME_SHOWN_MAX = 64 };

static const char *const yarn_allowed[] = {
    "catalog", "catalogs",         "enableTransparentWorkspaces", "nmHoistingLimits",
    "nmMode",  "nmSelfReferences", "packageExtensions",           "supportedArchitectures",
    NULL};

static const char *const pnpm_allowed[] = {"allowedDeprecatedVersions",
                                           "allowNonAppliedPatches",
                                           "allowUnusedPatches",
                                           "autoInstallPeers",
                                           "catalog",
                                           "catalogs",
                                           "dedupeDirectDeps",
                                           "dedupeInjectedDeps",
                                           "dedupePeerDependents",
                                           "excludeLinksFromLockfile",
                                           "hoist",
                                           "hoistPattern",
                                           "ignoredBuiltDependencies",
                                           "ignoredOptionalDependencies",
                                           "injectWorkspacePackages",
                                           "linkWorkspacePackages",
                                           "neverBuiltDependencies",
                                           "onlyBuiltDependencies",
                                           "overrides",
                                           "packageExtensions",
                                           "packages",
                                           "patchedDependencies",
                                           "peerDependencyRules",
                                           "preferWorkspacePackages",
                                           "publicHoistPattern",
                                           "resolutionMode",
                                           "resolvePeersFromWorkspaceRoot",
                                           "sharedWorkspaceLockfile",
                                           "shamefullyHoist",
                                           "strictPeerDependencies",
                                           "supportedArchitectures",
                                           NULL};

struct setting {
    unsigned line; /* where its name stands */
    bool is_allowed, is_registry;
    char name[NAME_SHOWN_MAX + 1];
};

struct settings {
    const char *file;
    const char *const *allowed;
    bool has_registries;
    struct lock *lock;
    struct box_refusal *refusal;
    struct setting v[SETTINGS_MAX];
    size_t n;
};

static bool is_allowed(const char *const *allowed, const char *name)
{
    for (; *allowed; allowed++)
        if (strcmp(*allowed, name) == 0)
            return true;
    return false;
}

static int refuse_hooks(const char *where, struct box_refusal *ret)
{
    return BOX_REFUSE(ret, MANAGER_SETTING,
                      "%s has configDependencies, which bring programs that do not run here",
                      where);
}

static int on_name(void *arg, const struct doc_place *at)
{
    struct settings *s = arg;
    if (at->depth != 1)
        return 0;
    if (doc_is(at, 0, "configDependencies"))
        return refuse_hooks(s->file, s->refusal);
    unsigned last = s->n ? s->v[s->n - 1].line : 0;
    if (at->column != 0 || at->line <= last || s->n == SETTINGS_MAX)
        return BOX_REFUSE(s->refusal, MANAGER_SETTING,
                          "%s line %u: each setting must begin a line of its own", s->file,
                          at->line);
    struct setting *v = &s->v[s->n++];
    *v = (struct setting){.line = at->line, .is_allowed = is_allowed(s->allowed, at->name[0])};
    v->is_registry = s->has_registries && registries_has(at->name[0]);
    snprintf(v->name, sizeof v->name, "%.*s", NAME_SHOWN_MAX, at->name[0]);
    return 0;
}

static int on_value(void *arg, const struct doc_place *at, const char *text)
{
    struct settings *s = arg;
    if (at->depth == 1 && doc_is(at, 0, "nodeLinker") && strcmp(text, "pnp") == 0)
        return BOX_REFUSE(s->refusal, MANAGER_SETTING,
                          "%s says nodeLinker: pnp, but Metro finds packages in node_modules only: "
                          "say nodeLinker: node-modules",
                          s->file);
    if (at->depth == 2 && doc_is(at, 0, "patchedDependencies"))
        return names_add(&s->lock->patches, text);
    return 0;
}

/* Copies the lines of `text` from line `from` up to line `to`. */
static void lines_copy(const char *text, unsigned from, unsigned to, FILE *out)
{
    unsigned line = 1;
    for (const char *p = text; *p && line < to; line++) {
        size_t n = strcspn(p, "\n");
        n += p[n] == '\n';
        if (line >= from)
            fwrite(p, 1, n, out);
        p += n;
    }
}

/* Into the build's log. */
static uint64_t left_out_say(const char *file, const char *name)
{
    printf("left out of %s: %s\n", file, name);
    return 1;
}

static int registry_left_out(void *arg, const char *name)
{
    uint64_t *n = arg;
    *n += left_out_say(".yarnrc.yml", name);
    return 0;
}

static uint64_t cut(const struct settings *s, const char *text, FILE *out)
{
    uint64_t left_out = 0;
    for (size_t i = 0; i < s->n; i++) {
        unsigned end = i + 1 < s->n ? s->v[i + 1].line : UINT32_MAX;
        if (s->v[i].is_allowed)
            lines_copy(text, s->v[i].line, end, out);
        else if (!s->v[i].is_registry)
            left_out += left_out_say(s->file, s->v[i].name);
    }
    return left_out;
}

/* Nothing but comments. */
static bool is_blank(const char *text)
{
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        char c = p[strspn(p, " \t\r")];
        if (c && c != '#' && c != '\n')
            return false;
    }
    return true;
}

/* YAML 1.1 ends lines at more than a newline, and the lines are counted here by newlines alone. */
static bool has_other_breaks(const char *text)
{
    static const char *const breaks[] = {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    for (size_t i = 0; i < ARRAY_LEN(breaks); i++)
        if (strstr(text, breaks[i]))
            return true;
    for (const char *p = text; (p = strchr(p, '\r')); p++)
        if (p[1] != '\n')
            return true;
    return false;
}

static int file_cut(struct settings *s, const char *folder, FILE *out, uint64_t *ret_left_out)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = package_text(folder, s->file, SETTINGS_BYTES_MAX, &text, &n);
    if (r == -ENOENT)
        return 0;
    if (r < 0 || strlen(text) != n || has_other_breaks(text))
        return BOX_REFUSE(s->refusal, MANAGER_SETTING, "%s is no plain text", s->file);
    struct doc_reader reader = {.name = on_name, .value = on_value, .arg = s};
    r = is_blank(text) ? 0 : doc_read(s->file, text, n, &reader, s->refusal);
    const struct npmrc_reader names = {.left_out = registry_left_out, .arg = ret_left_out};
    if (r == 0 && s->has_registries)
        r = registries_read(text, n, &names, s->refusal);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    *ret_left_out += cut(s, text, out);
    return 0;
}

static int yarn_settings(struct settings *s, const char *folder, FILE *out, uint64_t *ret_left_out)
{
    int r = file_cut(s, folder, out, ret_left_out);
    const char *level = strchr(s->lock->cache_key, 'c');
    /* The checksums are of archives that were packed this tightly. */
    fprintf(out, "\nnodeLinker: node-modules\ncompressionLevel: %s\n", level ? level + 1 : "mixed");
    return r;
}

/* What pnpm reads of package.json. */
static int pnpm_package(json_t *package, struct lock *lock, struct box_refusal *ret)
{
    json_t *pnpm = json_object_get(package, "pnpm");
    const char *name;
    json_t *file;
    if (json_object_get(pnpm, "configDependencies"))
        return refuse_hooks("package.json", ret);
    json_object_foreach(json_object_get(pnpm, "patchedDependencies"), name, file)
    {
        const char *path = json_string_value(file);
        int r = path ? names_add(&lock->patches, path) : 0;
        if (r < 0)
            return err_pass(r);
    }
    return 0;
}

static int text_put(const char *to, const char *file, const char *text, size_t n)
{
    char path[PACKAGE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", to, file);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? err_raise(-errno) : write_all(fd, text, n);
}

int settings_copy(const char *folder, const char *to, const struct manager *m, json_t *package,
                  struct lock *lock, uint64_t *ret_left_out, struct box_refusal *ret_refusal)
{
    bool is_pnpm = m->read == lock_pnpm;
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    struct settings s = {.file = is_pnpm ? "pnpm-workspace.yaml" : ".yarnrc.yml",
                         .allowed = is_pnpm ? pnpm_allowed : yarn_allowed,
                         .has_registries = !is_pnpm,
                         .lock = lock,
                         .refusal = ret_refusal};
    if (!is_pnpm && m->read != lock_berry)
        return 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return err_raise(-errno);
    int r = is_pnpm ? pnpm_package(package, lock, ret_refusal) : 0;
    if (r == 0)
        r = is_pnpm ? file_cut(&s, folder, out, ret_left_out)
                    : yarn_settings(&s, folder, out, ret_left_out);
    if (fclose(out) != 0 && r == 0)
        r = err_raise(-errno);
    if (r == 0 && n > 0) /* pnpm 9 refuses a file without `packages` */
        r = text_put(to, s.file, text, n);
    return r < 0 ? err_pass(r) : r;
}
