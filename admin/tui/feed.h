/* feed.h: the broker as the screen sees it: a background thread that asks for the picture and
 * carries the deeds.
 *
 * Only feed.c's thread calls the broker, so the keys never wait for it. Everything here is called
 * from the main thread; the descriptor becomes readable when there is something to take. */
#pragma once

#include "client.h"
#include "model.h"

#include <base/auto.h>

struct feed;

/* `client` is borrowed and must outlive the feed. */
MUST_USE int feed_new(struct rota_client *client, struct feed **ret_feed);
/* Does not wait for calls in flight: they end with the client, which must be freed after this. */
struct feed *feed_stop(struct feed *feed);

int feed_fd(const struct feed *feed);

/* Moves what came since the last call into the model; false when nothing did. */
bool feed_take(struct feed *feed, struct model *m);

/* Of which pool the next dispatches are wanted. */
void feed_pool(struct feed *feed, const char *pool);

/* What comes of it appears as the model's note. */
void feed_heat(struct feed *feed, const char *pool, uint32_t slots, uint64_t for_ms);

/* Once everything, the client included, has stopped. */
struct feed *feed_free(struct feed *feed);
