/* bytes.h: big-endian integers in memory (keys sort as numbers), and a borrowed run of bytes. */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed: whoever hands it out says how long it stays. */
struct span {
    const void *p;
    size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span){p, n};
}

static inline struct span span_str(const char *s)
{
    return (struct span){s, s ? strlen(s) : 0};
}

#define DEFINE_BE(bits)                                                                            \
    static inline void put_be##bits(void *p, uint##bits##_t v)                                     \
    {                                                                                              \
        v = htobe##bits(v);                                                                        \
        memcpy(p, &v, sizeof v);                                                                   \
    }                                                                                              \
    static inline uint##bits##_t get_be##bits(const void *p)                                       \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return be##bits##toh(v);                                                                   \
    }
DEFINE_BE(16)
DEFINE_BE(32)
DEFINE_BE(64)
