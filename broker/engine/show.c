/* show.c: after the commit, what changed in RAM is shown on the board. */
#include "engine/turn.h"

static void show_lease(struct engine *e, const struct effect_job *job)
{
    const struct lease *l = cache_lease(&e->cache, job->job);
    if (!l) {
        board_drop_lease(e->config.board, job->job);
        return;
    }
    struct board_lease b = {.job = l->job,
                            .epoch = l->epoch,
                            .token = l->token,
                            .account = l->account->number,
                            .pool = l->tally->pool->number,
                            .tier = l->tier,
                            .attempt = l->attempt,
                            .cancelling = l->cancel_ms != 0,
                            .percent = l->progress.percent,
                            .granted_ms = l->granted_ms,
                            .granted_bt_ms = l->granted_bt_ms,
                            .timeout_ms = l->timeout_ms,
                            .version = l->version};
    memcpy(b.worker, l->worker->facts.name, sizeof b.worker);
    memcpy(b.phase, l->progress.phase, sizeof b.phase);
    memcpy(b.message, l->progress.message, sizeof b.message);
    if (board_put_lease(e->config.board, &b) < 0)
        board_drop_lease(e->config.board, l->job); /* out of memory: better absent than stale */
}

static void show_worker(struct engine *e, const struct touched *touched)
{
    const struct pool *p = e->cache.pools[touched->pool];
    const struct worker *w = p ? cache_worker(&e->cache, p, touched->worker) : NULL;
    if (!w || board_put_worker(e->config.board, &w->facts) < 0)
        board_drop_worker(e->config.board, touched->pool, touched->worker);
}

static void show_pools(struct engine *e)
{
    for (size_t i = 1; i <= POOLS_MAX; i++) {
        const struct pool *p = e->cache.pools[i];
        if (!p)
            continue;
        struct board_pool b = {
            .pool = p->number, .waiting_workers = (uint32_t)p->polls.count, .bars = p->bars};
        b.leased = p->share.leased;
        b.heat_slots = p->heat_slots;
        b.heat_until_ms = p->heat_until_ms;
        for (int t = 0; t < TIERS; t++) {
            b.ready[t] = p->share.ready[t];
            b.ring[t] = p->ring[t].count;
        }
        memcpy(b.name, p->name, sizeof b.name);
        if (board_put_pool(e->config.board, &b) < 0)
            return; /* shown with the next turn */
    }
}

void turn_show(struct engine *e, struct effects *fx, uint64_t bt_ms)
{
    for (const struct effect_job *job = fx->jobs; job; job = job->next)
        show_lease(e, job);
    for (const struct touched *touched = e->touched; touched; touched = touched->next)
        show_worker(e, touched);
    e->touched = NULL;
    show_pools(e);
    for (int t = 0; t < TIERS; t++)
        e->cache.totals.tier[t].bars = e->cache.tier_bars[t];
    e->cache.totals.turns = e->turns;
    e->cache.totals.last_seq = e->cache.hot.event_seq;
    e->cache.totals.broker_ms = bt_ms;
    e->cache.totals.boot_ms = bt_ms - e->broker_offset_ms;
    board_put_totals(e->config.board, &e->cache.totals);
    fx->last_seq = e->cache.hot.event_seq;
}
