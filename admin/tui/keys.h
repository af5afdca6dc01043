/* keys.h: keys -> model. One table: the key, its hint at the foot, its line in the help, its deed.
 * Knows key codes, no terminal. Main thread. */
#pragma once

#include "model.h"

#include <stddef.h>

/* What the caller has to do. */
enum keys_answer {
    KEYS_IGNORED,
    KEYS_REDRAW,
    KEYS_QUIT,
    KEYS_POOL, /* another pool was chosen: its next dispatches are wanted */
    KEYS_HEAT, /* the form was sent: see keys_heat() */
};

/* Codes beyond the characters. */
enum {
    KEYS_UP = 0x110000,
    KEYS_DOWN,
    KEYS_PAGE_UP,
    KEYS_PAGE_DOWN,
    KEYS_ENTER,
    KEYS_ESCAPE,
    KEYS_ERASE,
    KEYS_TAB,
};

struct key_row {
    int keys[3]; /* 0: unused */
    const char *name, *hint, *help;
    enum keys_answer (*deed)(struct model *m, int key);
};

extern const struct key_row keys_rows[];
extern const size_t keys_rows_n;

enum keys_answer keys_handle(struct model *m, int key);

/* After KEYS_HEAT: what the form asked for. */
struct keys_heat {
    uint32_t slots;
    uint64_t for_ms;
};
struct keys_heat keys_heat(const struct model *m);
