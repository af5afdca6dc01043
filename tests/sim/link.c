/* link.c: see link.h. */
#include "sim/link.h"

#include "sim/world.h"

#include <stdlib.h>

struct message *message_new(struct actor *actor, uint32_t pipe, size_t n)
{
    struct message *m = calloc(1, sizeof *m + n);
    if (!m)
        abort();
    m->actor = actor;
    m->pipe = pipe;
    m->n = n;
    return m;
}

struct message *message_copy(const struct message *m)
{
    struct message *copy = message_new(m->actor, m->pipe, m->n);
    memcpy(copy, m, sizeof *m + m->n);
    copy->next = NULL;
    return copy;
}

void message_free(struct message *m)
{
    free(m);
}

static const struct way {
    void (*happen)(struct world *w, struct event *e);
    enum stat lost, doubled;
} ways[LINK_WAYS] = {
    [LINK_TO_BROKER] = {world_arrives, STAT_REQUESTS_LOST, STAT_REQUESTS_DOUBLED},
    [LINK_FROM_BROKER] = {world_answers, STAT_REPLIES_LOST, STAT_REPLIES_DOUBLED},
};

static uint64_t delay_ms(struct world *w, const struct weather *weather)
{
    uint64_t ms = 1 + world_below(w, weather->delay_ms_max + 1);
    if (world_chance(w, weather->late_permille))
        ms += world_below(w, weather->late_ms_max + 1);
    return ms;
}

static void carry(struct world *w, struct link *l, const struct way *way, struct message *m)
{
    agenda_add(&w->agenda, (struct event){.at_ms = w->clock.now_ms + delay_ms(w, &l->weather),
                                          .happen = way->happen,
                                          .actor = m->actor,
                                          .message = m});
}

void link_send(struct world *w, struct link *l, enum link_way to, struct message *m)
{
    const struct way *way = &ways[to];
    if (w->clock.now_ms < l->cut_until_ms[to] || world_chance(w, l->weather.lost_permille)) {
        w->stats[way->lost]++;
        world_trace(w, "lost on its way %s", to == LINK_TO_BROKER ? "to the broker" : "back");
        message_free(m);
        return;
    }
    if (world_chance(w, l->weather.doubled_permille)) {
        w->stats[way->doubled]++;
        carry(w, l, way, message_copy(m));
    }
    carry(w, l, way, m);
}
