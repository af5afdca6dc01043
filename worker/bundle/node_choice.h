/* node_choice.h: which Node a build gets: what the job asks for, else what package.json's
 * engines.node asks for, else the worker's own. One thread, the slot's. */
#pragma once

#include "work.h"

/* `told`: the job's own wish, or empty. Behind STEP_VERIFY. WORK_ENDED: no Node here will do,
 * and another worker may try. */
MUST_USE int node_choose(struct work *w, const char *told);
