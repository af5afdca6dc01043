/* agenda.c: a binary heap. */
#include "sim/agenda.h"

#include "sim/link.h"

#include <stdlib.h>

static bool is_before(const struct event *x, const struct event *y)
{
    return x->at_ms != y->at_ms ? x->at_ms < y->at_ms : x->order < y->order;
}

static void swap(struct agenda *a, size_t i, size_t j)
{
    struct event e = a->heap[i];
    a->heap[i] = a->heap[j];
    a->heap[j] = e;
}

void agenda_add(struct agenda *a, struct event e)
{
    if (a->n == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 64;
        a->heap = realloc(a->heap, a->cap * sizeof *a->heap);
        if (!a->heap)
            abort();
    }
    e.order = ++a->order;
    size_t i = a->n++;
    a->heap[i] = e;
    for (; i && is_before(&a->heap[i], &a->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(a, i, (i - 1) / 2);
}

bool agenda_take(struct agenda *a, uint64_t now_ms, struct event *ret_event)
{
    if (!a->n || a->heap[0].at_ms > now_ms)
        return false;
    *ret_event = a->heap[0];
    a->heap[0] = a->heap[--a->n];
    for (size_t i = 0;;) {
        size_t first = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < a->n; child++)
            if (is_before(&a->heap[child], &a->heap[first]))
                first = child;
        if (first == i)
            return true;
        swap(a, i, first);
        i = first;
    }
}

uint64_t agenda_next_ms(const struct agenda *a)
{
    return a->n ? a->heap[0].at_ms : UINT64_MAX;
}

void agenda_deinit(struct agenda *a)
{
    for (size_t i = 0; i < a->n; i++)
        message_free(a->heap[i].message);
    free(a->heap);
    *a = (struct agenda){0};
}
