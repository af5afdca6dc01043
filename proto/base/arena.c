/* arena.c: a chain of blocks; reset keeps them all and starts again at the first. */
#include "base/arena.h"

#include "base/auto.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct block {
    struct block *next;
    size_t size, used;
    _Alignas(16) unsigned char data[];
};

struct arena {
    struct block *first, *now;
    size_t total, max;
    ProtobufCAllocator allocator;
};

static void *pb_alloc(void *arg, size_t n)
{
    return arena_alloc(arg, n);
}

static void pb_free(void *arg, void *p)
{
    (void)arg;
    (void)p;
}

int arena_new(size_t max, struct arena **ret_arena)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    a->max = max;
    a->allocator = (ProtobufCAllocator){pb_alloc, pb_free, a};
    *ret_arena = a;
    return 0;
}

struct arena *arena_free(struct arena *a)
{
    if (!a)
        return NULL;
    for (struct block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
    return NULL;
}

static struct block *block_add(struct arena *a, size_t n)
{
    size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
    if (size > a->max - a->total)
        return NULL;
    struct block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    *b = (struct block){.size = size};
    a->total += size;
    if (a->now) {
        b->next = a->now->next;
        a->now->next = b;
    } else {
        a->first = b;
    }
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX - 15)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    while (a->now && a->now->size - a->now->used < n && a->now->next)
        a->now = a->now->next;
    if (!a->now || a->now->size - a->now->used < n) {
        struct block *b = block_add(a, n);
        if (!b)
            return NULL;
        a->now = b;
    }
    void *p = a->now->data + a->now->used;
    a->now->used += n;
    memset(p, 0, n);
    return p;
}

char *arena_str(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = arena_alloc(a, n);
    if (copy)
        memcpy(copy, s, n);
    return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    return s;
}

void arena_reset(struct arena *a)
{
    for (struct block *b = a->first; b; b = b->next)
        b->used = 0;
    a->now = a->first;
}

ProtobufCAllocator *arena_allocator(struct arena *a)
{
    return &a->allocator;
}
