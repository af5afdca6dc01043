/* invariants.h: what must hold whatever happens. */
#pragma once

#include <stdbool.h>

struct world;

/* Looks at what the broker has committed, after a step; `all`: also at what is looked at only now
 * and then. The broker is up. A violation ends the process. */
void invariants_look(struct world *w, bool all);
