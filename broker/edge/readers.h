/* readers.h: the threads that answer the read lane from snapshots, and the watches. */
#pragma once

#include "edge/edge.h"

enum { READERS = 2 };

struct readers;
MUST_USE int readers_start(struct edge *edge, struct readers **ret_readers);
/* Stops them after the requests at hand. */
struct readers *readers_free(struct readers *r);
DEFINE_FREEP(readers)
