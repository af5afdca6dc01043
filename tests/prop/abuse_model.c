/* abuse_model.c: see abuse_model.h. Written from the definitions alone, over the whole history each
 * time; shares no code with the engine. */
#undef NDEBUG
#include "abuse_model.h"

#include "sched/abuse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_MAX = 20000, MINUTE_MS = 60000 };
static const uint64_t day_ms = 86400000;

void model_init(struct model *m)
{
    m->addresses.all = calloc(HISTORY_MAX, sizeof *m->addresses.all);
    m->bundles.all = calloc(HISTORY_MAX, sizeof *m->bundles.all);
    assert(m->addresses.all && m->bundles.all);
}

void model_deinit(struct model *m)
{
    free(m->addresses.all);
    free(m->bundles.all);
}

void model_show(struct list *list, unsigned account, unsigned value, uint64_t at_ms,
                uint64_t published_ms)
{
    assert(list->n < HISTORY_MAX);
    list->all[list->n++] = (struct shown){account, value, at_ms, published_ms};
}

struct group model_group(const struct list *list, unsigned class, unsigned value, uint64_t from_ms,
                         unsigned but)
{
    struct group g = {.n = 0};
    for (size_t i = 0; value && i < list->n; i++) {
        const struct shown *s = &list->all[i];
        if (s->account % CLASSES != class || s->value != value || s->at_ms <= from_ms ||
            s->account == but)
            continue;
        g.n += !g.in[s->account];
        g.in[s->account] = true;
        if (s->published_ms > g.published_ms[s->account])
            g.published_ms[s->account] = s->published_ms;
    }
    return g;
}

struct group model_family(const struct model *m, unsigned account, unsigned name)
{
    struct group g = {.n = 0};
    for (unsigned i = 0; name && i < ACCOUNTS; i++)
        if (i != account && i % CLASSES == account % CLASSES && m->has_app[i][name]) {
            g.in[i] = true;
            g.n++;
        }
    return g;
}

static bool near(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms && b_ms && (a_ms > b_ms ? a_ms - b_ms : b_ms - a_ms) <= 5ull * MINUTE_MS;
}

static bool has_published_near(const struct model *m, unsigned account, uint64_t published_ms)
{
    for (size_t i = 0; i < m->addresses.n; i++)
        if (m->addresses.all[i].account == account &&
            near(m->addresses.all[i].published_ms, published_ms))
            return true;
    return false;
}

/* The signs by their definitions, of links that are given. Of each account the engine knows when it
 * published last, and the newest job by which it is linked: these must be found near the publish at
 * hand. An older one may be (*ret_may). */
static unsigned signs(const struct model *m, unsigned account, uint64_t published_ms,
                      const struct group *bundle, const struct group *address,
                      const struct group *names, unsigned *ret_may)
{
    const struct group *const links[] = {bundle, address, names};
    static const unsigned bits[] = {ABUSE_HASH, ABUSE_IP, ABUSE_NAMES}, least[] = {3, 1, 1};
    unsigned set = 0, may = 0;
    for (unsigned l = 0; l < 3; l++) {
        if (links[l]->n < least[l])
            continue;
        set |= bits[l];
        for (unsigned i = 0; i < ACCOUNTS; i++) {
            if (!links[l]->in[i])
                continue;
            if (m->created_ms[i] / day_ms == m->created_ms[account] / day_ms)
                set |= ABUSE_SAME_DAY;
            if (near(m->published_ms[i], published_ms) ||
                near(links[l]->published_ms[i], published_ms))
                set |= ABUSE_MINUTES;
            if (has_published_near(m, i, published_ms))
                may |= ABUSE_MINUTES;
        }
    }
    *ret_may = set | may;
    return set;
}

unsigned model_score(unsigned set)
{
    return (set & ABUSE_HASH ? 30 : 0) + (set & ABUSE_IP ? 20 : 0) + (set & ABUSE_NAMES ? 10 : 0) +
           (set & ABUSE_SAME_DAY ? 15 : 0) + (set & ABUSE_MINUTES ? 10 : 0);
}

struct choices model_judge(const struct model *m, unsigned account, uint64_t published_ms,
                           const struct group *bundles, unsigned bundles_n,
                           const struct group *addresses, unsigned addresses_n,
                           const struct group *names)
{
    static const struct group none;
    struct choices c = {.n = 0};
    for (unsigned b = 0; b < (bundles_n ? bundles_n : 1); b++)
        for (unsigned a = 0; a < (addresses_n ? addresses_n : 1); a++) {
            c.set[c.n] = signs(m, account, published_ms, bundles_n ? &bundles[b] : &none,
                               addresses_n ? &addresses[a] : &none, names, &c.may[c.n]);
            c.n++;
        }
    return c;
}

unsigned model_earlier_bundles(const struct model *m, unsigned account, uint64_t now_ms,
                               struct group *ret_groups)
{
    unsigned n = 0;
    uint64_t from_ms = now_ms - 90 * day_ms;
    for (unsigned h = 1; h <= HASHES; h++) {
        struct group all = model_group(&m->bundles, account % CLASSES, h, from_ms, ACCOUNTS);
        struct group g = model_group(&m->bundles, account % CLASSES, h, from_ms, account);
        if (all.in[account] && g.n >= 3)
            ret_groups[n++] = g;
    }
    return n;
}

uint64_t model_pairs(const struct list *list, unsigned values, uint64_t from_ms)
{
    static bool seen[ACCOUNTS][16];
    uint64_t n = 0;
    memset(seen, 0, sizeof seen);
    assert(values < 16);
    for (size_t i = 0; i < list->n; i++) {
        const struct shown *s = &list->all[i];
        if (s->at_ms <= from_ms || seen[s->account][s->value])
            continue;
        seen[s->account][s->value] = true;
        n++;
    }
    return n;
}
