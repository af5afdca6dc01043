/* pins.h: what a yarn.lock of Yarn 1 pins, "NAME@RANGE" by "NAME@RANGE", and what its packages ask
 * for in their turn. All zero: nothing. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PINS_MAX = 300000 }; /* of both kinds together */

struct pin {
    uint32_t pattern; /* where "NAME@RANGE" begins in the text */
    uint32_t word;    /* likewise the version of its entry; of a wish, the name that asks */
    uint32_t entry;   /* its number in the lockfile */
};

struct pin_list {
    struct pin *v;
    size_t n, room;
};

struct pins {
    struct pin_list keys, wishes;
    char *text;
    size_t text_n, text_room;
    uint32_t entries;
};

enum pins_outcome { PINS_FULL = 1 }; /* there are PINS_MAX, or 4 GiB of text */

/* Both belong to the entry that pins_entry_end() is called for next, and copy what they are given.
 */
MUST_USE int pins_key(struct pins *p, const char *pattern);
MUST_USE int pins_wish(struct pins *p, const char *name, const char *range, const char *asker);
MUST_USE int pins_entry_end(struct pins *p, const char *version);

/* Sorts the keys, which pins_find() needs. The pattern that two entries have, or NULL. */
const char *pins_sort(struct pins *p);

/* NULL: nothing pins it. */
const struct pin *pins_find(const struct pins *p, const char *pattern);

void pins_deinit(struct pins *p);
