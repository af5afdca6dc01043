/* figures.h: what a run found: numbers with names, and a verdict. Printed as one line of text or of
 * JSON. Single thread. */
#pragma once

#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIGURES_MAX = 32, VERDICT_MAX = 160 };

struct figure {
    const char *name; /* static */
    double value;
    bool is_fraction; /* printed with three decimals */
};

struct figures {
    const char *system, *scenario;
    struct figure list[FIGURES_MAX];
    size_t n;
    bool fails;
    char verdict[VERDICT_MAX]; /* empty: ok */
};

void figures_count(struct figures *f, const char *name, uint64_t value);
void figures_fraction(struct figures *f, const char *name, double value);

/* jobs, seconds, jobs_per_s, p50_us, p99_us. */
void figures_speed(struct figures *f, uint64_t jobs, double seconds,
                   const struct histogram *latency);

/* The run fails; the first reason is the verdict. */
__attribute__((format(printf, 2, 3))) void figures_fail(struct figures *f, const char *format, ...);

/* 0, or -EIO when stdout could not take it. */
int figures_print(const struct figures *f, bool as_json);
