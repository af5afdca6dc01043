/* health.h: how the stores are, for who asks for stats. Any thread. */
#pragma once

#include "edge/edge.h"
#include "engine/query.h"

void health_fill(struct edge *edge, uint64_t wall_ms, struct query_health *ret_health);
