/* delayed.c: jobs that wait for a moment: backoff by broker time, run-at by Unix time, which may
 * step. The table is ordered by clock and due time, so the turn looks at the first row of each and
 * no further than what is due; in RAM stands how early the next one can be. */
#include "engine/job.h"

#include "store/keys.h"

#include <errno.h>

enum { DELAYED_SLICE = 256, DUE_KEY_BYTES = 1 + 8 + 16 };

void delayed_note(struct turn *t, uint8_t clock, uint64_t due_ms)
{
    if (due_ms < t->cache->delayed_ms[clock])
        SET(t->undo, t->cache->delayed_ms[clock], due_ms);
}

static uint64_t clock_now_ms(const struct turn *t, uint8_t clock)
{
    return clock == DUE_WALL ? t->now.wall_ms : t->bt_ms;
}

/* Ids of what is due by this clock, at most DELAYED_SLICE; *ret_next_ms: the first that is not. */
static int due_read(struct turn *t, uint8_t clock, struct job_id *ret_ids, size_t *ret_n,
                    uint64_t *ret_next_ms)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    static const struct job_id zero;
    uint64_t now_ms = clock_now_ms(t, clock);
    *ret_n = 0;
    *ret_next_ms = UINT64_MAX;
    int r = turn_store(cursor_open(t->txn, TABLE_DELAYED, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, key_due(&k, clock, 0, zero), &key, &value);
         r == 0 && key.n == DUE_KEY_BYTES && *(const uint8_t *)key.p == clock;
         r = cursor_next(cursor, &key, &value)) {
        uint64_t due_ms = get_be64((const uint8_t *)key.p + 1);
        if (due_ms > now_ms || *ret_n == DELAYED_SLICE) {
            *ret_next_ms = due_ms;
            return 0;
        }
        ret_ids[(*ret_n)++] = key_tail_id(key);
    }
    return r < 0 ? err_pass(r) : 0;
}

static int due_now(struct turn *t, struct job_id id)
{
    struct job j;
    int r = job_load_known(t, id, &j);
    struct step s = {.to = ROTA__STATE__READY, .why = ROTA__EVENT_KIND__EVENT_MOVED};
    return r == 0 ? job_move(t, &j, &s) : r;
}

static int clock_some(struct turn *t, uint8_t clock)
{
    struct job_id ids[DELAYED_SLICE];
    size_t n;
    uint64_t next_ms;
    if (t->cache->delayed_ms[clock] > clock_now_ms(t, clock))
        return 0;
    int r = due_read(t, clock, ids, &n, &next_ms);
    if (r != 0)
        return r;
    SET(t->undo, t->cache->delayed_ms[clock], next_ms);
    for (size_t i = 0; i < n && r == 0; i++)
        r = due_now(t, ids[i]);
    return r;
}

int delayed_some(struct turn *t)
{
    int r = clock_some(t, DUE_BROKER);
    return r == 0 ? clock_some(t, DUE_WALL) : r;
}

uint64_t delayed_due_ms(const struct engine *e, struct now now)
{
    uint64_t bt_ms = now.boot_ms + e->broker_offset_ms;
    uint64_t backoff_ms = e->cache.delayed_ms[DUE_BROKER], wall_ms = e->cache.delayed_ms[DUE_WALL];
    if (wall_ms != UINT64_MAX)
        wall_ms = wall_ms > now.wall_ms ? bt_ms + (wall_ms - now.wall_ms) : bt_ms;
    return backoff_ms < wall_ms ? backoff_ms : wall_ms;
}
