/* schedules.c: jobs that come again, by cron.
 *
 * A schedule stands in `schedule`, and once in `schedule_due` under its next time. A time that the
 * broker slept through is made up for once, not once for each. What it publishes goes the way of
 * every publish: whatever refuses it is kept as its last error, and it tries again at its next
 * time. */
#include "engine/keyring.h"
#include "engine/life.h"

#include "sched/cron.h"
#include "store/keys.h"

#include <errno.h>

enum { SCHEDULES_MAX = 100, SCHEDULES_SLICE = 32, DUE_HEAD_BYTES = 16, TEXTS = 4 };

static uint16_t *count_of(struct account_row *row)
{
    return &row->schedules;
}

static int cron_read(struct turn *t, const char *text, struct cron *ret_cron)
{
    unsigned field;
    int r = cron_parse(text, ret_cron, &field);
    if (r == 0)
        return 0;
    if (field == CRON_FIELDS)
        return turn_refuse(t, E_CRON_INVALID, "\"%s\": %s", text, cron_wrong(r));
    return turn_refuse(t, E_CRON_INVALID, "\"%s\": %s: %s", text, cron_field_name(field),
                       cron_wrong(r));
}

static int schedule_check(struct turn *t, const Rota__Schedule *s, uint64_t *ret_next_ms)
{
    struct cron cron;
    struct source_ref source;
    if (!s->publish || (!s->publish->app[0] && !s->publish->preset[0]))
        return turn_refuse(t, E_FIELD_MISSING, "schedule.publish names no app and no preset");
    int r = template_check(t, s->publish, E_SCHEDULE_INVALID);
    if (r != 0)
        return r;
    if (source_ref_parse(span_str(s->publish->source), &source) != 0)
        return turn_refuse(t, E_SOURCE_INVALID, "the source is of no form that lasts");
    if (source.kind == SOURCE_UPLOAD)
        return turn_refuse(t, E_SCHEDULE_INVALID, "an uploaded source is deleted with its job");
    r = cron_read(t, s->cron, &cron);
    if (r != 0)
        return r;
    if (cron_next(&cron, t->now.wall_ms, ret_next_ms) != 0)
        return turn_refuse(t, E_CRON_INVALID, "\"%s\": %s", s->cron, cron_wrong(CRON_NEVER));
    return 0;
}

static void due_note(struct turn *t, uint64_t next_ms)
{
    if (next_ms < t->cache->schedule_ms)
        SET(t->undo, t->cache->schedule_ms, next_ms);
}

static int due_put(struct turn *t, uint64_t account, const char *name, uint64_t next_ms)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    due_note(t, next_ms);
    return turn_store(row_put(t->txn, &schedule_due_row_type,
                              key_schedule_due(&k, next_ms, account, span_str(name)), &mark));
}

static int due_del(struct turn *t, uint64_t account, const char *name, uint64_t next_ms)
{
    struct key_buf k;
    int r =
        txn_del(t->txn, TABLE_SCHEDULE_DUE, key_schedule_due(&k, next_ms, account, span_str(name)));
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* With its texts in the arena. A store result. */
static int schedule_read(struct turn *t, uint64_t account, const char *name,
                         struct schedule_row *ret_row)
{
    struct key_buf k;
    struct schedule_row row;
    int r = row_get(t->txn, &schedule_row_type, key_named(&k, account, span_str(name)), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    struct span *const texts[TEXTS] = {&row.cron, &row.publish, &row.last_error, &row.principal};
    for (size_t i = 0; i < TEXTS; i++) {
        r = turn_keep(t, texts[i]);
        if (r != 0)
            return r;
    }
    *ret_row = row;
    return 0;
}

static int schedule_write(struct turn *t, uint64_t account, const char *name,
                          const struct schedule_row *row)
{
    struct key_buf k;
    struct span key = key_named(&k, account, span_str(name));
    return turn_store(row_put(t->txn, &schedule_row_type, key, row));
}

static int schedule_put(struct turn *t, const struct account *a, Rota__Schedule *s)
{
    struct schedule_row row = {0};
    uint64_t next_ms = 0;
    int r = schedule_check(t, s, &next_ms);
    if (r != 0)
        return r;
    r = schedule_read(t, a->number, s->name, &row);
    if (r == STORE_MISSING)
        r = named_count(t, a, SCHEDULES_MAX, 1, count_of, E_SCHEDULE_LIMIT);
    else if (r == 0)
        r = due_del(t, a->number, s->name, row.next_ms);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    row.cron = span_str(s->cron);
    row.is_off = s->off ? 1 : 0;
    row.next_ms = s->off ? 0 : next_ms;
    row.principal = span_str(t->origin ? t->origin->principal : t->who.account_id);
    row.key_serial = t->who.key_serial;
    r = template_pack(t, s->publish, &row.publish);
    if (r == 0)
        r = schedule_write(t, a->number, s->name, &row);
    if (r == 0 && row.next_ms)
        r = due_put(t, a->number, s->name, row.next_ms);
    s->next_ms = row.next_ms;
    return r;
}

static int schedule_remove(struct turn *t, const struct account *a, const Rota__Schedule *s)
{
    struct schedule_row row;
    struct key_buf k;
    int r = schedule_read(t, a->number, s->name, &row);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_SCHEDULE_UNKNOWN, "account \"%s\" has no schedule \"%s\"", a->id,
                           s->name);
    if (r == 0)
        r = due_del(t, a->number, s->name, row.next_ms);
    if (r == 0)
        r = turn_store(
            txn_del(t->txn, TABLE_SCHEDULE, key_named(&k, a->number, span_str(s->name))));
    return r == 0 ? named_count(t, a, SCHEDULES_MAX, -1, count_of, E_SCHEDULE_LIMIT) : r;
}

int turn_schedule_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__ScheduleSet *q = request->schedule_set;
    struct account *a;
    Rota__ScheduleResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return err_raise(-ENOMEM);
    if (!q->schedule || !q->schedule->name[0])
        return turn_refuse(t, E_FIELD_MISSING, "schedule.name is empty");
    int r = named_account(t, q->schedule->account, &a);
    if (r == 0)
        r = q->remove ? schedule_remove(t, a, q->schedule) : schedule_put(t, a, q->schedule);
    if (r != 0)
        return r;
    rota__schedule_result__init(result);
    result->schedule = q->schedule;
    reply->schedule_set = result;
    return 0;
}

/* ---- when its time has come ---- */

static int schedule_event(struct turn *t, uint64_t account, const char *name,
                          const struct schedule_row *row, char *job)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_SCHEDULED);
    if (event) {
        event->account_number = account;
        event->reason = (char *)name;
        event->job = job;
        event->error = turn_str(t, row->last_error);
        event->until_ms = row->next_ms;
    }
    return event_append(t, event);
}

/* What a key set up lasts no longer than the key, and counts against its quota; an operator's acts
 * are the house's own. *ret_code: why it is good no more. */
static int key_look(struct turn *t, uint32_t serial, struct principal *who,
                    enum error_code *ret_code)
{
    struct key_held key;
    int r = key_read(t, serial, &key);
    *ret_code = r == STORE_MISSING ? E_KEY_REVOKED : E_OK;
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    if (key.row.role == ROTA__ROLE__OPERATOR)
        return 0;
    if (key.row.revoked_ms)
        *ret_code = E_KEY_REVOKED;
    else if (key.row.expires_ms && key.row.expires_ms <= t->now.wall_ms)
        *ret_code = E_KEY_EXPIRED;
    who->builds_month = key.row.builds_month;
    size_t n = key.row.prefix.n < KEY_PREFIX_MAX ? key.row.prefix.n : KEY_PREFIX_MAX;
    memcpy(who->key_prefix, key.row.prefix.p, n);
    return 0;
}

/* As the account itself would publish it. A refusal is *ret_code. */
static int publish_for(struct turn *t, const struct account *a, const struct schedule_row *row,
                       Rota__PublishResult *result, enum error_code *ret_code)
{
    struct turn own = *t;
    struct inbound in = {.kind = INBOUND_REQUEST,
                         .op_tag = ROTA__REQUEST__OP_PUBLISH,
                         .is_vetted = true,
                         .peer = {.is_ipc = true, .is_loopback = true}};
    Rota__Publish *q =
        rota__publish__unpack(arena_allocator(t->fx->arena), row->publish.n, row->publish.p);
    if (!q)
        return err_raise(-ENOMEM);
    own.in = &in;
    own.origin = NULL;
    own.member = 0;
    own.who = (struct principal){
        .role = ROTA__ROLE__ACCOUNT, .account = a->number, .key_serial = row->key_serial};
    memcpy(own.who.account_id, a->id, sizeof own.who.account_id);
    int r = row->key_serial ? key_look(t, row->key_serial, &own.who, ret_code) : 0;
    if (r < 0 || *ret_code != E_OK)
        return r;
    r = publish_one(&own, q, result);
    t->ready = own.ready;
    if (r < 0 || r == TURN_FULL)
        return r;
    *ret_code = r >= ERROR_CODE_COUNT ? E_SCHEDULE_INVALID : (enum error_code)r;
    return 0;
}

static int schedule_run(struct turn *t, uint64_t account, const char *name)
{
    struct schedule_row row;
    struct account *a;
    struct cron cron;
    unsigned field;
    enum error_code code = E_OK;
    Rota__PublishResult result;
    int r = schedule_read(t, account, name, &row);
    if (r == 0)
        r = cache_account(t->cache, t->txn, account, &a);
    if (r != 0)
        return r == STORE_MISSING ? err_raise(-EBADMSG) : turn_store(r);
    r = due_del(t, account, name, row.next_ms);
    if (r == 0)
        r = publish_for(t, a, &row, &result, &code);
    if (r != 0)
        return r;
    row.last_error = span_str(code == E_OK ? "" : error_row(code)->name);
    if (code == E_OK && job_id_parse(result.job, &row.last_job) != 0)
        return err_raise(-EBADMSG);
    if (cron_parse(turn_str(t, row.cron), &cron, &field) != 0 ||
        cron_next(&cron, t->now.wall_ms, &row.next_ms) != 0)
        row.next_ms = 0;
    r = schedule_write(t, account, name, &row);
    if (r == 0 && row.next_ms)
        r = due_put(t, account, name, row.next_ms);
    return r == 0 ? schedule_event(t, account, name, &row, code == E_OK ? result.job : (char *)"")
                  : r;
}

/* The first that is due; *ret_next_ms: its time, UINT64_MAX without any. */
static int due_first(struct turn *t, uint64_t *ret_next_ms, uint64_t *ret_account, char **ret_name)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    *ret_next_ms = UINT64_MAX;
    int r = turn_store(cursor_open(t->txn, TABLE_SCHEDULE_DUE, &cursor));
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    if (r != 0)
        return r == STORE_MISSING ? 0 : err_pass(r);
    if (key.n < DUE_HEAD_BYTES)
        return err_raise(-EBADMSG);
    const uint8_t *p = key.p;
    *ret_next_ms = get_be64(p);
    *ret_account = get_be64(p + 8);
    struct span name = span_of(p + DUE_HEAD_BYTES, key.n - DUE_HEAD_BYTES);
    *ret_name = arena_alloc(t->fx->arena, name.n + 1);
    if (!*ret_name)
        return err_raise(-ENOMEM);
    memcpy(*ret_name, name.p, name.n);
    return 0;
}

int schedules_some(struct turn *t)
{
    for (unsigned i = 0; i < SCHEDULES_SLICE && t->cache->schedule_ms <= t->now.wall_ms; i++) {
        uint64_t next_ms, account = 0;
        char *name = NULL;
        int r = due_first(t, &next_ms, &account, &name);
        if (r == 0 && next_ms <= t->now.wall_ms)
            r = schedule_run(t, account, name);
        else if (r == 0)
            SET(t->undo, t->cache->schedule_ms, next_ms);
        if (r != 0)
            return r;
    }
    return 0;
}
