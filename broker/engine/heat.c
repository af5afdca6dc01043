/* heat.c: heat-up: how many slots of a pool are to be kept warm, and until when. Durable in the
 * pool's row; workers hear of it in their heartbeat's answer at once. */
#include "engine/turn.h"

#include <errno.h>

enum { HEAT_SLOTS_MAX = 10000 };
static const uint64_t heat_ms_max = 7ull * 24 * 3600 * 1000;

/* Of the workers that take jobs, as crew_count() of the board has it. */
static uint32_t slots_of(const struct worker *w)
{
    if (w->facts.draining)
        return 0;
    return w->facts.slots ? w->facts.slots : 1;
}

/* Returns how many slots they have. */
static uint32_t tell_workers(struct turn *t, const struct pool *p)
{
    uint32_t slots = 0;
    size_t bucket;
    for (struct map_node *n = map_begin(&t->cache->workers, &bucket); n;
         n = map_after(&t->cache->workers, n, &bucket)) {
        struct worker *w = CONTAINER(n, worker, by_name);
        if (w->pool != p)
            continue;
        worker_beat(t, w);
        slots += slots_of(w);
    }
    return slots;
}

static int heat_event(struct turn *t, const struct pool *p)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_HEAT);
    if (event) {
        event->pool = (char *)p->name;
        event->slots = p->heat_slots;
        event->until_ms = p->heat_until_ms;
        event->account_number = t->who.account;
    }
    return event_append(t, event);
}

int turn_heat(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__Heat *q = request->heat;
    const char *name = q->pool[0] ? q->pool : "bundle";
    struct pool *p = cache_pool(t->cache, name);
    if (!p)
        return turn_refuse(t, E_POOL_UNKNOWN, "no pool \"%s\"", name);
    if (q->slots > HEAT_SLOTS_MAX || q->for_ms > heat_ms_max)
        return turn_refuse(t, E_FIELD_INVALID, "heat: at most %d slots for at most 7 days",
                           HEAT_SLOTS_MAX);
    if (q->slots && !q->for_ms)
        return turn_refuse(t, E_FIELD_MISSING, "heat.for_ms: how long?");
    Rota__HeatResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return err_raise(-ENOMEM);
    SET(t->undo, p->heat_slots, q->slots);
    SET(t->undo, p->heat_until_ms, q->slots ? t->now.wall_ms + q->for_ms : 0);
    p->is_dirty = true;
    rota__heat_result__init(result);
    result->warm_slots = tell_workers(t, p);
    result->pool = p->name;
    result->slots = p->heat_slots;
    result->until_ms = p->heat_until_ms;
    reply->heat = result;
    int r = heat_event(t, p);
    return r == 0 ? trail_note(t, p->name, "%u slots for %llu s", q->slots,
                               (unsigned long long)q->for_ms / 1000)
                  : r;
}
