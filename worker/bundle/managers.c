/* managers.c: a table of programs, and where npm puts their parts. The folder of a program is bound
 * as a whole: pnpm and npm have many files beside the one that is started. */
#include "managers.h"

#include "frame.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACKAGE_MAX = 1 << 20 };

static const struct known {
    const char *name, *tool;
    enum step_id step;
    const char *package; /* below NAME/node_modules */
    const char *cli;     /* below the package: what is started */
    const char *body;    /* the file with the program's substance; NULL: there are many */
} known[] = {
    {"npm", "npm", STEP_INSTALL, NULL, "bin/npm-cli.js", NULL},
    {"yarn-1", "yarn", STEP_INSTALL_YARN, "yarn", "bin/yarn.js", "lib/cli.js"},
    {"yarn-3", "yarn", STEP_INSTALL_BERRY, "@yarnpkg/cli-dist", "bin/yarn.js", "bin/yarn.js"},
    {"yarn-4.13", "yarn", STEP_INSTALL_BERRY, "@yarnpkg/cli-dist", "bin/yarn.js", "bin/yarn.js"},
    {"yarn-4.14", "yarn", STEP_INSTALL_BERRY, "@yarnpkg/cli-dist", "bin/yarn.js", "bin/yarn.js"},
    {"yarn-4", "yarn", STEP_INSTALL_BERRY, "@yarnpkg/cli-dist", "bin/yarn.js", "bin/yarn.js"},
    {"pnpm-9", "pnpm", STEP_INSTALL_PNPM, "pnpm", "bin/pnpm.cjs", "dist/pnpm.cjs"},
    {"pnpm-10", "pnpm", STEP_INSTALL_PNPM, "pnpm", "bin/pnpm.cjs", "dist/pnpm.cjs"},
};
_Static_assert(ARRAY_LEN(known) <= MANAGERS_MAX, "managers.h has too few places");

static bool version_read(const char *package, char ret[MANAGER_VERSION_MAX])
{
    char path[2 * TOOL_PATH_MAX];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%.800s/package.json", package);
    if (file_read(path, PACKAGE_MAX, &text, &n) < 0)
        return false;
    json_t *json = json_loadb(text, n, 0, NULL);
    const char *version = json_string_value(json_object_get(json, "version"));
    snprintf(ret, MANAGER_VERSION_MAX, "%s", version ? version : "");
    json_decref(json);
    return *ret;
}

/* In pieces: a program has up to 9 MB, and a buffer for all of it would be the most that the agent
 * ever held. */
static bool body_hash(const char *package, const char *body, uint8_t ret[32])
{
    char path[2 * TOOL_PATH_MAX];
    uint8_t blake2b[32];
    uint64_t size;
    snprintf(path, sizeof path, "%.800s/%s", package, body);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && hash_file(fd, ret, blake2b, &size) == 0;
}

/* `package` is on the host. One that is not there, or broken, is left out. */
static int program_add(const struct known *k, const char *package, const char *folder,
                       struct managers *managers)
{
    struct manager_program p = {
        .name = k->name, .tool = k->tool, .step = k->step, .has_sha256 = true};
    if (!version_read(package, p.version) || !body_hash(package, k->body, p.sha256))
        return 0;
    int r = frame_bind(package, folder, k->name);
    if (r < 0)
        return err_pass(r);
    snprintf(p.cli, sizeof p.cli, "/rota/managers/%s/%s", k->name, k->cli);
    managers->program[managers->n++] = p;
    return 0;
}

/* It is at its place already (tools.c). */
static int npm_add(const struct tools *tools, struct managers *managers)
{
    struct manager_program p = {
        .name = known[0].name, .tool = known[0].tool, .step = known[0].step};
    char node[TOOL_PATH_MAX], npm[TOOL_PATH_MAX];
    if (!node_find(node) || !npm_find(node, npm) || !version_read(npm, p.version))
        return err_raise(-ENOENT);
    snprintf(p.cli, sizeof p.cli, "%.120s", tools->npm_cli);
    managers->program[managers->n++] = p;
    return 0;
}

int managers_find(const struct tools *tools, struct managers *ret_managers)
{
    struct managers managers = {.n = 0};
    const char *told = getenv("ROTA_MANAGERS");
    char folder[TOOL_PATH_MAX], package[2 * TOOL_PATH_MAX];
    int r = npm_add(tools, &managers);
    if (r == 0)
        r = (size_t)snprintf(folder, sizeof folder, "%s/managers", tools->always) < sizeof folder
                ? dir_make(folder, 0755)
                : err_raise(-ENAMETOOLONG);
    for (size_t i = 1; r == 0 && told && *told && i < ARRAY_LEN(known); i++) {
        snprintf(package, sizeof package, "%.480s/%s/node_modules/%s", told, known[i].name,
                 known[i].package);
        r = program_add(&known[i], package, folder, &managers);
    }
    if (r < 0)
        return err_pass(r);
    *ret_managers = managers;
    return 0;
}

const struct manager_program *managers_get(const struct managers *managers, const char *name)
{
    for (size_t i = 0; i < managers->n; i++)
        if (strcmp(managers->program[i].name, name) == 0)
            return &managers->program[i];
    return NULL;
}

void managers_text(const struct managers *managers, char ret[MANAGERS_TEXT_MAX])
{
    size_t n = 0;
    ret[0] = 0;
    for (size_t i = 0; i < managers->n && n < MANAGERS_TEXT_MAX; i++)
        n += (size_t)snprintf(ret + n, MANAGERS_TEXT_MAX - n, "%s%s-%s", i ? "," : "",
                              managers->program[i].tool, managers->program[i].version);
}
