/* heat_build.h: the builds that fill what later builds share: the canonical app, for each platform,
 * in class heat. Main thread. */
#pragma once

#include "cli.h"

#include <limits.h>

enum { HEAT_PLATFORMS = 2 };

/* A published build. */
struct heat_build {
    const char *platform; /* static */
    char job[64];
};

/* The folder of the app: the one that was told, or the sample that came with this program, beside
 * it or in ../share/rota. 0, or the exit code, said. */
MUST_USE int heat_app_find(const struct cli *cli, const char *told, char ret_path[PATH_MAX]);

/* Packs the folder once and publishes a build for each platform, before all others of account
 * local. 0, or the exit code, said. */
MUST_USE int heat_build_publish(struct cli *cli, const char *folder,
                                struct heat_build ret_builds[HEAT_PLATFORMS]);

/* Stays until all are over, with progress on stderr, and prints how long each phase took; with
 * `to`, an array, the jobs go there instead. The exit code: of the first that did not succeed. */
int heat_build_follow(struct cli *cli, const struct heat_build builds[HEAT_PLATFORMS],
                      uint64_t deadline_boot_ms, json_t *to);
