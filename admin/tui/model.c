/* model.c: the chosen pool: a name that is looked up in each new picture. */
#include "model.h"

#include <stdio.h>
#include <string.h>

unsigned model_pool_index(const struct model *m)
{
    for (size_t i = 0; m->stats && i < m->stats->n_pool; i++)
        if (!strcmp(m->stats->pool[i]->pool, m->pool))
            return (unsigned)i;
    return 0;
}

const Rota__PoolStats *model_pool(const struct model *m)
{
    if (!m->stats || !m->stats->n_pool)
        return NULL;
    return m->stats->pool[model_pool_index(m)];
}

const char *model_pool_name(const struct model *m)
{
    const Rota__PoolStats *pool = model_pool(m);
    return pool ? pool->pool : "bundle";
}

void model_pool_choose(struct model *m, unsigned index)
{
    if (m->stats && index < m->stats->n_pool)
        snprintf(m->pool, sizeof m->pool, "%s", m->stats->pool[index]->pool);
}

void model_pool_choose_busiest(struct model *m)
{
    unsigned busiest = 0;
    for (unsigned i = 1; m->stats && i < m->stats->n_pool; i++) {
        const Rota__PoolStats *a = m->stats->pool[busiest], *b = m->stats->pool[i];
        if (b->ready + b->leased > a->ready + a->leased)
            busiest = i;
    }
    model_pool_choose(m, busiest);
}
