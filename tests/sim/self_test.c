/* self_test.c: see self_test.h. What is planted is what only a broken store would do: a commit that
 * lies, a row that is gone. */
#include "sim/self_test.h"

#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { CALM_STEPS = 150, ALL_STEPS = 600, LIES = 5 };

static bool plant_lie(struct world *w, enum table t)
{
    (void)t;
    store_sim_arm(w->host.store, STORE_SIM_COMMIT_LIES, 0, LIES);
    return true;
}

static bool plant_loss(struct world *w, enum table t)
{
    return store_sim_lose(w->host.store, t);
}

static const struct planted {
    const char *name;
    bool (*plant)(struct world *w, enum table t);
    enum table table;
} planted[] = {
    {"commits that lie", plant_lie, 0},
    {"a job is lost", plant_loss, TABLE_JOB},
    {"a ready row is lost", plant_loss, TABLE_READY},
    {"a lease is lost", plant_loss, TABLE_LEASE},
    {"an end is lost", plant_loss, TABLE_DONE},
    {"a held row is lost", plant_loss, TABLE_HELD},
    {"a delayed row is lost", plant_loss, TABLE_DELAYED},
    {"a dependency is lost", plant_loss, TABLE_WAITS_ON},
    {"a tally is lost", plant_loss, TABLE_TALLY},
    {"a place in a ring is lost", plant_loss, TABLE_RING},
    {"an event is lost", plant_loss, TABLE_EVENT},
    {"an idempotency key is lost", plant_loss, TABLE_IDEM},
};

/* Ends the process: 1 by a violation, 0 when there was none, 2 when nothing could be planted. */
_Noreturn static void live(uint64_t seed, const struct planted *p)
{
    bool is_planted = false;
    struct world *w = world_new(seed, false);
    while (w->step < ALL_STEPS) {
        world_step(w);
        if (!is_planted && w->step >= CALM_STEPS && host_is_up(&w->host))
            is_planted = p->plant(w, p->table);
    }
    if (is_planted)
        world_end(w);
    exit(is_planted ? 0 : 2);
}

/* The first line that the life has left, and how it ended. */
static int life_of(uint64_t seed, const struct planted *p, char *ret_line, size_t n)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        live(seed, p);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    if (!from || !fgets(ret_line, (int)n, from))
        snprintf(ret_line, n, "nothing was said\n");
    for (char rest[256]; from && fgets(rest, sizeof rest, from);)
        ; /* to the end, so that the life can tell all */
    if (from)
        fclose(from);
    if (waitpid(pid, &status, 0) != pid)
        abort();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int self_test(uint64_t seed)
{
    unsigned seen = 0;
    for (size_t i = 0; i < ARRAY_LEN(planted); i++) {
        char line[256];
        int end = life_of(seed, &planted[i], line, sizeof line);
        printf("%s: %s: %s", planted[i].name, end == 1 ? "seen" : "NOT SEEN", line);
        seen += end == 1;
    }
    printf("%u of %zu planted faults seen\n", seen, ARRAY_LEN(planted));
    return seen == ARRAY_LEN(planted) ? 0 : 1;
}
