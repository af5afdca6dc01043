/* bars.c: the one place where bars change, so that RAM, row, rings and event log never say
 * different things: the log alone must let anybody rebuild who was eligible.
 *
 * Where each is kept: an account's in its row, but for BAR_RATE, which follows from its bucket; a
 * pool's pause in its row; a tier's pause in `pause`, whose rows pauses.c writes in the same turn.
 */
#include "engine/turn.h"

#include <errno.h>

static uint8_t bars_with(uint8_t bars, Rota__Bar bit, bool on)
{
    return (uint8_t)(on ? bars | bit : bars & ~(unsigned)bit);
}

static Rota__Event *bars_event(struct turn *t, const char *scope, uint8_t bars)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_BARS);
    if (event) {
        event->scope = (char *)scope;
        event->bars = bars;
    }
    return event;
}

static int account_bars_write(struct turn *t, const struct account *a)
{
    struct account_row row;
    int r = turn_store(account_row_read(t, a->number, &row));
    if (r != 0)
        return r;
    row.bars = bars_kept(a->bars);
    return account_row_write(t, a->number, &row);
}

int account_bar(struct turn *t, struct account *a, Rota__Bar bit, bool on)
{
    uint8_t before = a->bars, bars = bars_with(before, bit, on);
    if (bars == before)
        return 0;
    SET(t->undo, a->bars, bars);
    account_settle(t->cache, a);
    int r = bars_kept(bars) == bars_kept(before) ? 0 : account_bars_write(t, a);
    if (r != 0)
        return r;
    Rota__Event *event = bars_event(t, "account", bars);
    if (event) {
        event->account_number = a->number;
        event->tier = (Rota__Tier)a->tier;
    }
    return event_append(t, event);
}

int tier_bar(struct turn *t, uint8_t tier, Rota__Bar bit, bool on)
{
    uint8_t *at = &t->cache->tier_bars[tier], bars = bars_with(*at, bit, on);
    if (bars == *at)
        return 0;
    SET(t->undo, *at, bars);
    Rota__Event *event = bars_event(t, "tier", bars);
    if (event)
        event->tier = (Rota__Tier)tier;
    return event_append(t, event);
}

int pool_bar(struct turn *t, struct pool *p, Rota__Bar bit, bool on)
{
    uint8_t bars = bars_with(p->bars, bit, on);
    if (bars == p->bars)
        return 0;
    SET(t->undo, p->bars, bars);
    p->is_dirty = true;
    Rota__Event *event = bars_event(t, "pool", bars);
    if (event)
        event->pool = p->name;
    return event_append(t, event);
}
