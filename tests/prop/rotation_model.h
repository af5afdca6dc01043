/* rotation_model.h: the rule a second time, written from its statement in words and sharing nothing
 * with broker/sched. It remembers everything that ever happened instead of two numbers. */
#pragma once

#include <stddef.h>

struct rotation_model {
    unsigned n;    /* the N of "N to 1" */
    char *history; /* '0'..'3': who was served; 'b', 'c', 'd': P1, P2, P3 served by their turn */
    size_t length; /* the caller leaves room for one more */
};

/* `eligible` is a string such as "013", rising. Returns the tier and writes the history on. */
int rotation_model_serve(struct rotation_model *m, const char *eligible);

/* What the broker would have stored: the tier of the last turn, the dispatches since, at most N. */
int rotation_model_last_turn(const struct rotation_model *m);
size_t rotation_model_since(const struct rotation_model *m);
