/* resources.c: the words of one line, and the limits of the cgroups above us.
 *
 * A limit of any cgroup on the way up holds for us, so the least of them counts. Folders that are
 * not there (in a container the path may begin above what it sees) limit nothing. */
#include "resources.h"

#include <base/auto.h>
#include <base/file.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <text.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 1024, FILE_TEXT_MAX = 16384, CPUS_MOST = 65536, VALUE_MAX = 256 };

/* ---- what the runner said ---- */

/* "NAME=value" at the beginning or behind a blank. */
static bool word_of(const char *said, const char *name, char value[VALUE_MAX])
{
    size_t n = strlen(name);
    for (const char *at = said; (at = strstr(at, name)); at += n) {
        if ((at > said && at[-1] != ' ') || at[n] != '=')
            continue;
        snprintf(value, VALUE_MAX, "%.*s", (int)strcspn(at + n + 1, " "), at + n + 1);
        return true;
    }
    return false;
}

static void names_of(const char *said, const char *name, struct resources_names *ret)
{
    char value[VALUE_MAX], *rest = value;
    if (!word_of(said, name, value))
        return;
    for (char *one; ret->n < RESOURCES_NAMES_MAX && (one = strsep(&rest, ","));)
        if (*one)
            text_word(one, ret->name[ret->n++], sizeof ret->name[0]);
}

static void said_read(const char *said, struct resources *r)
{
    char value[VALUE_MAX] = "";
    names_of(said, "node", &r->node);
    names_of(said, "managers", &r->manager);
    text_word(word_of(said, "limits-by", value) ? value : "none", r->limits, sizeof r->limits);
    text_word(word_of(said, "sandbox-uid", value) ? "bubblewrap" : "pid-namespace", r->isolation,
              sizeof r->isolation);
    if (word_of(said, "workspace_bytes", value))
        r->workspace_bytes = strtoull(value, NULL, 10);
}

/* ---- cgroups ---- */

/* The numbers of a file, "max" and what is below 0 as none: UINT64_MAX. */
static void numbers_of(const char *folder, const char *name, uint64_t ret[2])
{
    char path[PATH_TEXT_MAX + 64];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    ret[0] = ret[1] = UINT64_MAX;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_read(path, FILE_TEXT_MAX, &text, &n) < 0)
        return;
    char *rest = text;
    for (size_t i = 0; i < 2; i++) {
        rest += strspn(rest, " \n");
        if (*rest >= '0' && *rest <= '9')
            ret[i] = strtoull(rest, NULL, 10);
        rest += strcspn(rest, " \n");
    }
}

static void memory_least(struct resources *r, uint64_t bytes)
{
    r->memory_bytes = bytes < r->memory_bytes ? bytes : r->memory_bytes;
}

static void cpus_least(struct resources *r, uint64_t quota, uint64_t period)
{
    if (quota == UINT64_MAX || period == UINT64_MAX || !period)
        return;
    uint64_t cpus = quota / period + (quota % period > 0);
    if (cpus < r->cpus)
        r->cpus = cpus > 0 ? (uint32_t)cpus : 1;
}

static void folder_v2(const char *folder, struct resources *r)
{
    uint64_t n[2];
    numbers_of(folder, "memory.max", n);
    memory_least(r, n[0]);
    numbers_of(folder, "cpu.max", n);
    cpus_least(r, n[0], n[1]);
}

static void folder_memory(const char *folder, struct resources *r)
{
    uint64_t n[2];
    numbers_of(folder, "memory.limit_in_bytes", n);
    memory_least(r, n[0]);
}

static void folder_cpu(const char *folder, struct resources *r)
{
    uint64_t quota[2], period[2];
    numbers_of(folder, "cpu.cfs_quota_us", quota);
    numbers_of(folder, "cpu.cfs_period_us", period);
    cpus_least(r, quota[0], period[0]);
}

/* A controller's line in /proc/self/cgroup and its folder below the root. */
static const struct {
    const char *controllers, *folder;
    void (*read)(const char *folder, struct resources *r);
} hierarchies[] = {{"", "", folder_v2},
                   {"memory", "/memory", folder_memory},
                   {"cpu", "/cpu", folder_cpu},
                   {"cpu,cpuacct", "/cpu,cpuacct", folder_cpu}};

/* From where we are up to the root of the hierarchy. */
static void hierarchy_read(const char *top, char *path, struct resources *r,
                           void (*read)(const char *folder, struct resources *r))
{
    char folder[PATH_TEXT_MAX];
    for (;;) {
        snprintf(folder, sizeof folder, "%.300s%.700s", top, path);
        read(folder, r);
        char *slash = strrchr(path, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* "4:memory:/jail/one", "0::/system.slice/x.service" */
static void line_read(const struct resources_host *host, char *line, struct resources *r)
{
    strsep(&line, ":");
    const char *controllers = strsep(&line, ":");
    char top[PATH_TEXT_MAX], path[PATH_TEXT_MAX];
    for (size_t i = 0; line && i < ARRAY_LEN(hierarchies); i++) {
        if (strcmp(controllers, hierarchies[i].controllers) != 0)
            continue;
        snprintf(top, sizeof top, "%s%s", host->root, hierarchies[i].folder);
        snprintf(path, sizeof path, "%s", line);
        hierarchy_read(top, path, r, hierarchies[i].read);
    }
}

void resources_read(const struct resources_host *host, const char *said, struct resources *ret)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    *ret = (struct resources){.cpus = host->cpus, .memory_bytes = host->memory_bytes};
    said_read(said, ret);
    if (file_read(host->self, FILE_TEXT_MAX, &text, &n) < 0)
        return;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        line_read(host, line, ret);
}

void resources_here(const char *said, struct resources *ret)
{
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    int ours = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)online;
    const struct resources_host host = {
        .root = "/sys/fs/cgroup",
        .self = "/proc/self/cgroup",
        .cpus = ours < 1           ? 1
                : ours > CPUS_MOST ? CPUS_MOST
                                   : (uint32_t)ours,
        .memory_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0};
    resources_read(&host, said, ret);
}
