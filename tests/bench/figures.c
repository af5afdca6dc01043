/* figures.c: the list of figures and its two forms in print. */
#include "figures.h"

#include <assert.h>
#include <base/err.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

static void figures_add(struct figures *f, const char *name, double value, bool is_fraction)
{
    assert(f->n < FIGURES_MAX);
    f->list[f->n++] = (struct figure){name, value, is_fraction};
}

void figures_count(struct figures *f, const char *name, uint64_t value)
{
    figures_add(f, name, (double)value, false);
}

void figures_fraction(struct figures *f, const char *name, double value)
{
    figures_add(f, name, value, true);
}

void figures_speed(struct figures *f, uint64_t jobs, double seconds,
                   const struct histogram *latency)
{
    figures_count(f, "jobs", jobs);
    figures_fraction(f, "seconds", seconds);
    figures_count(f, "jobs_per_s", seconds > 0 ? (uint64_t)((double)jobs / seconds) : 0);
    figures_count(f, "p50_us", histogram_percentile(latency, 50));
    figures_count(f, "p99_us", histogram_percentile(latency, 99));
}

void figures_fail(struct figures *f, const char *format, ...)
{
    va_list args;
    if (f->fails)
        return;
    f->fails = true;
    va_start(args, format);
    vsnprintf(f->verdict, sizeof f->verdict, format, args);
    va_end(args);
}

static int print_text(const struct figures *f)
{
    printf("%s %s", f->system, f->scenario);
    for (size_t i = 0; i < f->n; i++)
        printf(f->list[i].is_fraction ? " %s=%.3f" : " %s=%.0f", f->list[i].name, f->list[i].value);
    printf(": %s\n", f->fails ? f->verdict : "ok");
    return fflush(stdout) == 0 ? 0 : err_raise(-EIO);
}

static int print_json(const struct figures *f)
{
    json_t *o = json_pack("{s:s, s:s}", "system", f->system, "scenario", f->scenario);
    for (size_t i = 0; i < f->n; i++) {
        const struct figure *one = &f->list[i];
        json_object_set_new(o, one->name,
                            one->is_fraction ? json_real(one->value)
                                             : json_integer((json_int_t)one->value));
    }
    json_object_set_new(o, "ok", json_boolean(!f->fails));
    json_object_set_new(o, "verdict", json_string(f->fails ? f->verdict : "ok"));
    int r = json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(o);
    putchar('\n');
    return r == 0 && fflush(stdout) == 0 ? 0 : err_raise(-EIO);
}

int figures_print(const struct figures *f, bool as_json)
{
    int r = as_json ? print_json(f) : print_text(f);
    return r < 0 ? err_pass(r) : 0;
}
