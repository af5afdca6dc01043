/* call.c: see call.h. */
#include "sim/call.h"

#include "sim/world.h"

#include <assert.h>

enum { AGAIN_MS_MAX = 200 };

static void send(struct world *w, struct actor *a, struct call *c)
{
    struct message *m = message_copy(c->message);
    m->pipe = a->pipe;
    c->again_ms = w->clock.now_ms + c->patience_ms;
    link_send(w, &a->link, LINK_TO_BROKER, m);
}

void call_begin(struct world *w, struct actor *a, struct call *c, Rota__Request *request,
                struct about about, uint32_t patience_ms)
{
    assert(!call_is_open(c));
    c->message = world_pack(w, a, request, about);
    c->patience_ms = patience_ms;
    send(w, a, c);
}

void call_tend(struct world *w, struct actor *a, struct call *c)
{
    if (!call_is_open(c) || c->again_ms > w->clock.now_ms)
        return;
    w->stats[STAT_RESENT]++;
    send(w, a, c);
}

void call_end(struct call *c)
{
    message_free(c->message);
    c->message = NULL;
}

bool call_answered(struct world *w, struct call *c, const Rota__Reply *reply)
{
    if (!call_is_open(c) || c->message->request_id != reply->request_id)
        return false;
    if (!reply->error || !reply->error->retryable)
        return true;
    c->again_ms = w->clock.now_ms + 1 + world_below(w, AGAIN_MS_MAX);
    return false;
}

/* Is `name` one of the words? */
static bool is_among(const char *name, const char *words)
{
    size_t n = strlen(name);
    for (const char *at = words; (at = strstr(at, name)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

const char *call_refusal(struct world *w, const struct actor *a, const Rota__Error *error,
                         const char *expected)
{
    if (!error)
        return "";
    if (!is_among(error->name, expected))
        world_violated(w, "%s is refused: %s: %s", a->name, error->name, error->text);
    return error->name;
}
