/* client.h: somebody who publishes, cancels and changes accounts, one deed after the other
 * (deeds.h); a request without an answer is sent again, the same bytes, until there is one. */
#pragma once

#include "sim/call.h"
#include "sim/world.h"
#include "source_ref.h"

/* A job that this client has published and knows of. */
struct known {
    char job[JOB_ID_TEXT_LEN + 1]; /* "": not acknowledged */
    char key[24];
    unsigned account, class, priority, attempts_max;
    uint64_t timeout_ms, delay_ms, run_at_ms;
    char after[PAST_AFTER_MAX][JOB_ID_TEXT_LEN + 1];
    size_t after_n;
    char ref[4]; /* "": it replaces nothing */
    char source[SOURCE_TEXT_MAX + 1];
    bool is_held;
};
enum { KNOWN_MAX = 32, BATCH_MAX = 12 };

struct client {
    struct actor actor;
    struct call call;
    const struct deed *deed;                          /* that the call is about */
    struct known known[KNOWN_MAX], asking[BATCH_MAX]; /* acknowledged; of the open call */
    size_t known_n, asking_n;
    uint64_t keys;  /* given so far */
    uint64_t bulk;  /* act that it has begun last; 0: none */
    uint32_t grant; /* add-on that it gave last, of the account with this number */
    unsigned grant_of;
    uint64_t rested_ms; /* when it does the next deed */
    uint32_t pause_ms;
};

void client_add(struct world *w, unsigned number);
