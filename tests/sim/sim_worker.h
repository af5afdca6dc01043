/* sim_worker.h: a worker: it polls for jobs, runs them for a while, says how they went, and beats
 * its heart meanwhile. It dies and forgets all, or vanishes and comes back late with what it held.
 */
#pragma once

struct world;

void sim_worker_add(struct world *w, unsigned number);
