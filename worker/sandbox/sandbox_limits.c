/* sandbox_limits.c: one row a tier; what does not differ stands once. */
#include "sandbox_limits.h"

#include <base/auto.h>
#include <string.h>

#define GIB (1024ull * 1024 * 1024)

#define PROXY_MEMORY (384 * GIB / 1024)

enum { TASKS = 100, PROXY_TASKS = 40, CPUS = 2, OPEN_FILES = 4096, WALL_MIN = 30 };

static const struct {
    const char *tier;
    uint64_t memory_bytes;
} rows[] = {{"P0", 4 * GIB}, {"P1", 4 * GIB}, {"P2", 2 * GIB}, {"P3", 2 * GIB}};

struct limits limits_of(const char *tier, uint64_t workspace_bytes)
{
    struct limits l = {.memory_bytes = rows[ARRAY_LEN(rows) - 1].memory_bytes,
                       .workspace_bytes = workspace_bytes,
                       .tasks = TASKS,
                       .cpus = CPUS,
                       .open_files = OPEN_FILES,
                       .file_bytes = GIB,
                       .wall_ms = WALL_MIN * 60ull * 1000};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (tier && strcmp(rows[i].tier, tier) == 0)
            l.memory_bytes = rows[i].memory_bytes;
    return l;
}

struct limits limits_of_proxy(struct limits of_step)
{
    struct limits l = of_step;
    l.memory_bytes = PROXY_MEMORY;
    l.workspace_bytes = 0;
    l.tasks = PROXY_TASKS;
    l.wall_ms += 60ull * 1000;
    return l;
}

const char *limits_tier(size_t index)
{
    return index < ARRAY_LEN(rows) ? rows[index].tier : NULL;
}
