/* publish.c: a job comes in.
 *
 * Order: account, class, app, platform, timeout, source, then the idempotency key; only then the
 * first put. What is written at once is what must be: the job (appended), its place in `ready`, its
 * event, its idempotency key; the account's counts and ring once at the end of the turn; listings
 * later (fold.c). */
#include "engine/turn.h"

#include "sched/tier.h"
#include "store/keys.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

enum { PRIORITY_DEFAULT = 5, PRIORITY_LAST = 9, ATTEMPTS_MAX = 3, SHA256_HEX_LEN = 64 };

static const char source_prefix[] = "upload:";

/* A publish that was found good. */
struct offer {
    const Rota__Publish *q;
    struct account *account;
    struct pool *pool;
    const char *class;
    struct app_facts app;
    enum platform platform;
    uint64_t timeout_ms;
    bool has_source;
    uint64_t source_bytes;
    uint8_t sha256[32];
    uint8_t request_hash[32];
};

static int check_source(struct turn *t, struct offer *o)
{
    const char *source = o->q->source;
    if (!source[0])
        return strcmp(o->class, "bundle") == 0
                   ? turn_refuse(t, E_SOURCE_NEEDED, "a job of class bundle needs a source")
                   : 0;
    size_t n = sizeof source_prefix - 1, hash_n = 0;
    if (strncmp(source, source_prefix, n) != 0 || strlen(source + n) != SHA256_HEX_LEN ||
        sodium_hex2bin(o->sha256, sizeof o->sha256, source + n, SHA256_HEX_LEN, NULL, &hash_n,
                       NULL) != 0 ||
        hash_n != sizeof o->sha256)
        return turn_refuse(t, E_SOURCE_INVALID, "source \"%.80s\" is not upload:<sha256>", source);
    o->has_source = true;
    if (!t->in->is_vetted)
        return TURN_VET;
    const struct source_seen *seen = t->in->sources ? &t->in->sources[t->member] : NULL;
    o->source_bytes = seen ? seen->bytes : 0;
    return seen ? (int)seen->code : 0;
}

static int check_platform(struct turn *t, struct offer *o)
{
    o->platform = platform_by_name(o->q->platform);
    if (!o->platform && (o->q->platform[0] || strcmp(o->class, "bundle") == 0))
        return turn_refuse(t, E_PLATFORM_UNKNOWN, "no platform \"%s\"", o->q->platform);
    return 0;
}

static bool spec_looks_like_json(const ProtobufCBinaryData *spec)
{
    return spec->len == 0 ||
           (spec->len >= 2 && spec->data[0] == '{' && spec->data[spec->len - 1] == '}');
}

static int check_account(struct turn *t, struct offer *o)
{
    uint64_t number;
    const char *named = o->q->account;
    enum error_code code = auth_account(t->txn, &t->who, named, &number);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", named, error_row(code)->text);
    return turn_store(cache_account(t->cache, t->txn, number, &o->account));
}

static int check_timeout(struct turn *t, struct offer *o)
{
    assert(o->account);
    uint8_t tier = o->account->tier;
    if (tier_timeout(tier, o->q->timeout_ms, &o->timeout_ms))
        return 0;
    return turn_refuse(t, E_TIMEOUT_INVALID, "timeout of %llu ms is longer than tier %s's %llu ms",
                       (unsigned long long)o->q->timeout_ms, tier_row(tier)->name,
                       (unsigned long long)tier_row(tier)->timeout_ms);
}

/* All that can be refused without having written anything. Class and app are made last. */
static int offer_check(struct turn *t, const Rota__Publish *q, struct offer *o)
{
    *o = (struct offer){.q = q, .class = q->class_[0] ? q->class_ : "bundle"};
    if (!q->app[0])
        return turn_refuse(t, E_FIELD_MISSING, "publish.app is empty");
    if (q->priority > PRIORITY_LAST)
        return turn_refuse(t, E_FIELD_INVALID, "publish.priority: %u, at most %d", q->priority,
                           PRIORITY_LAST);
    if (!spec_looks_like_json(&q->spec))
        return turn_refuse(t, E_SPEC_INVALID, "the spec is not a JSON object");
    int r = check_account(t, o);
    if (r == 0)
        r = check_platform(t, o);
    if (r == 0)
        r = check_timeout(t, o);
    if (r == 0)
        r = check_source(t, o);
    return r;
}

/* The request without its idempotency key, hashed: what "the same body" means. */
static int offer_hash(struct turn *t, struct offer *o)
{
    Rota__Publish q = *o->q;
    q.idempotency_key = (char *)"";
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

static int write_job(struct turn *t, const struct offer *o, struct job_id id)
{
    const Rota__Publish *q = o->q;
    const char *principal = t->origin ? t->origin->principal : t->who.account_id;
    const char *address = t->origin ? t->origin->client_address : t->in->peer.address;
    struct job_row row = {
        .account = o->account->number,
        .app = o->app.number,
        .pool = o->pool->number,
        .platform = (uint8_t)o->platform,
        .priority = (uint8_t)(q->priority ? q->priority : PRIORITY_DEFAULT),
        .tier = o->account->tier,
        .attempts_max = ATTEMPTS_MAX,
        .timeout_ms = o->timeout_ms,
        .published_ms = t->now.wall_ms,
        .source_bytes = o->source_bytes,
        .account_id = span_str(o->account->id),
        .app_name = span_str(q->app),
        .class = span_str(o->class),
        .source = span_str(q->source),
        .spec = span_of(q->spec.data, q->spec.len),
        .principal = span_str(principal),
        .client_address = span_str(address),
        .idempotency_key = span_str(q->idempotency_key),
    };
    struct key_buf k;
    int r = turn_store(row_append(t->txn, &job_row_type, key_id(&k, id), &row));
    if (r != 0)
        return r;
    struct mark_row mark = {{"", 0}};
    struct span key = key_ready(&k, row.pool, row.account, row.priority, id);
    return turn_store(row_put(t->txn, &ready_row_type, key, &mark));
}

static int write_event(struct turn *t, const struct offer *o, char *job)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_PUBLISHED);
    if (event) {
        event->job = job;
        event->account_number = o->account->number;
        event->app = o->q->app;
        event->pool = o->pool->name;
        event->tier = (Rota__Tier)o->account->tier;
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

static int write_source(struct turn *t, const struct offer *o)
{
    return o->has_source ? object_hold(t, ROTA__OBJECT_KIND__SOURCE, o->account->number, o->sha256,
                                       o->source_bytes)
                         : 0;
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

static int offer_accept(struct turn *t, struct offer *o, Rota__PublishResult *result)
{
    struct tally *tally = account_tally(t->cache, o->account, o->pool);
    if (!tally)
        return err_raise(-ENOMEM);
    int r = fold_make_room(t);
    if (r != 0)
        return r;
    struct job_id id = id_next(t);
    result->job = turn_job(t, id);
    r = write_job(t, o, id);
    if (r == 0)
        r = write_event(t, o, result->job);
    if (r == 0)
        r = write_idem(t, o, id);
    if (r == 0)
        r = write_source(t, o);
    if (r != 0)
        return r;
    SET(t->undo, tally->now.ready, tally->now.ready + 1);
    account_settle(t->cache, o->account);
    fold_add(t, id, o->account->number, o->app.number);
    return 0;
}

/* One job, refused without a trace or accepted. */
static int publish_one(struct turn *t, const Rota__Publish *q, Rota__PublishResult *result)
{
    struct offer o;
    rota__publish_result__init(result);
    int r = offer_check(t, q, &o);
    if (r == 0 && q->idempotency_key[0])
        r = offer_replay(t, &o, result);
    if (r != 0 || result->replayed)
        return r;
    r = store_has_room(t->engine->config.store);
    if (r == STORE_FULL)
        return turn_refuse(t, E_STORE_FULL, "the database is above its high-water mark");
    if (r < 0)
        return err_pass(r);
    r = class_check(t, o.class);
    if (r == 0)
        r = app_find(t, o.account, q->app, t->who.role == ROTA__ROLE__OPERATOR, &o.app);
    if (r == 0 && o.platform && !(o.app.platforms & 1 << o.platform))
        r = turn_refuse(t, E_PLATFORM_NOT_ENABLED, "app \"%s\" is not built for %s", q->app,
                        platform_name((uint8_t)o.platform));
    if (r == 0)
        r = class_for_publish(t, o.class, &o.pool);
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
