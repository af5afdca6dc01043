/* toolpath.c: candidates in order of preference; the first that is really there wins. */
#include "toolpath.h"

#include <base/auto.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool resolve(const char *path, char ret[TOOL_PATH_MAX])
{
    char real[PATH_MAX];
    if (!realpath(path, real) || strlen(real) >= TOOL_PATH_MAX)
        return false;
    memcpy(ret, real, strlen(real) + 1);
    return true;
}

bool path_search(const char *name, char ret[TOOL_PATH_MAX])
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");
        char candidate[PATH_MAX];
        snprintf(candidate, sizeof candidate, "%.*s/%s", (int)n, p, name);
        if (*p == '/' && is_program(candidate) && resolve(candidate, ret))
            return true;
        p += n + (p[n] == ':');
    }
    return false;
}

bool program_resolve(const char *path, char ret[TOOL_PATH_MAX])
{
    return is_program(path) && resolve(path, ret);
}

bool node_find(char ret[TOOL_PATH_MAX])
{
    const char *told = getenv("ROTA_NODE");
    if (told && *told)
        return program_resolve(told, ret);
    return path_search("node", ret);
}

static bool has_file(const char *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s/%s", folder, name);
    return access(path, R_OK) == 0;
}

/* Where npm lies as seen from Node's own folder: the tree of nodejs.org and of distributions, the
 * `node` package of npm with `npm` beside it, and Debian's. */
static const char *const npm_places[] = {
    "../lib/node_modules/npm",
    "../../npm",
    "../../../npm",
    "../share/nodejs/npm",
};

static const char npm_cli[] = "bin/npm-cli.js";

bool npm_find(const char *node, char ret[TOOL_PATH_MAX])
{
    int dir = (int)(strrchr(node, '/') - node);
    for (size_t i = 0; i < ARRAY_LEN(npm_places); i++) {
        char folder[PATH_MAX];
        snprintf(folder, sizeof folder, "%.*s/%s", dir, node, npm_places[i]);
        if (has_file(folder, npm_cli) && resolve(folder, ret))
            return true;
    }
    if (!path_search("npm", ret))
        return false;
    char *cli = strstr(ret, "/bin/npm-cli.js");
    if (cli)
        *cli = 0;
    return cli != NULL;
}

static char self[PATH_MAX]; /* written once, before there are threads */

void program_note(void)
{
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
}

static bool program_folder(const char *below, char ret[TOOL_PATH_MAX])
{
    char folder[PATH_MAX + 64];
    if (!self[0])
        return false;
    int dir = (int)(strrchr(self, '/') - self);
    snprintf(folder, sizeof folder, "%.*s/%s", dir, self, below);
    return resolve(folder, ret);
}

bool parts_find(char ret[TOOL_PATH_MAX])
{
    static const char *const places[] = {".", "../libexec/rota"};
    const char *told = getenv("ROTA_TOOLS");
    if (told && *told)
        return resolve(told, ret) && has_file(ret, "box/rota-box");
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (program_folder(places[i], ret) && has_file(ret, "box/rota-box"))
            return true;
    return false;
}
