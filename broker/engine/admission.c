/* admission.c: may this publish come in? One rule, one function, one row of the table below. */
#include "engine/abuse.h"
#include "engine/offer.h"

#include "engine/usage.h"
#include "store/keys.h"

#include <assert.h>
#include <errno.h>

static const uint64_t put_off_ms_max = 366ull * 24 * 3600 * 1000;

/* Is it bounded like an object: braces outside, brackets that match, no deeper than SPEC_DEPTH_MAX?
 * Whether it is JSON is for those to say who read it; this is what protects them. */
static bool spec_is_bounded(const ProtobufCBinaryData *spec)
{
    unsigned depth = 0;
    bool in_text = false;
    if (spec->len == 0)
        return true;
    if (spec->len < 2 || spec->data[0] != '{' || spec->data[spec->len - 1] != '}')
        return false;
    for (size_t i = 0; i < spec->len; i++) {
        uint8_t c = spec->data[i];
        if (in_text) {
            i += c == '\\'; /* what is escaped ends nothing */
            in_text = c != '"';
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > SPEC_DEPTH_MAX)
                return false;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0 || (depth == 0 && i + 1 != spec->len))
                return false;
        }
    }
    return depth == 0 && !in_text;
}

static int check_fields(struct turn *t, struct offer *o)
{
    const Rota__Publish *q = o->q;
    if (!q->app[0])
        return turn_refuse(t, E_FIELD_MISSING, "publish.app is empty");
    if (q->priority > PRIORITY_LAST)
        return turn_refuse(t, E_FIELD_INVALID, "publish.priority: %u, at most %d", q->priority,
                           PRIORITY_LAST);
    if (q->attempts_max > ATTEMPTS_MOST)
        return turn_refuse(t, E_FIELD_INVALID, "publish.attempts_max: %u, at most %d",
                           q->attempts_max, ATTEMPTS_MOST);
    if (q->supersede && !q->ref[0])
        return turn_refuse(t, E_REF_NEEDED, "publish.supersede is set and publish.ref is empty");
    if (!spec_is_bounded(&q->spec))
        return turn_refuse(t, E_SPEC_INVALID,
                           "the spec is not a JSON object, or deeper than %d levels",
                           SPEC_DEPTH_MAX);
    return 0;
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

/* A key that is good for one app publishes builds of that app. */
static int check_key_app(struct turn *t, struct offer *o)
{
    return app_allowed(t, o->q->app);
}

/* Some classes are of the house. */
static int check_class(struct turn *t, struct offer *o)
{
    return class_allowed(t, o->class);
}

static int check_key_quota(struct turn *t, struct offer *o)
{
    (void)o;
    return key_use_check(t);
}

static int refuse_blocked(struct turn *t, const struct account *a)
{
    uint64_t review;
    int r = turn_store(review_of(t->txn, a->number, &review));
    if (r != 0)
        return r;
    return turn_refuse(t, E_ACCOUNT_BLOCKED, "account \"%s\" is blocked by review %llu", a->id,
                       (unsigned long long)review);
}

/* What stands against the account itself. Paused ones may publish: their jobs wait. */
static int check_bars(struct turn *t, struct offer *o)
{
    const struct account *a = o->account;
    if (a->bars & ROTA__BAR__BAR_ERASING)
        return turn_refuse(t, E_ACCOUNT_ERASING, "account \"%s\" is being erased", a->id);
    if (a->bars & ROTA__BAR__BAR_BLOCKED)
        return refuse_blocked(t, a);
    return 0;
}

static int check_platform(struct turn *t, struct offer *o)
{
    o->platform = platform_by_name(o->q->platform);
    if (!o->platform && (o->q->platform[0] || class_wants_seal(span_str(o->class))))
        return turn_refuse(t, E_PLATFORM_UNKNOWN, "no platform \"%s\"", o->q->platform);
    return 0;
}

static int check_timeout(struct turn *t, struct offer *o)
{
    const struct limits *limits;
    int r = account_limits(t, o->account, &limits);
    if (r != 0 || limits_timeout(limits, o->q->timeout_ms, &o->timeout_ms))
        return r;
    return turn_refuse(t, E_TIMEOUT_INVALID, "timeout of %llu ms is longer than tier %s's %llu ms",
                       (unsigned long long)o->q->timeout_ms,
                       t->cache->tiers.row[o->account->tier].name,
                       (unsigned long long)limits->timeout_ms);
}

static int check_quota(struct turn *t, struct offer *o)
{
    o->is_charged = true; /* counted also when there is no limit */
    return usage_check(t, o->account);
}

static int check_storage(struct turn *t, struct offer *o)
{
    const struct limits *limits;
    const struct account *a = o->account;
    int r = account_limits(t, o->account, &limits);
    if (r != 0 || a->storage_bytes < limits->storage_bytes_max)
        return r;
    return turn_refuse(t, E_STORAGE_QUOTA,
                       "artifacts of account \"%s\" take %llu of %llu bytes; old builds free them",
                       a->id, (unsigned long long)a->storage_bytes,
                       (unsigned long long)limits->storage_bytes_max);
}

static int check_run_at(struct turn *t, struct offer *o)
{
    const Rota__Publish *q = o->q;
    if (q->run_at_ms && q->delay_ms)
        return turn_refuse(t, E_RUN_AT_INVALID, "both run_at_ms and delay_ms are given");
    o->run_at_ms = q->delay_ms ? t->now.wall_ms + q->delay_ms : q->run_at_ms;
    if (o->run_at_ms > t->now.wall_ms + put_off_ms_max)
        return turn_refuse(t, E_RUN_AT_INVALID, "the job would wait for more than a year");
    if (o->run_at_ms <= t->now.wall_ms)
        o->run_at_ms = 0;
    return 0;
}

static int check_parent(struct turn *t, struct offer *o, const char *text)
{
    struct job parent;
    struct job_id id;
    int r = job_parse(t, text, &id);
    if (r != 0)
        return r;
    r = job_load(t, id, &parent);
    if (r == STORE_MISSING || (r == 0 && parent.account != o->account))
        return turn_refuse(t, E_DEPENDENCY_UNKNOWN, "account \"%s\" has no job %s", o->account->id,
                           text);
    if (r != 0)
        return r;
    for (size_t i = 0; i < o->after_n; i++)
        if (job_id_cmp(o->after[i], id) == 0)
            return 0; /* named twice */
    o->after[o->after_n++] = id;
    if (parent.state < ROTA__STATE__SUCCEEDED)
        o->waits[o->waits_n++] = id;
    else if (parent.state != ROTA__STATE__SUCCEEDED)
        return turn_refuse(t, E_DEPENDENCY_FAILED, "%s did not succeed", text);
    return 0;
}

static int check_after(struct turn *t, struct offer *o)
{
    if (o->q->n_after > AFTER_MAX)
        return turn_refuse(t, E_TOO_MANY, "publish.after: %zu jobs, at most %d", o->q->n_after,
                           AFTER_MAX);
    int r = 0;
    for (size_t i = 0; i < o->q->n_after && r == 0; i++)
        r = check_parent(t, o, o->q->after[i]);
    return r;
}

/* Nothing is looked at out there: the worker that fetches it says what it found. */
static int check_git(struct turn *t, struct offer *o)
{
    const struct host_list *allowed = t->engine->config.git_hosts;
    if (strcmp(o->class, "bundle") != 0)
        return turn_refuse(t, E_SOURCE_INVALID, "a job of class %s has no source from git",
                           o->class);
    if (allowed && host_list_has(allowed, &o->source.host))
        return 0;
    return turn_refuse(t, E_GIT_HOST_NOT_ALLOWED, "%s:%u is no git host of this broker",
                       o->source.host.name, (unsigned)o->source.host.port);
}

bool class_wants_seal(struct span class)
{
    static const char *const sealed[] = {"bundle", "heat"};
    for (size_t i = 0; i < ARRAY_LEN(sealed); i++)
        if (class.n == strlen(sealed[i]) && memcmp(class.p, sealed[i], class.n) == 0)
            return true;
    return false;
}

/* What was found where the source was uploaded. */
static int check_seen(struct turn *t, const struct offer *o, const struct source_seen *seen)
{
    if (seen->code == E_SOURCE_TOO_LARGE)
        return turn_refuse(t, E_SOURCE_TOO_LARGE, SOURCE_TOO_LARGE_TEXT,
                           (unsigned long long)seen->bytes, (unsigned long long)seen->bytes_max);
    if (seen->code == E_OK && o->q->source_key.len && !seen->is_sealed)
        return turn_refuse(t, E_SOURCE_NOT_SEALED, "what was uploaded is no sealed source");
    return (int)seen->code;
}

static int check_source(struct turn *t, struct offer *o)
{
    const char *text = o->q->source;
    if (source_ref_parse(span_str(text), &o->source) != 0)
        return turn_refuse(t, E_SOURCE_INVALID, /* not repeated: it may hold a token */
                           "the source is neither upload:<sha256> nor git:https://HOST/PATH@REF");
    if (o->source.kind != SOURCE_UPLOAD && o->q->source_key.len)
        return turn_refuse(t, E_FIELD_INVALID, "publish.source_key is set, and nothing uploaded");
    if (o->source.kind == SOURCE_GIT)
        return check_git(t, o);
    if (o->source.kind == SOURCE_NONE)
        return class_wants_seal(span_str(o->class))
                   ? turn_refuse(t, E_SOURCE_NEEDED, "a job of class %s needs a source", o->class)
                   : 0;
    if (class_wants_seal(span_str(o->class)) && !o->q->source_key.len)
        return turn_refuse(t, E_SOURCE_NOT_SEALED,
                           "publish.source_key is empty, and sources of class %s are sealed",
                           o->class);
    if (!t->in->is_vetted)
        return TURN_VET;
    const struct source_seen *seen = t->in->sources ? &t->in->sources[t->member] : NULL;
    o->source_bytes = seen ? seen->bytes : 0;
    return seen ? check_seen(t, o, seen) : 0;
}

typedef int rule(struct turn *t, struct offer *o);

/* In the order of the founding plan: who, account, tier and limits, abuse, then the work itself.
 * What has been accepted before is answered between the two: no rule may refuse it a second time.
 */
static rule *const first_rules[] = {check_fields, check_account, check_key_app, check_class};
static rule *const rules[] = {
    check_bars,    check_platform, check_timeout, check_key_quota, check_quota,
    check_storage, check_run_at,   check_after,   check_source,
};

int offer_open(struct turn *t, const Rota__Publish *q, struct offer *ret_offer)
{
    int r = 0;
    *ret_offer = (struct offer){.q = q, .class = q->class_[0] ? q->class_ : "bundle"};
    for (size_t i = 0; i < ARRAY_LEN(first_rules) && r == 0; i++)
        r = first_rules[i](t, ret_offer);
    return r;
}

int offer_check(struct turn *t, struct offer *o)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(rules) && r == 0; i++)
        r = rules[i](t, o);
    return r;
}
