/* rotation_model.c: "A lower tier's turn comes right after N dispatches since the last turn, and
 * the last turn counts as one of them if it went to a higher tier. The next turn belongs to the
 * first eligible tier after the one that had the last. When that is the highest eligible tier, it
 * takes its turn at once, since it would be served in any case. Whoever has no turn due waits; the
 * highest tier is served." Sets and history are strings and the counting is done anew every time:
 * slow, plain, and wrong in other places than the real one if it is wrong. */
#include "rotation_model.h"

#include <string.h>

/* Before anything happened it is as if P3 had just had its turn. */
static const char *const order_after[] = {"", "231", "312", "123"};

static size_t last_turn_at(const struct rotation_model *m)
{
    size_t at = m->length;
    while (at > 0 && !strchr("bcd", m->history[at - 1]))
        at--;
    return at; /* one past it; 0 when there was none */
}

int rotation_model_last_turn(const struct rotation_model *m)
{
    size_t at = last_turn_at(m);
    return at == 0 ? 3 : m->history[at - 1] - 'a';
}

size_t rotation_model_since(const struct rotation_model *m)
{
    size_t since = m->length - last_turn_at(m);
    return since < m->n ? since : m->n;
}

int rotation_model_serve(struct rotation_model *m, const char *eligible)
{
    int last = rotation_model_last_turn(m);
    size_t higher = m->length - last_turn_at(m);
    for (const char *who = order_after[last]; *who; who++) {
        if (!strchr(eligible, *who))
            continue;
        if (last < *who - '0')
            higher++;
        if (*who == eligible[0] || higher >= m->n) {
            m->history[m->length++] = (char)('a' + (*who - '0'));
            return *who - '0';
        }
        break;
    }
    m->history[m->length++] = eligible[0];
    return eligible[0] - '0';
}
