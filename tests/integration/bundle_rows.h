/* bundle_rows.h: a program that is a table of builds: each row one run of the bundle runner, what
 * it must give looked at by the program, and what no build may leave behind looked at here. */
#pragma once

#include "bundle_kit.h"

struct rows {
    const char *usage; /* behind the program's name */
    size_t n;
    uint64_t workspace_bytes;
    uint64_t cache_bytes; /* of a cache that the rows share; 0: none */
    const char *(*name)(size_t row);
    bool (*is_wanted)(size_t row, int argc, char **argv);
    /* Packs the source into `archive` and runs it; kit_run()'s answer. */
    int (*build)(size_t row, const char *apps, const char *archive, struct build_result *ret,
                 struct kit_seen *ret_seen);
    /* What that row must give; a fault, and what is left behind, are looked at for it. */
    void (*check)(size_t row, const struct build_result *r, const struct kit_seen *seen);
};

/* The runner of the rows, open within rows_main(). */
extern struct kit rows_kit;

/* Counts and prints what does not hold. */
void rows_expect(bool holds, const char *row, const char *what);
/* Runs the wanted rows below the folder of apps, argv[1]; the program's exit. */
MUST_USE int rows_main(const struct rows *rows, int argc, char **argv);
