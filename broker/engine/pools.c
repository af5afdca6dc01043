/* pools.c: classes and the pools they belong to.
 *
 * A class belongs to exactly one pool for ever, by default to the pool of its own name. A worker
 * brings classes into being by offering them, an operator by publishing to them. A worker serves
 * every class of its pool, because sharing one rotation with workers that refuse some jobs can
 * starve a tier.
 *
 * Class heat is of the house: its builds fill what later builds of pool bundle share, so it belongs
 * there, and only operators publish it. */
#include "engine/classes.h"

#include "form.h"
#include "store/keys.h"

#include <errno.h>

static int pool_make(struct turn *t, const char *name, struct pool **ret_pool)
{
    struct cache *c = t->cache;
    if (c->pools_n == POOLS_MAX)
        return turn_refuse(t, E_POOL_LIMIT, "there are already %d pools", POOLS_MAX);
    uint16_t number = (uint16_t)(c->hot.pool_number + 1);
    SET(t->undo, c->hot.pool_number, number);
    c->hot_dirty = true;
    *ret_pool = pool_new(c, number, name);
    return *ret_pool ? 0 : err_raise(-ENOMEM);
}

static int class_make(struct turn *t, const char *name, struct pool *p)
{
    struct cache *c = t->cache;
    if (c->classes_n == CLASSES_ALL_MAX)
        return turn_refuse(t, E_POOL_LIMIT, "there are already %d classes", CLASSES_ALL_MAX);
    struct class *class = &c->classes[c->classes_n];
    undo_save(t->undo, class, sizeof *class);
    *class = (struct class){.pool = p};
    memcpy(class->name, name, strnlen(name, CLASS_NAME_MAX));
    SET(t->undo, c->classes_n, c->classes_n + 1);
    struct class_row row = {.pool = p->number};
    int r = turn_store(row_put(t->txn, &class_row_type, span_str(name), &row));
    return r == 0 ? pool_settle(t, p) : r;
}

_Static_assert((int)CLASS_LEN_MAX == CLASS_NAME_MAX && (int)CLASS_LEN_MAX == POOL_NAME_MAX,
               "what the wire lets through can be stored and loaded");

/* A new name. The wire has refused what is none (CLASS of limits.def); looked at again because one
 * that is stored and cannot be loaded would keep the broker from ever starting. */
static int name_check(struct turn *t, const char *name)
{
    const struct form_row *form = form_row(FORM_NAME);
    size_t n = strlen(name);
    if (n > CLASS_NAME_MAX)
        return turn_refuse(t, E_FIELD_TOO_LONG,
                           "\"%s\": names of classes and pools have at most %d", name,
                           CLASS_NAME_MAX);
    if (!form->fits((const uint8_t *)name, n))
        return turn_refuse(t, form->code, "class \"%s\": %s", name, form->text);
    return 0;
}

static const struct {
    const char *class, *pool;
} reserved[] = {{"heat", "bundle"}};

/* The pool of a reserved class, else NULL. */
static const char *reserved_pool(const char *class)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcmp(reserved[i].class, class) == 0)
            return reserved[i].pool;
    return NULL;
}

int class_allowed(struct turn *t, const char *name)
{
    if (reserved_pool(name) && t->who.role != ROTA__ROLE__OPERATOR)
        return turn_refuse(t, E_CLASS_RESERVED, "class \"%s\" is reserved for operators", name);
    return 0;
}

int class_check(struct turn *t, const char *name)
{
    if (cache_class(t->cache, name))
        return 0;
    if (t->who.role != ROTA__ROLE__OPERATOR)
        return turn_refuse(t, E_CLASS_UNKNOWN, "no worker has ever offered class \"%s\"", name);
    if (t->cache->classes_n == CLASSES_ALL_MAX || t->cache->pools_n == POOLS_MAX)
        return turn_refuse(t, E_POOL_LIMIT, "there are already %zu classes in %zu pools",
                           t->cache->classes_n, t->cache->pools_n);
    return name_check(t, name);
}

int class_for_publish(struct turn *t, const char *name, struct pool **ret_pool)
{
    struct class *class = cache_class(t->cache, name);
    if (class) {
        *ret_pool = class->pool;
        return 0;
    }
    const char *home = reserved_pool(name) ? reserved_pool(name) : name;
    struct pool *p = cache_pool(t->cache, home);
    int r = p ? 0 : pool_make(t, home, &p);
    if (r == 0)
        r = class_make(t, name, p);
    if (r == 0)
        *ret_pool = p;
    return r;
}

static int names_check(struct turn *t, const char *pool, char **classes, size_t n)
{
    int r = name_check(t, pool);
    for (size_t i = 0; i < n && r == 0; i++)
        r = name_check(t, classes[i]);
    return r;
}

/* Refuses before anything is made. */
static int classes_check(struct turn *t, const char *pool, char **classes, size_t n)
{
    int r = names_check(t, pool, classes, n);
    if (r != 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        const struct class *class = cache_class(t->cache, classes[i]);
        if (class && strcmp(class->pool->name, pool) != 0)
            return turn_refuse(t, E_CLASS_ELSEWHERE, "class \"%s\" belongs to pool \"%s\"",
                               classes[i], class->pool->name);
    }
    for (size_t i = 0; i < t->cache->classes_n; i++) {
        const struct class *class = &t->cache->classes[i];
        /* One that does not know the house's own classes builds their jobs as any other. */
        bool offered = strcmp(class->pool->name, pool) != 0 || reserved_pool(class->name);
        for (size_t j = 0; j < n && !offered; j++)
            offered = strcmp(classes[j], class->name) == 0;
        if (!offered)
            return turn_refuse(
                t, E_CLASS_MISSING,
                "pool \"%s\" also has class \"%s\", which this worker does not serve", pool,
                class->name);
    }
    return 0;
}

int pool_for_worker(struct turn *t, const char *pool, char **classes, size_t n,
                    struct pool **ret_pool)
{
    if (n == 0)
        return turn_refuse(t, E_FIELD_MISSING, "the worker names no class");
    if (!pool[0])
        pool = classes[0];
    int r = classes_check(t, pool, classes, n);
    if (r != 0)
        return r;
    struct pool *p = cache_pool(t->cache, pool);
    if (!p)
        r = pool_make(t, pool, &p);
    for (size_t i = 0; i < n && r == 0; i++)
        if (!cache_class(t->cache, classes[i]))
            r = class_make(t, classes[i], p);
    if (r == 0)
        *ret_pool = p;
    return r;
}
