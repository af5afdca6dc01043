/* voice.c: see voice.h. */
#include "sim/voice.h"

#include "sim/world.h"

#include <inttypes.h>

/* ---- promises ---- */

static void promise_end(struct world *w, struct job_id job, Rota__State state)
{
    struct promise *p = ledger_of(&w->ledger, job);
    if (p->finished && p->finished != state)
        p->contested = p->finished; /* unless it was tried again meanwhile: the log will say */
    p->finished = state;
}

/* "That lease has ended", and the job with it, if the state says so. A parked call may say it late:
 * when the log has told it already and the job has been tried again since, it promises no more. */
static void promise_lease(struct world *w, const struct asked *asked, Rota__State state)
{
    struct job_id job = asked->about.job;
    const struct past_job *past = history_job(&w->history, job);
    uint64_t token = asked->about.token;
    bool is_long_ago = past && past->let_go_before == token;
    bool is_late = is_long_ago || (past && past->let_go == token);
    if (!is_late)
        ledger_claim(&w->ledger, job, token, false);
    if (state < ROTA__STATE__SUCCEEDED || is_long_ago || (is_late && past->is_anew))
        return;
    promise_end(w, job, state);
    ledger_of(&w->ledger, job)->token = token;
}

/* Who has been told once that his lease ended his job is told so again. */
static void check_again(struct world *w, const struct asked *asked, const Rota__Error *error)
{
    if (!error || !asked->about.token || strcmp(error->name, "LEASE_LOST") != 0)
        return;
    const struct promise *p = ledger_of(&w->ledger, asked->about.job);
    const struct past_job *past = history_job(&w->history, asked->about.job);
    if (past && past->is_forgotten)
        return;
    if (p->finished && p->token == asked->about.token)
        world_violated(w, "%s was told that it had ended its job, and now that its lease is lost",
                       asked->actor->name);
}

static void promise_job(struct world *w, const Rota__PublishResult *result)
{
    struct job_id job;
    if (job_id_parse(result->job, &job) != 0)
        world_violated(w, "a publish is answered with job \"%s\"", result->job);
    ledger_of(&w->ledger, job);
    w->stats[result->replayed ? STAT_REPLAYS : STAT_ACKS]++;
}

static void said_publish(struct world *w, struct asked *asked, const Rota__Reply *reply)
{
    (void)asked;
    promise_job(w, reply->publish);
}

static void said_publish_many(struct world *w, struct asked *asked, const Rota__Reply *reply)
{
    (void)asked;
    for (size_t i = 0; i < reply->publish_many->n_outcome; i++)
        if (reply->publish_many->outcome[i]->accepted)
            promise_job(w, reply->publish_many->outcome[i]->accepted);
}

/* A request that comes again gets the same jobs, for as long as they are leased. */
static void said_jobs(struct world *w, struct asked *asked, const Rota__LeaseResult *result)
{
    struct about *granted = &asked->granted;
    if (result && result->n_job) {
        granted->token = result->job[0]->lease->token;
        if (job_id_parse(result->job[0]->lease->job, &granted->job) != 0)
            world_violated(w, "a lease of job \"%s\"", result->job[0]->lease->job);
    } else if (result && granted->token) {
        ledger_claim(&w->ledger, granted->job, granted->token, true);
    }
}

static void said_lease(struct world *w, struct asked *asked, const Rota__Reply *reply)
{
    said_jobs(w, asked, reply->lease);
}

static void said_finish(struct world *w, struct asked *asked, const Rota__Reply *reply)
{
    promise_lease(w, asked, reply->finish->state);
}

static void said_both(struct world *w, struct asked *asked, const Rota__Reply *reply)
{
    check_again(w, asked, reply->finish_and_lease->finish_error);
    if (reply->finish_and_lease->finish)
        promise_lease(w, asked, reply->finish_and_lease->finish->state);
    said_jobs(w, asked, reply->finish_and_lease->lease);
}

static void said_release(struct world *w, struct asked *asked, const Rota__Reply *reply)
{
    promise_lease(w, asked, reply->lease_release->state);
}

static void said_cancel(struct world *w, struct asked *asked, const Rota__Reply *reply)
{
    if (reply->cancel->cancelling)
        ledger_of(&w->ledger, asked->about.job)->is_cancelling = true;
    else
        promise_end(w, asked->about.job, ROTA__STATE__CANCELLED);
}

/* Which replies are promises. */
static const struct {
    uint32_t op_tag;
    void (*note)(struct world *w, struct asked *asked, const Rota__Reply *reply);
} words[] = {
    {ROTA__REQUEST__OP_PUBLISH, said_publish},
    {ROTA__REQUEST__OP_PUBLISH_MANY, said_publish_many},
    {ROTA__REQUEST__OP_LEASE, said_lease},
    {ROTA__REQUEST__OP_FINISH, said_finish},
    {ROTA__REQUEST__OP_FINISH_AND_LEASE, said_both},
    {ROTA__REQUEST__OP_LEASE_RELEASE, said_release},
    {ROTA__REQUEST__OP_CANCEL, said_cancel},
};

/* ---- replies ---- */

static void note_refusal(struct world *w, const struct asked *asked, const Rota__Error *error)
{
    bool is_quota = error && strcmp(error->name, "QUOTA_EXCEEDED") == 0;
    w->stats[STAT_QUOTA] += is_quota;
    if (is_quota && asked->about.account && w->dry_n < DRY_MAX)
        w->dry[w->dry_n++] = asked->about.account;
}

static void say_reply(struct world *w, const struct effect_reply *e)
{
    const Rota__Reply *reply = e->reply;
    struct asked *asked = world_asked(w, reply->request_id);
    if (++asked->answered > asked->arrived)
        world_violated(w, "request %" PRIu64 " came %u times and is answered %u times",
                       reply->request_id, asked->arrived, asked->answered);
    if (!reply->error && reply->result_case != (Rota__Reply__ResultCase)asked->op_tag)
        world_violated(w, "request %" PRIu64 " of kind %u is answered with kind %d",
                       reply->request_id, asked->op_tag, reply->result_case);
    w->stats[STAT_REPLIES]++;
    w->stats[STAT_REFUSED] += reply->error != NULL;
    note_refusal(w, asked, reply->error);
    check_again(w, asked, reply->error);
    for (size_t i = 0; !reply->error && i < ARRAY_LEN(words); i++)
        if (words[i].op_tag == asked->op_tag)
            words[i].note(w, asked, reply);
    struct message *m = message_new(asked->actor, e->to.pipe, rota__reply__get_packed_size(reply));
    m->request_id = reply->request_id;
    rota__reply__pack(reply, m->bytes);
    link_send(w, &asked->actor->link, LINK_FROM_BROKER, m);
}

void voice_speak(struct world *w)
{
    for (const struct effect_reply *e = w->host.fx.replies; e; e = e->next)
        say_reply(w, e);
}
