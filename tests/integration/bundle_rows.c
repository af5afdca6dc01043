/* bundle_rows.c: see bundle_rows.h. */
#undef NDEBUG
#include "bundle_rows.h"

#include <assert.h>
#include <base/exit.h>
#include <stdio.h>
#include <stdlib.h>

struct kit rows_kit;
static unsigned failures;

void rows_expect(bool holds, const char *row, const char *what)
{
    if (holds)
        return;
    failures++;
    printf("FAILED %s: %s\n", row, what);
}

static void row_run(const struct rows *rows, size_t row, const char *apps)
{
    static struct build_result result;
    static struct kit_seen seen;
    char archive[KIT_PATH_MAX];
    const char *name = rows->name(row);
    unsigned before = failures;
    snprintf(archive, sizeof archive, "%.400s/source.tar.gz", rows_kit.folder);
    int fault = rows->build(row, apps, archive, &result, &seen);
    kit_print(name, &result, &seen);
    rows_expect(fault == 0, name, "the runner gave a fault");
    rows->check(row, &result, &seen);
    rows_expect(kit_leftovers() == 0, name, "a process or a mount is left");
    if (failures != before)
        printf("%s\n", seen.log);
}

int rows_main(const struct rows *rows, int argc, char **argv)
{
    unsigned run = 0;
    char cache[] = "/tmp/rota-rows-XXXXXX";
    if (argc < 2) {
        fprintf(stderr, "usage: %s %s\n", argv[0], rows->usage);
        return EXIT_USAGE;
    }
    assert(rows->cache_bytes == 0 || mkdtemp(cache));
    kit_open_cached(&rows_kit, rows->workspace_bytes, rows->cache_bytes ? cache : "none",
                    rows->cache_bytes);
    printf("%s\n", rows_kit.said);
    for (size_t i = 0; i < rows->n; i++)
        if (rows->is_wanted(i, argc, argv)) {
            row_run(rows, i, argv[1]);
            run++;
        }
    kit_close(&rows_kit);
    if (rows->cache_bytes)
        kit_remove(cache);
    printf("%u builds, %u failures\n", run, failures);
    return run > 0 && failures == 0 ? EXIT_OK : EXIT_JOB_FAILED;
}
