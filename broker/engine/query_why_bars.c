/* query_why_bars.c: what somebody, or a rate, has put in the job's way. */
#include "engine/query_why.h"

#include "engine/rates.h"
#include "sched/breaker.h"

#include <errno.h>
#include <stdio.h>

/* ---- pauses ---- */

/* " until 2026-12-01T00:00Z", or "". */
enum { UNTIL_TEXT = 32 };
static const char *until_text(uint64_t until_ms, char text[UNTIL_TEXT])
{
    char minute[MINUTE_TEXT_LEN + 1];
    text[0] = '\0';
    if (until_ms)
        snprintf(text, UNTIL_TEXT, " until %s", minute_text(until_ms, minute));
    return text;
}

/* The row of a pause says by whom it is, since and until when. */
static int paused(struct why *w, Rota__PauseScope scope, const char *name, const char *what,
                  bool *ret_holds)
{
    struct pause_row row;
    struct key_buf k;
    char until[UNTIL_TEXT];
    int r =
        row_get(w->q->txn, &pause_row_type, key_pause(&k, (uint8_t)scope, span_str(name)), &row);
    *ret_holds = r == 0;
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    w->result->by = query_str(w->q, row.by);
    w->result->since_ms = row.since_ms;
    w->result->free_at_ms = row.until_ms;
    why_say(w, "PAUSED", "%s %s is paused%s: %.*s", what, name, until_text(row.until_ms, until),
            (int)row.reason.n, (const char *)row.reason.p);
    return 0;
}

int why_account_paused(struct why *w, bool *ret_holds)
{
    *ret_holds = false;
    if (!(w->account.bars & ROTA__BAR__BAR_PAUSED))
        return 0;
    return paused(w, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, w->job->account, "account", ret_holds);
}

int why_tier_paused(struct why *w, bool *ret_holds)
{
    char name[4];
    *ret_holds = false;
    if (!(w->o.tier_bars[w->account.tier] & ROTA__BAR__BAR_PAUSED))
        return 0;
    snprintf(name, sizeof name, "P%u", w->account.tier & 3u);
    return paused(w, ROTA__PAUSE_SCOPE__PAUSE_TIER, name, "tier", ret_holds);
}

/* It may also be barred because none of its classes may start a job. */
int why_pool_paused(struct why *w, bool *ret_holds)
{
    *ret_holds = false;
    if (!(w->o.live.bars & ROTA__BAR__BAR_PAUSED))
        return 0;
    int r = paused(w, ROTA__PAUSE_SCOPE__PAUSE_POOL, w->o.name, "pool", ret_holds);
    if (r != 0 || *ret_holds)
        return r;
    *ret_holds = true;
    why_say(w, "PAUSED", "pool %s is paused: none of its classes may start a job", w->o.name);
    return 0;
}

static struct breaker breaker_of(const struct class_row *row)
{
    return (struct breaker){.until_ms = row->breaker_until_ms,
                            .probe = row->breaker_probe,
                            .open_ms = row->breaker_open_ms,
                            .state = row->breaker_state,
                            .faults = row->breaker_faults};
}

int why_class(struct why *w, bool *ret_holds)
{
    struct class_row row;
    int r = row_get(w->q->txn, &class_row_type, w->row.class, &row);
    *ret_holds = false;
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    if (row.is_paused)
        return paused(w, ROTA__PAUSE_SCOPE__PAUSE_CLASS, w->job->class_, "class", ret_holds);
    struct breaker b = breaker_of(&row);
    if (b.state == BREAKER_CLOSED || breaker_may(&b, w->broker_ms))
        return 0;
    *ret_holds = true;
    w->result->by = query_text(w->q, "breaker");
    if (b.until_ms > w->broker_ms)
        w->result->free_at_ms = w->q->wall_ms + (b.until_ms - w->broker_ms);
    why_say(w, "PAUSED", "class %s is paused by its breaker: %s", w->job->class_,
            b.state == BREAKER_HALF_OPEN ? "one run tries whether its infrastructure works again"
                                         : "its infrastructure failed run after run");
    return 0;
}

int why_erasing(struct why *w, bool *ret_holds)
{
    *ret_holds = (w->account.bars & ROTA__BAR__BAR_ERASING) != 0;
    if (*ret_holds)
        why_say(w, "ERASING", "account %s is being erased", w->job->account);
    return 0;
}

/* ---- rates ---- */

/* When one of these buckets has its next token; *ret_free_ms is Unix time and only raised. */
static int raise_free(struct why *w, enum rate_scope scope, uint64_t number, uint32_t n,
                      uint32_t per_ms, uint64_t *ret_free_ms)
{
    uint64_t free_bt_ms;
    if (!n)
        return 0;
    int r = rate_free_at(w->q->txn, scope, number, n, per_ms, w->broker_ms, &free_bt_ms);
    if (r < 0)
        return err_pass(r);
    uint64_t free_ms = w->q->wall_ms + (free_bt_ms > w->broker_ms ? free_bt_ms - w->broker_ms : 0);
    if (free_ms > *ret_free_ms)
        *ret_free_ms = free_ms;
    return 0;
}

static int is_dry(struct why *w, bool *ret_is_dry)
{
    struct bucket_row row = {0};
    struct key_buf k;
    int r =
        row_get(w->q->txn, &bucket_row_type, key_bucket(&k, RATE_ACCOUNT, w->row.account), &row);
    *ret_is_dry = r == 0 && row.is_dry;
    return r < 0 ? err_pass(r) : 0;
}

int why_account_rate(struct why *w, bool *ret_holds)
{
    bool is_own = w->account.rate_ms != 0;
    uint32_t n = is_own ? w->account.rate_n : w->o.tiers.account_rate_n;
    uint32_t per_ms = is_own ? w->account.rate_ms : w->o.tiers.account_rate_ms;
    *ret_holds = false;
    int r = n ? is_dry(w, ret_holds) : 0;
    if (r < 0 || !*ret_holds)
        return r;
    r = raise_free(w, RATE_ACCOUNT, w->row.account, n, per_ms, &w->result->free_at_ms);
    why_say(w, "RATE_LIMITED", "account %s may start %u per %.1f s and has done so",
            w->job->account, n, per_ms / 1000.0);
    return r;
}

int why_tier_rate(struct why *w, bool *ret_holds)
{
    const struct tier_table *t = &w->o.tiers;
    uint8_t tier = w->account.tier;
    *ret_holds = (w->o.tier_bars[tier] & ROTA__BAR__BAR_RATE) != 0;
    if (!*ret_holds)
        return 0;
    uint64_t *free_ms = &w->result->free_at_ms;
    int r = raise_free(w, RATE_TIER, tier, t->row[tier].rate_n, t->row[tier].rate_ms, free_ms);
    if (r == 0)
        r = raise_free(w, RATE_GLOBAL, 0, t->global_rate_n, t->global_rate_ms, free_ms);
    why_say(w, "RATE_LIMITED", "tier P%u has started as many jobs as its rate allows", tier);
    return r;
}
