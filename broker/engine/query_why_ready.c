/* query_why_ready.c: why a ready job has not begun: one row for each obstacle, the first that holds
 * is the answer. Behind the obstacles stand its pool's workers, and last its turn. */
#include "engine/query_starting.h"
#include "engine/query_why.h"

enum { RUNNING_SHOWN_MAX = 20 };

static int at_cap(struct why *w, bool *ret_holds)
{
    struct board_run runs[RUNNING_SHOWN_MAX];
    char text[JOB_ID_TEXT_LEN + 1];
    *ret_holds = w->running >= w->cap;
    if (!*ret_holds)
        return 0;
    size_t n = board_runs_of(w->q->board, w->row.account, runs, RUNNING_SHOWN_MAX);
    w->result->running = query_array(w->q, n);
    for (size_t i = 0; w->result->running && i < n; i++)
        w->result->running[w->result->n_running++] =
            query_text(w->q, job_id_text(runs[i].job, text));
    why_say(w, "ACCOUNT_AT_CAP", "account %s runs %llu of %u jobs; one of them must end first",
            w->job->account, (unsigned long long)w->running, w->cap);
    return 0;
}

static int draining(struct why *w, bool *ret_holds)
{
    *ret_holds = !w->o.crew.workers && w->o.crew.draining;
    if (*ret_holds)
        why_say(w, "DRAINING", "all workers of pool %s are draining and take no new job",
                w->o.name);
    return 0;
}

static unsigned long long seconds_since(const struct why *w, uint64_t unix_ms)
{
    return w->q->wall_ms > unix_ms ? (w->q->wall_ms - unix_ms) / 1000 : 0;
}

static int no_worker(struct why *w, bool *ret_holds)
{
    struct starting s;
    uint64_t since_ms = w->state.since_ms ? w->state.since_ms : w->row.published_ms;
    *ret_holds = query_starting(w->q, w->o.pool, since_ms, &s);
    if (!*ret_holds)
        return 0;
    w->result->since_ms = s.since_ms;
    if (!s.is_expected)
        why_say(w, s.reason, "pool %s has no worker", w->o.name);
    else if (s.woken_ms)
        why_say(w, s.reason, "a worker of pool %s was sent for %llu s ago", w->o.name,
                seconds_since(w, s.woken_ms));
    else if (s.heat_slots)
        why_say(w, s.reason,
                "no worker of pool %s is connected yet; %u slots of it are to be kept warm",
                w->o.name, s.heat_slots);
    else
        why_say(w, s.reason,
                "no worker of pool %s is connected; one was there %llu s ago and is expected back",
                w->o.name, seconds_since(w, s.seen_ms));
    return 0;
}

static int turn(struct why *w, bool *ret_holds)
{
    const struct place *p = &w->place;
    uint64_t before = p->own - !p->own_is_more;
    *ret_holds = true;
    if (p->ahead == 0 && p->ring && outlook_eligible(&w->o) & 1u << p->tier)
        why_say(w, "NEXT", "the next slot of pool %s that comes free takes it", w->o.name);
    else if (p->own > 1)
        why_say(w, "WAIT_TURN", "%s%llu job%s of account %s %s before it",
                p->own_is_more ? "at least " : "", (unsigned long long)before,
                before == 1 ? "" : "s", w->job->account, before == 1 ? "stands" : "stand");
    else
        why_say(w, "WAIT_TURN",
                "it is the next job of account %s, which stands at place %llu of "
                "%llu in the ring of P%u",
                w->job->account, (unsigned long long)p->ring, (unsigned long long)p->ring_size,
                p->tier);
    return 0;
}

int why_ready(struct why *w, bool *ret_is_free)
{
    /* From the workers on nothing but its turn is in its way. */
    static const struct {
        why_look *look;
        bool is_free;
    } looks[] = {
        {why_erasing, false},
        {why_account_paused, false},
        {why_class, false},
        {why_pool_paused, false},
        {why_tier_paused, false},
        {why_account_rate, false},
        {why_tier_rate, false},
        {at_cap, false},
        {draining, true},
        {no_worker, true},
        {turn, true},
    };
    bool holds = false;
    int r = place_find(w->q, &w->o, w->row.account, w->account.tier, &w->tally, w->priority, w->id,
                       &w->place);
    for (size_t i = 0; i < ARRAY_LEN(looks) && r == 0 && !holds; i++) {
        r = looks[i].look(w, &holds);
        *ret_is_free = looks[i].is_free;
    }
    return r < 0 ? err_pass(r) : 0;
}
