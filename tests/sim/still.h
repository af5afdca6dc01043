/* still.h: what is refused leaves no trace. A turn that has one request, refuses it and writes no
 * event leaves every table that counts or remembers as it was. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct store_sim_mark;
struct world;

/* The turn has one request, and nothing else is under way: what was there before it. */
struct still {
    uint64_t seq;
    struct store_sim_mark *mark; /* NULL: none */
};

void still_begin(struct world *w);             /* before the turn */
void still_end(struct world *w, bool is_good); /* after it */
