/* view_alarm.c: one line for what keeps the broker from taking work: a database without room, a
 * store of artifacts that is away, refuses it or is somebody else's. No alarm, no line. */
#include "text.h"
#include "view.h"

#include <stdio.h>
#include <string.h>

static bool store_is_well(const Rota__ArtifactStats *a)
{
    return !a || strcmp(a->state, "ok") == 0;
}

bool view_has_alarm(const struct model *m)
{
    return m->stats && (m->stats->store_full || !store_is_well(m->stats->artifact_store));
}

/* "artifacts away, 4.0s left: Connection refused" */
static void store_draw(const struct model *m, struct area a, int x, const Rota__ArtifactStats *s)
{
    char left[TEXT_SHORT_LEN + 1], rest[TEXT_SHORT_LEN + 16] = "";
    int room = a.w - x - 1;
    if (s->open_until_ms > m->now_ms)
        snprintf(rest, sizeof rest, ", %s left", text_duration(s->open_until_ms - m->now_ms, left));
    if (*s->error)
        putf(a, x, 0, room, PAINT_BAD, "artifacts %s%s: %s", s->state, rest, s->text);
    else
        putf(a, x, 0, room, PAINT_WARN, "artifacts: disk %u%% full", s->full_percent);
}

void view_alarm(const struct model *m, struct area a)
{
    int x = 1;
    if (m->stats->store_full)
        x += 3 + put(a, x, 0, a.w - 2, PAINT_BAD, "database full: publishes are refused");
    if (!store_is_well(m->stats->artifact_store))
        store_draw(m, a, x, m->stats->artifact_store);
}
