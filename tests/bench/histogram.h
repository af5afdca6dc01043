/* histogram.h: latencies in microseconds, counted in buckets of at most 1.6 % width.
 *
 * Fixed in size, so that a long run measures the broker and not its own memory. One thread at a
 * time; slots have one each and merge at the end. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 2240 };

struct histogram {
    uint64_t count;
    uint32_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t us);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value below which `percent` of all lie, 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);
