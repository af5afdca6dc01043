/* effects.c: what a turn wants to say, collected in an arena until the commit; and the event log.
 */
#include "engine/turn.h"

#include "store/keys.h"

#include <assert.h>
#include <base/auto.h>
#include <errno.h>
#include <stdio.h>

enum { EFFECT_BYTES_MAX = 128 << 20, EVENT_BYTES_SMALL = 2048, EVENT_BYTES_MAX = 50 << 10 };

int effects_init(struct effects *fx)
{
    *fx = (struct effects){0};
    int r = arena_new(EFFECT_BYTES_MAX, &fx->arena);
    if (r < 0)
        return err_pass(r);
    effects_reset(fx);
    return 0;
}

void effects_reset(struct effects *fx)
{
    struct arena *arena = fx->arena;
    arena_reset(arena);
    *fx = (struct effects){.arena = arena};
    fx->replies_end = &fx->replies;
}

void effects_deinit(struct effects *fx)
{
    fx->arena = arena_free(fx->arena);
}

char *turn_str(struct turn *t, struct span s)
{
    char *copy = arena_alloc(t->fx->arena, s.n + 1);
    if (copy && s.n)
        memcpy(copy, s.p, s.n);
    return copy ? copy : (char *)"";
}

int turn_keep(struct turn *t, struct span *text)
{
    char *copy = arena_alloc(t->fx->arena, text->n + 1);
    if (!copy)
        return err_raise(-ENOMEM);
    if (text->n)
        memcpy(copy, text->p, text->n);
    text->p = copy;
    return 0;
}

char *turn_job(struct turn *t, struct job_id id)
{
    char text[JOB_ID_TEXT_LEN + 1];
    return turn_str(t, span_of(job_id_text(id, text), JOB_ID_TEXT_LEN));
}

int turn_store(int r)
{
    if (r == STORE_FULL)
        return TURN_FULL;
    if (r > 0)
        return err_raise(-EBADMSG); /* a row that must be there is not, or the reverse */
    return r < 0 ? err_pass(r) : 0;
}

int turn_refuse_as(struct turn *t, enum error_code code, const char *format, ...)
{
    assert(code != E_OK);
    char text[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    t->text = arena_str(t->fx->arena, text);
    return (int)code;
}

Rota__Reply *reply_new(struct turn *t, uint32_t result_case)
{
    Rota__Reply *reply = arena_alloc(t->fx->arena, sizeof *reply);
    if (reply) {
        rota__reply__init(reply);
        reply->as_of_ms = t->now.wall_ms;
        reply->result_case = (Rota__Reply__ResultCase)result_case;
    }
    return reply;
}

Rota__Error *error_new(struct turn *t, enum error_code code, const char *text)
{
    Rota__Error *error = code == E_OK ? NULL : arena_alloc(t->fx->arena, sizeof *error);
    if (error) {
        rota__error__init(error);
        error_fill(code, text, error);
    }
    return error;
}

/* Without memory for its answer a client waits for its timeout: it asks again, and repeats are
 * safe. */
void effect_reply(struct turn *t, const struct reply_to *to, Rota__Reply *reply)
{
    struct effect_reply *e = arena_alloc(t->fx->arena, sizeof *e);
    if (!e || !reply)
        return;
    reply->request_id = to->request_id;
    *e = (struct effect_reply){.to = *to, .reply = reply};
    *t->fx->replies_end = e;
    t->fx->replies_end = &e->next;
}

void effect_error(struct turn *t, const struct reply_to *to, enum error_code code, const char *text)
{
    Rota__Reply *reply = reply_new(t, ROTA__REPLY__RESULT__NOT_SET);
    if (!reply)
        return;
    reply->error = error_new(t, code, text);
    effect_reply(t, to, reply);
}

void effect_job(struct turn *t, struct job_id job, uint64_t account, bool has_ended)
{
    struct effect_job *e = arena_alloc(t->fx->arena, sizeof *e);
    if (!e)
        return;
    *e = (struct effect_job){t->fx->jobs, job, account, has_ended};
    t->fx->jobs = e;
}

void effect_object_gone(struct turn *t, uint8_t kind, uint64_t number, const uint8_t sha256[32],
                        const char *account)
{
    struct effect_object *e = arena_alloc(t->fx->arena, sizeof *e);
    if (!e)
        return; /* its row in `going` asks again */
    e->next = t->fx->objects_gone;
    e->kind = kind;
    e->account = number;
    memcpy(e->sha256, sha256, sizeof e->sha256);
    snprintf(e->account_id, sizeof e->account_id, "%s", account);
    t->fx->objects_gone = e;
}

int effect_source(struct turn *t, struct job_id job, uint8_t *key)
{
    struct effect_source *e = arena_alloc(t->fx->arena, sizeof *e);
    if (!e)
        return err_raise(-ENOMEM); /* a key must not stay because nobody was told */
    *e = (struct effect_source){t->fx->sources, job, key};
    t->fx->sources = e;
    return 0;
}

Rota__Event *event_new(struct turn *t, Rota__EventKind kind)
{
    Rota__Event *event = arena_alloc(t->fx->arena, sizeof *event);
    if (event) {
        rota__event__init(event);
        event->kind = kind;
    }
    return event;
}

void event_account(Rota__Event *event, const struct account *a)
{
    event->account_number = a->number;
    event->tier = (Rota__Tier)a->tier;
    event->running_own = a->running_own;
    event->bars = a->bars;
}

int event_append(struct turn *t, Rota__Event *event)
{
    if (!event)
        return err_raise(-ENOMEM);
    struct cache *c = t->cache;
    SET(t->undo, c->hot.event_seq, c->hot.event_seq + 1);
    c->hot_dirty = true;
    event->seq = c->hot.event_seq;
    event->at_ms = t->now.wall_ms;
    uint8_t small[EVENT_BYTES_SMALL];
    size_t n = rota__event__get_packed_size(event);
    uint8_t *packed = n <= sizeof small ? small : arena_alloc(t->fx->arena, n);
    if (!packed || n > EVENT_BYTES_MAX)
        return err_raise(packed ? -EMSGSIZE : -ENOMEM);
    struct event_row row = {span_of(packed, rota__event__pack(event, packed))};
    struct key_buf k;
    return turn_store(row_append(t->txn, &event_row_type, key_u64(&k, event->seq), &row));
}
