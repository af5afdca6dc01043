/* option_help.c: --help from the same rows that the parser reads, so that it cannot lie. */
#include "base/auto.h"
#include "base/option.h"

#include <string.h>

static int column_width(const struct option_spec *spec)
{
    size_t widest = strlen("--version");
    for (size_t i = 0; i < spec->n; i++) {
        const struct option_row *row = &spec->rows[i];
        size_t n = 2 + strlen(row->name) + (row->meta ? 1 + strlen(row->meta) : 0);
        if (n > widest)
            widest = n;
    }
    return (int)widest;
}

static void default_print(const struct option_row *row, FILE *to)
{
    if (row->kind == OPTION_IS_STR && row->fallback)
        fprintf(to, " (default: %s)", row->fallback);
    if (row->kind == OPTION_IS_U64)
        fprintf(to, " (%llu to %llu, default: %llu)", (unsigned long long)row->least,
                (unsigned long long)row->most, (unsigned long long)row->fallback_u64);
    if (row->kind == OPTION_IS_LIST)
        fputs(" (may be repeated)", to);
}

void option_help(const struct option_spec *spec, FILE *to)
{
    int width = column_width(spec);
    fprintf(to, "Usage: %s %s\n\n%s\n\n", spec->program, spec->usage ? spec->usage : "",
            spec->about ? spec->about : "");
    for (size_t i = 0; i < spec->n; i++) {
        const struct option_row *row = &spec->rows[i];
        int used =
            fprintf(to, "  --%s%s%s", row->name, row->meta ? " " : "", row->meta ? row->meta : "");
        fprintf(to, "%*s  %s", width + 2 - used, "", row->help);
        default_print(row, to);
        fputc('\n', to);
    }
    fprintf(to, "  %-*s  print this and exit\n", width, "--help");
    fprintf(to, "  %-*s  print the version and exit\n", width, "--version");
}
