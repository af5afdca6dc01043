/* audit.c: one row per kind of event: what it says is entered into the book, or compared with it.
 *
 * An account that is not in the book has no job; the next event of one of its jobs says its tier,
 * its own cap and its bars, and so brings it in. One that is in the book must agree with what its
 * jobs' events say, so that a cap or a bar that changed without an event is found. */
#include "audit/audit.h"

#include "audit/book.h"
#include "audit/cut.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct audit {
    struct book *book; /* NULL: no whole checkpoint yet */
    struct cut *cut;   /* a checkpoint that is being read */
    struct audit_counts counts;
    char *text;
};

int audit_new(struct audit **ret_audit)
{
    struct audit *a = calloc(1, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    *ret_audit = a;
    return 0;
}

struct audit *audit_free(struct audit *a)
{
    if (a) {
        book_free(a->book);
        cut_free(a->cut);
        free(a->text);
        free(a);
    }
    return NULL;
}

const char *audit_text(const struct audit *a)
{
    return a->text ? a->text : "";
}

void audit_counts(const struct audit *a, struct audit_counts *ret_counts)
{
    *ret_counts = a->counts;
    ret_counts->accounts = a->book ? HASH_COUNT(a->book->accounts) : 0;
}

/* ---- deviations ---- */

enum { SET_TEXT = 16, SUBJECT_TEXT = 160 };

static const char *set_text(unsigned set, char text[SET_TEXT])
{
    size_t n = 0;
    for (unsigned t = 0; t < BOOK_TIERS; t++)
        if (set >> t & 1)
            n += (size_t)snprintf(text + n, SET_TEXT - n, "%sP%u", n ? " " : "", t);
    if (!n)
        snprintf(text, SET_TEXT, "nobody");
    return text;
}

static void subject(const Rota__Event *e, char text[SUBJECT_TEXT])
{
    if (e->kind == ROTA__EVENT_KIND__EVENT_DISPATCHED)
        snprintf(text, SUBJECT_TEXT, "event %llu, dispatch %llu of pool %.32s",
                 (unsigned long long)e->seq, (unsigned long long)e->number, e->pool);
    else if (e->job[0])
        snprintf(text, SUBJECT_TEXT, "event %llu, %.40s", (unsigned long long)e->seq, e->job);
    else
        snprintf(text, SUBJECT_TEXT, "event %llu", (unsigned long long)e->seq);
}

__attribute__((format(printf, 3, 4))) static int deviate(struct audit *a, const Rota__Event *e,
                                                         const char *format, ...)
{
    char what[512], who[SUBJECT_TEXT];
    va_list ap;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    subject(e, who);
    if (asprintf(&a->text, "%s: %s", who, what) < 0) {
        a->text = NULL;
        return err_raise(-ENOMEM);
    }
    a->counts.deviation_seq = e->seq;
    return AUDIT_DEVIATION;
}

/* The account in the log's own words if it has some. */
static const char *account_text(const Rota__Event *e, char text[32])
{
    if (e->account[0])
        return e->account;
    snprintf(text, 32, "%llu", (unsigned long long)e->account_number);
    return text;
}

/* ---- jobs ---- */

static int pool_of(struct audit *a, const Rota__Event *e, const char *name,
                   struct book_pool **ret_pool)
{
    *ret_pool = book_pool(a->book, name);
    if (!*ret_pool && name[0])
        *ret_pool = book_pool_add(a->book, name);
    return *ret_pool ? 0 : deviate(a, e, "\"%.40s\" cannot be a pool", name);
}

/* What it says of its account's tier, cap and bars. A rate limit may come and go unsaid while the
 * account has no job. */
static int facts_check(struct audit *a, const Rota__Event *e, struct book_account *who)
{
    char name[32];
    const uint32_t rate = ROTA__BAR__BAR_RATE;
    if (!book_has_jobs(who))
        who->bars = (who->bars & ~rate) | (e->bars & rate);
    if (who->tier == e->tier && who->running_own == e->running_own && who->bars == e->bars)
        return 0;
    return deviate(a, e,
                   "account %s is P%d, own cap %u, bars %u; by the events before it is P%u, %u, %u",
                   account_text(e, name), (int)e->tier, e->running_own, e->bars, who->tier,
                   who->running_own, who->bars);
}

static int account_of(struct audit *a, const Rota__Event *e, struct book_account **ret_account)
{
    *ret_account = book_account(a->book, e->account_number);
    if (*ret_account)
        return facts_check(a, e, *ret_account);
    if (!e->account_number || (unsigned)e->tier >= BOOK_TIERS)
        return deviate(a, e, "it names no account, or no tier");
    struct book_account *who = book_account_add(a->book, e->account_number);
    if (!who)
        return err_raise(-ENOMEM);
    who->tier = (uint8_t)e->tier;
    who->running_own = e->running_own;
    who->bars = e->bars;
    *ret_account = who;
    return 0;
}

/* One job more (or less) of its account in this state; states that wait count nowhere. */
static int count_by(struct audit *a, const Rota__Event *e, struct seat *s, Rota__State state,
                    int by)
{
    uint32_t *count = state == ROTA__STATE__READY    ? &s->ready
                      : state == ROTA__STATE__LEASED ? &s->running
                                                     : NULL;
    char name[32];
    if (!count)
        return 0;
    if (by < 0 && !*count)
        return deviate(a, e, "account %s has no %s job in pool %s by the events before",
                       account_text(e, name), state == ROTA__STATE__READY ? "ready" : "running",
                       s->pool->name);
    *count += (uint32_t)by;
    if (state == ROTA__STATE__LEASED)
        s->account->running += (uint32_t)by;
    return 0;
}

static int seat_of(struct audit *a, const Rota__Event *e, struct book_account *who,
                   const char *pool, struct seat **ret_seat)
{
    struct book_pool *p;
    int r = pool_of(a, e, pool, &p);
    if (r != 0)
        return r;
    *ret_seat = book_seat_add(who, p);
    return *ret_seat ? 0 : err_raise(-ENOMEM);
}

static int job_moved(struct audit *a, const Rota__Event *e)
{
    struct book_account *who;
    struct seat *from, *to;
    if (e->from == e->state && !e->to_pool[0])
        return 0;
    int r = account_of(a, e, &who);
    if (r == 0)
        r = seat_of(a, e, who, e->pool, &from);
    if (r == 0)
        r = seat_of(a, e, who, e->to_pool[0] ? e->to_pool : e->pool, &to);
    if (r == 0)
        r = count_by(a, e, from, e->from, -1);
    if (r == 0)
        r = count_by(a, e, to, e->state, 1);
    if (r == 0)
        book_settle(a->book, who);
    return r;
}

/* ---- dispatches ---- */

static int decision_check(struct audit *a, const Rota__Event *e, struct book_pool *p,
                          unsigned *ret_tier)
{
    char ours[SET_TEXT], theirs[SET_TEXT];
    unsigned set = book_eligible(a->book, p), c = p->c, n = p->n;
    if (set != e->eligible || !set)
        return deviate(a, e, "eligible are %s, the log says %s", set_text(set, ours),
                       set_text(e->eligible, theirs));
    if (e->number != p->number + 1)
        return deviate(a, e, "the number after %llu is %llu", (unsigned long long)p->number,
                       (unsigned long long)p->number + 1);
    *ret_tier = book_decide(p, set);
    if (*ret_tier != (unsigned)e->tier)
        return deviate(a, e, "the rule says P%u, the log says P%d (c %u, n %u, eligible %s)",
                       *ret_tier, (int)e->tier, c, n, set_text(set, ours));
    if (p->c != e->c || p->n != e->n)
        return deviate(a, e, "the rule goes on with c %u, n %u, the log with c %u, n %u", p->c,
                       p->n, e->c, e->n);
    return 0;
}

static int dispatched(struct audit *a, const Rota__Event *e)
{
    struct book_pool *p;
    unsigned tier = 0;
    char name[32];
    int r = pool_of(a, e, e->pool, &p);
    if (r == 0)
        r = decision_check(a, e, p, &tier);
    if (r != 0)
        return r;
    struct seat *head = p->line[tier].first;
    struct book_account *who = head->account;
    if (who->number != e->account_number)
        return deviate(a, e, "at the head of the ring of P%u is account %llu, the log says %s",
                       tier, (unsigned long long)who->number, account_text(e, name));
    r = count_by(a, e, head, ROTA__STATE__READY, -1);
    if (r == 0)
        r = count_by(a, e, head, ROTA__STATE__LEASED, 1);
    if (r != 0)
        return r;
    book_leave(head);
    book_settle(a->book, who);
    a->counts.dispatches++;
    return 0;
}

/* ---- what is set by people, and by rates ---- */

static int account_set(struct audit *a, const Rota__Event *e)
{
    struct book_account *who = book_account(a->book, e->account_number);
    char name[32];
    if ((unsigned)e->tier >= BOOK_TIERS)
        return deviate(a, e, "there is no tier %d", (int)e->tier);
    if (!who)
        return 0;
    if (who->tier != e->tier)
        book_retier(who, (uint8_t)e->tier);
    who->running_own = e->running_own;
    if (book_cap(a->book, who) != e->running_max)
        return deviate(a, e, "the cap of account %s is %u, the log says %u", account_text(e, name),
                       book_cap(a->book, who), e->running_max);
    book_settle(a->book, who);
    return 0;
}

static int bars_set(struct audit *a, const Rota__Event *e)
{
    struct book_account *who;
    struct book_pool *p;
    if (strcmp(e->scope, "tier") == 0 && (unsigned)e->tier < BOOK_TIERS) {
        a->book->tier_bars[e->tier] = e->bars;
        return 0;
    }
    if (strcmp(e->scope, "pool") == 0) {
        int r = pool_of(a, e, e->pool, &p);
        if (r == 0)
            p->bars = e->bars;
        return r;
    }
    if (strcmp(e->scope, "class") == 0) /* it bars nobody by itself: its pool's bars say so */
        return 0;
    if (strcmp(e->scope, "account") != 0)
        return deviate(a, e, "bars of \"%.20s\"", e->scope);
    who = book_account(a->book, e->account_number);
    if (who) {
        who->bars = e->bars;
        book_settle(a->book, who);
    }
    return 0;
}

static int limits_set(struct audit *a, const Rota__Event *e)
{
    if (e->n_tier_running_max != BOOK_TIERS)
        return deviate(a, e, "it says the caps of %zu tiers", e->n_tier_running_max);
    for (unsigned t = 0; t < BOOK_TIERS; t++)
        a->book->tier_cap[t] = e->tier_running_max[t];
    return book_settle_all(a->book);
}

static int erased(struct audit *a, const Rota__Event *e)
{
    struct book_account *who = book_account(a->book, e->account_number);
    char name[32];
    if (who && book_has_jobs(who))
        return deviate(a, e, "account %s still has jobs", account_text(e, name));
    if (who)
        book_account_drop(a->book, who);
    return 0;
}

/* ---- checkpoints ---- */

static int checkpoint_whole(struct audit *a, const Rota__Event *e)
{
    AUTO(book) said = cut_take(a->cut);
    a->cut = cut_free(a->cut);
    AUTO_FREE char *text = a->book ? cut_differs(a->book, said) : NULL;
    if (text)
        return deviate(a, e, "the checkpoint is not what the events have come to: %s", text);
    if (!a->book)
        a->counts.begun_seq = e->seq;
    book_free(a->book);
    a->book = TAKE(said);
    a->counts.checkpoints++;
    return 0;
}

static int checkpoint(struct audit *a, const Rota__Event *e)
{
    int r = a->cut ? 0 : cut_new(&a->cut);
    if (r == 0)
        r = cut_add(a->cut, e->checkpoint);
    if (r == CUT_WHOLE)
        return checkpoint_whole(a, e);
    if (r != CUT_BAD)
        return r < 0 ? err_pass(r) : 0;
    a->cut = cut_free(a->cut);
    /* The log may be read from the middle of one on. */
    return a->book ? deviate(a, e, "the checkpoint cannot be read") : 0;
}

/* ---- one event ---- */

static const struct kind_row {
    Rota__EventKind kind;
    int (*enter)(struct audit *a, const Rota__Event *e);
} kinds[] = {
    {ROTA__EVENT_KIND__EVENT_PUBLISHED, job_moved},
    {ROTA__EVENT_KIND__EVENT_DISPATCHED, dispatched},
    {ROTA__EVENT_KIND__EVENT_FINISHED, job_moved},
    {ROTA__EVENT_KIND__EVENT_RELEASED, job_moved},
    {ROTA__EVENT_KIND__EVENT_EXPIRED, job_moved},
    {ROTA__EVENT_KIND__EVENT_MOVED, job_moved},
    {ROTA__EVENT_KIND__EVENT_ACCOUNT_SET, account_set},
    {ROTA__EVENT_KIND__EVENT_BARS, bars_set},
    {ROTA__EVENT_KIND__EVENT_LIMITS_SET, limits_set},
    {ROTA__EVENT_KIND__EVENT_ERASED, erased},
};

static int enter(struct audit *a, const Rota__Event *e)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].kind == e->kind)
            return kinds[i].enter(a, e);
    return 0;
}

/* Nothing stands between the parts of a checkpoint, and no number is left out or comes twice. */
static int order_check(struct audit *a, const Rota__Event *e)
{
    bool is_part = e->kind == ROTA__EVENT_KIND__EVENT_CHECKPOINT;
    bool follows = !a->counts.last_seq || e->seq == a->counts.last_seq + 1;
    if (a->cut && (!is_part || !follows) && !a->book)
        a->cut = cut_free(a->cut);
    if (!a->book)
        return 0;
    if (!follows)
        return deviate(a, e, "the event after %llu is %llu", (unsigned long long)a->counts.last_seq,
                       (unsigned long long)a->counts.last_seq + 1);
    return a->cut && !is_part ? deviate(a, e, "the checkpoint before it has no end") : 0;
}

int audit_event(struct audit *a, const Rota__Event *event)
{
    if (a->text)
        return AUDIT_DEVIATION;
    int r = order_check(a, event);
    a->counts.last_seq = event->seq;
    if (r != 0)
        return r;
    if (event->kind == ROTA__EVENT_KIND__EVENT_CHECKPOINT)
        r = checkpoint(a, event);
    else if (a->book)
        r = enter(a, event);
    if (a->book)
        a->counts.events++;
    else
        a->counts.passed_over++;
    return r < 0 ? err_pass(r) : r;
}

/* ---- looking ---- */

static const struct seat *look(const struct audit *a, const char *pool, uint64_t account,
                               struct audit_place *ret_place)
{
    const struct book_account *who = a->book ? book_account(a->book, account) : NULL;
    const struct book_pool *p = a->book ? book_pool(a->book, pool) : NULL;
    const struct seat *s = who && p ? book_seat(who, p) : NULL;
    if (s)
        *ret_place = (struct audit_place){.place = s->turn ? 1 : 0,
                                          .number = p->number,
                                          .tier = who->tier,
                                          .is_served = !p->bars && !a->book->tier_bars[who->tier]};
    return s;
}

bool audit_stands(const struct audit *a, const char *pool, uint64_t account,
                  struct audit_place *ret_place)
{
    return look(a, pool, account, ret_place) != NULL;
}

bool audit_place(const struct audit *a, const char *pool, uint64_t account,
                 struct audit_place *ret_place)
{
    const struct seat *s = look(a, pool, account, ret_place);
    if (!s)
        return false;
    ret_place->size = s->pool->line[s->account->tier].n;
    for (const struct seat *o = s->before; s->turn && o; o = o->before)
        ret_place->place++;
    return true;
}
