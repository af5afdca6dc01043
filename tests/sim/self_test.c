/* self_test.c: see self_test.h. What is planted is what only a broken store would do: a commit that
 * lies, a row that is gone. What a life says on stderr, an assertion's words say, is not looked at.
 */
#include "sim/self_test.h"

#include "sim/lives.h"
#include "sim/lot.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { CALM_STEPS = 150, ALL_STEPS = 600, LIES = 40 };

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
_Noreturn static void live_with(uint64_t seed, const struct planted *p)
{
    bool is_planted = false;
    lot_begin(seed);
    struct world *w = world_new(seed, (struct world_kind){.steps = ALL_STEPS});
    while (w->step < ALL_STEPS) {
        world_step(w);
        if (!is_planted && w->step >= CALM_STEPS && host_is_up(&w->host))
            is_planted = p->plant(w, p->table);
    }
    if (is_planted)
        world_live(w);
    exit(is_planted ? 0 : 2);
}

/* The first line that a life has left, with this fault or, when it is NULL, as it goes by itself;
 * and how it ended. */
static int life_of(uint64_t seed, unsigned steps, const struct planted *p, char *ret_line, size_t n)
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
        if (p)
            live_with(seed, p);
        life_run(seed, steps);
        exit(0);
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
        int end = life_of(seed, ALL_STEPS, &planted[i], line, sizeof line);
        printf("%s: %s: %s", planted[i].name, end == 1 ? "seen" : "NOT SEEN", line);
        seen += end == 1;
    }
    printf("%u of %zu planted faults seen\n", seen, ARRAY_LEN(planted));
    return seen == ARRAY_LEN(planted) ? 0 : 1;
}

/* Is one of "these|those" in the line? */
static bool has_words(const char *line, const char *words)
{
    for (size_t n; *words; words += n + (words[n] == '|')) {
        n = strcspn(words, "|");
        if (memmem(line, strlen(line), words, n))
            return true;
    }
    return false;
}

int mutant_test(uint64_t first, uint64_t last, unsigned steps, const char *words)
{
    for (uint64_t seed = first; seed <= last; seed++) {
        char line[512];
        int end = life_of(seed, steps, NULL, line, sizeof line);
        if (end == 0)
            continue;
        bool is_it = has_words(line, words);
        printf("%s: %s", is_it ? "the wrong engine was found out" : "something else was found",
               line);
        return !is_it;
    }
    printf("the wrong engine was not found out by seeds %llu to %llu\n", (unsigned long long)first,
           (unsigned long long)last);
    return 1;
}
