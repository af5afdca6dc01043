/* apps.c: the registry of apps. An app belongs to one account and is named by it. */
#include "engine/abuse.h"

#include "store/keys.h"

#include <errno.h>

static const char *const platforms[] = {
    [PLATFORM_NONE] = "", [PLATFORM_ANDROID] = "android", [PLATFORM_IOS] = "ios"};

enum { PLATFORMS_ALL = 1 << PLATFORM_ANDROID | 1 << PLATFORM_IOS };

enum platform platform_by_name(const char *name)
{
    for (int p = PLATFORM_ANDROID; p <= PLATFORM_IOS; p++)
        if (strcmp(platforms[p], name) == 0)
            return (enum platform)p;
    return PLATFORM_NONE;
}

const char *platform_name(uint8_t platform)
{
    return platform < ARRAY_LEN(platforms) ? platforms[platform] : "";
}

int platforms_bits(struct turn *t, char **names, size_t n, uint8_t *ret_bits)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        enum platform p = platform_by_name(names[i]);
        if (!p)
            return turn_refuse(t, E_PLATFORM_UNKNOWN, "no platform \"%s\"", names[i]);
        bits |= (uint8_t)(1 << p);
    }
    *ret_bits = bits;
    return 0;
}

int app_allowed(struct turn *t, const char *name)
{
    if (auth_app(&t->who, span_str(name)) == E_OK)
        return 0;
    return turn_refuse(t, E_KEY_APP, "key %s is good for app \"%s\" only, not for \"%s\"",
                       t->who.key_prefix, t->who.app, name);
}

static int app_write(struct turn *t, uint64_t account, const char *name, const struct app_row *row)
{
    struct key_buf k;
    return turn_store(row_put(t->txn, &app_row_type, key_named(&k, account, span_str(name)), row));
}

static int app_event(struct turn *t, uint64_t account, const char *name)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_APP_SET);
    if (event) {
        event->account_number = account;
        event->app = (char *)name;
    }
    return event_append(t, event);
}

/* The account's next app number, kept in its row. */
static int app_number(struct turn *t, uint64_t account, uint32_t *ret_number)
{
    struct account_row row;
    int r = turn_store(account_row_read(t, account, &row));
    if (r != 0)
        return r;
    *ret_number = ++row.apps;
    return account_row_write(t, account, &row);
}

static int app_make(struct turn *t, uint64_t account, const char *name, uint8_t bits,
                    struct app_row *ret_row)
{
    struct app_row row = {.platforms = bits, .created_ms = t->now.wall_ms};
    int r = app_number(t, account, &row.number);
    if (r == 0)
        r = family_join(t, account, row.number, name, &row.family);
    if (r == 0)
        r = app_write(t, account, name, &row);
    if (r == 0)
        r = app_event(t, account, name);
    if (r == 0)
        *ret_row = row;
    return r;
}

int app_find(struct turn *t, struct account *a, const char *name, bool makes,
             struct app_facts *ret_app)
{
    struct app_row row;
    struct key_buf k;
    int r = row_get(t->txn, &app_row_type, key_named(&k, a->number, span_str(name)), &row);
    if (r == STORE_MISSING && !makes)
        return turn_refuse(t, E_APP_UNKNOWN, "account \"%s\" has no app \"%s\"", a->id, name);
    if (r == STORE_MISSING)
        r = app_make(t, a->number, name, PLATFORMS_ALL, &row);
    else
        r = turn_store(r);
    if (r != 0)
        return r;
    if (row.archived)
        return turn_refuse(t, E_APP_ARCHIVED, "app \"%s\" is archived", name);
    *ret_app = (struct app_facts){row.number, row.platforms, row.family};
    return 0;
}

static int fill_app(struct turn *t, const Rota__AppSet *q, const char *account,
                    const struct app_row *row, Rota__AppSetResult *result)
{
    Rota__App *app = arena_alloc(t->fx->arena, sizeof *app);
    char **names = arena_alloc(t->fx->arena, sizeof(char *) * ARRAY_LEN(platforms));
    if (!app || !names)
        return err_raise(-ENOMEM);
    rota__app__init(app);
    app->app = q->app;
    app->account = turn_str(t, span_str(account));
    app->created_ms = row->created_ms;
    app->archived = row->archived;
    app->repository = turn_str(t, row->repository);
    app->platform = names;
    for (int p = PLATFORM_ANDROID; p <= PLATFORM_IOS; p++)
        if (row->platforms & 1 << p)
            names[app->n_platform++] = (char *)platforms[p];
    result->app = app;
    return 0;
}

/* What the request names, onto a row that is there. */
static int app_change(struct turn *t, uint64_t account, const Rota__AppSet *q, uint8_t bits,
                      struct app_row *row)
{
    int r = turn_keep(t, &row->repository);
    if (r != 0)
        return r;
    row->platforms = bits ? bits : row->platforms;
    if (q->set_archived_case == ROTA__APP_SET__SET_ARCHIVED_ARCHIVED)
        row->archived = q->archived ? 1 : 0;
    if (q->set_repository_case == ROTA__APP_SET__SET_REPOSITORY_REPOSITORY)
        row->repository = span_str(q->repository);
    r = app_write(t, account, q->app, row);
    return r == 0 ? app_event(t, account, q->app) : r;
}

int turn_app_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__AppSet *q = request->app_set;
    uint64_t number;
    uint8_t bits = 0;
    struct app_row row;
    struct account *a;
    struct key_buf k;
    enum error_code code = auth_account(t->txn, &t->who, q->account, &number);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", q->account, error_row(code)->text);
    if (!q->app[0])
        return turn_refuse(t, E_FIELD_MISSING, "app_set.app is empty");
    Rota__AppSetResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? app_allowed(t, q->app) : err_raise(-ENOMEM);
    if (r == 0)
        r = platforms_bits(t, q->platform, q->n_platform, &bits);
    if (r == 0)
        r = turn_store(cache_account(t->cache, t->txn, number, &a));
    if (r != 0)
        return r;
    rota__app_set_result__init(result);
    r = row_get(t->txn, &app_row_type, key_named(&k, number, span_str(q->app)), &row);
    result->created = r == STORE_MISSING;
    if (result->created) {
        r = app_make(t, number, q->app, bits ? bits : PLATFORMS_ALL, &row);
        if (r == 0 && q->set_repository_case)
            r = app_change(t, number, q, bits, &row);
    } else {
        r = r == 0 ? app_change(t, number, q, bits, &row) : turn_store(r);
    }
    if (r == 0)
        r = fill_app(t, q, a->id, &row, result);
    reply->app_set = result;
    if (r != 0 || t->who.role != ROTA__ROLE__OPERATOR)
        return r;
    return trail_note(t, q->app, "account %s%s%s", a->id, result->created ? ", created" : "",
                      row.archived ? ", archived" : "");
}
