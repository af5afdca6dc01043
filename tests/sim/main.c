/* main.c: sim. Lives the lives of many seeds, or tells one of them again.
 *
 *   sim [--seed S | --seeds FIRST-LAST] [--steps N] [--twice] [--verbose] [--self-test]
 *
 * --twice lives each life two times and compares what is left of them; --self-test plants faults
 * that must be seen. Ends with 1 at the first violation, after its seed and step. */
#undef NDEBUG
#include "sim/self_test.h"
#include "sim/world.h"

#include <assert.h>
#include <base/clock.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { BIG_BYTES = 256 * 1024 };

struct options {
    uint64_t first, last;
    unsigned steps;
    bool is_twice, is_verbose, is_self_test;
};

/* What is left of a life. */
struct trace {
    uint64_t store, log, events;
};

static const struct world *present;
static uint64_t totals[STATS], steps_all, fault_hits[STORE_SIM_FAULTS];

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
    tell("seed ", present ? present->seed : 0);
    tell(" step ", present ? present->step : 0);
    tell(": ended by signal ", (uint64_t)signal);
    tell("\ntold again by: scripts/sim --seed ", present ? present->seed : 0);
    tell(" --steps ", present ? present->step : 0);
    if (write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(2);
    _exit(1);
}

/* Keys are made of libsodium's random bytes: here they come from the seed, too. */
static struct random key_random;

static const char *random_name(void)
{
    return "simulated";
}

static uint32_t random_word(void)
{
    return (uint32_t)random_next(&key_random);
}

static void random_bytes(void *const p, const size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)random_next(&key_random);
}

static struct randombytes_implementation random_source = {
    .implementation_name = random_name, .random = random_word, .buf = random_bytes};

static void add_up(const struct world *w)
{
    for (unsigned i = 0; i < STATS; i++)
        totals[i] += w->stats[i];
    for (unsigned f = 0; f < STORE_SIM_FAULTS; f++)
        fault_hits[f] += store_sim_hits(w->host.store, f);
    steps_all += w->step;
}

static struct trace live(uint64_t seed, const struct options *o)
{
    key_random.state = seed;
    struct world *w = world_new(seed, o->is_verbose);
    present = w;
    while (w->step < o->steps)
        world_step(w);
    world_end(w);
    struct trace t = {.store = store_sim_digest(w->host.store),
                      .log = w->history.digest,
                      .events = w->history.seq};
    add_up(w);
    present = NULL;
    world_free(w);
    return t;
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

static void print_figures(const struct options *o, uint64_t ns)
{
    static const char *const texts[] = {
#define STAT(NAME, text) text,
#include "sim/stats.def"
#undef STAT
    };
    double s = (double)ns / 1e9;
    uint64_t lives = (o->last - o->first + 1) * (o->is_twice ? 2 : 1);
    for (unsigned i = 0; i < STATS; i++)
        printf("%s%" PRIu64 " %s", i ? ", " : "", totals[i], texts[i]);
    printf("\nfaults of the store:");
    for (unsigned f = 0; f < STORE_SIM_FAULTS; f++)
        printf(" %s %" PRIu64, store_sim_fault_name(f), fault_hits[f]);
    printf("\n%" PRIu64 " lives of %u steps and an end, %" PRIu64
           " steps, 0 violations; %.1f lives/s, %.0f steps/s\n",
           lives, o->steps, steps_all, (double)lives / s, (double)steps_all / s);
}

/* An option with a value. */
static bool value_take(struct options *o, const char *name, const char *value)
{
    char *end;
    if (strcmp(name, "--seed") == 0)
        o->first = o->last = strtoull(value, NULL, 10);
    else if (strcmp(name, "--steps") == 0)
        o->steps = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--seeds") == 0) {
        o->first = strtoull(value, &end, 10);
        o->last = *end == '-' ? strtoull(end + 1, NULL, 10) : o->first;
    } else
        return false;
    return true;
}

static bool switch_take(struct options *o, const char *name)
{
    struct {
        const char *name;
        bool *to;
    } switches[] = {{"--twice", &o->is_twice},
                    {"--verbose", &o->is_verbose},
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
    struct options o = {.first = 1, .last = 50, .steps = 400};
    (void)argc;
    if (!options_take(&o, argv)) {
        fprintf(stderr, "usage: sim [--seed S | --seeds FIRST-LAST] [--steps N] [--twice] "
                        "[--verbose] [--self-test]\n");
        return 2;
    }
    if (randombytes_set_implementation(&random_source) != 0 || sodium_init() < 0)
        return 2;
    /* The engine's large tables come from the kernel, zeroed and untouched, each time anew. */
    mallopt(M_MMAP_THRESHOLD, BIG_BYTES);
    signal(SIGABRT, aborted);
    signal(SIGSEGV, aborted);
    if (o.is_self_test)
        return self_test(o.first);
    uint64_t began_ns = clock_boot_ns();
    for (uint64_t seed = o.first; seed <= o.last; seed++) {
        struct trace t = live(seed, &o);
        if (o.is_twice)
            compare(seed, t, live(seed, &o));
        if (o.first == o.last)
            printf("seed %" PRIu64 ": store %016" PRIx64 ", %" PRIu64 " events %016" PRIx64 "\n",
                   seed, t.store, t.events, t.log);
    }
    print_figures(&o, clock_boot_ns() - began_ns);
    return 0;
}
