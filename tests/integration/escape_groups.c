/* escape_groups.c: makes the folders and hands them to cgroups_here(), as rota-worker does. */
#undef NDEBUG
#include "escape_groups.h"

#include <assert.h>
#include <base/auto.h>
#include <base/exit.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED_S_MAX = 30, GUARD_S_MAX = 10 };

static const char *const controllers[CGROUP_FOLDERS_MAX] = {"memory", "pids", "cpu"};
static char name[64], folder[CGROUP_FOLDERS_MAX][128];
static struct escape_quota quota;
static pid_t guarded;
static int said_fd = -1;

/* ---- folders ---- */

static unsigned groups_left(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < CGROUP_FOLDERS_MAX; i++) {
        DIR *d = opendir(folder[i]);
        assert(d);
        for (struct dirent *e; (e = readdir(d));)
            n += e->d_type == DT_DIR && e->d_name[0] != '.';
        closedir(d);
    }
    return n;
}

/* However busy the machine is, what burns here gets what it may have. */
static void shares_set(const char *shares)
{
    char path[160];
    snprintf(path, sizeof path, "%.127s/cpu.shares", folder[2]);
    FILE *f = fopen(path, "we");
    assert(f && fputs(shares, f) >= 0 && fclose(f) == 0);
}

/* The group is there as long as its attacker speaks. */
static void on_burn(const char *line)
{
    if (strncmp(line, "burns", 5) == 0)
        shares_set("262144");
    if (strncmp(line, "used ", 5) != 0)
        return;
    shares_set("1024");
    char path[160];
    snprintf(path, sizeof path, "%.127s/slot-0/cpu.stat", folder[2]);
    FILE *f = fopen(path, "re");
    assert(f && fscanf(f, "nr_periods %u nr_throttled %u", &quota.periods, &quota.throttled) == 2);
    fclose(f);
}

struct escape_quota escape_groups_quota(void)
{
    return quota;
}

static bool folders_make(char why[CGROUP_WHY_MAX])
{
    snprintf(name, sizeof name, "rota-escapes-%d", (int)getpid());
    for (size_t i = 0; i < CGROUP_FOLDERS_MAX; i++) {
        snprintf(folder[i], sizeof folder[i], "/sys/fs/cgroup/%s/%s", controllers[i], name);
        if (mkdir(folder[i], 0755) == 0)
            continue;
        snprintf(why, CGROUP_WHY_MAX, "%s: %s", folder[i], strerror(errno));
        while (i-- > 0)
            rmdir(folder[i]);
        return false;
    }
    return true;
}

/* ---- the guard ---- */

static void on_end(int number)
{
    kill(guarded, number);
}

static void on_alarm(int number)
{
    (void)number;
}

static int folders_remove(void)
{
    unsigned left = 0;
    for (size_t i = 0; i < CGROUP_FOLDERS_MAX; i++) {
        char slot[160];
        snprintf(slot, sizeof slot, "%.127s/slot-0", folder[i]);
        left += rmdir(slot) == 0;
        if (rmdir(folder[i]) < 0)
            fprintf(stderr, "%s cannot be removed: %s\n", folder[i], strerror(errno));
    }
    return left ? EXIT_JOB_FAILED : EXIT_OK;
}

/* Sandboxes of a test that was ended die with it and come to us, the subreaper. */
static _Noreturn void guard(void)
{
    const struct sigaction bound = {.sa_handler = on_alarm}; /* without SA_RESTART */
    int status = 0;
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
    sigaction(SIGALRM, &bound, NULL);
    while (waitpid(guarded, &status, 0) < 0 && errno == EINTR)
        continue;
    alarm(GUARD_S_MAX);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    int left = folders_remove();
    exit(!WIFEXITED(status) ? EXIT_JOB_FAILED : WEXITSTATUS(status) ? WEXITSTATUS(status) : left);
}

bool escape_groups_open(struct escape_place *p)
{
    if (!folders_make(p->groups.why))
        return false;
    assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    guarded = fork();
    assert(guarded >= 0);
    if (guarded > 0)
        guard();
    assert(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    cgroups_here(name, &p->groups);
    assert(p->groups.kind == CGROUP_V1);
    p->groups_left = groups_left;
    p->said = on_burn;
    return true;
}

/* ---- a killed agent ---- */

static const struct escape_row victim = {.mode = "dead_worker_and_on", .memory_mib = 512};
static const struct escape_row next = {.mode = "terminal"};

/* Here the agent stands still, before there is anything to see, and is killed. */
static void on_said(const char *line)
{
    (void)line;
    assert(write(said_fd, "", 1) == 1);
    for (;;)
        pause();
}

static void agent_run(struct escape_place *p, const struct space *space)
{
    static struct escape_ran ran;
    p->said = on_said;
    escape_go(p, &victim, space, &ran);
    _exit(EXIT_JOB_FAILED);
}

static unsigned oom_kills_now(void)
{
    char path[160], line[64];
    unsigned n = 0;
    snprintf(path, sizeof path, "%.127s/slot-0/memory.oom_control", folder[0]);
    FILE *f = fopen(path, "re");
    assert(f);
    while (fgets(line, sizeof line, f))
        sscanf(line, "oom_kill %u", &n);
    fclose(f);
    return n;
}

/* The sandbox dies with its agent and comes to us, the subreaper, to be reaped. An alarm bounds it.
 */
static void agent_kill(struct escape_place *p)
{
    struct space *space = escape_space(p, &victim);
    int ends[2];
    char byte;
    assert(pipe(ends) == 0);
    said_fd = ends[1];
    alarm(KILLED_S_MAX);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0)
        agent_run(p, space);
    close(ends[1]);
    assert(read(ends[0], &byte, 1) == 1);
    while (oom_kills_now() == 0)
        poll(NULL, 0, 5);
    assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    while (escape_children_left(p) > 0)
        assert(waitpid(-1, NULL, 0) > 0);
    alarm(0);
    close(ends[0]);
    space_free(space);
}

static bool next_build_is_well(struct escape_place *p, unsigned *ret_left)
{
    static struct escape_ran ran;
    agent_kill(p);
    *ret_left = groups_left();
    struct space *space = escape_space(p, &next);
    escape_go(p, &next, space, &ran);
    space_free(space);
    return ran.outcome == 0 && ran.status == 0 && groups_left() == 0;
}

static bool next_agent_sweeps(struct escape_place *p, unsigned *ret_left)
{
    agent_kill(p);
    *ret_left = groups_left();
    cgroups_here(name, &p->groups);
    return p->groups.kind == CGROUP_V1 && groups_left() == 0;
}

void escape_groups_killed(struct escape_place *p)
{
    char text[64];
    unsigned left;
    bool is_good = next_build_is_well(p, &left);
    snprintf(text, sizeof text, "%u groups were left by the agent", left);
    escape_note(p, "the slot of a killed agent is clean for the next build", is_good, text);
    is_good = next_agent_sweeps(p, &left);
    snprintf(text, sizeof text, "%u groups were left by the agent", left);
    escape_note(p, "the next agent removes what a killed one left", is_good, text);
}
