/* presets.c: named publish settings of an account. A preset is a publish without what belongs to
 * one job alone; a publish that names it takes from it whatever it does not say itself. */
#include "engine/life.h"

#include "store/keys.h"

#include <errno.h>

enum { PRESETS_MAX = 100 };

int named_account(struct turn *t, const char *named, struct account **ret_account)
{
    uint64_t number;
    enum error_code code = auth_account(t->txn, &t->who, named, &number);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", named, error_row(code)->text);
    return turn_store(cache_account(t->cache, t->txn, number, ret_account));
}

int named_count(struct turn *t, const struct account *a, uint16_t most, int by,
                uint16_t *(*member)(struct account_row *row), enum error_code full)
{
    struct account_row row;
    int r = turn_store(account_row_read(t, a->number, &row));
    if (r != 0)
        return r;
    uint16_t *n = member(&row);
    if (by > 0 && *n >= most)
        return turn_refuse(t, full, "account \"%s\" has %u already", a->id, *n);
    *n = (uint16_t)(*n + by);
    return account_row_write(t, a->number, &row);
}

static uint16_t *count_of(struct account_row *row)
{
    return &row->presets;
}

int template_check(struct turn *t, const Rota__Publish *q, enum error_code code)
{
    const struct {
        bool is_set;
        const char *name;
    } fields[] = {
        {q->account[0], "account"},       {q->idempotency_key[0], "idempotency_key"},
        {q->run_at_ms != 0, "run_at_ms"}, {q->delay_ms != 0, "delay_ms"},
        {q->n_after != 0, "after"},       {q->source_key.len != 0, "source_key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (fields[i].is_set)
            return turn_refuse(t, code, "%s belongs to one job, not to a template of jobs",
                               fields[i].name);
    return 0;
}

int template_pack(struct turn *t, const Rota__Publish *q, struct span *ret_packed)
{
    size_t n = rota__publish__get_packed_size(q);
    uint8_t *packed = arena_alloc(t->fx->arena, n + 1);
    if (!packed)
        return err_raise(-ENOMEM);
    *ret_packed = span_of(packed, rota__publish__pack(q, packed));
    return 0;
}

static int preset_remove(struct turn *t, const struct account *a, const Rota__Preset *p)
{
    struct key_buf k;
    int r = txn_del(t->txn, TABLE_PRESET, key_named(&k, a->number, span_str(p->name)));
    if (r == STORE_MISSING)
        return turn_refuse(t, E_PRESET_UNKNOWN, "account \"%s\" has no preset \"%s\"", a->id,
                           p->name);
    return r == 0 ? named_count(t, a, PRESETS_MAX, -1, count_of, E_PRESET_LIMIT) : turn_store(r);
}

static int preset_put(struct turn *t, const struct account *a, const Rota__Preset *p)
{
    struct preset_row row;
    struct key_buf k;
    struct span key = key_named(&k, a->number, span_str(p->name));
    if (!p->publish)
        return turn_refuse(t, E_FIELD_MISSING, "preset.publish is empty");
    int r = template_check(t, p->publish, E_PRESET_INVALID);
    if (r == 0 && p->publish->preset[0])
        r = turn_refuse(t, E_PRESET_INVALID, "a preset cannot build on another");
    if (r != 0)
        return r;
    r = row_get(t->txn, &preset_row_type, key, &row);
    if (r == STORE_MISSING)
        r = named_count(t, a, PRESETS_MAX, 1, count_of, E_PRESET_LIMIT);
    else
        r = turn_store(r);
    if (r == 0)
        r = template_pack(t, p->publish, &row.publish);
    return r == 0 ? turn_store(row_put(t->txn, &preset_row_type, key, &row)) : r;
}

int turn_preset_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__PresetSet *q = request->preset_set;
    struct account *a;
    Rota__PresetResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return err_raise(-ENOMEM);
    if (!q->preset || !q->preset->name[0])
        return turn_refuse(t, E_FIELD_MISSING, "preset.name is empty");
    int r = named_account(t, q->preset->account, &a);
    if (r == 0)
        r = q->remove ? preset_remove(t, a, q->preset) : preset_put(t, a, q->preset);
    if (r != 0)
        return r;
    rota__preset_result__init(result);
    result->preset = q->preset;
    reply->preset_set = result;
    return 0;
}

/* ---- its use ---- */

static void merge_text(char **to, char *from)
{
    if (!(*to)[0])
        *to = from;
}

static void merge(Rota__Publish *q, const Rota__Publish *from)
{
    merge_text(&q->app, from->app);
    merge_text(&q->platform, from->platform);
    merge_text(&q->class_, from->class_);
    merge_text(&q->source, from->source);
    merge_text(&q->ref, from->ref);
    if (!q->spec.len)
        q->spec = from->spec;
    if (!q->priority)
        q->priority = from->priority;
    if (!q->timeout_ms)
        q->timeout_ms = from->timeout_ms;
    if (!q->attempts_max)
        q->attempts_max = from->attempts_max;
    q->supersede = q->supersede || from->supersede;
    q->hold = q->hold || from->hold;
}

int preset_apply(struct turn *t, const Rota__Publish *q, const Rota__Publish **ret_q)
{
    struct account *a;
    struct preset_row row;
    struct key_buf k;
    *ret_q = q;
    if (!q->preset[0])
        return 0;
    int r = named_account(t, q->account, &a);
    if (r != 0)
        return r;
    r = row_get(t->txn, &preset_row_type, key_named(&k, a->number, span_str(q->preset)), &row);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_PRESET_UNKNOWN, "account \"%s\" has no preset \"%s\"", a->id,
                           q->preset);
    if (r != 0)
        return turn_store(r);
    Rota__Publish *merged = arena_alloc(t->fx->arena, sizeof *merged);
    Rota__Publish *from =
        rota__publish__unpack(arena_allocator(t->fx->arena), row.publish.n, row.publish.p);
    if (!merged || !from)
        return err_raise(-ENOMEM);
    *merged = *q;
    merge(merged, from);
    *ret_q = merged;
    return 0;
}
