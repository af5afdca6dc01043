/* cgroup.c: files of the kernel are written and read; nothing else.
 *
 * v2 lets no group have both processes and children with controllers, so the agent first moves into
 * a child "agent" of the folder that it was started in. It does so only when it is alone there: a
 * folder with others in it is somebody else's. In v1 nothing tells whose a folder is, and whoever
 * put us into ours may count and kill by it; so v1 is used only where an operator says.
 *
 * Memory counts pages of the workspace as well, so the limit is that of the processes plus that of
 * the workspace. Swap is off: a source must not get onto a disk. */
#include "cgroup.h"

#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 4096, CPU_PERIOD_US = 100000 };

static bool text_read(const char *folder, const char *name, char text[TEXT_MAX])
{
    char path[CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);
    if (n < 0)
        return false;
    text[n] = 0;
    return true;
}

static int text_write(const char *folder, const char *name, const char *text)
{
    char path[CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return -errno;
    return 0;
}

static int number_write(const char *folder, const char *name, uint64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    return text_write(folder, name, text);
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n) {
        bool begins = at == text || at[-1] == ' ' || at[-1] == '\n';
        if (begins && (at[n] == 0 || at[n] == ' ' || at[n] == '\n'))
            return true;
    }
    return false;
}

__attribute__((format(printf, 2, 3))) static bool cannot(struct cgroups *g, const char *format, ...)
{
    size_t used = strlen(g->why);
    if (used > 0)
        used += (size_t)snprintf(g->why + used, sizeof g->why - used, "; ");
    va_list args;
    va_start(args, format);
    vsnprintf(g->why + used, sizeof g->why - used, format, args);
    va_end(args);
    return false;
}

/* ---- v2 ---- */

/* "0::/path" of /proc/self/cgroup. */
static bool path_of_v2(const char *self, char path[CGROUP_PATH_MAX])
{
    char text[TEXT_MAX];
    AUTO_FD fd = open(self, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        if (strncmp(line, "0::/", 4) == 0) {
            snprintf(path, CGROUP_PATH_MAX, "%.*s", (int)len - 3, line + 3);
            return true;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

static bool is_alone(const char *folder, int pid)
{
    char text[TEXT_MAX], ours[32];
    snprintf(ours, sizeof ours, "%d\n", pid);
    return text_read(folder, "cgroup.procs", text) && strcmp(text, ours) == 0;
}

static bool v2_find(const struct cgroup_host *host, struct cgroups *g)
{
    char path[CGROUP_PATH_MAX], text[TEXT_MAX], agent[CGROUP_PATH_MAX];
    char *folder = g->folder[0];
    if (!path_of_v2(host->self, path))
        return cannot(g, "no cgroup v2");
    snprintf(folder, CGROUP_PATH_MAX, "%.200s%.300s", host->root, path);
    if (!text_read(folder, "cgroup.controllers", text))
        return cannot(g, "cgroup v2 is not mounted there");
    if (!has_word(text, "memory") || !has_word(text, "pids"))
        return cannot(g, "v2 offers no memory and pids");
    bool has_cpu = has_word(text, "cpu");
    if (!is_alone(folder, host->pid))
        return cannot(g, "the v2 group has other processes in it");
    snprintf(agent, sizeof agent, "%.480s/agent", folder);
    if (mkdir(agent, 0755) < 0 && errno != EEXIST)
        return cannot(g, "the v2 group is not ours (%s)", strerror(errno));
    int r = number_write(agent, "cgroup.procs", (uint64_t)host->pid);
    if (r == 0)
        r = text_write(folder, "cgroup.subtree_control",
                       has_cpu ? "+memory +pids +cpu" : "+memory +pids");
    if (r < 0)
        return cannot(g, "the v2 group is not ours (%s)", strerror(-r));
    g->kind = CGROUP_V2;
    g->has_cpu = has_cpu;
    g->folders = 1;
    return true;
}

/* ---- v1 ---- */

static const char *const v1_controllers[CGROUP_FOLDERS_MAX] = {"memory", "pids", "cpu"};

/* Groups of an agent that was killed are empty, and go; others are busy, and stay. In v2 whoever
 * made our folder removes it whole. */
static void v1_sweep(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, "slot-", 5) == 0)
            unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    closedir(d);
}

static bool v1_find(const struct cgroup_host *host, struct cgroups *g)
{
    if (!host->told || !host->told[0])
        return cannot(g, "v1 needs --cgroup");
    for (size_t i = 0; i < CGROUP_FOLDERS_MAX; i++) {
        snprintf(g->folder[i], CGROUP_PATH_MAX, "%.200s/%s/%.200s", host->root, v1_controllers[i],
                 host->told);
        if (access(g->folder[i], W_OK) < 0)
            return cannot(g, "v1 %s: %s", v1_controllers[i], strerror(errno));
    }
    for (size_t i = 0; i < CGROUP_FOLDERS_MAX; i++)
        v1_sweep(g->folder[i]);
    g->kind = CGROUP_V1;
    g->folders = CGROUP_FOLDERS_MAX;
    g->has_cpu = true;
    return true;
}

void cgroups_find(const struct cgroup_host *host, struct cgroups *ret_groups)
{
    struct cgroups g = {.kind = CGROUP_NONE};
    if (!v2_find(host, &g) && !v1_find(host, &g))
        g.folders = 0;
    *ret_groups = g;
}

void cgroups_here(const char *told, struct cgroups *ret_groups)
{
    const struct cgroup_host host = {
        .root = "/sys/fs/cgroup", .self = "/proc/self/cgroup", .told = told, .pid = (int)getpid()};
    cgroups_find(&host, ret_groups);
}

const char *cgroups_text(const struct cgroups *groups)
{
    static const char *const kinds[] = {"watchdog", "cgroup-v1", "cgroup-v2"};
    return kinds[groups->kind];
}

/* ---- one group ---- */

static void folder_of(const struct cgroup *c, size_t i, char folder[CGROUP_PATH_MAX])
{
    snprintf(folder, CGROUP_PATH_MAX, "%.440s/%s", c->groups->folder[i], c->name);
}

static int v2_limit(const struct cgroup *c, const struct limits *l)
{
    char folder[CGROUP_PATH_MAX], cpu[64];
    folder_of(c, 0, folder);
    int r = number_write(folder, "memory.max", l->memory_bytes + l->workspace_bytes);
    if (r == 0)
        r = number_write(folder, "pids.max", l->tasks);
    int swap = r == 0 ? number_write(folder, "memory.swap.max", 0) : 0;
    if (swap < 0 && swap != -ENOENT) /* a kernel that does not count swap has no such file */
        r = swap;
    snprintf(cpu, sizeof cpu, "%u %u", l->cpus * CPU_PERIOD_US, (unsigned)CPU_PERIOD_US);
    if (r == 0 && c->groups->has_cpu)
        r = text_write(folder, "cpu.max", cpu);
    return r < 0 ? err_raise(r) : 0;
}

static int v1_limit(const struct cgroup *c, const struct limits *l)
{
    char memory[CGROUP_PATH_MAX], pids[CGROUP_PATH_MAX], cpu[CGROUP_PATH_MAX];
    uint64_t bytes = l->memory_bytes + l->workspace_bytes;
    folder_of(c, 0, memory);
    folder_of(c, 1, pids);
    folder_of(c, 2, cpu);
    int r = number_write(memory, "memory.limit_in_bytes", bytes);
    int swap = r == 0 ? number_write(memory, "memory.memsw.limit_in_bytes", bytes) : 0;
    if (swap < 0 && swap != -ENOENT)
        r = swap;
    if (r == 0)
        r = number_write(pids, "pids.max", l->tasks);
    if (r == 0)
        r = number_write(cpu, "cpu.cfs_period_us", CPU_PERIOD_US);
    if (r == 0)
        r = number_write(cpu, "cpu.cfs_quota_us", (uint64_t)l->cpus * CPU_PERIOD_US);
    return r < 0 ? err_raise(r) : 0;
}

static int procs_open(struct cgroup *c)
{
    for (size_t i = 0; i < c->groups->folders; i++) {
        char folder[CGROUP_PATH_MAX], path[CGROUP_PATH_MAX + 64];
        folder_of(c, i, folder);
        snprintf(path, sizeof path, "%s/cgroup.procs", folder);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            return err_raise(-errno);
        c->procs[c->procs_n++] = fd;
    }
    return 0;
}

static int folders_make(const struct cgroup *c)
{
    for (size_t i = 0; i < c->groups->folders; i++) {
        char folder[CGROUP_PATH_MAX];
        folder_of(c, i, folder);
        rmdir(folder); /* of an agent that was killed: its counts are not ours */
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
            return err_raise(-errno);
    }
    return 0;
}

/* The number behind `name` in a file of lines "name number". */
static uint64_t count_read(const char *folder, const char *file, const char *name)
{
    char text[TEXT_MAX];
    size_t n = strlen(name);
    if (!text_read(folder, file, text))
        return 0;
    for (const char *line = text; *line;) {
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            return strtoull(line + n, NULL, 10);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return 0;
}

static struct cgroup_end counts_now(const struct cgroup *c)
{
    char memory[CGROUP_PATH_MAX], pids[CGROUP_PATH_MAX];
    bool is_v2 = c->groups->kind == CGROUP_V2;
    folder_of(c, 0, memory);
    folder_of(c, is_v2 ? 0 : 1, pids);
    return (struct cgroup_end){
        .oom_kills = count_read(memory, is_v2 ? "memory.events" : "memory.oom_control", "oom_kill"),
        .tasks_denied = count_read(pids, "pids.events", "max")};
}

int cgroup_new(const struct cgroups *groups, const char *name, const struct limits *limits,
               struct cgroup **ret_group)
{
    AUTO(cgroup) c = calloc(1, sizeof *c);
    if (!c)
        return err_raise(-ENOMEM);
    c->groups = groups;
    snprintf(c->name, sizeof c->name, "%s", name);
    int r = folders_make(c);
    if (r == 0)
        r = groups->kind == CGROUP_V2 ? v2_limit(c, limits) : v1_limit(c, limits);
    if (r == 0)
        r = procs_open(c);
    c->before = counts_now(c);
    if (r < 0)
        return err_pass(r);
    *ret_group = TAKE(c);
    return 0;
}

void cgroup_read(const struct cgroup *c, struct cgroup_end *ret_end)
{
    struct cgroup_end now = counts_now(c);
    *ret_end = (struct cgroup_end){.oom_kills = now.oom_kills - c->before.oom_kills,
                                   .tasks_denied = now.tasks_denied - c->before.tasks_denied};
}

struct cgroup *cgroup_free(struct cgroup *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->procs_n; i++)
        close(c->procs[i]);
    for (size_t i = 0; i < c->groups->folders; i++) {
        char folder[CGROUP_PATH_MAX];
        folder_of(c, i, folder);
        rmdir(folder);
    }
    free(c);
    return NULL;
}
