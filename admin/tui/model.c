/* model.c: the two questions that both view and keys ask. */
#include "model.h"

const Rota__PoolStats *model_pool(const struct model *m)
{
    if (!m->stats || !m->stats->n_pool)
        return NULL;
    return m->stats->pool[m->pool < m->stats->n_pool ? m->pool : 0];
}

const char *model_pool_name(const struct model *m)
{
    const Rota__PoolStats *pool = model_pool(m);
    return pool ? pool->pool : "bundle";
}
