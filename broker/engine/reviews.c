/* reviews.c: a score that is too high opens a review.
 *
 *   FLAGGED  -> CONFIRMED | DISMISSED | RELEASED     by a person (review_decide.c)
 *   FLAGGED  -> REPLACED                             by a higher score
 *   HELD     -> CONFIRMED | DISMISSED | RELEASED     by a person
 *   CONFIRMED, BLOCKED -> RELEASED                   by a person
 *
 * An account has at most one that is open or blocks it; `review_open` points to its newest, and
 * each names the one before. What a person has let go is not raised again: a new score is compared
 * with the account's last reviews, and only evidence that none of them had opens another. */
#include "engine/reviews.h"

#include "store/keys.h"

#include <errno.h>

enum { BACK_MAX = 16 };

static bool is_open(Rota__ReviewState s)
{
    return s == REVIEW(FLAGGED) || s == REVIEW(HELD);
}

static bool is_let_go(Rota__ReviewState s)
{
    return s == REVIEW(DISMISSED) || s == REVIEW(RELEASED);
}

const char *review_word(Rota__ReviewState state)
{
    static const char *const words[] = {
        [REVIEW(NONE)] = "",
        [REVIEW(FLAGGED)] = "flagged",
        [REVIEW(HELD)] = "held",
        [REVIEW(CONFIRMED)] = "confirmed",
        [REVIEW(DISMISSED)] = "dismissed",
        [REVIEW(BLOCKED)] = "blocked",
        [REVIEW(RELEASED)] = "released",
        [REVIEW(REPLACED)] = "replaced",
    };
    return (size_t)state < ARRAY_LEN(words) ? words[state] : "";
}

int review_event(struct turn *t, uint64_t account, const Rota__Review *review)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_REVIEW);
    if (event) {
        event->account_number = account;
        event->review = review->review;
        event->reason = (char *)review_word(review->state);
    }
    return event_append(t, event);
}

/* ---- patterns ---- */

static bool is_pattern_kind(int kind)
{
    return kind == ROTA__SIGNAL_KIND__SIGNAL_HASH || kind == ROTA__SIGNAL_KIND__SIGNAL_IP;
}

/* The review that confirmed what this case shares; 0: none. */
static int pattern_find(struct turn *t, const struct abuse_case *c, uint64_t *ret_review)
{
    *ret_review = 0;
    for (int kind = 1; kind <= ABUSE_LINKS; kind++) {
        const struct abuse_link *l = &c->link[kind - 1];
        struct review_open_row row;
        struct key_buf k;
        if (!l->counts || !is_pattern_kind(kind))
            continue;
        int r =
            row_get(t->txn, &pattern_row_type, key_pattern(&k, (uint8_t)kind, l->value.b), &row);
        if (r == STORE_MISSING)
            continue;
        if (r != 0)
            return turn_store(r);
        *ret_review = row.review;
        return 0;
    }
    return 0;
}

/* The first review that confirmed a value is the one that is cited. When it is released its values
 * are no pattern any more. */
static int pattern_set(struct turn *t, const Rota__Review *review, const Rota__Evidence *e, bool on)
{
    struct review_open_row row, mine = {review->review, REVIEW(CONFIRMED), t->now.wall_ms};
    struct key_buf k;
    struct span key = key_pattern(&k, (uint8_t)e->kind, e->value.data);
    int r = row_get(t->txn, &pattern_row_type, key, &row);
    if (r < 0)
        return err_pass(r);
    if (on)
        return r == 0 ? 0 : turn_store(row_put(t->txn, &pattern_row_type, key, &mine));
    return r == 0 && row.review == review->review ? turn_store(txn_del(t->txn, TABLE_PATTERN, key))
                                                  : 0;
}

int review_patterns(struct turn *t, const Rota__Review *review, bool on)
{
    int r = 0;
    for (size_t i = 0; i < review->n_evidence && r == 0; i++) {
        const Rota__Evidence *e = review->evidence[i];
        if (is_pattern_kind(e->kind) && e->value.len == SIGNAL_VALUE_BYTES)
            r = pattern_set(t, review, e, on);
    }
    return r;
}

/* ---- opening ---- */

/* The bar to come is set first, so that the account is at no moment without one. */
int review_bars(struct turn *t, struct account *a, Rota__ReviewState s)
{
    bool is_blocked = s == REVIEW(CONFIRMED) || s == REVIEW(BLOCKED), is_held = s == REVIEW(HELD);
    int r = is_blocked ? account_bar(t, a, ROTA__BAR__BAR_BLOCKED, true) : 0;
    if (r == 0)
        r = account_bar(t, a, ROTA__BAR__BAR_REVIEW, is_held);
    return r == 0 && !is_blocked ? account_bar(t, a, ROTA__BAR__BAR_BLOCKED, false) : r;
}

static int replace(struct turn *t, uint64_t account, Rota__Review *old, uint64_t newer)
{
    old->state = REVIEW(REPLACED);
    old->replaced_by = newer;
    old->decided_ms = t->now.wall_ms;
    int r = review_save(t, account, old);
    return r == 0 ? review_event(t, account, old) : r;
}

static Rota__ReviewState state_at_opening(const struct abuse_case *c, uint64_t cites)
{
    if (abuse_verdict(abuse_score(c->signals)) != ABUSE_HOLD)
        return REVIEW(FLAGGED);
    return cites ? REVIEW(BLOCKED) : REVIEW(HELD);
}

static int review_open(struct turn *t, struct abuse_case *c, Rota__Review *newest)
{
    struct hot_row *hot = &t->cache->hot;
    Rota__Review review = ROTA__REVIEW__INIT;
    uint64_t account = c->account->number, cites;
    int r = pattern_find(t, c, &cites);
    if (r == 0)
        r = evidence_make(t, c, &review);
    if (r != 0)
        return r;
    SET(t->undo, hot->review, hot->review + 1);
    t->cache->hot_dirty = true;
    review.review = hot->review;
    review.score = abuse_score(c->signals);
    review.state = state_at_opening(c, cites);
    review.cites = review.state == REVIEW(BLOCKED) ? cites : 0;
    review.opened_ms = t->now.wall_ms;
    review.job = turn_job(t, c->job);
    review.at_finish = c->at_finish;
    review.prior = newest ? newest->review : 0;
    r = review_save(t, account, &review);
    if (r == 0)
        r = review_point(t, account, &review, t->now.wall_ms);
    if (r == 0 && newest && is_open(newest->state))
        r = replace(t, account, newest, review.review);
    if (r == 0)
        r = review_event(t, account, &review);
    return r == 0 ? review_bars(t, c->account, review.state) : r;
}

/* Does any of the account's reviews say that this one need not be opened? */
static int is_settled(struct turn *t, const struct abuse_case *c, Rota__Review *newest,
                      bool *ret_settled)
{
    Rota__Review *review = newest;
    uint64_t account;
    *ret_settled = true;
    if (newest->state == REVIEW(CONFIRMED) || newest->state == REVIEW(BLOCKED))
        return 0;
    if (is_open(newest->state) && newest->score >= abuse_score(c->signals))
        return 0;
    for (unsigned i = 0; i < BACK_MAX; i++) {
        if (is_let_go(review->state) && evidence_is_covered(review, c))
            return 0;
        if (!review->prior)
            break;
        int r = review_load(t, review->prior, &review, &account);
        if (r != 0)
            return r;
    }
    *ret_settled = false;
    return 0;
}

int review_consider(struct turn *t, struct abuse_case *c)
{
    struct review_open_row row;
    struct key_buf k;
    Rota__Review *newest = NULL;
    uint64_t account;
    bool settled = false;
    if (abuse_verdict(abuse_score(c->signals)) == ABUSE_FINE)
        return 0;
    int r = row_get(t->txn, &review_open_row_type, key_u64(&k, c->account->number), &row);
    if (r < 0)
        return err_pass(r);
    if (r == 0) {
        r = review_load(t, row.review, &newest, &account);
        if (r == 0)
            r = is_settled(t, c, newest, &settled);
        if (r != 0)
            return r;
    }
    return settled ? 0 : review_open(t, c, newest);
}
