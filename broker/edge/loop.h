/* loop.h: the queue thread: turns, as long as nobody asks it to stop. */
#pragma once

#include "edge/edge.h"
#include "engine/engine.h"

struct now loop_now(void);

/* Runs turns until edge->stop is set; then drains: what had arrived is applied and answered, parked
 * polls are answered with nothing, later requests with DRAINING. Gives the exit code. Does not come
 * back when the store fails. */
int loop_run(struct edge *edge, struct engine *engine);
