/* history.c: see history.h. What is known of jobs and accounts: past.c. */
#include "sim/world.h"

#include "audit/audit.h"
#include "sched/retry.h"
#include "sim/bounds.h"
#include "sim/paces.h"
#include "sim/starts.h"
#include "sim/usages.h"
#include "store/keys.h"

#include <stdlib.h>

/* ---- a job begins ---- */

static int8_t ref_number(const struct job_row *row)
{
    const char *p = row->ref.p;
    bool is_one = row->supersedes && row->ref.n == 2 && p[0] == 'r' && p[1] >= '0' &&
                  p[1] < '0' + PAST_REFS_MAX;
    return (int8_t)(is_one ? p[1] - '0' : -1);
}

/* What was put off by a time of day: that time. */
static uint64_t not_before_ms(struct world *w, struct span key)
{
    struct state_row state = {0};
    if (row_get(w->history.txn, &state_row_type, key, &state) < 0)
        world_violated(w, "a state row is damaged");
    return state.due_clock == DUE_WALL ? state.due_ms : 0;
}

static void job_describe(struct world *w, struct past_job *job)
{
    struct job_row row;
    struct key_buf k;
    char class[40];
    struct span key = key_id(&k, job->id);
    if (row_get(w->history.txn, &job_row_type, key, &row) != 0)
        world_violated(w, "event %llu: a published job is not stored",
                       (unsigned long long)w->history.seq);
    if (row.after.n > PAST_AFTER_MAX * sizeof *job->after || row.class.n >= sizeof class)
        world_violated(w, "a job's row does not fit the history");
    memcpy(class, row.class.p, row.class.n);
    class[row.class.n] = '\0';
    job->class = past_class(w, class);
    job->attempts_max = row.attempts_max;
    job->after_n = (uint8_t)(row.after.n / sizeof *job->after);
    memcpy(job->after, row.after.p, row.after.n);
    job->ref = ref_number(&row);
    job->not_before_ms = not_before_ms(w, key_id(&k, job->id));
    if (!row.is_charged)
        world_violated(w, "event %llu: the job was not charged",
                       (unsigned long long)w->history.seq);
}

/* It takes the place of the one that stands for its ref. */
static void job_replace(struct world *w, const struct past_job *job)
{
    struct job_id *stands = &past_account(w, job->account)->stands[job->ref];
    struct past_job *old = history_job(&w->history, *stands);
    if (old && !state_has_ended(old->state)) {
        old->is_replaced = true;
        w->stats[STAT_REPLACED]++;
    }
    *stands = job->id;
}

static void published(struct world *w, const Rota__Event *e, struct job_id id)
{
    struct past_job *job = past_job_add(w, id);
    job->account = e->account_number;
    job->state = e->state;
    job->published_ms = e->at_ms;
    job->seq = e->seq;
    job_describe(w, job);
    usages_begin(w, job, e);
    if (job->ref >= 0)
        job_replace(w, job);
}

/* ---- what is set ---- */

static void account_set(struct world *w, const Rota__Event *e, struct past_job *job)
{
    struct past_account *a = past_account(w, e->account_number);
    (void)job;
    a->tier = (uint8_t)e->tier;
    a->running_own = e->running_own;
    a->was_set = true;
    paces_renew(w, a->number);
    if (e->running_max != past_cap(&w->history, a))
        world_violated(w, "event %llu: the cap of account %llu is %u, the event says %u",
                       (unsigned long long)e->seq, (unsigned long long)a->number,
                       past_cap(&w->history, a), e->running_max);
}

static void limits_set(struct world *w, const Rota__Event *e, struct past_job *job)
{
    (void)job;
    for (size_t t = 0; t < TIERS && t < e->n_tier_running_max; t++)
        w->history.tier_cap[t] = e->tier_running_max[t];
    w->history.limits_were_set = true;
    paces_renew(w, 0);
}

static void bars_set(struct world *w, const Rota__Event *e, struct past_job *job)
{
    (void)job;
    w->stats[STAT_BARS]++;
    if (strcmp(e->scope, "account") == 0)
        past_account(w, e->account_number)->bars = e->bars;
    else if (strcmp(e->scope, "tier") == 0 && (unsigned)e->tier < TIERS)
        w->history.tier_bars[e->tier] = e->bars;
    else if (strcmp(e->scope, "pool") == 0)
        past_pool(w, e->pool)->bars = e->bars;
    else if (strcmp(e->scope, "class") == 0)
        w->history.classes[past_class(w, e->class_)].is_closed = e->bars != 0;
    else
        world_violated(w, "event %llu: bars of \"%s\"", (unsigned long long)e->seq, e->scope);
    w->stats[STAT_BREAKERS] += strcmp(e->reason, "BREAKER_OPEN") == 0;
}

static void erased(struct world *w, const Rota__Event *e, struct past_job *job)
{
    struct past_account *a = past_account(w, e->account_number);
    (void)job;
    if (a->is_erased || a->running)
        world_violated(w, "event %llu: account %llu is erased and runs %u jobs",
                       (unsigned long long)e->seq, (unsigned long long)a->number, a->running);
    a->is_erased = true;
    a->months_n = 0;
    w->stats[STAT_ERASED]++;
}

static void scheduled(struct world *w, const Rota__Event *e, struct past_job *job)
{
    (void)e, (void)job;
    w->stats[STAT_SCHEDULED]++;
}

/* ---- dispatches, and what follows ---- */

static void rotation_check(struct world *w, const Rota__Event *e, uint8_t account_tier)
{
    struct rotation *r = &past_pool(w, e->pool)->rotation, was = *r;
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

static void dispatched(struct world *w, const Rota__Event *e, struct past_job *job)
{
    struct past_account *a = past_account(w, job->account);
    rotation_check(w, e, a->tier);
    past_serving_add(&w->history, e->pool, a->number, a->tier);
    if (++a->running > past_cap(&w->history, a))
        world_violated(w, "event %llu: account %llu runs %u jobs, its cap is %u",
                       (unsigned long long)e->seq, (unsigned long long)a->number, a->running,
                       past_cap(&w->history, a));
    if (e->attempt > job->attempt + 1 || e->attempt < job->attempt + job->is_spent)
        world_violated(w, "event %llu: attempt %u of %s after %u%s", (unsigned long long)e->seq,
                       e->attempt, e->job, job->attempt, job->is_spent ? ", which was spent" : "");
    starts_check(w, e, job);
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
    struct past_account *a = past_account(w, job->account);
    w->stats[STAT_ENDED]++;
    job->ended_ms = e->at_ms;
    if (job->ref >= 0 && job_id_cmp(a->stands[job->ref], job->id) == 0)
        a->stands[job->ref] = (struct job_id){{0}};
}

/* From now on it may start: the clock may be set back again. */
static void wake(struct world *w, const Rota__Event *e, struct past_job *job)
{
    if (e->at_ms < job->not_before_ms || w->turn_bt_ms < job->not_before_bt_ms)
        world_violated(w, "event %llu: %s is ready at %llu (%llu), and was put off to %llu (%llu)",
                       (unsigned long long)e->seq, e->job, (unsigned long long)e->at_ms,
                       (unsigned long long)w->turn_bt_ms, (unsigned long long)job->not_before_ms,
                       (unsigned long long)job->not_before_bt_ms);
    job->not_before_ms = job->not_before_bt_ms = 0;
}

/* A fault is followed by a pause, the longer the more there were. */
static void released(struct world *w, const Rota__Event *e, struct past_job *job)
{
    uint64_t pause_ms = RETRY_MS_FIRST;
    if (e->state != ROTA__STATE__DELAYED)
        return;
    for (uint32_t i = 1; i < job->started && pause_ms < RETRY_MS_CAP; i++)
        pause_ms *= 2;
    if (pause_ms > RETRY_MS_CAP)
        pause_ms = RETRY_MS_CAP;
    job->not_before_bt_ms = w->turn_bt_ms + pause_ms - pause_ms / 5;
}

/* A job that had ended may be tried again: what was said of its end is over. */
static void moved(struct world *w, const Rota__Event *e, struct past_job *job)
{
    if (!state_has_ended(e->from) && e->state == ROTA__STATE__READY)
        wake(w, e, job);
    if (!state_has_ended(e->from))
        return;
    struct promise *p = ledger_of(&w->ledger, job->id);
    p->finished = p->contested = ROTA__STATE__STATE_NONE;
    p->is_cancelling = false;
    p->token = 0;
    job->attempt = 0;
    job->has_been_old |= world_day_has_passed(w, job->ended_ms);
    job->ended_ms = job->not_before_ms = job->not_before_bt_ms = 0;
    job->is_replaced = false;
    job->is_anew = true;
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
    {ROTA__EVENT_KIND__EVENT_RELEASED, IN(LEASED), IN(READY) | IN(DELAYED), released},
    {ROTA__EVENT_KIND__EVENT_EXPIRED, IN(LEASED), IN(READY) | IN(DELAYED), expired},
    {ROTA__EVENT_KIND__EVENT_CANCELLING, IN(LEASED), IN(LEASED), NULL},
    {ROTA__EVENT_KIND__EVENT_FINISHED, WAITING | IN(LEASED), ENDED, finished},
    {ROTA__EVENT_KIND__EVENT_MOVED, WAITING | AGAIN, WAITING, moved},
    {ROTA__EVENT_KIND__EVENT_ACCOUNT_SET, 0, 0, account_set},
    {ROTA__EVENT_KIND__EVENT_LIMITS_SET, 0, 0, limits_set},
    {ROTA__EVENT_KIND__EVENT_BARS, 0, 0, bars_set},
    {ROTA__EVENT_KIND__EVENT_ERASED, 0, 0, erased},
    {ROTA__EVENT_KIND__EVENT_SCHEDULED, 0, 0, scheduled},
};

static const struct kind_row *kind_row(Rota__EventKind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return NULL;
}

static void lease_end(struct world *w, const Rota__Event *e, struct past_job *job)
{
    past_account(w, job->account)->running--;
    job->let_go_before = job->let_go;
    job->let_go = job->token;
    job->is_anew = false;
    job->token = 0;
    if (e->number != job->let_go)
        world_violated(w, "event %llu ends lease %llu of %s, which has %llu",
                       (unsigned long long)e->seq, (unsigned long long)e->number, e->job,
                       (unsigned long long)job->let_go);
}

static void job_move(struct world *w, const Rota__Event *e, const struct kind_row *row,
                     struct past_job *job)
{
    if (e->from != job->state || !(row->from & 1u << e->from) || !(row->to & 1u << e->state))
        world_violated(w, "event %llu of kind %d: %s goes from state %d to %d and was in %d",
                       (unsigned long long)e->seq, e->kind, e->job, e->from, e->state, job->state);
    if (job->is_forgotten)
        world_violated(w, "event %llu is about %s, which is forgotten", (unsigned long long)e->seq,
                       e->job);
    if (job->is_replaced && !state_has_ended(e->from) && e->state != ROTA__STATE__CANCELLED &&
        e->state != ROTA__STATE__LEASED)
        world_violated(w, "event %llu: %s was replaced by a newer one and goes on to state %d",
                       (unsigned long long)e->seq, e->job, e->state);
    usages_move(w, job, e);
    if (job->state == ROTA__STATE__LEASED && e->state != ROTA__STATE__LEASED)
        lease_end(w, e, job);
    if (row->apply)
        row->apply(w, e, job);
    job->state = e->state;
    job->seq = e->seq;
}

static void event_enter(struct world *w, const Rota__Event *e)
{
    const struct kind_row *row = kind_row(e->kind);
    struct job_id id;
    bool has_job = job_id_parse(e->job, &id) == 0;
    struct past_job *job = has_job ? history_job(&w->history, id) : NULL;
    if (e->kind == ROTA__EVENT_KIND__EVENT_PUBLISHED)
        published(w, e, id);
    else if (row && row->from && job)
        job_move(w, e, row, job);
    else if (row && row->from)
        world_violated(w, "event %llu of kind %d: %s was never published",
                       (unsigned long long)e->seq, e->kind, e->job);
    else if (row)
        row->apply(w, e, NULL);
}

/* ---- reading ---- */

static void event_trace(const struct world *w, const Rota__Event *e)
{
    world_trace(w, "  event %llu %s %s %d to %d %s number %llu set %u P%d account %llu %s",
                (unsigned long long)e->seq,
                protobuf_c_enum_descriptor_get_value(&rota__event_kind__descriptor, e->kind)->name,
                e->job, e->from, e->state, e->reason, (unsigned long long)e->number, e->eligible,
                e->tier, (unsigned long long)e->account_number, e->worker);
}

static void event_read(struct world *w, const Rota__Event *e)
{
    event_trace(w, e);
    int r = audit_event(w->history.audit, e);
    if (r != 0)
        world_violated(w, "the audit: %s", audit_text(w->history.audit));
    event_enter(w, e);
    bounds_hear(w, e);
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
    w->history.txn = txn;
    int r = cursor_seek(cursor, key_u64(&k, w->history.seq + 1), &key, &value);
    for (; r == 0; r = cursor_next(cursor, &key, &value))
        row_read(w, key, value);
    w->history.txn = NULL;
}
