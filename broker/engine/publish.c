/* publish.c: a job comes in: it was found good (admission.c), is no repetition, and is written.
 *
 * What is written at once is what must be: the job (appended), its place, its event, its
 * idempotency key; the account's counts and ring once at the end of the turn; listings later
 * (fold.c). */
#include "engine/abuse.h"
#include "engine/life.h"
#include "sched/retry.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

/* The request without its idempotency key, hashed: what "the same body" means. */
static int offer_hash(struct turn *t, struct offer *o)
{
    Rota__Publish q = *o->asked;
    q.idempotency_key = (char *)"";
    q.source_key = (ProtobufCBinaryData){0}; /* the source it opens is named by its hash */
    if (!q.priority)
        q.priority = PRIORITY_DEFAULT; /* said or not said: the same job */
    size_t n = rota__publish__get_packed_size(&q);
    uint8_t *packed = arena_alloc(t->fx->arena, n);
    if (!packed)
        return err_raise(-ENOMEM);
    rota__publish__pack(&q, packed);
    crypto_generichash(o->request_hash, sizeof o->request_hash, packed, n, NULL, 0);
    return 0;
}

/* 0: a new key; 1: *ret_result is the earlier answer. */
static int offer_replay(struct turn *t, struct offer *o, Rota__PublishResult *result)
{
    struct idem_row row;
    struct key_buf k;
    int r = offer_hash(t, o);
    if (r != 0)
        return r;
    struct span key = key_idem(&k, span_str(o->q->idempotency_key), o->account->number);
    r = row_get(t->txn, &idem_row_type, key, &row);
    if (r == STORE_MISSING)
        return 0;
    r = turn_store(r);
    if (r != 0)
        return r;
    if (memcmp(row.request_hash, o->request_hash, sizeof row.request_hash) != 0)
        return turn_refuse(t, E_IDEMPOTENCY_MISMATCH,
                           "idempotency key \"%s\" was used with another request",
                           o->q->idempotency_key);
    result->job = turn_job(t, row.job);
    result->replayed = true;
    return 0;
}

/* The arguments of a publish as a row. Its spans are the request's. */
static struct job_row row_of(struct turn *t, const struct offer *o)
{
    const Rota__Publish *q = o->q;
    const char *principal = t->origin ? t->origin->principal : t->who.account_id;
    return (struct job_row){
        .account = o->account->number,
        .app = o->app.number,
        .pool = o->pool->number,
        .platform = (uint8_t)o->platform,
        .priority = (uint8_t)(q->priority ? q->priority : PRIORITY_DEFAULT),
        .tier = o->account->tier,
        .attempts_max = (uint8_t)(q->attempts_max ? q->attempts_max : RETRY_ATTEMPTS_DEFAULT),
        .timeout_ms = o->timeout_ms,
        .published_ms = t->now.wall_ms,
        .source_bytes = o->source_bytes,
        .account_id = span_str(o->account->id),
        .app_name = span_str(q->app),
        .class = span_str(o->class),
        .source = span_str(q->source),
        .spec = span_of(q->spec.data, q->spec.len),
        .principal = span_str(principal),
        .idempotency_key = span_str(q->idempotency_key),
        .ref = span_str(q->ref),
        .key_serial = t->who.key_serial,
        .supersedes = q->supersede ? 1 : 0,
        .is_charged = o->is_charged,
        .after = span_of(o->after, o->after_n * sizeof *o->after),
    };
}

static struct job job_born(const struct offer *o, const struct job_row *row, struct job_id id,
                           struct tally *tally)
{
    return (struct job){.id = id,
                        .state = ROTA__STATE__STATE_NONE,
                        .account = o->account,
                        .pool = o->pool,
                        .home = o->pool,
                        .tally = tally,
                        .app = row->app,
                        .platform = row->platform,
                        .priority = row->priority,
                        .priority_home = row->priority,
                        .attempts_max = row->attempts_max,
                        .supersedes = row->supersedes,
                        .is_charged = row->is_charged,
                        .key_serial = row->key_serial,
                        .published_ms = row->published_ms};
}

/* Where it begins: held, delayed or ready. */
static struct step first_step(const struct turn *t, const struct offer *o)
{
    struct step s = {.to = ROTA__STATE__READY,
                     .due_ms = o->run_at_ms,
                     .due_clock = DUE_WALL,
                     .waits = (uint16_t)o->waits_n};
    if (o->run_at_ms) {
        s.to = ROTA__STATE__DELAYED;
        s.reason = span_str("RUN_AT");
    }
    if (o->waits_n) {
        s.to = ROTA__STATE__DELAYED;
        s.reason = span_str("DEPENDS_ON");
    }
    if (o->q->hold) {
        s.to = ROTA__STATE__HELD;
        s.reason = span_str("HELD");
        s.by = span_str(t->who.key_prefix);
    }
    return s;
}

static int write_event(struct turn *t, const struct offer *o, const struct job *j, char *job)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_PUBLISHED);
    if (event) {
        event->job = job;
        event_account(event, o->account);
        event->app = o->q->app;
        event->pool = o->pool->name;
        event->state = j->state;
    }
    return event_append(t, event);
}

static int write_idem(struct turn *t, const struct offer *o, struct job_id id)
{
    struct idem_row row = {.job = id};
    struct key_buf k;
    if (!o->q->idempotency_key[0])
        return 0;
    memcpy(row.request_hash, o->request_hash, sizeof row.request_hash);
    struct span key = key_idem(&k, span_str(o->q->idempotency_key), o->account->number);
    return turn_store(row_put(t->txn, &idem_row_type, key, &row));
}

static int write_source(struct turn *t, const struct offer *o, struct job_id id)
{
    if (o->source.kind != SOURCE_UPLOAD)
        return 0;
    const ProtobufCBinaryData *key = &o->q->source_key;
    int r = key->len ? effect_source(t, id, key->data) : 0;
    if (r != 0)
        return r;
    return object_hold(t, ROTA__OBJECT_KIND__SOURCE, o->account, o->source.sha256, o->source_bytes);
}

static struct job_id id_next(struct turn *t)
{
    uint8_t random[6];
    const struct engine_config *config = &t->engine->config;
    config->random(config->random_arg, random, sizeof random);
    struct job_id id = job_id_next(t->cache->hot.last_job, t->now.wall_ms, random);
    SET(t->undo, t->cache->hot.last_job, id);
    t->cache->hot_dirty = true;
    return id;
}

/* The row, then its place, then what hangs on it. */
static int offer_write(struct turn *t, const struct offer *o, struct job_id id, struct tally *tally,
                       Rota__PublishResult *result)
{
    struct job_row row = row_of(t, o);
    struct job j = job_born(o, &row, id, tally);
    struct step s = first_step(t, o);
    struct key_buf k;
    int r = turn_store(row_append(t->txn, &job_row_type, key_id(&k, id), &row));
    if (r == 0)
        r = job_move(t, &j, &s);
    if (r == 0 && o->waits_n)
        r = follow_begin(t, id, o->waits, o->waits_n);
    if (r == 0)
        r = write_event(t, o, &j, result->job);
    if (r == 0)
        r = write_idem(t, o, id);
    if (r == 0)
        r = write_source(t, o, id);
    if (r == 0 && row.supersedes)
        r = supersede_publish(t, o, &j, result);
    result->state = j.state;
    return r;
}

int offer_accept(struct turn *t, struct offer *o, Rota__PublishResult *result)
{
    int r = class_for_publish(t, o->class, &o->pool);
    if (r == 0)
        r = fold_make_room(t);
    if (r != 0)
        return r;
    struct tally *tally = account_tally(t->cache, o->account, o->pool);
    if (!tally)
        return err_raise(-ENOMEM);
    struct job_id id = id_next(t);
    result->job = turn_job(t, id);
    if (!result->job)
        return err_raise(-ENOMEM);
    r = offer_write(t, o, id, tally, result);
    if (r == 0)
        fold_add(t, id, o->account->number, o->app.number);
    if (r == 0)
        r = abuse_publish(t, o->account, o->app.family, id);
    if (result->state == ROTA__STATE__READY &&
        o->account->bars & (ROTA__BAR__BAR_REVIEW | ROTA__BAR__BAR_BLOCKED))
        result->state = ROTA__STATE__HELD;
    return r;
}

static int check_room(struct turn *t)
{
    int r = store_has_room(t->engine->config.store);
    if (r == STORE_FULL)
        return turn_refuse(t, E_STORE_FULL, "the database is above its high-water mark");
    return r < 0 ? err_pass(r) : 0;
}

int publish_one(struct turn *t, const Rota__Publish *asked, Rota__PublishResult *result)
{
    struct offer o;
    const Rota__Publish *q;
    rota__publish_result__init(result);
    int r = preset_apply(t, asked, &q);
    if (r == 0)
        r = offer_open(t, q, &o);
    o.asked = asked;
    if (r == 0 && q->idempotency_key[0])
        r = offer_replay(t, &o, result);
    if (r != 0 || result->replayed)
        return r;
    r = offer_check(t, &o);
    if (r == 0)
        r = check_room(t);
    if (r == 0)
        r = class_check(t, o.class);
    if (r == 0)
        r = app_find(t, o.account, q->app, t->who.role == ROTA__ROLE__OPERATOR, &o.app);
    if (r == 0 && o.platform && !(o.app.platforms & 1 << o.platform))
        r = turn_refuse(t, E_PLATFORM_NOT_ENABLED, "app \"%s\" is not built for %s", q->app,
                        platform_name((uint8_t)o.platform));
    return r == 0 ? offer_accept(t, &o, result) : r;
}

int turn_publish(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    reply->publish = arena_alloc(t->fx->arena, sizeof *reply->publish);
    if (!reply->publish)
        return err_raise(-ENOMEM);
    return publish_one(t, request->publish, reply->publish);
}

/* Fills one outcome; only what concerns the whole message comes back. */
static int publish_member(struct turn *t, const Rota__Publish *q, Rota__PublishOutcome *outcome)
{
    rota__publish_outcome__init(outcome);
    outcome->accepted = arena_alloc(t->fx->arena, sizeof *outcome->accepted);
    if (!outcome->accepted)
        return err_raise(-ENOMEM);
    t->text = NULL;
    int r = publish_one(t, q, outcome->accepted);
    if (r <= 0 || r >= ERROR_CODE_COUNT)
        return r;
    outcome->accepted = NULL;
    outcome->error = error_new(t, (enum error_code)r, t->text);
    return outcome->error ? 0 : err_raise(-ENOMEM);
}

/* Before any member is written: does one of them need its source looked at? */
static bool many_needs_vetting(const struct turn *t, const Rota__PublishMany *q)
{
    for (size_t i = 0; i < q->n_publish && !t->in->is_vetted; i++)
        if (q->publish[i]->source[0])
            return true;
    return false;
}

int turn_publish_many(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__PublishMany *q = request->publish_many;
    size_t n = q->n_publish;
    if (many_needs_vetting(t, q))
        return TURN_VET;
    Rota__PublishManyResult *result = arena_alloc(t->fx->arena, sizeof *result);
    Rota__PublishOutcome *outcomes = arena_alloc(t->fx->arena, (n + 1) * sizeof *outcomes);
    if (!result || !outcomes)
        return err_raise(-ENOMEM);
    rota__publish_many_result__init(result);
    result->outcome = arena_alloc(t->fx->arena, (n + 1) * sizeof(Rota__PublishOutcome *));
    if (!result->outcome)
        return err_raise(-ENOMEM);
    for (size_t i = 0; i < n; i++) {
        result->outcome[i] = &outcomes[i];
        t->member = i;
        int r = publish_member(t, q->publish[i], &outcomes[i]);
        if (r != 0)
            return r;
    }
    result->n_outcome = n;
    reply->publish_many = result;
    return 0;
}
