/* layout.c: what each table costs, and which layout of the tables is cheapest. Store level: the
 * broker's own rows and its store, no protocol and no network.
 *
 *   layout tables    pages and microseconds that each table adds to a commit (--jobs N in each)
 *   layout compare   publishes and cycles a second: everything at once, layout L with a fold sorted
 *                    in slices of 128 and in batches of 32,768, layout F
 *
 * All worlds of one comparison take turns on one disk, a commit each, so that whatever else the
 * machine does hits them alike; the figure is the median of the rounds, and only ratios within one
 * run count. Pages are what the process handed to write calls, in pages of 4 KiB. */
#include "layout_world.h"

#include <base/clock.h>
#include <base/exit.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32768, ROUNDS_MAX = 2001, WORLDS_MAX = PART_COUNT + 1 };

static unsigned rounds = 301, commits = 1, history = 200000, jobs = 64;
static const char *folder = "/var/tmp";

typedef int turn_fn(struct world *w, unsigned n);

struct sample {
    double us[ROUNDS_MAX]; /* a commit */
    double pages;          /* a commit, over all rounds */
};

static uint64_t written_bytes(void)
{
    char text[512];
    AUTO_FD fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return 0;
    text[n] = 0;
    const char *at = strstr(text, "wchar: ");
    return at ? strtoull(at + 7, NULL, 10) : 0;
}

static int double_cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_us(const struct sample *s)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, s->us, sizeof sorted);
    qsort(sorted, rounds, sizeof *sorted, double_cmp);
    return sorted[rounds / 2];
}

/* One round of one world. */
static int round_run(struct world *w, turn_fn *turn, unsigned round, struct sample *s)
{
    uint64_t bytes = written_bytes(), ns = clock_boot_ns();
    for (unsigned i = 0; i < commits; i++) {
        int r = turn(w, jobs);
        if (r)
            return r;
    }
    s->us[round] = (double)(clock_boot_ns() - ns) / 1000 / commits;
    s->pages += (double)(written_bytes() - bytes) / 4096 / commits / rounds;
    return 0;
}

/* The worlds take turns; after one round that does not count. */
static int measure(struct world **worlds, unsigned n, turn_fn *turn, struct sample *samples)
{
    memset(samples, 0, n * sizeof *samples);
    for (unsigned i = 0; i < n * rounds + n; i++) {
        struct sample warm = {0};
        unsigned which = i % n;
        bool is_warm = i < n;
        int r = round_run(worlds[which], turn, is_warm ? 0 : i / n - 1,
                          is_warm ? &warm : &samples[which]);
        if (r)
            return r;
    }
    return 0;
}

static void worlds_free(struct world **worlds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        worlds[i] = world_free(worlds[i]);
}

static int worlds_new(struct world **worlds, const struct layout *layouts, unsigned n,
                      unsigned accounts, bool is_queued)
{
    for (unsigned i = 0; i < n; i++) {
        struct world_config config = {.layout = layouts[i],
                                      .dir = folder,
                                      .accounts = accounts,
                                      .history = history,
                                      .is_queued = is_queued};
        int r = world_new(&config, &worlds[i]);
        if (r)
            return r;
    }
    return 0;
}

static const unsigned account_counts[] = {1, 1000, 10000};

/* ---- tables ---- */

static int tables_at(unsigned accounts)
{
    struct layout layouts[WORLDS_MAX] = {{.name = "nothing", .at_once = 0}};
    unsigned n = 1;
    for (unsigned p = 0; p < PART_COUNT; p++)
        if (1u << p != BIT(FRESH))
            layouts[n++] = (struct layout){.name = part_name(p), .at_once = 1u << p};
    struct world *worlds[WORLDS_MAX] = {NULL};
    struct sample samples[WORLDS_MAX];
    int r = worlds_new(worlds, layouts, n, accounts, true);
    if (r == 0)
        r = measure(worlds, n, world_publish, samples);
    worlds_free(worlds, n);
    if (r)
        return r;
    printf("\n%u accounts, %u rows in each table\n%-18s %12s %12s\n", accounts, history, "table",
           "pages/commit", "us/commit");
    for (unsigned i = 1; i < n; i++)
        printf("%-18s %12.1f %12.0f\n", layouts[i].name, samples[i].pages, median_us(&samples[i]));
    return 0;
}

static int run_tables(void)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(account_counts) && r == 0; i++)
        r = tables_at(account_counts[i]);
    return r;
}

/* ---- layouts ---- */

#define LISTINGS (BIT(OF_ACCOUNT) | BIT(OF_APP))
#define ALWAYS   (BIT(JOB) | BIT(EVENT))
#define BESIDE   (BIT(TALLY) | BIT(IDEM)) /* what the turn writes in every layout */

static const struct layout bare[] = {
    {"at once", ALWAYS | BIT(READY) | LISTINGS, 0, 0},
    {"L/128", ALWAYS | BIT(READY), LISTINGS, 128},
    {"L", ALWAYS | BIT(READY), LISTINGS, BATCH},
    {"F", ALWAYS | BIT(FRESH), BIT(READY) | LISTINGS, BATCH},
};
static const struct layout full[] = {
    {"at once", ALWAYS | BESIDE | BIT(READY) | LISTINGS, 0, 0},
    {"L/128", ALWAYS | BESIDE | BIT(READY), LISTINGS, 128},
    {"L", ALWAYS | BESIDE | BIT(READY), LISTINGS, BATCH},
    {"F", ALWAYS | BESIDE | BIT(FRESH), BIT(READY) | LISTINGS, BATCH},
};

static void compare_print(const char *what, const struct layout *layouts, unsigned n,
                          const struct sample *samples)
{
    printf("  %-26s", what);
    for (unsigned i = 0; i < n; i++)
        printf("  %s %6.1fk/s %5.0f pages", layouts[i].name, jobs * 1e3 / median_us(&samples[i]),
               samples[i].pages);
    printf("  F/L %.2f\n", median_us(&samples[n - 2]) / median_us(&samples[n - 1]));
    fflush(stdout);
}

static int compare_at(const struct layout *layouts, unsigned n, unsigned accounts, bool is_queued)
{
    struct world *worlds[WORLDS_MAX] = {NULL};
    struct sample samples[WORLDS_MAX];
    int r = worlds_new(worlds, layouts, n, accounts, is_queued);
    if (r == 0 && is_queued) {
        r = measure(worlds, n, world_publish, samples);
        if (r == 0)
            compare_print("publish, long queue", layouts, n, samples);
    }
    if (r == 0)
        r = measure(worlds, n, world_cycle, samples);
    if (r == 0)
        compare_print(is_queued ? "cycle, long queue" : "cycle, empty queue", layouts, n, samples);
    worlds_free(worlds, n);
    return r;
}

static int run_compare(void)
{
    static const struct {
        const char *name;
        const struct layout *layouts;
    } sets[] = {{"job, event, ready, listings", bare}, {"and tally, idem", full}};
    int r = 0;
    for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
        for (size_t i = 0; i < ARRAY_LEN(account_counts) && r == 0; i++) {
            printf("%s; %u accounts, %u jobs before\n", sets[s].name, account_counts[i], history);
            r = compare_at(sets[s].layouts, ARRAY_LEN(bare), account_counts[i], true);
            if (r == 0)
                r = compare_at(sets[s].layouts, ARRAY_LEN(bare), account_counts[i], false);
        }
    }
    return r;
}

/* ---- the command ---- */

static const struct {
    const char *name;
    int (*run)(void);
} commands[] = {{"tables", run_tables}, {"compare", run_compare}};

static const struct {
    const char *name;
    unsigned *value, most;
} numbers[] = {{"--rounds", &rounds, ROUNDS_MAX},
               {"--commits", &commits, 10000},
               {"--jobs", &jobs, 2000},
               {"--history", &history, 10000000}};

static bool option_take(const char *name, const char *text)
{
    if (strcmp(name, "--dir") == 0) {
        folder = text;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        unsigned long v = strtoul(text, NULL, 10);
        if (strcmp(name, numbers[i].name) != 0 || v == 0 || v > numbers[i].most)
            continue;
        *numbers[i].value = (unsigned)v;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    bool is_good = argc >= 2 && argc % 2 == 0;
    for (int i = 2; i + 1 < argc && is_good; i += 2)
        is_good = option_take(argv[i], argv[i + 1]);
    for (size_t i = 0; i < ARRAY_LEN(commands) && is_good; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        int r = commands[i].run();
        if (r == 0)
            return EXIT_OK;
        char trace[256];
        fprintf(stderr, "layout: the store answered %d (%s)\n", r, err_trace(trace, sizeof trace));
        return EXIT_IO;
    }
    fprintf(stderr, "usage: layout tables|compare [--dir DIR] [--rounds N] [--commits N] "
                    "[--history N] [--jobs N]\n");
    return EXIT_USAGE;
}
