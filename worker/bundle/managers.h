/* managers.h: the package managers of this worker, brought together at /rota/managers.
 *
 * ROTA_MANAGERS names a folder that scripts/setup fills, with one folder for each program in which
 * npm installed it; npm itself comes with Node. Yarn and pnpm are needed in several versions,
 * because each leaves only lockfiles of its own format as they are. Found by the main thread, once
 * at start; read by any thread afterwards. */
#pragma once

#include "plan.h"
#include "tools.h"

enum { MANAGERS_MAX = 8, MANAGER_VERSION_MAX = 32, MANAGER_CLI_MAX = 128, MANAGERS_TEXT_MAX = 120 };

struct manager_program {
    const char *name;                  /* "npm", "yarn-4", … as rota-box verify names it */
    const char *tool;                  /* "npm", "yarn", "pnpm" */
    enum step_id step;                 /* that runs it */
    char cli[MANAGER_CLI_MAX];         /* inside the sandbox */
    char version[MANAGER_VERSION_MAX]; /* "4.18.1" */
    uint8_t sha256[32];                /* of the file with its substance */
    bool has_sha256;                   /* npm has many */
};

struct managers {
    struct manager_program program[MANAGERS_MAX];
    size_t n;
};

/* A program that is not there is left out; npm always is. */
MUST_USE int managers_find(const struct tools *tools, struct managers *ret_managers);

/* NULL: this worker does not have it. */
const struct manager_program *managers_get(const struct managers *managers, const char *name);

/* "npm-11.19.1,yarn-1.22.22" */
void managers_text(const struct managers *managers, char ret[MANAGERS_TEXT_MAX]);
