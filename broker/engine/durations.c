/* durations.c: how long the runs of a pool took of late, for those who ask when a job may begin.
 *
 * A run is a lease that ended with its job, however it ended: what counts is when its slot came
 * free. Measured in broker time, so that a clock that steps makes no run long. Kept in the pool's
 * row. */
#include "engine/turn.h"

struct durations durations_of(const struct pool_row *row)
{
    return (struct durations){.mean_ms = (uint32_t)row->run_ms_mean,
                              .dev_ms = (uint32_t)row->run_ms_dev,
                              .n = (uint32_t)row->run_count};
}

void durations_note(struct turn *t, const struct lease *l)
{
    struct pool *p = l->tally->pool;
    struct durations runs = p->runs;
    uint64_t run_ms = t->bt_ms > l->granted_bt_ms ? t->bt_ms - l->granted_bt_ms : 0;
    durations_add(&runs, run_ms);
    SET(t->undo, p->runs, runs);
    p->is_dirty = true;
}
