/* starts.c: the table of what keeps a job from its start. */
#include "sim/starts.h"

#include "sim/paces.h"
#include "sim/world.h"

typedef bool obstacle(struct world *w, const Rota__Event *e, const struct past_job *job);

static bool account_is_barred(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)e;
    return past_account(w, job->account)->bars != 0;
}

static bool tier_is_barred(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)job;
    return w->history.tier_bars[e->tier] != 0;
}

static bool pool_is_barred(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)job;
    return past_pool(w, e->pool)->bars != 0;
}

static bool class_is_closed(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)e;
    return w->history.classes[job->class].is_closed;
}

static bool is_early(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)w;
    return e->at_ms < job->not_before_ms;
}

static bool is_spent(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)w;
    return e->attempt > job->attempts_max;
}

static bool is_replaced(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)w, (void)e;
    return job->is_replaced;
}

static bool waits_for_others(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    (void)e;
    for (size_t i = 0; i < job->after_n; i++) {
        const struct past_job *parent = history_job(&w->history, job->after[i]);
        if (!parent || parent->state != ROTA__STATE__SUCCEEDED)
            return true;
    }
    return false;
}

static const struct {
    obstacle *holds;
    const char *words;
} obstacles[] = {
    {account_is_barred, "its account is barred"},
    {tier_is_barred, "its tier is barred"},
    {pool_is_barred, "its pool is barred"},
    {class_is_closed, "its class is closed"},
    {is_early, "it was put off to a later time"},
    {is_spent, "its attempts are spent"},
    {is_replaced, "a newer one has taken its place"},
    {waits_for_others, "a job that must succeed first has not"},
};

void starts_check(struct world *w, const Rota__Event *e, const struct past_job *job)
{
    for (size_t i = 0; i < ARRAY_LEN(obstacles); i++)
        if (obstacles[i].holds(w, e, job))
            world_violated(w, "event %llu starts %s, but %s", (unsigned long long)e->seq, e->job,
                           obstacles[i].words);
    queue_check_line(w, job);
    paces_note(w, job->account, (uint8_t)e->tier);
}
