/* screen.h: the terminal: cells out, keys in. Main thread; one at a time. */
#pragma once

#include "cells.h"

#include <base/err.h>

/* Takes the terminal over. -ENOTTY: there is none that can be used. */
MUST_USE int screen_open(void);
/* Gives it back as it was; harmless when it is not open. */
void screen_close(void);

void screen_size(int *ret_w, int *ret_h);
void screen_show(const struct cells *c);

/* The next key in the codes of keys.h; 0: none waits. A resize gives SCREEN_RESIZED. */
enum { SCREEN_RESIZED = -1 };
int screen_key(void);
