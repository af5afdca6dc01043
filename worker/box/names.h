/* names.h: a short list of texts without doubles. */
#pragma once

#include <base/err.h>
#include <stddef.h>

enum { NAMES_MAX = 1000 };

/* All zero: empty. */
struct names {
    char **v;
    size_t n;
};

/* Copies `text`. -E2BIG when there are NAMES_MAX. */
MUST_USE int names_add(struct names *names, const char *text);
void names_deinit(struct names *names);
