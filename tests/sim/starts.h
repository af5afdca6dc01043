/* starts.h: may this job start now? Asked at each dispatch of the log, about the world as the
 * events before it have left it. */
#pragma once

#include "rota.pb-c.h"

struct world;
struct past_job;

/* A dispatch that may not be is a violation. The job is as before it. */
void starts_check(struct world *w, const Rota__Event *e, const struct past_job *job);
