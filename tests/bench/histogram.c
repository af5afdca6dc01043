/* histogram.c: exact below 128 us, then 64 buckets to each doubling; the last bucket takes whatever
 * is longer than 2^40 us. A percentile is the lower edge of its bucket. */
#include "histogram.h"

#include <assert.h>

enum { EXACT = 128, EXACT_BITS = 7, STEP_BITS = 6, VALUE_BITS = 40 };

_Static_assert(HISTOGRAM_BUCKETS == EXACT + ((VALUE_BITS - EXACT_BITS) << STEP_BITS),
               "one bucket for each index");

static unsigned bucket_of(uint64_t us)
{
    if (us < EXACT)
        return (unsigned)us;
    if (us >= 1ull << VALUE_BITS)
        us = (1ull << VALUE_BITS) - 1;
    unsigned top = 63 - (unsigned)__builtin_clzll(us);
    unsigned step = (unsigned)(us >> (top - STEP_BITS)) & ((1u << STEP_BITS) - 1);
    return EXACT + ((top - EXACT_BITS) << STEP_BITS) + step;
}

static uint64_t bucket_edge(unsigned bucket)
{
    if (bucket < EXACT)
        return bucket;
    unsigned top = ((bucket - EXACT) >> STEP_BITS) + EXACT_BITS;
    uint64_t step = (bucket - EXACT) & ((1u << STEP_BITS) - 1);
    return (1ull << top) + (step << (top - STEP_BITS));
}

void histogram_add(struct histogram *h, uint64_t us)
{
    unsigned bucket = bucket_of(us);
    assert(bucket < HISTOGRAM_BUCKETS);
    h->bucket[bucket]++;
    h->count++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
    into->count += from->count;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    uint64_t rank = (uint64_t)(percent / 100.0 * (double)h->count), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (h->bucket[i] && seen > rank)
            return bucket_edge(i);
    }
    return 0;
}
