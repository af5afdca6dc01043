/* escapes.c: what a hostile app tries from within the bundling step, and what becomes of it.
 *
 * The sandbox is the real one, with the plan's own row for Metro; only the command differs: Node
 * loads the attacker's metro.config.js, which starts tests/apps/hostile/escape/escape.py. Its quiet
 * attempts report one by one; each must be refused, and the host must be as before. Then come bombs
 * and overstayers, a sandbox each: it must end as its row says. After every sandbox no process is
 * left, and its tmpfs is gone within 2 s.
 *
 *   escapes APPS_FOLDER [ROW...] */
#undef NDEBUG
#include "escape_host.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <base/exit.h>
#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <feedback.h>
#include <sandbox.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <toolpath.h>
#include <words.h>

enum { GONE_MS_MAX = 2000, ATTEMPTS = 88 };

#define MIB (1024ull * 1024)

struct ran {
    int outcome, status;
    uint64_t ms, bytes, lines, progress;
    char log[64 * 1024];
    size_t log_n;
    struct words words;
    struct feedback feedback;
    unsigned attempts, worked;
};

static struct tools tools;
static struct space_root root;
static struct escape_host host;
static struct cgroups no_groups = {.kind = CGROUP_NONE};
static unsigned rows_n, rows_good;
static bool does_say; /* probe lines are attempts */

static void row_note(const char *name, bool is_good, const char *why)
{
    rows_n++;
    rows_good += is_good;
    printf("%s %s%s%s\n", is_good ? "held  " : "ESCAPED", name, *why ? ": " : "", why);
    fflush(stdout);
}

/* ---- what comes out ---- */

static void on_log(void *arg, const char *line, size_t n)
{
    struct ran *r = arg;
    size_t room = sizeof r->log - 1 - r->log_n, take = n < room ? n : room;
    memcpy(r->log + r->log_n, line, take);
    r->log_n += take;
    r->lines++;
}

static void on_fetched(void *arg)
{
    (void)arg;
}

static void on_output(void *arg, const void *p, size_t n)
{
    struct ran *r = arg;
    r->bytes += n;
    words_add(&r->words, p, n);
}

static void on_progress(void *arg, double share, const char *message)
{
    struct ran *r = arg;
    (void)share;
    (void)message;
    r->progress++;
}

/* "worked NAME WHY" or "refused NAME WHY", by tabs. */
static void attempt_note(struct ran *r, const char *line)
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
    row_note(name, !worked, why);
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    struct ran *r = arg;
    if (does_say)
        attempt_note(r, line);
    else
        feedback_line(&r->feedback, line, n, is_cut);
}

/* ---- one sandbox ---- */

static void app_bring(const char *apps, const struct space *s, const char *mode)
{
    char path[SPACE_PATH_MAX + 64];
    escape_bring(apps, "metro.config.js", s, "app");
    escape_bring(apps, "escape.py", s, "app");
    snprintf(path, sizeof path, "%s/app/params", s->path);
    escape_host_tell(&host, path);
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

/* We are the subreaper of all that is started here, so whatever was left behind has us as parent.
 */
static unsigned children_left(void)
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
             strtol(e->d_name, NULL, 10) != host.pid;
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

struct row {
    const char *name, *mode;
    int outcome;            /* 0: it ended by itself */
    int status;             /* of that; -1: any but 0 */
    uint64_t memory_mib;    /* 0: P3's */
    uint64_t workspace_mib; /* 0: 64 */
    uint64_t stop_ms;       /* 0: never */
    uint64_t wall_ms;       /* 0: the plan's */
    const char *says;       /* in the log */
    bool (*check)(const struct ran *r, const struct space *s, const char **ret_why);
};

static struct step step_hostile(void)
{
    struct step s = steps[STEP_BUNDLE];
    static const struct step_arg args[] = {{"/rota/node", WORD_NONE},
                                           {"/w/app/metro.config.js", WORD_NONE}};
    memset(s.args, 0, sizeof s.args);
    memcpy(s.args, args, sizeof args);
    return s;
}

static void ran_begin(struct ran *r)
{
    *r = (struct ran){.feedback = {.progress = on_progress}};
    r->feedback.arg = r;
    r->words = (struct words){.line = on_log, .fetched = on_fetched, .arg = r};
    words_begin(&r->words);
}

static void sandbox_go(const struct row *row, const struct space *space, struct ran *r)
{
    const struct step step = step_hostile();
    uint64_t workspace = (row->workspace_mib ? row->workspace_mib : 64) * MIB;
    struct limits limits = limits_of("P3", workspace);
    if (row->memory_mib)
        limits.memory_bytes = row->memory_mib * MIB;
    if (row->wall_ms)
        limits.wall_ms = row->wall_ms;
    AUTO_FD stop = row->stop_ms ? timer_new(row->stop_ms) : -1;
    struct sandbox_run run = {.tools = &tools,
                              .space = space,
                              .step = &step,
                              .limits = &limits,
                              .cgroups = &no_groups,
                              .name = "escape",
                              .source_fd = -1,
                              .stop_fd = stop,
                              .output = on_output,
                              .line = on_line,
                              .arg = r};
    ran_begin(r);
    uint64_t from_ms = clock_boot_ms();
    r->outcome = sandbox_step(&run, &r->status);
    r->ms = clock_boot_ms() - from_ms;
    words_end(&r->words);
}

static bool is_as_told(const struct row *row, const struct ran *r, const struct space *s,
                       const char **ret_why)
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

static bool is_clean(struct space **space, const char **ret_why)
{
    uint64_t from_ms = clock_boot_ms();
    *ret_why = "a process is left";
    if (children_left() != 0)
        return false;
    *space = space_free(*space);
    *ret_why = "the tmpfs is left";
    if (mounts_left("slot-0") != 0 || clock_boot_ms() - from_ms > GONE_MS_MAX)
        return false;
    *ret_why = "the host was touched";
    return escape_host_is_whole(&host);
}

static void row_run(const struct row *row, const char *apps)
{
    static struct ran ran;
    struct space *space = NULL;
    uint64_t workspace = (row->workspace_mib ? row->workspace_mib : 64) * MIB;
    assert(space_new(&root, "slot-0", workspace, tools.owner, &space) == 0);
    app_bring(apps, space, row->mode);
    does_say = strcmp(row->mode, "probe") == 0;
    sandbox_go(row, space, &ran);
    const char *why = "";
    bool is_good = is_as_told(row, &ran, space, &why) && is_clean(&space, &why);
    if (is_good)
        why = "";
    char text[256];
    snprintf(text, sizeof text, "%s%soutcome %d, status %d, %llu ms, %llu bytes out", why,
             *why ? "; " : "", ran.outcome, ran.status, (unsigned long long)ran.ms,
             (unsigned long long)ran.bytes);
    row_note(row->name, is_good, text);
    if (!is_good)
        printf("%s\n", ran.log);
    space_free(space);
}

static bool probe_check(const struct ran *r, const struct space *s, const char **ret_why)
{
    (void)s;
    *ret_why = "attempts are missing";
    return r->attempts == ATTEMPTS;
}

static bool links_check(const struct ran *r, const struct space *s, const char **ret_why)
{
    static const char *const bad[] = {"out/link",    "out/root/etc/passwd", "out/fifo",
                                      "out/folder",  "out/socket",          "out/../../etc",
                                      "/etc/passwd", "out/nothing",         "../slot-1/app/canary"};
    (void)r;
    int fd = -1;
    *ret_why = "the agent opened what it must not";
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (space_open_file(s, bad[i], &fd) == 0)
            return false;
    *ret_why = "the agent did not open a plain file";
    if (space_open_file(s, "out/plain", &fd) != 0)
        return false;
    close(fd);
    return true;
}

static bool terminal_check(const struct ran *r, const struct space *s, const char **ret_why)
{
    (void)s;
    *ret_why = r->log;
    if (strcmp(r->log, "red 31m\nplain\n") != 0)
        return false;
    *ret_why = "";
    return true;
}

/* Whatever was written, we hold no more of it than before. */
static bool flood_check(const struct ran *r, const struct space *s, const char **ret_why)
{
    struct rusage used;
    (void)s;
    getrusage(RUSAGE_SELF, &used);
    *ret_why = "the agent grew";
    return used.ru_maxrss < 64l * 1024 && (r->bytes > 10 * MIB || r->progress > 1000 || !r->bytes);
}

static const struct row rows[] = {
    {.name = "the quiet attempts end by themselves",
     .mode = "probe",
     .wall_ms = 90000,
     .check = probe_check},
    {.name = "takes all memory", .mode = "memory", .outcome = SANDBOX_MEMORY, .memory_mib = 512},
    {.name = "takes all memory in many processes",
     .mode = "memory_in_many",
     .outcome = SANDBOX_MEMORY,
     .memory_mib = 400},
    {.name = "takes all memory as shared pages",
     .mode = "memory_shared",
     .outcome = SANDBOX_MEMORY,
     .memory_mib = 400},
    {.name = "forks without end", .mode = "forks", .outcome = SANDBOX_TASKS},
    {.name = "starts threads without end", .mode = "threads", .outcome = SANDBOX_TASKS},
    {.name = "fills the workspace", .mode = "disk", .status = 70, .says = "No space left"},
    {.name = "fills every folder that it may write",
     .mode = "disk_everywhere",
     .status = 70,
     .says = "No space left"},
    {.name = "takes all inodes", .mode = "inodes", .status = 70, .says = "No space left"},
    {.name = "makes folders without end", .mode = "folders", .status = -1},
    {.name = "writes one endless file",
     .mode = "one_file",
     .workspace_mib = 2048,
     .status = 70,
     .says = "File too large"},
    {.name = "opens files without end",
     .mode = "descriptors",
     .status = 70,
     .says = "Too many open files"},
    {.name = "floods the log",
     .mode = "log_flood",
     .outcome = SANDBOX_STOPPED,
     .stop_ms = 1500,
     .check = flood_check},
    {.name = "floods the progress lines",
     .mode = "line_flood",
     .outcome = SANDBOX_STOPPED,
     .stop_ms = 1500,
     .check = flood_check},
    {.name = "writes a progress line without end",
     .mode = "long_line",
     .outcome = SANDBOX_STOPPED,
     .stop_ms = 1000,
     .check = flood_check},
    {.name = "writes to the reader's terminal", .mode = "terminal", .check = terminal_check},
    {.name = "ignores every signal when stopped",
     .mode = "endless",
     .outcome = SANDBOX_STOPPED,
     .stop_ms = 700},
    {.name = "outlives its timeout",
     .mode = "endless",
     .outcome = SANDBOX_DEADLINE,
     .wall_ms = 700},
    {.name = "leaves daemons behind at its end", .mode = "daemons_stay"},
    {.name = "leaves daemons behind at a stop",
     .mode = "daemons_wait",
     .outcome = SANDBOX_STOPPED,
     .stop_ms = 1500},
    {.name = "stops itself and waits",
     .mode = "stopped",
     .outcome = SANDBOX_STOPPED,
     .stop_ms = 1000},
    {.name = "lays links, pipes and sockets where its output is taken",
     .mode = "links",
     .check = links_check},
};

static void ready(void)
{
    char why[TOOLS_WHY_MAX] = "";
    assert(sodium_init() >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && filters_make() == 0);
    program_note();
    if (space_enter(&root, why) != 0 || tools_find(&root, &tools, why) != 0) {
        fprintf(stderr, "no sandbox here: %s\n", why);
        exit(EXIT_CONFIG);
    }
    escape_host_open(&host, &root, tools.owner);
}

static bool is_wanted(const struct row *row, int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], row->mode) == 0)
            return true;
    return argc == 2;
}

int main(int argc, char **argv)
{
    assert(argc >= 2);
    ready();
    uint64_t from_ms = clock_boot_ms();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (is_wanted(&rows[i], argc, argv))
            row_run(&rows[i], argv[1]);
    escape_host_close(&host);
    printf("%u of %u escapes held, in %llu ms\n", rows_good, rows_n,
           (unsigned long long)(clock_boot_ms() - from_ms));
    return rows_n > 0 && rows_good == rows_n ? EXIT_OK : EXIT_JOB_FAILED;
}
