/* deeds.c: the table of deeds. */
#include "sim/deeds.h"

#include <stdio.h>

enum {
    TIMEOUT_MS_MAX = 20000,
    DELAY_MS_MAX = 2000,
    HEAT_MS_MAX = 5000,
    RUNNING_MAX_MOST = 5,
    SLOTS_MAX = 4,
};

/* ---- publish ---- */

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
    q->hold = k->is_held;
    q->idempotency_key = k->key;
    to->after[at] = k->after;
    q->after = &to->after[at];
    q->n_after = k->after[0] != '\0';
}

static void one_fill(struct client *c, struct asking *q)
{
    publish_fill(&c->asking[0], q, 0);
    q->request.op_case = ROTA__REQUEST__OP_PUBLISH;
    q->request.publish = &q->publish[0];
}

/* A job of the same account that is to be waited for, or nothing. */
static void wish_after(struct world *w, const struct client *c, struct known *k)
{
    const struct known *other = c->known_n ? &c->known[world_below(w, (unsigned)c->known_n)] : NULL;
    if (other && world_chance(w, 400) && other->account == k->account)
        memcpy(k->after, other->job, sizeof k->after);
}

static void wish(struct world *w, struct client *c)
{
    struct known *k = &c->asking[c->asking_n++];
    *k = (struct known){.account = world_below(w, w->accounts_n),
                        .class = world_chance(w, 250),
                        .priority = world_below(w, 10),
                        .timeout_ms = 1000 + world_below(w, TIMEOUT_MS_MAX),
                        .delay_ms = world_chance(w, 100) ? world_below(w, DELAY_MS_MAX) : 0,
                        .is_held = world_chance(w, 40)};
    wish_after(w, c, k);
    snprintf(k->key, sizeof k->key, "%s-%llu", c->actor.name, (unsigned long long)++c->keys);
}

static bool publish_ask(struct world *w, struct client *c, struct asking *q)
{
    c->asking_n = 0;
    wish(w, c);
    one_fill(c, q);
    return true;
}

/* The wish with this number came true. */
static void granted(struct world *w, struct client *c, size_t i, const Rota__PublishResult *result)
{
    struct known *k = &c->known[c->known_n < KNOWN_MAX ? c->known_n++ : world_below(w, KNOWN_MAX)];
    *k = c->asking[i];
    snprintf(k->job, sizeof k->job, "%s", result->job);
}

static void publish_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    granted(w, c, 0, reply->publish);
}

static bool many_ask(struct world *w, struct client *c, struct asking *q)
{
    unsigned n = 1 + world_below(w, BATCH_MAX);
    rota__publish_many__init(&q->many);
    for (c->asking_n = 0; c->asking_n < n;) {
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

static void many_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    const Rota__PublishManyResult *result = reply->publish_many;
    if (result->n_outcome != c->asking_n)
        world_violated(w, "%zu publishes have %zu outcomes", c->asking_n, result->n_outcome);
    for (size_t i = 0; i < result->n_outcome; i++) {
        call_refusal(w, &c->actor, result->outcome[i]->error, "STORE_FULL DEPENDENCY_FAILED");
        if (result->outcome[i]->accepted)
            granted(w, c, i, result->outcome[i]->accepted);
    }
}

static bool known_choose(struct world *w, struct client *c)
{
    if (!c->known_n)
        return false;
    c->asking[0] = c->known[world_below(w, (unsigned)c->known_n)];
    c->asking_n = 1;
    return true;
}

/* What was acknowledged is published once more: the same job must come back. */
static bool repeat_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    one_fill(c, q);
    return true;
}

static void repeat_told(struct world *w, struct client *c, const Rota__Reply *reply)
{
    const struct known *k = &c->asking[0];
    if (!reply->publish->replayed || strcmp(reply->publish->job, k->job) != 0)
        world_violated(w, "key %s was acknowledged as %s and is now %s%s", k->key, k->job,
                       reply->publish->replayed ? "" : "new: ", reply->publish->job);
}

/* ---- what is done with a job ---- */

static bool cancel_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    rota__cancel__init(&q->cancel);
    q->request.op_case = ROTA__REQUEST__OP_CANCEL;
    q->request.cancel = &q->cancel;
    q->cancel.job = c->asking[0].job;
    q->cancel.reason = (char *)"changed my mind";
    return job_id_parse(c->asking[0].job, &q->about.job) == 0;
}

static bool hold_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    rota__hold__init(&q->hold);
    q->request.op_case = ROTA__REQUEST__OP_HOLD;
    q->request.hold = &q->hold;
    q->hold.job = c->asking[0].job;
    q->hold.reason = (char *)"let me look at it";
    return true;
}

/* Any held job: an operator sees them all. */
static bool release_ask(struct world *w, struct client *c, struct asking *q)
{
    struct job_id job;
    if (!world_find(w, TABLE_HELD, &job))
        return false;
    rota__job_release__init(&q->job_release);
    q->request.op_case = ROTA__REQUEST__OP_JOB_RELEASE;
    q->request.job_release = &q->job_release;
    q->job_release.job = job_id_text(job, c->asking[0].job);
    return true;
}

static bool retry_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    rota__retry__init(&q->retry);
    q->request.op_case = ROTA__REQUEST__OP_RETRY;
    q->request.retry = &q->retry;
    q->retry.job = c->asking[0].job;
    return true;
}

static bool move_ask(struct world *w, struct client *c, struct asking *q)
{
    if (!known_choose(w, c))
        return false;
    rota__move__init(&q->move);
    q->request.op_case = ROTA__REQUEST__OP_MOVE;
    q->request.move = &q->move;
    q->move.job = c->asking[0].job;
    q->move.priority = 1 + world_below(w, 9);
    if (world_chance(w, 500))
        q->move.pool = (char *)world_class(world_below(w, POOLS));
    return true;
}

/* ---- accounts and heat ---- */

static bool account_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)c;
    rota__account_set__init(&q->account_set);
    q->request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    q->request.account_set = &q->account_set;
    q->account_set.account = (char *)world_account(world_below(w, w->accounts_n));
    if (world_chance(w, 500)) {
        q->account_set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
        q->account_set.tier = (Rota__Tier)world_below(w, TIERS);
    }
    if (world_chance(w, 700)) {
        q->account_set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
        q->account_set.running_max = world_below(w, RUNNING_MAX_MOST + 1);
    }
    return true;
}

static bool heat_ask(struct world *w, struct client *c, struct asking *q)
{
    (void)c;
    rota__heat__init(&q->heat);
    q->request.op_case = ROTA__REQUEST__OP_HEAT;
    q->request.heat = &q->heat;
    q->heat.pool = (char *)world_class(0);
    q->heat.slots = world_below(w, SLOTS_MAX);
    q->heat.for_ms = 1 + world_below(w, HEAT_MS_MAX);
    return true;
}

/* ---- the table ---- */

static const struct deed deeds[] = {
    {"publish", 50, 0, publish_ask, publish_told, "DEPENDENCY_FAILED"},
    {"publish many", 20, 0, many_ask, many_told, ""},
    {"publish again", 8, 0, repeat_ask, repeat_told, ""},
    {"cancel", 8, 0, cancel_ask, NULL, "JOB_ENDED"},
    {"hold", 4, 0, hold_ask, NULL, "JOB_ENDED JOB_RUNNING"},
    {"release", 6, 1, release_ask, NULL, "JOB_NOT_HELD"},
    {"retry", 4, 0, retry_ask, NULL, "JOB_NOT_ENDED JOB_SUCCEEDED"},
    {"move", 4, 0, move_ask, NULL, "JOB_ENDED JOB_RUNNING POOL_UNKNOWN"},
    {"account set", 6, 0, account_ask, NULL, ""},
    {"heat", 2, 0, heat_ask, NULL, ""},
};

static unsigned weight_of(const struct world *w, const struct deed *d)
{
    return w->is_ending ? d->weight_ending : d->weight;
}

const struct deed *deed_choose(struct world *w)
{
    unsigned sum = 0, i = 0;
    for (size_t k = 0; k < ARRAY_LEN(deeds); k++)
        sum += weight_of(w, &deeds[k]);
    if (!sum)
        return NULL;
    for (unsigned at = world_below(w, sum); at >= weight_of(w, &deeds[i]); i++)
        at -= weight_of(w, &deeds[i]);
    return &deeds[i];
}
