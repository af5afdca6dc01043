/* client.c: see client.h. */
#include "sim/client.h"

#include "engine/map.h"
#include "sim/deeds.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 300, PAUSE_MS_MAX = 120, ENDING_PAUSE_MS = 1000 };

static void rest(struct world *w, struct client *c)
{
    uint32_t pause_ms = w->is_ending ? ENDING_PAUSE_MS : c->pause_ms;
    c->rested_ms = w->clock.now_ms + 1 + world_below(w, pause_ms);
    world_wake(w, &c->actor, c->rested_ms);
}

static void act(struct world *w, struct client *c)
{
    struct asking q = {.request = ROTA__REQUEST__INIT};
    c->deed = deed_choose(w);
    c->asking_n = 0;
    if (!c->deed || !c->deed->ask(w, c, &q)) {
        rest(w, c);
        return;
    }
    world_trace(w, "%s does: %s", c->actor.name, c->deed->name);
    call_begin(w, &c->actor, &c->call, &q.request, q.about,
               PATIENCE_MS + world_below(w, PATIENCE_MS));
}

static void wake(struct world *w, struct actor *a)
{
    struct client *c = CONTAINER(a, client, actor);
    call_tend(w, a, &c->call);
    if (!call_is_open(&c->call) && c->rested_ms <= w->clock.now_ms)
        act(w, c);
    world_wake(w, a, call_is_open(&c->call) ? c->call.again_ms : c->rested_ms);
}

/* Only a job that was forgotten may be unknown. */
static void check_unknown(struct world *w, const struct client *c)
{
    struct job_id id;
    const char *text = c->asking[0].job;
    const struct past_job *job = job_id_parse(text, &id) == 0 ? history_job(&w->history, id) : NULL;
    if (!job || !job->is_forgotten)
        world_violated(w, "%s is unknown, it was said, but was never forgotten", text);
}

static void hear(struct world *w, struct actor *a, const Rota__Reply *reply)
{
    struct client *c = CONTAINER(a, client, actor);
    if (!call_answered(w, &c->call, reply)) {
        world_wake(w, a, call_is_open(&c->call) ? c->call.again_ms : c->rested_ms);
        return;
    }
    call_end(&c->call);
    const char *refusal = call_refusal(w, a, reply->error, c->deed->refusals);
    if (strcmp(refusal, "JOB_UNKNOWN") == 0)
        check_unknown(w, c);
    bool is_good = !refusal[0];
    if (is_good && c->deed->told)
        c->deed->told(w, c, reply);
    rest(w, c);
}

static struct actor *client_free(struct actor *a)
{
    struct client *c = CONTAINER(a, client, actor);
    call_end(&c->call);
    free(c);
    return NULL;
}

void client_add(struct world *w, unsigned number)
{
    static const struct actor_kind kind = {wake, hear, client_free};
    char name[16];
    struct client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    snprintf(name, sizeof name, "c%u", number);
    world_add(w, &c->actor, &kind, name);
    c->pause_ms = 1 + world_below(w, PAUSE_MS_MAX);
    world_wake(w, &c->actor, 1 + number);
}
