/* addons.c: the catalogue of add-ons, and who has been given which. An add-on ends by itself:
 * whoever needs limits asks with the time. Prices are for people; nothing is charged here. */
#include "engine/turn.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { MS_PER_MIN = 60000, MINUTES_MAX = 1440 };

/* ---- the catalogue ---- */

int addons_init(struct txn *txn)
{
    static const struct {
        const char *name;
        struct addon_row row;
    } founding[] = {
        {"plus-5", {.timeout_minutes = 5, .price_cents = 500, .is_recurring = 1}},
        {"plus-10", {.timeout_minutes = 10, .price_cents = 900}},
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(founding) && r == 0; i++)
        r = row_put(txn, &addon_row_type, span_str(founding[i].name), &founding[i].row);
    return r;
}

static int addon_check(struct turn *t, const Rota__Addon *q)
{
    struct addon_row row;
    uint64_t n = 0;
    if (!q || !q->name[0])
        return turn_refuse(t, E_FIELD_MISSING, "addon_set.addon: no name");
    if (!q->timeout_minutes || q->timeout_minutes > MINUTES_MAX)
        return turn_refuse(t, E_FIELD_INVALID, "addon.timeout_minutes: %u, must be 1 to %d",
                           q->timeout_minutes, MINUTES_MAX);
    int r = row_get(t->txn, &addon_row_type, span_str(q->name), &row);
    if (r != STORE_MISSING)
        return turn_store(r);
    r = turn_store(txn_count(t->txn, TABLE_ADDON, &n));
    if (r == 0 && n >= ADDONS_MAX)
        r = turn_refuse(t, E_ADDON_LIMIT, "the catalogue has %d add-ons", ADDONS_MAX);
    return r;
}

int turn_addon_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__Addon *q = request->addon_set->addon;
    Rota__AddonResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? addon_check(t, q) : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    struct addon_row row = {.timeout_minutes = q->timeout_minutes,
                            .price_cents = q->price_cents,
                            .is_recurring = q->recurring ? 1 : 0,
                            .is_retired = q->retired ? 1 : 0};
    r = turn_store(row_put(t->txn, &addon_row_type, span_str(q->name), &row));
    if (r == 0)
        r = trail_note(t, q->name, "%u min, %llu cents %s%s", q->timeout_minutes,
                       (unsigned long long)q->price_cents, q->recurring ? "a month" : "once",
                       q->retired ? ", retired" : "");
    rota__addon_result__init(result);
    result->addon = request->addon_set->addon;
    reply->addon_set = result;
    return r;
}

/* ---- grants ---- */

/* One act on an account's add-ons, looked at before anything is written. */
struct giving {
    const Rota__AddonGrant *q;
    struct account *account;
    struct account_row row;
    struct limits before;
    struct grant all[GRANTS_MAX];
    size_t n;
    struct grant grant; /* the one that is given or ended */
    uint64_t timeout_after_ms;
    struct grant *replaced; /* has ended and makes room; NULL: there is room */
    const char *warning;
};

static int find_account(struct turn *t, struct giving *g)
{
    const struct limits *limits;
    uint64_t number;
    enum error_code code = auth_account(t->txn, &t->who, g->q->account, &number);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", g->q->account, error_row(code)->text);
    int r = turn_store(cache_account(t->cache, t->txn, number, &g->account));
    if (r == 0)
        r = turn_store(account_row_read(t, number, &g->row));
    if (r == 0)
        r = account_limits(t, g->account, &limits);
    if (r != 0)
        return r;
    g->before = *limits;
    return turn_store(grants_read(t->txn, number, g->all, &g->n));
}

static int find_addon(struct turn *t, struct giving *g)
{
    struct addon_row row;
    const Rota__AddonGrant *q = g->q;
    int r = row_get(t->txn, &addon_row_type, span_str(q->addon), &row);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_ADDON_UNKNOWN, "no add-on \"%s\"", q->addon);
    if (r != 0)
        return turn_store(r);
    if (row.is_retired)
        return turn_refuse(t, E_ADDON_RETIRED, "add-on \"%s\" is no longer given out", q->addon);
    if ((row.is_recurring && !q->until_ms) || (q->until_ms && q->until_ms <= t->now.wall_ms))
        return turn_refuse(t, E_ADDON_UNTIL, "add-on \"%s\" needs an end date in the future",
                           q->addon);
    g->grant = (struct grant){.number = g->row.grants + 1,
                              .timeout_minutes = row.timeout_minutes,
                              .since_ms = t->now.wall_ms,
                              .until_ms = q->until_ms};
    snprintf(g->grant.addon, sizeof g->grant.addon, "%s", q->addon);
    return 0;
}

/* Those that have ended are a record and no more: the oldest makes room. */
static int find_room(struct turn *t, struct giving *g)
{
    if (g->n < GRANTS_MAX)
        return 0;
    for (size_t i = 0; i < g->n && !g->replaced; i++)
        if (!grant_counts(&g->all[i], t->now.wall_ms))
            g->replaced = &g->all[i];
    return g->replaced ? 0
                       : turn_refuse(t, E_GRANT_LIMIT, "account \"%s\" has %d add-ons in force",
                                     g->account->id, GRANTS_MAX);
}

static int warn(struct turn *t, struct giving *g, uint64_t gain_ms)
{
    uint32_t minutes = g->grant.timeout_minutes;
    char text[200];
    unsigned max_min = (unsigned)(g->before.timeout_ms_max / MS_PER_MIN);
    const char *tier = t->cache->tiers.row[g->account->tier].name;
    if (gain_ms == (uint64_t)minutes * MS_PER_MIN)
        return 0;
    if (gain_ms)
        snprintf(text, sizeof text, "this add-on adds %u of its %u min: %s builds end at %u min",
                 (unsigned)(gain_ms / MS_PER_MIN), minutes, tier, max_min);
    else if (g->row.timeout_ms)
        snprintf(text, sizeof text,
                 "this add-on has no effect on this tier: the account's own timeout of %u min "
                 "takes the place of the tier's",
                 max_min);
    else
        snprintf(text, sizeof text,
                 "this add-on has no effect on this tier: %s builds have their most, %u min", tier,
                 max_min);
    g->warning = arena_str(t->fx->arena, text);
    return g->warning ? 0 : err_raise(-ENOMEM);
}

static int give_check(struct turn *t, struct giving *g)
{
    int r = find_addon(t, g);
    if (r == 0)
        r = find_room(t, g);
    if (r != 0)
        return r;
    uint64_t gain_ms = limits_addon_gain_ms(&g->before, g->grant.timeout_minutes);
    g->timeout_after_ms = g->before.timeout_ms + gain_ms;
    return warn(t, g, gain_ms);
}

/* What the account may without one of its add-ons. */
static uint64_t timeout_without(const struct turn *t, const struct giving *g, uint32_t grant)
{
    struct addon_grant left[GRANTS_MAX];
    struct limits_own own = limits_own_of(&g->row);
    struct limits limits;
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->all[i].number != grant)
            left[n++] =
                (struct addon_grant){ADDON_TIMEOUT, g->all[i].timeout_minutes, g->all[i].until_ms};
    limits_of(&t->cache->tiers, g->account->tier, &own, left, n, t->now.wall_ms, &limits);
    return limits.timeout_ms;
}

/* One that has ended already stays as it is. */
static int end_check(struct turn *t, struct giving *g)
{
    const struct grant *found = NULL;
    for (size_t i = 0; i < g->n; i++)
        if (g->all[i].number == g->q->end_grant)
            found = &g->all[i];
    if (!found)
        return turn_refuse(t, E_GRANT_UNKNOWN, "account \"%s\" has no grant %u", g->account->id,
                           g->q->end_grant);
    g->grant = *found;
    if (grant_counts(found, t->now.wall_ms))
        g->grant.until_ms = t->now.wall_ms;
    g->timeout_after_ms = timeout_without(t, g, found->number);
    return 0;
}

static int grant_write(struct turn *t, const struct giving *g)
{
    struct key_buf k;
    const struct grant *x = &g->grant;
    struct grant_row row = {.timeout_minutes = x->timeout_minutes,
                            .since_ms = x->since_ms,
                            .until_ms = x->until_ms,
                            .addon = span_str(x->addon)};
    uint64_t number = g->account->number;
    return turn_store(row_put(t->txn, &grant_row_type, key_grant(&k, number, x->number), &row));
}

static int apply(struct turn *t, struct giving *g)
{
    struct key_buf k;
    uint64_t number = g->account->number;
    int r = grant_write(t, g);
    if (r == 0 && g->replaced)
        r = turn_store(txn_del(t->txn, TABLE_GRANT, key_grant(&k, number, g->replaced->number)));
    if (r == 0 && !g->q->end_grant) {
        g->row.grants = g->grant.number;
        r = account_row_write(t, number, &g->row);
    }
    if (r != 0)
        return r;
    account_limits_forget(t, g->account);
    return trail_note(t, g->account->id,
                      "%s grant %u of %s, %u min, until %llu, timeout now %llu ms",
                      g->q->end_grant ? "ended" : "gave", g->grant.number, g->grant.addon,
                      g->grant.timeout_minutes, (unsigned long long)g->grant.until_ms,
                      (unsigned long long)g->timeout_after_ms);
}

static int answer(struct turn *t, const struct giving *g, Rota__Reply *reply)
{
    Rota__AddonGrantResult *result = arena_alloc(t->fx->arena, sizeof *result);
    Rota__Grant *grant = arena_alloc(t->fx->arena, sizeof *grant);
    if (!result || !grant)
        return err_raise(-ENOMEM);
    rota__addon_grant_result__init(result);
    rota__grant__init(grant);
    grant->grant = g->grant.number;
    grant->addon = turn_str(t, span_str(g->grant.addon));
    grant->timeout_minutes = g->grant.timeout_minutes;
    grant->since_ms = g->grant.since_ms;
    grant->until_ms = g->grant.until_ms;
    grant->active = grant_counts(&g->grant, t->now.wall_ms);
    result->grant = grant;
    result->timeout_ms_before = g->before.timeout_ms;
    result->timeout_ms_after = g->timeout_after_ms;
    result->warning = (char *)(g->warning ? g->warning : "");
    reply->addon_grant = result;
    return 0;
}

int turn_addon_grant(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    struct giving g = {.q = request->addon_grant};
    if (!g.q->end_grant == !g.q->addon[0])
        return turn_refuse(t, E_FIELD_MISSING, "addon_grant needs one of addon and end_grant");
    int r = find_account(t, &g);
    if (r == 0)
        r = g.q->end_grant ? end_check(t, &g) : give_check(t, &g);
    if (r == 0 && !g.q->dry_run)
        r = apply(t, &g);
    return r == 0 ? answer(t, &g, reply) : r;
}
