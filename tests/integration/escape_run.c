/* escape_run.c: the sandbox is the real one, with the plan's own row for Metro; only the command
 * differs: Node loads the attacker's metro.config.js, which starts escape.py with the row's mode.
 */
#undef NDEBUG
#include "escape_run.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <base/exit.h>
#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MIB (1024ull * 1024)

void escape_note(struct escape_place *p, const char *name, bool is_good, const char *why)
{
    p->rows_n++;
    p->rows_good += is_good;
    printf("%s %s%s%s\n", is_good ? "held  " : "ESCAPED", name, *why ? ": " : "", why);
    fflush(stdout);
}

/* ---- what comes out ---- */

static void on_log(void *arg, const char *line, size_t n)
{
    struct escape_ran *r = arg;
    size_t room = sizeof r->log - 1 - r->log_n, take = n < room ? n : room;
    memcpy(r->log + r->log_n, line, take);
    r->log_n += take;
    r->lines++;
    if (r->place->said)
        r->place->said(line);
}

static void on_fetched(void *arg)
{
    (void)arg;
}

static void on_output(void *arg, const void *p, size_t n)
{
    struct escape_ran *r = arg;
    r->bytes += n;
    words_add(&r->words, p, n);
}

static void on_progress(void *arg, double share, const char *message)
{
    struct escape_ran *r = arg;
    (void)share;
    (void)message;
    r->progress++;
}

/* "worked NAME WHY" or "refused NAME WHY", by tabs. */
static void attempt_note(struct escape_ran *r, const char *line)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", line);
    char *name = strchr(copy, '\t');
    char *why = name ? strchr(name + 1, '\t') : NULL;
    if (!why)
        return;
    *name++ = 0;
    *why++ = 0;
    bool worked = strcmp(copy, "refused") != 0;
    r->attempts++;
    r->worked += worked;
    escape_note(r->place, name, !worked, why);
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    struct escape_ran *r = arg;
    if (r->does_say)
        attempt_note(r, line);
    else
        feedback_line(&r->feedback, line, n, is_cut);
}

/* ---- one sandbox ---- */

static void app_bring(const struct escape_place *p, const struct space *s, const char *mode)
{
    char path[SPACE_PATH_MAX + 64];
    static const char *const files[] = {"metro.config.js", "escape.py",        "rig.py",
                                        "by_mounts.py",    "by_namespaces.py", "by_filter.py",
                                        "by_limits.py"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        escape_bring(p->apps, files[i], s, "app");
    snprintf(path, sizeof path, "%s/app/params", s->path);
    escape_host_tell(&p->host, path);
    snprintf(path, sizeof path, "%s/app/mode", s->path);
    assert(file_write(path, 0644, mode, strlen(mode)) == 0);
}

static unsigned mounts_left(const char *name)
{
    unsigned n = 0;
    char line[4096];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, " rota-job ") && strstr(line, name);
    if (f)
        fclose(f);
    return n;
}

unsigned escape_children_left(const struct escape_place *p)
{
    char path[64], text[512];
    unsigned n = 0;
    DIR *d = opendir("/proc");
    assert(d);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "/proc/%.20s/stat", e->d_name);
        AUTO_FD fd = *e->d_name >= '1' && *e->d_name <= '9' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        text[got > 0 ? got : 0] = 0;
        const char *rest = strrchr(text, ')');
        int parent = 0;
        n += rest && sscanf(rest, ") %*c %d", &parent) == 1 && parent == getpid() &&
             strtol(e->d_name, NULL, 10) != p->host.pid;
    }
    closedir(d);
    return n;
}

static int timer_new(uint64_t ms)
{
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec at = {.it_value = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}};
    assert(fd >= 0 && timerfd_settime(fd, 0, &at, NULL) == 0);
    return fd;
}

static struct step step_hostile(void)
{
    struct step s = steps[STEP_BUNDLE];
    static const struct step_arg args[] = {{"/rota/node", WORD_NONE},
                                           {"/w/app/metro.config.js", WORD_NONE}};
    memset(s.args, 0, sizeof s.args);
    memcpy(s.args, args, sizeof args);
    return s;
}

static void ran_begin(struct escape_ran *r, struct escape_place *p, const struct escape_row *row)
{
    *r = (struct escape_ran){.place = p,
                             .does_say = strcmp(row->mode, "probe") == 0,
                             .feedback = {.progress = on_progress}};
    r->feedback.arg = r;
    r->words = (struct words){.line = on_log, .fetched = on_fetched, .arg = r};
    words_begin(&r->words);
}

static uint64_t workspace_bytes(const struct escape_row *row)
{
    return (row->workspace_mib ? row->workspace_mib : 64) * MIB;
}

static struct limits limits_of_row(const struct escape_row *row)
{
    struct limits limits = limits_of("P3", workspace_bytes(row));
    if (row->memory_mib)
        limits.memory_bytes = row->memory_mib * MIB;
    if (row->cpus)
        limits.cpus = row->cpus;
    if (row->wall_ms)
        limits.wall_ms = row->wall_ms;
    return limits;
}

void escape_go(struct escape_place *p, const struct escape_row *row, const struct space *space,
               struct escape_ran *r)
{
    const struct step step = step_hostile();
    const struct limits limits = limits_of_row(row);
    AUTO_FD stop = row->stop_ms ? timer_new(row->stop_ms) : -1;
    struct sandbox_run run = {.tools = &p->tools,
                              .space = space,
                              .step = &step,
                              .limits = &limits,
                              .cgroups = &p->groups,
                              .name = "slot-0",
                              .source_fd = -1,
                              .stop_fd = stop,
                              .output = on_output,
                              .line = on_line,
                              .arg = r};
    ran_begin(r, p, row);
    uint64_t from_ms = clock_boot_ms();
    r->outcome = sandbox_step(&run, &r->status);
    r->ms = clock_boot_ms() - from_ms;
    words_end(&r->words);
}

static bool is_as_told(const struct escape_row *row, const struct escape_ran *r,
                       const struct space *s, const char **ret_why)
{
    *ret_why = "another outcome";
    if (r->outcome != row->outcome)
        return false;
    *ret_why = "another status";
    if (r->outcome == 0 && (row->status < 0 ? r->status == 0 : r->status != row->status))
        return false;
    *ret_why = "stopping took too long";
    if ((row->stop_ms && r->ms > row->stop_ms + GONE_MS_MAX) ||
        (r->outcome == SANDBOX_DEADLINE && r->ms > row->wall_ms + GONE_MS_MAX))
        return false;
    *ret_why = "the log does not say it";
    if (row->says && !strstr(r->log, row->says))
        return false;
    *ret_why = "";
    return !row->check || row->check(r, s, ret_why);
}

static bool is_clean(const struct escape_place *p, struct space **space, const char **ret_why)
{
    uint64_t from_ms = clock_boot_ms();
    *ret_why = "a process is left";
    if (escape_children_left(p) != 0)
        return false;
    *ret_why = "a cgroup is left";
    if (p->groups_left && p->groups_left() != 0)
        return false;
    *space = space_free(*space);
    *ret_why = "the tmpfs is left";
    if (mounts_left("slot-0") != 0 || clock_boot_ms() - from_ms > GONE_MS_MAX)
        return false;
    *ret_why = "the host was touched";
    return escape_host_is_whole(&p->host);
}

struct space *escape_space(struct escape_place *p, const struct escape_row *row)
{
    struct space *space = NULL;
    assert(space_new(&p->root, "slot-0", workspace_bytes(row), p->tools.owner, &space) == 0);
    app_bring(p, space, row->mode);
    return space;
}

void escape_row_run(struct escape_place *p, const struct escape_row *row)
{
    static struct escape_ran ran;
    struct space *space = escape_space(p, row);
    escape_go(p, row, space, &ran);
    const char *why = "";
    bool is_good = is_as_told(row, &ran, space, &why) && is_clean(p, &space, &why);
    if (is_good)
        why = "";
    char text[256];
    snprintf(text, sizeof text, "%s%soutcome %d, status %d, %llu ms, %llu bytes out", why,
             *why ? "; " : "", ran.outcome, ran.status, (unsigned long long)ran.ms,
             (unsigned long long)ran.bytes);
    escape_note(p, row->name, is_good, text);
    if (!is_good)
        printf("%s\n", ran.log);
    space_free(space);
}

void escape_open(struct escape_place *p, const char *apps)
{
    char why[TOOLS_WHY_MAX] = "";
    p->apps = apps;
    assert(sodium_init() >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && filters_make() == 0);
    program_note();
    if (space_enter(&p->root, why) != 0 || tools_find(&p->root, &p->tools, why) != 0) {
        fprintf(stderr, "no sandbox here: %s\n", why);
        exit(EXIT_CONFIG);
    }
    escape_host_open(&p->host, &p->root, p->tools.owner);
}
