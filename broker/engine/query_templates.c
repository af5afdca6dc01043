/* query_templates.c: what an account keeps to be used again: presets, schedules, and the variables
 * of its apps (values of secrets are sealed, and not shown to anybody). */
#include "engine/query_parts.h"

#include <errno.h>

enum { TEMPLATES_MAX = 128 };

/* Calls `add` for each row of the table that begins with the head. */
typedef int row_add(struct query *q, struct span name, struct span key, struct span value,
                    void *result);

static int each(struct query *q, enum table table, struct span head, row_add *add, void *result)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = cursor_open(q->txn, table, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, head, &key, &value);
    for (int i = 0;
         r == 0 && i < TEMPLATES_MAX && key.n >= head.n && memcmp(key.p, head.p, head.n) == 0;
         i++) {
        struct span name = span_of((const uint8_t *)key.p + head.n, key.n - head.n);
        r = add(q, name, key, value, result);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

static Rota__Publish *template_of(struct query *q, struct span packed)
{
    Rota__Publish *publish = rota__publish__unpack(arena_allocator(q->arena), packed.n, packed.p);
    if (!publish)
        q->is_short = true;
    return publish;
}

static int preset_add(struct query *q, struct span name, struct span key, struct span value,
                      void *to)
{
    Rota__PresetListResult *result = to;
    struct preset_row row;
    Rota__Preset *preset;
    int r = row_decode(&preset_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    QUERY_NEW(q, preset, Rota__Preset, rota__preset__init);
    if (!preset)
        return err_raise(-ENOMEM);
    preset->name = query_str(q, name);
    preset->publish = template_of(q, row.publish);
    result->preset[result->n_preset++] = preset;
    return 0;
}

/* The account of the request, or the refusal. */
static enum error_code account_of(struct query *q, const char *named, uint64_t *ret_account,
                                  struct key_buf *k, struct span *ret_head)
{
    enum error_code e = auth_account(q->txn, q->who, named, ret_account);
    *ret_head = key_u64(k, *ret_account);
    return e;
}

enum error_code query_preset_list(struct query *q)
{
    Rota__PresetListResult *result;
    struct key_buf k;
    struct span head;
    uint64_t account = 0;
    enum error_code e = account_of(q, q->request->preset_list->account, &account, &k, &head);
    if (e)
        return e;
    QUERY_NEW(q, result, Rota__PresetListResult, rota__preset_list_result__init);
    if (!result || !(result->preset = query_array(q, TEMPLATES_MAX)))
        return E_MEMORY;
    int r = each(q, TABLE_PRESET, head, preset_add, result);
    if (r < 0 || q->is_short)
        return r < 0 ? query_fault(r) : E_MEMORY;
    q->reply->preset_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_PRESET_LIST;
    return E_OK;
}

static int schedule_add(struct query *q, struct span name, struct span key, struct span value,
                        void *to)
{
    Rota__ScheduleListResult *result = to;
    struct schedule_row row;
    Rota__Schedule *s;
    char job[JOB_ID_TEXT_LEN + 1];
    static const struct job_id none;
    int r = row_decode(&schedule_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    QUERY_NEW(q, s, Rota__Schedule, rota__schedule__init);
    if (!s)
        return err_raise(-ENOMEM);
    s->name = query_str(q, name);
    s->cron = query_str(q, row.cron);
    s->publish = template_of(q, row.publish);
    s->next_ms = row.next_ms;
    s->off = row.is_off;
    s->last_error = query_str(q, row.last_error);
    if (job_id_cmp(row.last_job, none) != 0)
        s->last_job = query_text(q, job_id_text(row.last_job, job));
    result->schedule[result->n_schedule++] = s;
    return 0;
}

enum error_code query_schedule_list(struct query *q)
{
    Rota__ScheduleListResult *result;
    struct key_buf k;
    struct span head;
    uint64_t account = 0;
    enum error_code e = account_of(q, q->request->schedule_list->account, &account, &k, &head);
    if (e)
        return e;
    QUERY_NEW(q, result, Rota__ScheduleListResult, rota__schedule_list_result__init);
    if (!result || !(result->schedule = query_array(q, TEMPLATES_MAX)))
        return E_MEMORY;
    int r = each(q, TABLE_SCHEDULE, head, schedule_add, result);
    if (r < 0 || q->is_short)
        return r < 0 ? query_fault(r) : E_MEMORY;
    q->reply->schedule_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_SCHEDULE_LIST;
    return E_OK;
}

static int var_add(struct query *q, struct span name, struct span key, struct span value, void *to)
{
    Rota__VarListResult *result = to;
    struct app_var_row row;
    Rota__Var *var;
    int r = row_decode(&app_var_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    QUERY_NEW(q, var, Rota__Var, rota__var__init);
    if (!var)
        return err_raise(-ENOMEM);
    var->name = query_str(q, name);
    var->secret = row.is_secret;
    var->set_ms = row.set_ms;
    if (!row.is_secret)
        var->value = query_str(q, row.value);
    result->var[result->n_var++] = var;
    return 0;
}

enum error_code query_var_list(struct query *q)
{
    const Rota__VarList *ask = q->request->var_list;
    Rota__VarListResult *result;
    struct app_row app;
    struct key_buf k;
    uint64_t account = 0;
    enum error_code e = auth_account(q->txn, q->who, ask->account, &account);
    if (e == E_OK)
        e = auth_app(q->who, span_str(ask->app));
    if (e)
        return e;
    int r = row_get(q->txn, &app_row_type, key_named(&k, account, span_str(ask->app)), &app);
    if (r != 0)
        return r == STORE_MISSING ? E_APP_UNKNOWN : query_fault(r);
    QUERY_NEW(q, result, Rota__VarListResult, rota__var_list_result__init);
    if (!result || !(result->var = query_array(q, TEMPLATES_MAX)))
        return E_MEMORY;
    struct span head = key_app_var(&k, account, app.number, span_of("", 0));
    r = each(q, TABLE_APP_VAR, head, var_add, result);
    if (r < 0 || q->is_short)
        return r < 0 ? query_fault(r) : E_MEMORY;
    q->reply->var_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_VAR_LIST;
    return E_OK;
}
