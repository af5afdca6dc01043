/* still.c: see still.h. */
#include "sim/still.h"

#include "engine/turn.h"
#include "sim/world.h"

/* Those that no housekeeping touches without an event. */
static const enum table tables[] = {
    TABLE_READY,  TABLE_RING, TABLE_TALLY, TABLE_STATE,  TABLE_DELAYED,   TABLE_WAITS_ON,
    TABLE_HELD,   TABLE_JOB,  TABLE_LEASE, TABLE_DONE,   TABLE_ACCOUNT,   TABLE_APP,
    TABLE_OBJECT, TABLE_IDEM, TABLE_USAGE, TABLE_GRANT,  TABLE_SUPERSEDE, TABLE_PAUSE,
    TABLE_SIGNAL, TABLE_BULK, TABLE_TRAIL, TABLE_ERASE,  TABLE_SCHEDULE,  TABLE_ASIDE,
    TABLE_CLASS,  TABLE_POOL, TABLE_ADDON, TABLE_PRESET, TABLE_FOLLOW,    TABLE_KEY,
    TABLE_EVENT,
};

/* Workers are hardly ever refused, and ask all the time. */
static bool is_of_worker(uint32_t op_tag)
{
    return op_tag == ROTA__REQUEST__OP_LEASE || op_tag == ROTA__REQUEST__OP_HEARTBEAT ||
           op_tag == ROTA__REQUEST__OP_FINISH || op_tag == ROTA__REQUEST__OP_FINISH_AND_LEASE ||
           op_tag == ROTA__REQUEST__OP_LEASE_RELEASE;
}

/* Bulk acts, erasures, retention, sweeps, pauses that end: they go on whatever is asked. */
static bool is_busy(const struct engine *e, struct now now)
{
    return e->cache.bulks_n || e->cache.has_erase || e->cache.over_n ||
           e->cache.pauses_ms <= now.wall_ms || e->cache.source_due_ms <= now.wall_ms ||
           e->cache.finished_ms + KEPT_MS <= now.wall_ms ||
           now.boot_ms + e->broker_offset_ms >= e->sweep.next_ms;
}

void still_begin(struct world *w)
{
    const struct message *m = w->host.inbox;
    struct still *s = &w->still;
    const struct engine *e = w->host.engine;
    if (!m || m->next || m->is_pipe_gone || is_of_worker(m->op_tag) ||
        is_busy(e, clock_read(&w->clock)))
        return;
    s->seq = e->cache.hot.event_seq;
    s->mark = store_sim_mark_new(w->host.store);
}

static void look(struct world *w, const struct store_sim_mark *mark)
{
    const struct effect_reply *said = w->host.fx.replies;
    if (!said || said->next || !said->reply->error ||
        w->host.engine->cache.hot.event_seq != w->still.seq)
        return;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (store_sim_differs(w->host.store, mark, tables[i]))
            world_violated(w, "request %llu was refused (%s) and has changed table %s",
                           (unsigned long long)said->reply->request_id, said->reply->error->name,
                           table_name(tables[i]));
    w->stats[STAT_STILL]++;
}

void still_end(struct world *w, bool is_good)
{
    if (w->still.mark && is_good)
        look(w, w->still.mark);
    w->still.mark = store_sim_mark_free(w->still.mark);
}
