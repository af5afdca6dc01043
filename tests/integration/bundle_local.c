/* bundle_local.c: a developer's tool: builds one source archive here and now, without a broker.
 *
 *   bundle_local ARCHIVE android|ios OUT_FOLDER
 *
 * Prints the log, the phases with their times and each product with its size and SHA-256; the
 * products land in OUT_FOLDER. ROTA_CACHE_DIR names a cache; without, every build starts from
 * nothing. */
#undef NDEBUG
#include "bundle_kit.h"

#include <assert.h>
#include <base/auto.h>
#include <base/exit.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WORKSPACE_BYTES = 0x7fffffff };

#define CACHE_BYTES (8ull << 30)

static void product_move(const struct kit *k, const struct build_artifact *a, const char *to)
{
    char from[KIT_PATH_MAX], path[KIT_PATH_MAX], hex[65];
    kit_object(k, a->kind, from);
    snprintf(path, sizeof path, "%.300s/%s", to, a->name);
    if (rename(from, path) < 0)
        perror(path);
    sodium_bin2hex(hex, sizeof hex, a->sha256, sizeof a->sha256);
    printf("%-26s %9llu bytes  %s\n", a->name, (unsigned long long)a->size, hex);
}

int main(int argc, char **argv)
{
    static struct kit k;
    static struct build_result result;
    static struct kit_seen seen;
    char archive[PATH_MAX];
    if (argc != 4 || !realpath(argv[1], archive)) {
        fprintf(stderr, "usage: bundle_local ARCHIVE android|ios OUT_FOLDER\n");
        return EXIT_USAGE;
    }
    const char *cache = getenv("ROTA_CACHE_DIR");
    kit_open_cached(&k, WORKSPACE_BYTES, cache ? cache : "none", CACHE_BYTES);
    printf("%s\n", k.said);
    mkdir(argv[3], 0755);
    struct kit_order order = {.archive = archive, .platform = argv[2]};
    int r = kit_run(&k, &order, &result, &seen);
    printf("%s\n", seen.log);
    if (r < 0) {
        char trace[256];
        printf("fault: %s\n", err_trace(trace, sizeof trace));
    }
    kit_print(argv[2], &result, &seen);
    for (size_t i = 0; i < result.artifacts; i++)
        product_move(&k, &result.artifact[i], argv[3]);
    if (result.is_attested)
        printf("%s\n", result.statement);
    kit_close(&k);
    return r == 0 && result.outcome == BUILD_SUCCEEDED ? EXIT_OK : EXIT_JOB_FAILED;
}
