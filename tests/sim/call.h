/* call.h: one request in the hands of an actor until it is answered: sent again, the same bytes,
 * when no answer comes, and when the answer says that it may be tried again. */
#pragma once

#include "rota.pb-c.h"
#include "sim/link.h"

struct about;

struct call {
    struct message *message; /* NULL: no call is open */
    uint64_t again_ms;       /* when it is sent again */
    uint32_t patience_ms;
};

static inline bool call_is_open(const struct call *c)
{
    return c->message != NULL;
}

/* Sends. An answer is expected within `patience_ms`. `about`: as in world_pack(). */
void call_begin(struct world *w, struct actor *a, struct call *c, Rota__Request *request,
                struct about about, uint32_t patience_ms);
/* Sends again when it is time; over the actor's present connection. */
void call_tend(struct world *w, struct actor *a, struct call *c);
void call_end(struct call *c);

/* Is this its answer? One that says "again" is not yet: the call stays open. */
bool call_answered(struct world *w, struct call *c, const Rota__Reply *reply);

/* "" or the error's name; one that is not among `expected` (names with spaces between) is a
 * violation. */
const char *call_refusal(struct world *w, const struct actor *a, const Rota__Error *error,
                         const char *expected);
