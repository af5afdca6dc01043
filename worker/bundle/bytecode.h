/* bytecode.h: what hermesc made of a bundle, for the next time that the same account gives the same
 * bundle to the same hermesc with the same flags.
 *
 * The entry holds bytecode and hermesc's map, sealed under the cache's key: neither can be read on
 * the disk, and an entry that was edited, cut or renamed is noticed, thrown out and compiled anew.
 * Only a hermesc out of node_modules counts: those folders were read-only to the app's own code.
 * One thread, the slot's. */
#pragma once

#include "work.h"

enum bytecode_outcome { BYTECODE_MISS = 1 };

/* 0: both files lie in out/, as hermesc would have left them. */
MUST_USE int bytecode_find(struct work *w);

/* Behind a compile that went well. */
void bytecode_keep(struct work *w);
