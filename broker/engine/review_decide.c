/* review_decide.c: a person looks at a review and decides. Both stand in the operators' trail: the
 * evidence names other accounts, so to read it is an act as well. */
#include "engine/reviews.h"

#include "store/keys.h"

#include <errno.h>
#include <stdio.h>

enum { TARGET_BYTES = 32 };

#define TO(name) (1u << REVIEW(name))

/* What a person may make of a review. */
static const unsigned next[] = {
    [REVIEW(FLAGGED)] = TO(CONFIRMED) | TO(DISMISSED) | TO(RELEASED),
    [REVIEW(HELD)] = TO(CONFIRMED) | TO(DISMISSED) | TO(RELEASED),
    [REVIEW(CONFIRMED)] = TO(RELEASED),
    [REVIEW(BLOCKED)] = TO(RELEASED),
    [REVIEW(REPLACED)] = 0,
};

static char *review_target(struct turn *t, uint64_t number)
{
    char *text = arena_alloc(t->fx->arena, TARGET_BYTES);
    if (text)
        snprintf(text, TARGET_BYTES, "review %llu", (unsigned long long)number);
    return text ? text : (char *)"review";
}

static bool is_blank(const char *text)
{
    return !text[strspn(text, " \t\r\n")];
}

static int decide_check(struct turn *t, const Rota__ReviewDecide *q, const Rota__Review *review)
{
    if (q->decision != REVIEW(CONFIRMED) && q->decision != REVIEW(DISMISSED) &&
        q->decision != REVIEW(RELEASED))
        return turn_refuse(t, E_FIELD_INVALID,
                           "review_decide.decision: confirmed, dismissed or released");
    if (is_blank(q->reviewer) || is_blank(q->reason))
        return turn_refuse(t, E_REVIEWER_NEEDED, "review %llu: %s is empty",
                           (unsigned long long)q->review,
                           is_blank(q->reviewer) ? "reviewer" : "reason");
    if (next[review->state] & 1u << q->decision)
        return 0;
    if (review->replaced_by)
        return turn_refuse(t, E_REVIEW_CLOSED, "review %llu was replaced by review %llu",
                           (unsigned long long)q->review, (unsigned long long)review->replaced_by);
    return turn_refuse(t, E_REVIEW_CLOSED, "review %llu is %s%s%.80s",
                       (unsigned long long)q->review, review_word(review->state),
                       review->reviewer[0] ? " by " : "", review->reviewer);
}

/* The record keeps each decision; its own fields are the last one's. */
static int decide_note(struct turn *t, const Rota__ReviewDecide *q, Rota__Review *review)
{
    size_t n = review->n_made;
    Rota__ReviewDecision **made =
        arena_alloc(t->fx->arena, (n + 1) * sizeof(Rota__ReviewDecision *));
    Rota__ReviewDecision *one = arena_alloc(t->fx->arena, sizeof *one);
    if (!made || !one)
        return err_raise(-ENOMEM);
    if (n)
        memcpy(made, review->made, n * sizeof(Rota__ReviewDecision *));
    rota__review_decision__init(one);
    one->decision = review->state = q->decision;
    one->at_ms = review->decided_ms = t->now.wall_ms;
    one->reviewer = review->reviewer = q->reviewer;
    one->reason = review->reason = q->reason;
    one->principal = review->principal = t->who.key_prefix;
    made[n] = one;
    review->made = made;
    review->n_made = n + 1;
    return 0;
}

/* Is this still what the account stands under? Not when it was erased, or is being so. */
static int is_newest(struct turn *t, uint64_t account, uint64_t review, bool *ret_newest)
{
    struct review_open_row row;
    struct key_buf k;
    int r = row_get(t->txn, &review_open_row_type, key_u64(&k, account), &row);
    *ret_newest = r == 0 && row.review == review;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

static int decide_apply(struct turn *t, uint64_t number, const Rota__Review *review,
                        Rota__ReviewState before)
{
    struct account *a;
    bool newest;
    int r = 0;
    if (review->state == REVIEW(CONFIRMED))
        r = review_patterns(t, review, true);
    else if (before == REVIEW(CONFIRMED))
        r = review_patterns(t, review, false);
    if (r == 0)
        r = is_newest(t, number, review->review, &newest);
    if (r != 0 || !newest)
        return r;
    r = turn_store(cache_account(t->cache, t->txn, number, &a));
    if (r == 0)
        r = review_point(t, number, review, t->now.wall_ms);
    return r == 0 ? review_bars(t, a, review->state) : r;
}

static int reviews_find(struct turn *t, uint64_t number, Rota__Review **ret_review,
                        uint64_t *ret_account)
{
    struct key_buf k;
    struct span value;
    int r = txn_get(t->txn, TABLE_REVIEW, key_u64(&k, number), &value);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_REVIEW_UNKNOWN, "no review %llu", (unsigned long long)number);
    return r < 0 ? err_pass(r) : review_load(t, number, ret_review, ret_account);
}

static int result_fill(struct turn *t, uint64_t number, Rota__ReviewResult **ret_result)
{
    Rota__ReviewResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return err_raise(-ENOMEM);
    rota__review_result__init(result);
    *ret_result = result;
    return turn_store(review_read(t->txn, t->fx->arena, number, true, &result->review));
}

int turn_review_decide(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__ReviewDecide *q = request->review_decide;
    Rota__Review *review;
    uint64_t account;
    int r = reviews_find(t, q->review, &review, &account);
    if (r == 0)
        r = decide_check(t, q, review);
    if (r != 0)
        return r;
    Rota__ReviewState before = review->state;
    r = decide_note(t, q, review);
    if (r == 0)
        r = review_save(t, account, review);
    if (r == 0)
        r = review_event(t, account, review);
    if (r == 0)
        r = decide_apply(t, account, review, before);
    if (r == 0)
        r = trail_note(t, review_target(t, q->review), "%s by %s: %s", review_word(q->decision),
                       q->reviewer, q->reason);
    return r == 0 ? result_fill(t, q->review, &reply->review_decide) : r;
}

/* To read evidence is an act: it names other accounts. */
int turn_review_get(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    uint64_t number = request->review_get->review, account;
    Rota__Review *review;
    int r = reviews_find(t, number, &review, &account);
    if (r == 0)
        r = result_fill(t, number, &reply->review_get);
    return r == 0 ? trail_note(t, review_target(t, number), "read with its evidence") : r;
}
