/* vet.h: the artifact threads: they look at the objects that a request names before the turn
 * applies it, and delete objects that nothing refers to any more.
 *
 * While a vetted request is on its way to its commit, its objects are claimed: what nothing refers
 * to yet must not be taken for garbage. A claim ends when the turn has answered the request; then
 * the object is looked at once more. Calls from any thread. */
#pragma once

#include "edge/edge.h"
#include "engine/engine.h"

enum { VETS_MAX = 4096, VETS_BYTES_MAX = 64 << 20 };

struct vet;
MUST_USE int vet_start(struct edge *edge, struct vet **ret_vet);
/* Stops the threads; requests that still wait are answered DRAINING. */
struct vet *vet_free(struct vet *v);
DEFINE_FREEP(vet)

/* Takes a request that a turn gave back with wants_vetting; it comes back by the inbox. False: too
 * many wait, the caller answers OVERLOADED. */
bool vet_submit(struct vet *v, struct inbound *in);

/* A vetted request was answered: ends its claims. Before inbound_free(). */
void vet_release(struct vet *v, const struct inbound *in);

/* Nothing refers to the object, says a commit. */
void vet_object_gone(struct vet *v, const struct effect_object *object);

/* The news of a gone pipe follows its requests that are still here. */
void vet_pipe_gone(struct vet *v, uint32_t pipe);
