/* escapes.c: what a hostile app tries from within the bundling step, and what becomes of it.
 *
 * The attacker's quiet attempts report one by one; each must be refused, and the host must be as
 * before. Then come bombs and overstayers, a sandbox each: it must end as its row says. After every
 * sandbox no process is left, no cgroup, and its tmpfs is gone within 2 s. With --v1 the limits are
 * those of cgroup v1, as the kernel keeps them (escape_groups.h), else the watchdog's.
 *
 *   escapes APPS_FOLDER [--v1] [ROW...] */
#undef NDEBUG
#include "escape_groups.h"
#include "escape_run.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <base/exit.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ATTEMPTS = 88, EXIT_SKIPPED = 77, BURN_PERCENT_MAX = 115 };

#define MIB (1024ull * 1024)

static struct escape_place place;

static bool probe_check(const struct escape_ran *r, const struct space *s, const char **ret_why)
{
    (void)s;
    *ret_why = "attempts are missing";
    return r->attempts == ATTEMPTS;
}

static bool links_check(const struct escape_ran *r, const struct space *s, const char **ret_why)
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

static bool terminal_check(const struct escape_ran *r, const struct space *s, const char **ret_why)
{
    (void)s;
    *ret_why = r->log;
    if (strcmp(r->log, "red 31m\nplain\n") != 0)
        return false;
    *ret_why = "";
    return true;
}

/* Whatever was written, we hold no more of it than before. */
static bool flood_check(const struct escape_ran *r, const struct space *s, const char **ret_why)
{
    struct rusage used;
    (void)s;
    getrusage(RUSAGE_SELF, &used);
    *ret_why = "the agent grew";
    return used.ru_maxrss < 64l * 1024 && (r->bytes > 10 * MIB || r->progress > 1000 || !r->bytes);
}

/* The kernel is asked, too: whether it held them back, or where the eight may run. */
static bool burn_check(const struct escape_ran *r, const struct space *s, const char **ret_why)
{
    unsigned used_ms = 0, wall_ms = 0, on = 0;
    (void)s;
    *ret_why = r->log;
    if (sscanf(r->log, "burns used %u ms in %u ms on %u", &used_ms, &wall_ms, &on) != 3)
        return false;
    bool by_quota = place.groups.kind == CGROUP_V1;
    struct escape_quota q = escape_groups_quota();
    printf("       %.2f of 1 processor used, %u of %ld allowed, throttled in %u of %u periods\n",
           (double)used_ms / wall_ms, on, sysconf(_SC_NPROCESSORS_ONLN), q.throttled, q.periods);
    *ret_why = "more than its processors";
    if (used_ms * 100 > wall_ms * BURN_PERCENT_MAX)
        return false;
    *ret_why = "nobody keeps the limit";
    return by_quota ? q.throttled > 0 || sysconf(_SC_NPROCESSORS_ONLN) == 1 : on == 1;
}

static const struct escape_row rows[] = {
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
    {.name = "loses a worker for want of memory and ends well",
     .mode = "dead_worker",
     .outcome = SANDBOX_MEMORY,
     .memory_mib = 512},
    {.name = "burns on all processors", .mode = "burn", .cpus = 1, .check = burn_check},
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

static bool is_wanted(const char *mode, int n, char **modes)
{
    for (int i = 0; i < n; i++)
        if (strcmp(modes[i], mode) == 0)
            return true;
    return n == 0;
}

int main(int argc, char **argv)
{
    assert(argc >= 2);
    bool by_groups = argc > 2 && strcmp(argv[2], "--v1") == 0;
    char **modes = argv + 2 + by_groups;
    int modes_n = argc - 2 - by_groups;
    if (by_groups && !escape_groups_open(&place)) {
        printf("no cgroup v1 that takes folders: %s; nothing was tried\n", place.groups.why);
        return EXIT_SKIPPED;
    }
    escape_open(&place, argv[1]);
    uint64_t from_ms = clock_boot_ms();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (is_wanted(rows[i].mode, modes_n, modes))
            escape_row_run(&place, &rows[i]);
    if (by_groups && is_wanted("killed", modes_n, modes))
        escape_groups_killed(&place);
    escape_host_close(&place.host);
    printf("%u of %u escapes held, limits by %s, in %llu ms\n", place.rows_good, place.rows_n,
           cgroups_text(&place.groups), (unsigned long long)(clock_boot_ms() - from_ms));
    return place.rows_n > 0 && place.rows_good == place.rows_n ? EXIT_OK : EXIT_JOB_FAILED;
}
