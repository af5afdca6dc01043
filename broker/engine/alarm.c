/* alarm.c: sift up, sift down; each slot that changes is saved first. */
#include "engine/alarm.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int alarms_init(struct alarms *a)
{
    *a = (struct alarms){0};
    return alarms_tend(a, 1024);
}

void alarms_deinit(struct alarms *a)
{
    free(a->heap);
    *a = (struct alarms){0};
}

int alarms_tend(struct alarms *a, size_t more)
{
    size_t need = a->count + more + 1;
    if (need <= a->cap)
        return 0;
    size_t cap = a->cap ? a->cap : 1024;
    while (cap < need)
        cap *= 2;
    struct alarm **heap = realloc(a->heap, cap * sizeof(struct alarm *));
    if (!heap)
        return err_raise(-ENOMEM);
    a->heap = heap;
    a->cap = cap;
    return 0;
}

static void put(struct alarms *a, size_t i, struct alarm *alarm, struct undo *u)
{
    SET(u, a->heap[i], alarm);
    SET(u, alarm->place, i);
}

static void sift_up(struct alarms *a, size_t i, struct alarm *alarm, struct undo *u)
{
    for (; i > 1 && a->heap[i / 2]->at_ms > alarm->at_ms; i /= 2)
        put(a, i, a->heap[i / 2], u);
    put(a, i, alarm, u);
}

static void sift_down(struct alarms *a, size_t i, struct alarm *alarm, struct undo *u)
{
    for (size_t child = 2 * i; child <= a->count; i = child, child *= 2) {
        if (child < a->count && a->heap[child + 1]->at_ms < a->heap[child]->at_ms)
            child++;
        if (a->heap[child]->at_ms >= alarm->at_ms)
            break;
        put(a, i, a->heap[child], u);
    }
    put(a, i, alarm, u);
}

/* `alarm` takes slot i, from where it may belong higher or lower. */
static void settle(struct alarms *a, size_t i, struct alarm *alarm, struct undo *u)
{
    if (i > 1 && a->heap[i / 2]->at_ms > alarm->at_ms)
        sift_up(a, i, alarm, u);
    else
        sift_down(a, i, alarm, u);
}

void alarm_set(struct alarms *a, struct alarm *alarm, uint64_t at_ms, struct undo *u)
{
    SET(u, alarm->at_ms, at_ms);
    if (alarm->place) {
        settle(a, alarm->place, alarm, u);
        return;
    }
    assert(a->count + 1 < a->cap);
    SET(u, a->count, a->count + 1);
    undo_save(u, &a->heap[a->count], sizeof(struct alarm *));
    sift_up(a, a->count, alarm, u);
}

void alarm_clear(struct alarms *a, struct alarm *alarm, struct undo *u)
{
    size_t i = alarm->place;
    if (!i)
        return;
    struct alarm *last = a->heap[a->count];
    SET(u, alarm->place, 0);
    SET(u, a->count, a->count - 1);
    if (last != alarm)
        settle(a, i, last, u);
}
