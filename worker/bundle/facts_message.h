/* facts_message.h: the facts of a build as the broker is told them. */
#pragma once

#include "facts.h"

#include <rota.pb-c.h>

/* The message and what it points into, beside the facts themselves. */
struct facts_message {
    Rota__BuildFacts facts;
    Rota__BuildTool tool[FACTS_TOOLS_MAX], *tools[FACTS_TOOLS_MAX];
};

/* `m` borrows from `f`, and must not be moved afterwards. */
void facts_fill(const struct facts *f, struct facts_message *m);
