/* query_starting.c: a pool without workers, in words: nobody is there, or somebody is on the way.
 *
 * Workers are on the way while a wake command has been run for them, while slots are to be kept
 * warm, and for a while after the last one was heard of: a worker that restarts comes back. */
#include "engine/query_starting.h"

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Unix time of the last word of a worker; 0: none was heard of since the broker began. */
static uint64_t seen_ms(const struct query *q, uint64_t seen_bt_ms)
{
    struct board_totals totals;
    if (!seen_bt_ms)
        return 0;
    board_totals(q->board, &totals);
    uint64_t broker_ms = query_broker_ms(q, &totals);
    uint64_t ago_ms = broker_ms > seen_bt_ms ? broker_ms - seen_bt_ms : 0;
    return q->wall_ms > ago_ms ? q->wall_ms - ago_ms : 0;
}

static bool is_expected(const struct query *q, const struct starting *s)
{
    bool is_late = s->seen_ms && q->wall_ms - s->seen_ms <= SEEN_LATELY_MS;
    return s->woken_ms || s->heat_slots || is_late;
}

bool query_starting(const struct query *q, uint16_t pool, uint64_t waits_since_ms,
                    struct starting *ret_starting)
{
    struct board_pool live;
    struct board_crew crew;
    struct starting s = {.reason = "NO_WORKER"};
    board_crew(q->board, pool, &crew);
    if (crew.workers)
        return false;
    s.seen_ms = seen_ms(q, crew.seen_bt_ms);
    s.woken_ms = crew.woken_ms;
    if (board_pool(q->board, pool, &live) == 0 && live.heat_until_ms > q->wall_ms)
        s.heat_slots = live.heat_slots;
    s.is_expected = is_expected(q, &s);
    if (s.is_expected) {
        s.reason = "WORKER_STARTING";
        s.since_ms = later(s.seen_ms, waits_since_ms);
    } else {
        s.since_ms = s.seen_ms;
    }
    *ret_starting = s;
    return true;
}
