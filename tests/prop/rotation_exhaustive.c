/* rotation_exhaustive.c: the guarantees G1 to G6 hold in every state and for every eligible set,
 * and the figures that docs/SCHEDULING.md (first argument) prints are these. A rule that differed
 * in one edge would break a promise that users are given as a number. */
#undef NDEBUG
#include "rotation_check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rotation_report wanted = {
    .steps = 12 * 15,
    .wait_any = {1, 11, 10, 9},
    .wait_stable = {1, 9, 9, 9},
    .p0_least_of_10 = 7,
    .turns_in_a_row = 1,
};

static char *doc_read(const char *path)
{
    FILE *f = fopen(path, "r");
    assert(f);
    char *text = calloc(1, 1 << 18);
    assert(text);
    size_t n = fread(text, 1, (1 << 18) - 1, f);
    assert(n > 0 && feof(f));
    fclose(f);
    return text;
}

static unsigned rows_found;

static void doc_must_have(const char *doc, const char *row)
{
    if (!strstr(doc, row)) {
        printf("the document lacks the row:\n%s", row);
        exit(1);
    }
    rows_found++;
}

/* "| P0 P2 | P0 P0 P0 P2 | 3 : 1 |" from what the rule does, starting fresh. */
static void set_row_check(const char *doc, unsigned set)
{
    char row[160] = "|";
    size_t n = 1;
    unsigned k = (unsigned)__builtin_popcount(set), count[TIERS] = {0};
    unsigned period = k == 1 ? 1 : 3 * (k - 1) - (k - 2) + (k - 1);
    struct rotation r = ROTATION_FRESH;
    for (unsigned t = 0; t < TIERS; t++)
        if (set & 1u << t)
            n += (size_t)snprintf(row + n, sizeof row - n, " P%u", t);
    n += (size_t)snprintf(row + n, sizeof row - n, " |");
    for (unsigned i = 0; i < period; i++) {
        uint8_t t = rotation_next(&r, (uint8_t)set);
        count[t]++;
        n += (size_t)snprintf(row + n, sizeof row - n, " P%u", t);
    }
    const char *before = " | ";
    for (unsigned t = 0; t < TIERS; t++) {
        if (set & 1u << t) {
            n += (size_t)snprintf(row + n, sizeof row - n, "%s%u", before, count[t]);
            before = " : ";
        }
    }
    snprintf(row + n, sizeof row - n, " |\n");
    doc_must_have(doc, row);
}

static void wait_row_check(const char *doc, const char *name, const unsigned *wait)
{
    char row[120];
    snprintf(row, sizeof row, "| %s | %u | %u | %u | %u |\n", name, wait[0], wait[1], wait[2],
             wait[3]);
    doc_must_have(doc, row);
}

/* The bound that the engine states to users comes from rotation_bound(), which relaxes; the search
 * here is depth first. They agree for every N that can be configured. */
static void bounds_check(const char *doc)
{
    static const unsigned five[TIERS] = {1, 17, 16, 15};
    for (unsigned n_max = 1; n_max <= ROTATION_N_MAX; n_max++) {
        struct rotation_report report;
        rotation_check((uint8_t)n_max, &report);
        assert(report.not_eligible == 0 && report.string_missed == 0 && report.shares_missed == 0);
        for (unsigned t = 0; t < TIERS; t++) {
            assert(report.wait_any[t] == rotation_bound((uint8_t)t, (uint8_t)n_max));
            assert(n_max != 5 || report.wait_any[t] == five[t]);
        }
        char name[16];
        snprintf(name, sizeof name, "N = %u", n_max);
        if (n_max == 1 || n_max == 2 || n_max == 3 || n_max == 5 || n_max == ROTATION_N_MAX)
            wait_row_check(doc, name, report.wait_any);
        printf("N = %2u: worst wait %u/%u/%u/%u\n", n_max, report.wait_any[0], report.wait_any[1],
               report.wait_any[2], report.wait_any[3]);
    }
}

int main(int argc, char **argv)
{
    assert(argc == 2);
    char *doc = doc_read(argv[1]);
    struct rotation_report report;
    rotation_check(ROTATION_N_DEFAULT, &report);
    unsigned differences = rotation_report_compare(&report, &wanted);
    printf("%u (state, set) pairs: worst wait any %u/%u/%u/%u, stable %u/%u/%u/%u, P0 at least "
           "%u of 10, at most %u turn in a row, %u differences\n",
           report.steps, report.wait_any[0], report.wait_any[1], report.wait_any[2],
           report.wait_any[3], report.wait_stable[0], report.wait_stable[1], report.wait_stable[2],
           report.wait_stable[3], report.p0_least_of_10, report.turns_in_a_row, differences);
    bounds_check(doc);
    wait_row_check(doc, "others come and go", report.wait_any);
    wait_row_check(doc, "set stays the same", report.wait_stable);
    for (unsigned set = 1; set < 1 << TIERS; set++)
        set_row_check(doc, set);
    printf("%u rows of the document agree\n", rows_found);
    free(doc);
    return differences == 0 ? 0 : 1;
}
