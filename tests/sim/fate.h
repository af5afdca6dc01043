/* fate.h: what befalls a world that nobody in it wants: crashes, faults of the store, cut links,
 * jumps of the clock. */
#pragma once

struct world;

/* Notes the first blow; each notes the next. A calm seed has none. */
void fate_begin(struct world *w);
/* No blow any more; links carry everything, at once and in order. */
void fate_end(struct world *w);
/* The weather of a new link. */
struct weather;
void fate_weather(struct world *w, struct weather *ret_weather);
