/* rule_deeds.c: what operators set: accounts, limits and rates, add-ons, pauses, schedules, heat;
 * and how an account goes. */
#include "sim/deeds.h"

#include "store/keys.h"

#include <stdlib.h>

enum {
    RUNNING_MAX_MOST = 5,
    CAP_MOST = 6,
    BUILDS_MOST = 80,
    RATE_N_MOST = 6,
    RATE_MS_LEAST = 1000,
    RATE_MS_MORE = 3000,
    PAUSE_MS_MAX = 4000,
    HEAT_MS_MAX = 5000,
    SLOTS_MAX = 4,
    GRANT_MS_MAX = 20000,
};

/* ---- accounts ---- */

static Rota__Rate *rate_fill(struct world *w, Rota__Rate *rate)
{
    rota__rate__init(rate);
    rate->n = world_chance(w, 300) ? 0 : 1 + world_below(w, RATE_N_MOST);
    rate->per_ms = RATE_MS_LEAST + world_below(w, RATE_MS_MORE);
    return rate;
}

bool account_ask(struct world *w, struct client *c, struct asking *q)
{
    Rota__AccountSet *set = &q->account_set;
    (void)c;
    rota__account_set__init(set);
    q->request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    q->request.account_set = set;
    set->account = (char *)world_account(world_below(w, w->accounts_n));
    if (world_chance(w, 500)) {
        set->set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
        set->tier = (Rota__Tier)world_below(w, TIERS);
    }
    if (world_chance(w, 600)) {
        set->set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
        set->running_max = world_below(w, RUNNING_MAX_MOST + 1);
    }
    if (world_chance(w, 200)) {
        set->set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH;
        set->builds_month = world_below(w, BUILDS_MOST);
    } else if (world_chance(w, 400)) {
        set->set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
        set->builds_unlimited = world_chance(w, 800);
    }
    if (world_chance(w, 250))
        set->rate = rate_fill(w, &q->account_rate);
    return true;
}

/* An account without a rate of its own and with its tier's cap. */
bool account_free_ask(struct world *w, struct client *c, struct asking *q)
{
    Rota__AccountSet *set = &q->account_set;
    (void)c;
    rota__account_set__init(set);
    rota__rate__init(&q->account_rate);
    q->request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    q->request.account_set = set;
    set->account = (char *)world_account(world_below(w, w->accounts_n));
    set->set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    set->rate = &q->account_rate;
    return true;
}

/* The last account comes and goes; account_ask() makes it anew. */
bool erase_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)c;
    if (!w->has_side)
        return false;
    rota__account_erase__init(&q->account_erase);
    q->request.op_case = ROTA__REQUEST__OP_ACCOUNT_ERASE;
    q->request.account_erase = &q->account_erase;
    q->account_erase.account = (char *)world_account(w->accounts_n - 1);
    q->account_erase.confirm = q->account_erase.account;
    return true;
}

/* ---- limits ---- */

static Rota__LimitsSet *limits_begin(struct asking *q)
{
    rota__limits_set__init(&q->limits_set);
    rota__limits__init(&q->limits);
    rota__rate__init(&q->rates[0]);
    rota__rate__init(&q->rates[1]);
    q->request.op_case = ROTA__REQUEST__OP_LIMITS_SET;
    q->request.limits_set = &q->limits_set;
    return &q->limits_set;
}

static void tier_fill(struct world *w, struct asking *q)
{
    q->limits_set.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
    q->limits_set.tier = (Rota__Tier)world_below(w, TIERS);
    q->limits_set.limits = &q->limits;
    q->limits.running_max = 1 + world_below(w, CAP_MOST);
    if (world_chance(w, 200))
        q->limits.builds_month = 1 + world_below(w, BUILDS_MOST);
    if (world_chance(w, 200))
        q->limits.builds_unlimited = true;
    if (world_chance(w, 300)) {
        q->limits.rate_n = world_below(w, RATE_N_MOST + 1);
        q->limits.rate_ms = RATE_MS_LEAST + world_below(w, RATE_MS_MORE);
    }
}

bool limits_ask(struct world *w, struct client *c, struct asking *q)
{
    Rota__LimitsSet *set = limits_begin(q);
    (void)c;
    if (world_chance(w, 100))
        set->profile = (char *)(world_chance(w, 500) ? "wide" : "default");
    if (!set->profile[0] || world_chance(w, 300))
        tier_fill(w, q);
    if (world_chance(w, 200))
        set->global_rate = rate_fill(w, &q->rates[0]);
    if (world_chance(w, 200))
        set->account_rate = rate_fill(w, &q->rates[1]);
    set->version = world_chance(w, 100) ? 1 + world_below(w, 3) : 0;
    return true;
}

/* All of them, and the caps as they ship. */
bool rates_off_ask(struct world *w, struct client *c, struct asking *q)
{
    Rota__LimitsSet *set = limits_begin(q);
    (void)w, (void)c;
    set->profile = (char *)"default";
    return true;
}

/* ---- add-ons ---- */

bool grant_ask(struct world *w, struct client *c, struct asking *q)
{
    bool is_recurring = world_chance(w, 500);
    rota__addon_grant__init(&q->addon_grant);
    q->request.op_case = ROTA__REQUEST__OP_ADDON_GRANT;
    q->request.addon_grant = &q->addon_grant;
    c->grant_of = world_below(w, w->accounts_n);
    q->addon_grant.account = (char *)world_account(c->grant_of);
    q->addon_grant.addon = (char *)(is_recurring ? "plus-5" : "plus-10");
    if (is_recurring)
        q->addon_grant.until_ms = clock_read(&w->clock).wall_ms + world_below(w, GRANT_MS_MAX);
    q->addon_grant.dry_run = world_chance(w, 200);
    return true;
}

void grant_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    (void)w;
    c->grant = reply->addon_grant->grant->grant;
}

bool grant_end_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)w;
    if (!c->grant)
        return false;
    rota__addon_grant__init(&q->addon_grant);
    q->request.op_case = ROTA__REQUEST__OP_ADDON_GRANT;
    q->request.addon_grant = &q->addon_grant;
    q->addon_grant.account = (char *)world_account(c->grant_of);
    q->addon_grant.end_grant = c->grant;
    return true;
}

/* ---- pauses ---- */

static Rota__PauseSet *pause_begin(struct asking *q)
{
    rota__pause_set__init(&q->pause_set);
    q->request.op_case = ROTA__REQUEST__OP_PAUSE_SET;
    q->request.pause_set = &q->pause_set;
    return &q->pause_set;
}

/* Something that can be paused. */
static const char *thing(struct world *w, Rota__PauseScope scope)
{
    static const char *const tiers[TIERS] = {"P0", "P1", "P2", "P3"};
    switch (scope) {
    case ROTA__PAUSE_SCOPE__PAUSE_POOL:
        return world_pool(world_below(w, POOLS));
    case ROTA__PAUSE_SCOPE__PAUSE_TIER:
        return tiers[world_below(w, TIERS)];
    case ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT:
        return world_account(world_below(w, w->accounts_n));
    default:
        return world_class(world_below(w, CLASSES));
    }
}

bool pause_ask(struct world *w, struct client *c, struct asking *q)
{
    Rota__PauseSet *set = pause_begin(q);
    (void)c;
    set->scope = (Rota__PauseScope)(1 + world_below(w, ROTA__PAUSE_SCOPE__PAUSE_CLASS));
    set->name = (char *)thing(w, set->scope);
    set->reason = (char *)"let it rest";
    if (world_chance(w, 700))
        set->until_ms = clock_read(&w->clock).wall_ms + world_below(w, PAUSE_MS_MAX);
    return true;
}

/* One that there is. */
bool resume_ask(struct world *w, struct client *c, struct asking *q)
{
    AUTO(txn) txn = NULL;
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    Rota__PauseSet *set = pause_begin(q);
    (void)c;
    if (!host_is_up(&w->host))
        return false;
    if (store_snapshot(w->host.store, &txn) != 0 || cursor_open(txn, TABLE_PAUSE, &cursor) != 0)
        abort();
    int r = cursor_seek(cursor, span_of("\1", 1), &key, &value);
    for (unsigned skip = world_below(w, 4); skip && r == 0; skip--)
        if (cursor_next(cursor, &key, &value) != 0)
            break;
    if (r != 0 || key.n > sizeof q->pause_name)
        return false;
    const uint8_t *p = key.p;
    set->scope = (Rota__PauseScope)*p;
    memset(q->pause_name, 0, sizeof q->pause_name);
    memcpy(q->pause_name, p + 1, key.n - 1);
    set->name = q->pause_name;
    set->off = true;
    return true;
}

/* ---- schedules and heat ---- */

static Rota__Schedule *schedule_begin(struct world *w, struct asking *q)
{
    rota__schedule_set__init(&q->schedule_set);
    rota__schedule__init(&q->schedule);
    rota__publish__init(&q->scheduled);
    q->request.op_case = ROTA__REQUEST__OP_SCHEDULE_SET;
    q->request.schedule_set = &q->schedule_set;
    q->schedule_set.schedule = &q->schedule;
    q->schedule.account = (char *)world_account(world_below(w, w->accounts_n));
    q->schedule.name = (char *)(world_chance(w, 500) ? "often" : "seldom");
    return &q->schedule;
}

bool schedule_ask(struct world *w, struct client *c, struct asking *q)
{
    Rota__Schedule *s = schedule_begin(w, q);
    (void)c;
    s->cron = (char *)(world_chance(w, 700) ? "* * * * *" : "0 0 1 * *");
    s->publish = &q->scheduled;
    s->off = world_chance(w, 100);
    q->scheduled.app = (char *)"app";
    q->scheduled.class_ = (char *)world_class(world_below(w, CLASSES));
    return true;
}

bool schedule_end_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)c;
    schedule_begin(w, q);
    q->schedule_set.remove = true;
    return true;
}

bool heat_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)c;
    rota__heat__init(&q->heat);
    q->request.op_case = ROTA__REQUEST__OP_HEAT;
    q->request.heat = &q->heat;
    q->heat.pool = (char *)world_pool(world_below(w, POOLS));
    q->heat.slots = world_below(w, SLOTS_MAX);
    q->heat.for_ms = 1 + world_below(w, HEAT_MS_MAX);
    return true;
}
