/* history.c: see history.h. */
#include "sim/history.h"

#include "sim/world.h"
#include "store/keys.h"
#include "store/rows.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what is known ---- */

struct past_job *history_job(struct history *h, struct job_id id)
{
    size_t from = 0, to = h->jobs_n;
    while (from < to) {
        size_t mid = (from + to) / 2;
        int c = job_id_cmp(h->jobs[mid].id, id);
        if (c == 0)
            return &h->jobs[mid];
        if (c < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

/* Ids rise with the log. */
static void job_add(struct world *w, struct job_id id, const Rota__Event *e)
{
    struct history *h = &w->history;
    if (h->jobs_n && job_id_cmp(h->jobs[h->jobs_n - 1].id, id) >= 0)
        world_violated(w, "event %llu: a published job's id does not rise",
                       (unsigned long long)h->seq);
    if (h->jobs_n == h->jobs_cap) {
        h->jobs_cap = h->jobs_cap ? h->jobs_cap * 2 : 256;
        h->jobs = realloc(h->jobs, h->jobs_cap * sizeof *h->jobs);
        if (!h->jobs)
            abort();
    }
    h->jobs[h->jobs_n++] =
        (struct past_job){.id = id, .account = e->account_number, .state = e->state};
}

static struct past_account *account_of(struct world *w, uint64_t number)
{
    struct history *h = &w->history;
    for (size_t i = 0; i < h->accounts_n; i++)
        if (h->accounts[i].number == number)
            return &h->accounts[i];
    if (h->accounts_n == PAST_ACCOUNTS_MAX)
        world_violated(w, "more accounts than the history can hold");
    h->accounts[h->accounts_n] = (struct past_account){.number = number};
    return &h->accounts[h->accounts_n++];
}

static struct rotation *rotation_of(struct world *w, const char *pool)
{
    struct history *h = &w->history;
    for (size_t i = 0; i < h->pools_n; i++)
        if (strcmp(h->pools[i].name, pool) == 0)
            return &h->pools[i].rotation;
    if (h->pools_n == PAST_POOLS_MAX || strlen(pool) >= sizeof h->pools[0].name)
        world_violated(w, "pool %s does not fit the history", pool);
    struct past_pool *p = &h->pools[h->pools_n++];
    memcpy(p->name, pool, strlen(pool) + 1);
    p->rotation = ROTATION_FRESH;
    return &p->rotation;
}

/* ---- events ---- */

static void account_set(struct world *w, const Rota__Event *e, struct past_job *job)
{
    struct past_account *a = account_of(w, e->account_number);
    (void)job;
    a->tier = (uint8_t)e->tier;
    a->running_max = e->running_max;
}

static void rotation_check(struct world *w, const Rota__Event *e, uint8_t account_tier)
{
    struct rotation *r = rotation_of(w, e->pool), was = *r;
    if (e->eligible == 0 || e->eligible >= 1u << TIERS)
        world_violated(w, "event %llu: eligible set %u", (unsigned long long)e->seq, e->eligible);
    uint8_t tier = rotation_next(r, (uint8_t)e->eligible);
    if (tier != e->tier || r->c != e->c || r->n != e->n || r->number != e->number)
        world_violated(w,
                       "event %llu: dispatch %llu of pool %s serves P%d (c %u, n %u), the rotation "
                       "after %llu (c %u, n %u) says P%u for set %u (c %u, n %u)",
                       (unsigned long long)e->seq, (unsigned long long)e->number, e->pool, e->tier,
                       e->c, e->n, (unsigned long long)was.number, was.c, was.n, tier, e->eligible,
                       r->c, r->n);
    if (account_tier != tier)
        world_violated(w, "event %llu: an account of tier P%u is served as P%u",
                       (unsigned long long)e->seq, account_tier, tier);
}

static void serving_add(struct history *h, const Rota__Event *e, uint64_t account)
{
    if (h->servings_n == h->servings_cap) {
        h->servings_cap = h->servings_cap ? h->servings_cap * 2 : 64;
        h->servings = realloc(h->servings, h->servings_cap * sizeof *h->servings);
        if (!h->servings)
            abort();
    }
    struct past_serving *s = &h->servings[h->servings_n++];
    *s = (struct past_serving){.account = account, .tier = (uint8_t)e->tier};
    snprintf(s->pool, sizeof s->pool, "%s", e->pool);
}

static void dispatched(struct world *w, const Rota__Event *e, struct past_job *job)
{
    struct past_account *a = account_of(w, job->account);
    rotation_check(w, e, a->tier);
    serving_add(&w->history, e, a->number);
    if (++a->running > a->running_max)
        world_violated(w, "event %llu: account %llu runs %u jobs, its cap is %u",
                       (unsigned long long)e->seq, (unsigned long long)a->number, a->running,
                       a->running_max);
    if (e->attempt > job->attempt + 1 || e->attempt < job->attempt + job->is_spent)
        world_violated(w, "event %llu: attempt %u of %s after %u%s", (unsigned long long)e->seq,
                       e->attempt, e->job, job->attempt, job->is_spent ? ", which was spent" : "");
    job->token = e->number;
    job->attempt = e->attempt;
    job->is_spent = false;
    w->stats[STAT_DISPATCHES]++;
    w->stats[STAT_CHOICES] += (e->eligible & (e->eligible - 1)) != 0;
}

static void expired(struct world *w, const Rota__Event *e, struct past_job *job)
{
    (void)e;
    job->is_spent = true;
    w->stats[STAT_EXPIRED]++;
}

static void finished(struct world *w, const Rota__Event *e, struct past_job *job)
{
    (void)e, (void)job;
    w->stats[STAT_ENDED]++;
}

/* A job that had ended may be tried again: what was said of its end is over. */
static void moved(struct world *w, const Rota__Event *e, struct past_job *job)
{
    if (e->from < ROTA__STATE__SUCCEEDED)
        return;
    struct promise *p = ledger_of(&w->ledger, job->id);
    p->finished = p->contested = ROTA__STATE__STATE_NONE;
    p->is_cancelling = false;
    p->token = 0;
    job->attempt = 0;
    w->stats[STAT_RETRIES]++;
}

#define IN(s)   (1u << ROTA__STATE__##s)
#define WAITING (IN(READY) | IN(DELAYED) | IN(HELD))
#define AGAIN   (IN(FAILED) | IN(TIMED_OUT) | IN(CANCELLED) | IN(DEAD))
#define ENDED   (AGAIN | IN(SUCCEEDED))

/* What a kind of event does to its job. A kind without a row moves nothing. */
static const struct kind_row {
    Rota__EventKind kind;
    unsigned from, to; /* sets of states; none: it is about no job */
    void (*apply)(struct world *w, const Rota__Event *e, struct past_job *job);
} kinds[] = {
    {ROTA__EVENT_KIND__EVENT_DISPATCHED, IN(READY), IN(LEASED), dispatched},
    {ROTA__EVENT_KIND__EVENT_RELEASED, IN(LEASED), IN(READY) | IN(DELAYED), NULL},
    {ROTA__EVENT_KIND__EVENT_EXPIRED, IN(LEASED), IN(READY) | IN(DELAYED), expired},
    {ROTA__EVENT_KIND__EVENT_CANCELLING, IN(LEASED), IN(LEASED), NULL},
    {ROTA__EVENT_KIND__EVENT_FINISHED, WAITING | IN(LEASED), ENDED, finished},
    {ROTA__EVENT_KIND__EVENT_MOVED, WAITING | AGAIN, WAITING, moved},
    {ROTA__EVENT_KIND__EVENT_ACCOUNT_SET, 0, 0, account_set},
};

static const struct kind_row *kind_row(Rota__EventKind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return NULL;
}

static void job_move(struct world *w, const Rota__Event *e, const struct kind_row *row,
                     struct past_job *job)
{
    bool was_leased = job->state == ROTA__STATE__LEASED;
    if (e->from != job->state || !(row->from & 1u << e->from) || !(row->to & 1u << e->state))
        world_violated(w, "event %llu of kind %d: %s goes from state %d to %d and was in %d",
                       (unsigned long long)e->seq, e->kind, e->job, e->from, e->state, job->state);
    if (was_leased && e->state != ROTA__STATE__LEASED) {
        account_of(w, job->account)->running--;
        job->let_go = job->token;
        job->token = 0;
        if (e->number != job->let_go)
            world_violated(w, "event %llu ends lease %llu of %s, which has %llu",
                           (unsigned long long)e->seq, (unsigned long long)e->number, e->job,
                           (unsigned long long)job->let_go);
    }
    if (row->apply)
        row->apply(w, e, job);
    job->state = e->state;
}

static void event_read(struct world *w, const Rota__Event *e)
{
    const struct kind_row *row = kind_row(e->kind);
    struct job_id id;
    bool has_job = job_id_parse(e->job, &id) == 0;
    struct past_job *job = has_job ? history_job(&w->history, id) : NULL;
    if (e->kind == ROTA__EVENT_KIND__EVENT_PUBLISHED)
        job_add(w, id, e);
    else if (row && row->from && job)
        job_move(w, e, row, job);
    else if (row && row->from)
        world_violated(w, "event %llu of kind %d: %s was never published",
                       (unsigned long long)e->seq, e->kind, e->job);
    else if (row)
        row->apply(w, e, NULL);
    world_trace(w, "  event %llu %s %s %d to %d %s number %llu set %u P%d account %llu %s",
                (unsigned long long)e->seq,
                protobuf_c_enum_descriptor_get_value(&rota__event_kind__descriptor, e->kind)->name,
                e->job, e->from, e->state, e->reason, (unsigned long long)e->number, e->eligible,
                e->tier, (unsigned long long)e->account_number, e->worker);
}

static void row_read(struct world *w, struct span key, struct span value)
{
    struct history *h = &w->history;
    struct event_row row;
    if (row_decode(&event_row_type, key, value, &row) != 0)
        world_violated(w, "an event row is damaged");
    if (get_be64(key.p) != ++h->seq)
        world_violated(w, "event %llu is missing", (unsigned long long)h->seq);
    Rota__Event *e = rota__event__unpack(NULL, row.packed.n, row.packed.p);
    if (!e)
        world_violated(w, "event %llu cannot be unpacked", (unsigned long long)h->seq);
    const uint8_t *p = row.packed.p;
    for (size_t i = 0; i < row.packed.n; i++)
        h->digest = (h->digest ^ p[i]) * 0x100000001b3ull;
    w->stats[STAT_EVENTS]++;
    event_read(w, e);
    rota__event__free_unpacked(e, NULL);
}

void history_read(struct world *w, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    if (cursor_open(txn, TABLE_EVENT, &cursor) != 0)
        abort();
    int r = cursor_seek(cursor, key_u64(&k, w->history.seq + 1), &key, &value);
    for (; r == 0; r = cursor_next(cursor, &key, &value))
        row_read(w, key, value);
}

void history_deinit(struct history *h)
{
    free(h->jobs);
    free(h->servings);
    *h = (struct history){0};
}
