/* artifacts_up.h: opens the artifact store that the settings name. At start, on the main thread. */
#pragma once

#include "edge/edge.h"

/* An exit code: EXIT_OK with edge->artifacts set; else what is wrong was logged. */
int artifacts_up(struct edge *edge);
