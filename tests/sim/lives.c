/* lives.c: see lives.h. Each process takes every so-manieth seed and sends what it has counted
 * through a pipe; a violation is said by whoever meets it. */
#include "sim/lives.h"

#include "audit/audit.h"
#include "sim/lot.h"
#include "sim/world.h"

#include <base/clock.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { JOBS_MAX = 64 };

/* What lives have come to, all together. */
struct tally {
    uint64_t lives, steps, ms;
    uint64_t stats[STATS], faults[STORE_SIM_FAULTS];
    uint64_t audited, checkpoints, tightest;
};

/* What is left of a life. */
struct trace {
    uint64_t store, log, events;
};

const struct world *life_present;

/* ---- one life ---- */

static void add(struct tally *t, const struct world *w)
{
    struct audit_counts audited;
    audit_counts(w->history.audit, &audited);
    t->lives++;
    t->steps += w->step;
    t->ms += w->clock.now_ms;
    for (unsigned i = 0; i < STATS; i++)
        t->stats[i] += w->stats[i];
    for (unsigned f = 0; f < STORE_SIM_FAULTS; f++)
        t->faults[f] += store_sim_hits(w->host.store, f);
    t->audited += audited.events;
    t->checkpoints += audited.checkpoints;
    if (w->bounds.tightest < t->tightest)
        t->tightest = w->bounds.tightest;
}

static struct trace live(uint64_t seed, unsigned steps, bool is_verbose, struct tally *t)
{
    lot_begin(seed);
    struct world *w =
        world_new(seed, (struct world_kind){.is_verbose = is_verbose, .steps = steps});
    life_present = w;
    world_live(w);
    struct trace trace = {.store = store_sim_digest(w->host.store),
                          .log = w->history.digest,
                          .events = w->history.seq};
    add(t, w);
    life_present = NULL;
    world_free(w);
    return trace;
}

void life_run(uint64_t seed, unsigned steps)
{
    struct tally t = {0};
    live(seed, steps, false, &t);
}

static void compare(uint64_t seed, struct trace a, struct trace b)
{
    if (a.store == b.store && a.log == b.log && a.events == b.events)
        return;
    printf("seed %" PRIu64 " does not tell the same life twice: store %016" PRIx64
           " and %016" PRIx64 ", log %016" PRIx64 " and %016" PRIx64 ", %" PRIu64 " and %" PRIu64
           " events\n",
           seed, a.store, b.store, a.log, b.log, a.events, b.events);
    exit(1);
}

/* Every `by`th seed from this one on. */
static void live_some(const struct lives *l, uint64_t seed, unsigned by, struct tally *t)
{
    for (; seed <= l->last; seed += by) {
        struct trace trace = live(seed, l->steps, l->is_verbose, t);
        if (l->is_twice)
            compare(seed, trace, live(seed, l->steps, l->is_verbose, t));
        if (l->first == l->last)
            printf("seed %" PRIu64 ": store %016" PRIx64 ", %" PRIu64 " events %016" PRIx64 "\n",
                   seed, trace.store, trace.events, trace.log);
    }
}

/* ---- seeds that failed once ---- */

/* Lines of a seed, its steps, and words; 0: no such file, or a line that is none. */
static bool live_file(const char *path, struct tally *t)
{
    char line[256];
    FILE *from = fopen(path, "r");
    if (!from) {
        printf("%s: %s\n", path, strerror(errno));
        return false;
    }
    while (fgets(line, sizeof line, from)) {
        char *end, *next;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        uint64_t seed = strtoull(line, &end, 10);
        unsigned steps = (unsigned)strtoul(end, &next, 10);
        if (end == line || next == end) {
            printf("%s: no seed and steps: %s", path, line);
            fclose(from);
            return false;
        }
        live(seed, steps, false, t);
    }
    fclose(from);
    return true;
}

/* ---- many processes ---- */

static void tally_merge(struct tally *t, const struct tally *o)
{
    uint64_t *to = &t->lives;
    const uint64_t *from = &o->lives;
    uint64_t tightest = t->tightest < o->tightest ? t->tightest : o->tightest;
    for (size_t i = 0; i < sizeof *t / sizeof *to; i++)
        to[i] += from[i];
    t->tightest = tightest;
}

struct process {
    pid_t pid;
    int from; /* end of the pipe that its tally comes by */
};

static struct process process_begin(const struct lives *l, unsigned number)
{
    struct tally t = {.tightest = UINT64_MAX};
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0)
        abort();
    struct process p = {.pid = fork(), .from = ends[0]};
    if (p.pid < 0)
        abort();
    if (p.pid > 0) {
        close(ends[1]);
        return p;
    }
    close(ends[0]);
    live_some(l, l->first + number, l->jobs, &t);
    fflush(stdout);
    _exit(write(ends[1], &t, sizeof t) == sizeof t ? 0 : 2);
}

static bool process_end(const struct process *p, struct tally *t)
{
    struct tally own;
    int status = 0;
    bool is_whole = read(p->from, &own, sizeof own) == sizeof own;
    close(p->from);
    if (waitpid(p->pid, &status, 0) != p->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        !is_whole)
        return false;
    tally_merge(t, &own);
    return true;
}

static bool live_all(const struct lives *l, struct tally *t)
{
    struct process all[JOBS_MAX];
    bool is_good = true;
    if (l->jobs <= 1) {
        live_some(l, l->first, 1, t);
        return true;
    }
    unsigned n = l->jobs < JOBS_MAX ? l->jobs : JOBS_MAX;
    for (unsigned i = 0; i < n; i++)
        all[i] = process_begin(l, i);
    for (unsigned i = 0; i < n; i++)
        is_good &= process_end(&all[i], t);
    return is_good;
}

/* ---- figures ---- */

static void print_figures(const struct lives *l, const struct tally *t, uint64_t ns)
{
    static const char *const texts[] = {
#define STAT(NAME, text) text,
#include "sim/stats.def"
#undef STAT
    };
    double s = (double)ns / 1e9;
    for (unsigned i = 0; i < STATS; i++)
        printf("%s%" PRIu64 " %s", i ? ", " : "", t->stats[i], texts[i]);
    printf("\nfaults of the store:");
    for (unsigned f = 0; f < STORE_SIM_FAULTS; f++)
        printf(" %s %" PRIu64, store_sim_fault_name(f), t->faults[f]);
    printf("\nbounds: %" PRIu64 " stated, each by the formula; %" PRIu64
           " kept (the tightest by %" PRIu64 "), %" PRIu64 " void, 0 broken\n",
           t->stats[STAT_BOUNDS], t->stats[STAT_BOUNDS_KEPT],
           t->stats[STAT_BOUNDS_KEPT] ? t->tightest : 0, t->stats[STAT_BOUNDS_VOID]);
    printf("audit: %" PRIu64 " logs, %" PRIu64 " events, %" PRIu64 " dispatches, %" PRIu64
           " checkpoints, 0 deviations\n",
           t->lives, t->audited, t->stats[STAT_DISPATCHES], t->checkpoints);
    printf("%" PRIu64 " lives of %u steps and an end, %" PRIu64 " steps, %.1f hours, 0 violations; "
           "%.1f lives/s, %.0f steps/s\n",
           t->lives, l->steps, t->steps, (double)t->ms / 3.6e6, (double)t->lives / s,
           (double)t->steps / s);
}

int lives_run(const struct lives *l)
{
    struct tally t = {.tightest = UINT64_MAX};
    uint64_t began_ns = clock_boot_ns();
    if (l->file && !live_file(l->file, &t))
        return 1;
    if (!live_all(l, &t))
        return 1;
    print_figures(l, &t, clock_boot_ns() - began_ns);
    return 0;
}
