/* main.c: sim. Lives the lives of many seeds, or tells one of them again.
 *
 *   sim [--seed S | --seeds FIRST-LAST] [--steps N] [--jobs N] [--file SEEDS] [--twice] [--verbose]
 *   sim --eta | --self-test | --mutant WORDS
 *
 * --jobs: so many processes; --file: seeds that failed once, lived first; --twice: each life two
 * times, and what is left of them compared. --eta measures the times that `why` names (eta.h);
 * --self-test plants faults that must be seen, --mutant is for a program with a wrong engine, which
 * must be found out with these words (self_test.h). Ends with 1 at the first violation, after its
 * seed and step. */
#undef NDEBUG
#include "sim/eta.h"
#include "sim/lives.h"
#include "sim/lot.h"
#include "sim/self_test.h"
#include "sim/world.h"

#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { BIG_BYTES = 256 * 1024 };

struct options {
    struct lives lives;
    bool is_self_test, is_eta;
    const char *mutant; /* words that tell the mistake; NULL: none */
};

/* In a signal's handler: write() is all there is. */
static void tell(const char *text, uint64_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    if (write(STDOUT_FILENO, text, strlen(text)) < 0 ||
        write(STDOUT_FILENO, digits + at, sizeof digits - at) < 0)
        _exit(2);
}

/* An assertion of the engine has failed: say in which life. */
static void aborted(int signal)
{
    const struct world *w = life_present;
    tell("seed ", w ? w->seed : 0);
    tell(" step ", w ? w->step : 0);
    tell(": ended by signal ", (uint64_t)signal);
    tell("\ntold again by: scripts/sim --seed ", w ? w->seed : 0);
    tell(" --steps ", w ? w->kind.steps : 0);
    if (write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(2);
    _exit(1);
}

/* An option with a value. */
static bool value_take(struct options *o, const char *name, const char *value)
{
    struct lives *l = &o->lives;
    char *end;
    if (strcmp(name, "--seed") == 0)
        l->first = l->last = strtoull(value, NULL, 10);
    else if (strcmp(name, "--steps") == 0)
        l->steps = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--jobs") == 0)
        l->jobs = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--file") == 0)
        l->file = value;
    else if (strcmp(name, "--mutant") == 0)
        o->mutant = value;
    else if (strcmp(name, "--seeds") == 0) {
        l->first = strtoull(value, &end, 10);
        l->last = *end == '-' ? strtoull(end + 1, NULL, 10) : l->first;
    } else
        return false;
    return true;
}

static bool switch_take(struct options *o, const char *name)
{
    struct {
        const char *name;
        bool *to;
    } switches[] = {{"--twice", &o->lives.is_twice},
                    {"--verbose", &o->lives.is_verbose},
                    {"--eta", &o->is_eta},
                    {"--self-test", &o->is_self_test}};
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (strcmp(name, switches[i].name) == 0)
            return *switches[i].to = true;
    return false;
}

static bool options_take(struct options *o, char **argv)
{
    for (argv++; *argv; argv++) {
        if (switch_take(o, *argv))
            continue;
        if (!argv[1] || !value_take(o, argv[0], argv[1]))
            return false;
        argv++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.lives = {.first = 1, .last = 50, .steps = LIFE_STEPS, .jobs = 1}};
    (void)argc;
    if (!options_take(&o, argv)) {
        fprintf(stderr, "usage: sim [--seed S | --seeds FIRST-LAST] [--steps N] [--jobs N] "
                        "[--file SEEDS] [--twice] [--verbose]\n"
                        "       sim --eta | --self-test | --mutant WORDS\n");
        return 2;
    }
    if (lot_init() != 0)
        return 2;
    /* The engine's large tables come from the kernel, zeroed and untouched, each time anew. */
    mallopt(M_MMAP_THRESHOLD, BIG_BYTES);
    signal(SIGABRT, aborted);
    signal(SIGSEGV, aborted);
    const struct lives *l = &o.lives;
    if (o.is_eta)
        return eta_test(l->first, l->last, l->steps);
    if (o.is_self_test)
        return self_test(l->first);
    if (o.mutant)
        return mutant_test(l->first, l->last, l->steps, o.mutant);
    return lives_run(l);
}
