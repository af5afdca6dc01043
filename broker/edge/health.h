/* health.h: how the stores are, for who asks for stats. Any thread. */
#pragma once

#include "edge/edge.h"
#include "engine/query.h"

/* Why requests are refused ENVIRONMENT_MISMATCH: whose the store is, and whose this broker. */
enum { HEALTH_TEXT_MAX = 256 };
void health_mismatch_text(struct edge *edge, char text[HEALTH_TEXT_MAX]);

void health_fill(struct edge *edge, uint64_t wall_ms, struct query_health *ret_health);
