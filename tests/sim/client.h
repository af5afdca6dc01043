/* client.h: somebody who publishes, cancels and changes accounts, one deed after the other
 * (deeds.h); a request without an answer is sent again, the same bytes, until there is one. */
#pragma once

#include "sim/call.h"
#include "sim/world.h"

/* A job that this client has published and knows of. */
struct known {
    char job[JOB_ID_TEXT_LEN + 1]; /* "": not acknowledged */
    char key[24];
    unsigned account, class, priority;
    uint64_t timeout_ms, delay_ms;
    char after[JOB_ID_TEXT_LEN + 1]; /* "": nothing */
    bool is_held;
};
enum { KNOWN_MAX = 32, BATCH_MAX = 12 };

struct client {
    struct actor actor;
    struct call call;
    const struct deed *deed;                          /* that the call is about */
    struct known known[KNOWN_MAX], asking[BATCH_MAX]; /* acknowledged; of the open call */
    size_t known_n, asking_n;
    uint64_t keys;      /* given so far */
    uint64_t rested_ms; /* when it does the next deed */
    uint32_t pause_ms;
};

void client_add(struct world *w, unsigned number);
