/* publish_deeds.c: jobs come in: at once, later, held, after others, in place of an older one, with
 * a source; alone, many together, and once more. */
#include "sim/deeds.h"

#include <stdio.h>

enum {
    TIMEOUT_MS_MAX = 20000,
    DELAY_MS_MAX = 3000,
    ATTEMPTS_MOST = 5,
    SOURCES = 3,
    REFS = 2,
    STEADY_WAITING = 40
};

static void publish_fill(struct known *k, struct asking *to, size_t at)
{
    Rota__Publish *q = &to->publish[at];
    rota__publish__init(q);
    q->account = (char *)world_account(k->account);
    q->app = (char *)"app";
    q->class_ = (char *)world_class(k->class);
    q->priority = k->priority;
    q->timeout_ms = k->timeout_ms;
    q->delay_ms = k->delay_ms;
    q->run_at_ms = k->run_at_ms;
    q->attempts_max = k->attempts_max;
    q->hold = k->is_held;
    q->idempotency_key = k->key;
    q->ref = k->ref;
    q->supersede = k->ref[0] != '\0';
    q->source = k->source;
    for (size_t i = 0; i < k->after_n; i++)
        to->after[at][i] = k->after[i];
    q->after = to->after[at];
    q->n_after = k->after_n;
}

static void one_fill(struct client *c, struct asking *q)
{
    publish_fill(&c->asking[0], q, 0);
    q->request.op_case = ROTA__REQUEST__OP_PUBLISH;
    q->request.publish = &q->publish[0];
    q->about.account = world_account(c->asking[0].account);
}

/* Jobs of the same account that are to be waited for, or none. */
static void wish_after(struct world *w, const struct client *c, struct known *k)
{
    unsigned n = world_chance(w, 400) ? PAST_AFTER_MAX : 0;
    for (unsigned i = 0; i < n && c->known_n; i++) {
        const struct known *other = &c->known[world_below(w, (unsigned)c->known_n)];
        if (other->account == k->account)
            memcpy(k->after[k->after_n++], other->job, sizeof k->after[0]);
    }
}

static void wish_time(struct world *w, struct known *k)
{
    uint64_t ms = 1 + world_below(w, DELAY_MS_MAX);
    if (world_chance(w, 70))
        k->delay_ms = ms;
    else if (world_chance(w, 40))
        k->run_at_ms = clock_read(&w->clock).wall_ms + ms;
}

/* Few contents, so that jobs share them. */
static void wish_source(struct world *w, struct known *k)
{
    struct source_ref ref = {.kind = SOURCE_UPLOAD};
    memset(ref.sha256, (int)(0xa0 + world_below(w, SOURCES)), sizeof ref.sha256);
    if (world_chance(w, 100))
        source_ref_text(&ref, k->source);
}

static void wish(struct world *w, struct client *c)
{
    struct known *k = &c->asking[c->asking_n++];
    *k = (struct known){.account = world_below(w, w->accounts_n)};
    k->class = world_chance(w, 350) ? 1 + world_below(w, CLASSES - 1) : 0;
    k->priority = world_below(w, 10);
    k->timeout_ms = 1000 + world_below(w, TIMEOUT_MS_MAX);
    k->attempts_max = world_chance(w, 300) ? 1 + world_below(w, ATTEMPTS_MOST) : 0;
    k->is_held = world_chance(w, 30);
    wish_time(w, k);
    wish_after(w, c, k);
    wish_source(w, k);
    if (world_chance(w, 120))
        snprintf(k->ref, sizeof k->ref, "r%u", world_below(w, REFS));
    snprintf(k->key, sizeof k->key, "%s-%llu", c->actor.name, (unsigned long long)++c->keys);
}

bool publish_ask(struct world *w, struct client *c, struct asking *q)
{
    wish(w, c);
    one_fill(c, q);
    return true;
}

/* Of the same sort, for any account, as long as not too many wait. */
bool steady_ask(struct world *w, struct client *c, struct asking *q)
{
    const struct history *h = &w->history;
    unsigned waiting = 0;
    for (size_t i = 0; i < h->jobs_n; i++)
        waiting += h->jobs[i].state == ROTA__STATE__READY;
    if (waiting >= STEADY_WAITING)
        return false;
    c->asking[c->asking_n++] = (struct known){.account = world_below(w, w->accounts_n)};
    snprintf(c->asking[0].key, sizeof c->asking[0].key, "%s-%llu", c->actor.name,
             (unsigned long long)++c->keys);
    one_fill(c, q);
    return true;
}

/* It begins no sooner than was asked, by the clock of its publish. */
static void check_not_early(struct world *w, const struct known *k)
{
    struct job_id id;
    struct past_job *job = job_id_parse(k->job, &id) == 0 ? history_job(&w->history, id) : NULL;
    if (!job)
        world_violated(w, "%s was acknowledged and was never published", k->job);
    uint64_t due_ms = k->delay_ms ? job->published_ms + k->delay_ms : k->run_at_ms;
    bool is_waiting = job->state == ROTA__STATE__DELAYED && !job->attempt;
    if (is_waiting && due_ms > job->published_ms && job->not_before_ms != due_ms && !k->after_n)
        world_violated(w, "%s was put off to %llu, and is stored for %llu", k->job,
                       (unsigned long long)due_ms, (unsigned long long)job->not_before_ms);
}

/* The wish with this number came true. */
static void granted(struct world *w, struct client *c, size_t i, const Rota__PublishResult *result)
{
    struct known *k = &c->known[c->known_n < KNOWN_MAX ? c->known_n++ : world_below(w, KNOWN_MAX)];
    *k = c->asking[i];
    snprintf(k->job, sizeof k->job, "%s", result->job);
    check_not_early(w, k);
}

void publish_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    granted(w, c, 0, reply->publish);
}

bool many_ask(struct world *w, struct client *c, struct asking *q)
{
    unsigned n = 1 + world_below(w, BATCH_MAX);
    rota__publish_many__init(&q->many);
    while (c->asking_n < n) {
        wish(w, c);
        publish_fill(&c->asking[c->asking_n - 1], q, c->asking_n - 1);
        q->list[c->asking_n - 1] = &q->publish[c->asking_n - 1];
    }
    q->many.publish = q->list;
    q->many.n_publish = n;
    q->request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    q->request.publish_many = &q->many;
    return true;
}

void many_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    const Rota__PublishManyResult *result = reply->publish_many;
    if (result->n_outcome != c->asking_n)
        world_violated(w, "%zu publishes have %zu outcomes", c->asking_n, result->n_outcome);
    for (size_t i = 0; i < result->n_outcome; i++) {
        call_refusal(w, &c->actor, result->outcome[i]->error, "STORE_FULL " PUBLISH_REFUSALS);
        if (result->outcome[i]->accepted)
            granted(w, c, i, result->outcome[i]->accepted);
    }
}

/* What was acknowledged is published once more: the same job must come back. */
bool repeat_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!c->known_n)
        return false;
    c->asking[c->asking_n++] = c->known[world_below(w, (unsigned)c->known_n)];
    one_fill(c, q);
    return true;
}

/* Unless the broker has forgotten the job, or its key a day after its end. */
void repeat_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    const struct known *k = &c->asking[0];
    struct job_id id;
    const struct past_job *job =
        job_id_parse(k->job, &id) == 0 ? history_job(&w->history, id) : NULL;
    bool may_be_new = job && (job->is_forgotten || job->has_been_old ||
                              (job->ended_ms && world_day_has_passed(w, job->ended_ms)));
    bool is_same = reply->publish->replayed && strcmp(reply->publish->job, k->job) == 0;
    if (!is_same && !may_be_new)
        world_violated(w, "key %s was acknowledged as %s and is now %s%s", k->key, k->job,
                       reply->publish->replayed ? "" : "new: ", reply->publish->job);
    if (!is_same)
        granted(w, c, 0, reply->publish);
}
