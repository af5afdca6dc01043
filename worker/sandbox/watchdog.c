/* watchdog.c: one walk over /proc finds everybody's parent; who descends from `top` counts.
 *
 * A process that loses its parent becomes the child of its namespace's init, which descends from
 * `top` too, so nobody leaves the tree. Pages of files do not count: the workspace is a tmpfs with
 * a limit of its own. Pages that were shared by a fork count once for each process; this errs on
 * the side of the machine. */
#include "watchdog.h"

#include <base/auto.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 512, FILE_TEXT_MAX = 4096, PROCESSES_MAX = 1 << 20 };

struct process {
    pid_t pid, parent;
    uint32_t threads;
    bool is_ours;
};

struct walk {
    struct process *process;
    size_t n, room;
};

static bool text_of(const char *proc, pid_t pid, const char *name, char text[FILE_TEXT_MAX])
{
    char path[PATH_TEXT_MAX];
    snprintf(path, sizeof path, "%.400s/%d/%s", proc, (int)pid, name);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, FILE_TEXT_MAX - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    return true;
}

static int walk_grow(struct walk *w)
{
    size_t room = w->room ? w->room * 2 : 256;
    if (room > PROCESSES_MAX)
        return err_raise(-E2BIG);
    struct process *p = realloc(w->process, room * sizeof *p);
    if (!p)
        return err_raise(-ENOMEM);
    w->process = p;
    w->room = room;
    return 0;
}

/* One that ended meanwhile is no fault. A name may hold anything, ")" as well: the last one ends
 * it. */
static int walk_add(struct walk *w, const char *proc, pid_t pid)
{
    char text[FILE_TEXT_MAX];
    int parent = 0, threads = 0;
    if (!text_of(proc, pid, "stat", text))
        return 0;
    const char *rest = strrchr(text, ')');
    if (!rest ||
        sscanf(rest, ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
               &parent, &threads) != 2)
        return 0;
    if (w->n == w->room) {
        int r = walk_grow(w);
        if (r < 0)
            return err_pass(r);
    }
    w->process[w->n++] = (struct process){
        .pid = pid, .parent = parent, .threads = threads > 0 ? (uint32_t)threads : 1};
    return 0;
}

static int walk_all(struct walk *w, const char *proc)
{
    DIR *d = opendir(proc);
    if (!d)
        return err_raise(-errno);
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            r = walk_add(w, proc, (pid_t)strtol(e->d_name, NULL, 10));
    closedir(d);
    return r < 0 ? err_pass(r) : 0;
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;
    return x < y ? -1 : x > y;
}

static bool has_our_parent(const struct walk *w, const struct process *p)
{
    const struct process key = {.pid = p->parent};
    const struct process *parent = bsearch(&key, w->process, w->n, sizeof key, by_pid);
    return parent && parent->is_ours;
}

/* Numbers rise but wrap around: again until nothing changes. */
static void mark(struct walk *w, pid_t top)
{
    if (w->n == 0)
        return; /* nor is there an array */
    qsort(w->process, w->n, sizeof *w->process, by_pid);
    for (bool is_news = true; is_news;) {
        is_news = false;
        for (size_t i = 0; i < w->n; i++) {
            struct process *p = &w->process[i];
            if (p->is_ours || (p->pid != top && !has_our_parent(w, p)))
                continue;
            p->is_ours = is_news = true;
        }
    }
}

static uint64_t bytes_of(const char *status, const char *name)
{
    unsigned long long kib = 0;
    const char *at = strstr(status, name);
    return at && sscanf(at + strlen(name), " %llu", &kib) == 1 ? kib * 1024 : 0;
}

static uint64_t memory_of(const char *proc, pid_t pid)
{
    char text[FILE_TEXT_MAX];
    if (!text_of(proc, pid, "status", text))
        return 0;
    return bytes_of(text, "\nRssAnon:") + bytes_of(text, "\nRssShmem:") +
           bytes_of(text, "\nVmSwap:");
}

int watchdog_look(const char *proc, pid_t top, struct watchdog_seen *ret_seen)
{
    struct walk w = {0};
    int r = walk_all(&w, proc);
    if (r == 0) {
        struct watchdog_seen seen = {0};
        mark(&w, top);
        for (size_t i = 0; i < w.n; i++)
            if (w.process[i].is_ours) {
                seen.processes++;
                seen.tasks += w.process[i].threads;
                seen.memory_bytes += memory_of(proc, w.process[i].pid);
            }
        *ret_seen = seen;
    }
    free(w.process);
    return r < 0 ? err_pass(r) : 0;
}

int watchdog_find(const char *proc, pid_t top, bool (*visit)(void *arg, pid_t pid), void *arg)
{
    struct walk w = {0};
    bool is_found = false;
    int r = walk_all(&w, proc);
    if (r == 0)
        mark(&w, top);
    for (size_t i = 0; r == 0 && i < w.n && !is_found; i++)
        is_found = w.process[i].is_ours && visit(arg, w.process[i].pid);
    free(w.process);
    return r < 0 ? err_pass(r) : is_found ? WATCHDOG_FOUND : 0;
}
