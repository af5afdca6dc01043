/* deeds.h: what clients do. One row each: what it asks, and what it makes of the answer. */
#pragma once

#include "sim/client.h"

/* A request in the making: the operation that the deed chooses, and room for its parts. */
struct asking {
    Rota__Request request;
    struct about about; /* the job that it cancels */
    union {
        struct {
            Rota__Publish publish[BATCH_MAX], *list[BATCH_MAX];
            Rota__PublishMany many;
            char *after[BATCH_MAX];
        };
        Rota__Cancel cancel;
        Rota__Hold hold;
        Rota__JobRelease job_release;
        Rota__Retry retry;
        Rota__Move move;
        Rota__AccountSet account_set;
        Rota__Heat heat;
    };
};

struct deed {
    const char *name;
    unsigned weight, weight_ending; /* how often; and when all must come to its end */
    /* False: there is nothing to do it to. */
    bool (*ask)(struct world *w, struct client *c, struct asking *q);
    void (*told)(struct world *w, struct client *c, const Rota__Reply *reply); /* NULL: no matter */
    const char *refusals; /* that may be the answer */
};

/* One of them, by their weights; NULL: none has any now. */
const struct deed *deed_choose(struct world *w);
