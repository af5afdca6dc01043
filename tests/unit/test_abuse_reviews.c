/* test_abuse_reviews.c: what follows from a score: who waits for a person and loses nothing, what a
 * person's decision does, who is blocked at once and by whose word, what is not raised again. */
#include "abuse_kit.h"

#define OTHER "203.0.113.77"

enum { MINUTE_MS = 60000 };

/* ---- held ---- */

static void stats_show(struct engine_kit *k, uint64_t ready, uint64_t held)
{
    struct kit_answer a;
    const Rota__StatsResult *stats = kit_stats(k, &a);
    assert_int_equal(stats->tier[3]->ready, ready);
    assert_int_equal(stats->tier[3]->held, held);
    kit_answer_end(&a);
}

static unsigned jobs_listed(struct engine_kit *k, const char *account, Rota__State state)
{
    Rota__List q = ROTA__LIST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct kit_answer a;
    request.op_case = ROTA__REQUEST__OP_LIST;
    request.list = &q;
    q.account = (char *)account;
    q.state = state;
    kit_ask(k, &request, &a);
    assert_int_equal(a.code, E_OK);
    unsigned n = (unsigned)a.reply.list->n_job;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(a.reply.list->job[i]->state, state);
    kit_answer_end(&a);
    return n;
}

static void above_80_jobs_wait_for_a_person_and_none_is_lost(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    struct kit_lease running, lease;
    char waiting[40], later[40], by[40];
    farm_begin(&f, k);
    for (unsigned i = 0; i < 3; i++)
        farm_build(&f, i);
    farm_member(&f, 3);
    assert_string_equal(farm_publish(&f, 3), "");
    assert_string_equal(farm_publish(&f, 3), "");
    snprintf(waiting, sizeof waiting, "%s", kit_published(k)->job);
    assert_int_equal(kit_published(k)->state, ROTA__STATE__READY);
    assert_true(kit_lease(k, "w", &lease));
    assert_true(kit_lease(k, "w2", &running));
    stats_show(k, 1, 0);
    kit_finish_bundle(k, &lease, FARM_HASH);
    struct kit_review review = kit_review_of(k, farm_id(3));
    assert_int_equal(review.state, ROTA__REVIEW_STATE__REVIEW_HELD);
    assert_int_equal(kit_bars(k, farm_id(3)), ROTA__BAR__BAR_REVIEW);
    assert_false(kit_lease(k, "w", &lease));
    assert_string_equal(farm_publish(&f, 3), "");
    assert_int_equal(kit_published(k)->state, ROTA__STATE__HELD);
    snprintf(later, sizeof later, "%s", kit_published(k)->job);
    stats_show(k, 0, 2);
    snprintf(by, sizeof by, "review %llu", (unsigned long long)review.review);
    kit_job_shown(k, waiting, ROTA__STATE__HELD, "HELD_FOR_REVIEW", by);
    kit_job_shown(k, later, ROTA__STATE__HELD, "HELD_FOR_REVIEW", by);
    kit_pass(k, 1000);
    assert_int_equal(jobs_listed(k, farm_id(3), ROTA__STATE__HELD), 2);
    assert_int_equal(jobs_listed(k, farm_id(3), ROTA__STATE__READY), 0);
    /* What runs goes on to its end. */
    assert_string_equal(kit_error(kit_finish(k, &running, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    assert_false(kit_lease(k, "w", &lease));
    kit_check(k);
    assert_string_equal(kit_decide(k, review.review, ROTA__REVIEW_STATE__REVIEW_DISMISSED, "Ann",
                                   "a class of students"),
                        "");
    assert_int_equal(kit_bars(k, farm_id(3)), 0);
    kit_job_shown(k, waiting, ROTA__STATE__READY, "", "");
    stats_show(k, 2, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(kit_lease(k, "w", &lease));
        assert_string_equal(lease.job, i ? later : waiting);
        kit_finish_bundle(k, &lease, FARM_HASH); /* the same evidence: not raised again */
    }
    assert_int_equal(kit_review_of(k, farm_id(3)).review, review.review);
    assert_int_equal(kit_bars(k, farm_id(3)), 0);
    kit_check(k);
}

static void a_flag_stops_nothing(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    struct kit_lease lease;
    farm_begin(&f, k);
    farm_member(&f, 0);
    farm_member(&f, 1);
    struct kit_review review = kit_review_of(k, farm_id(1));
    assert_int_equal(review.state, ROTA__REVIEW_STATE__REVIEW_FLAGGED);
    assert_int_equal(review.score, 55);
    assert_int_equal(kit_bars(k, farm_id(1)), 0);
    assert_true(kit_lease(k, "w", &lease));
    assert_true(kit_lease(k, "w", &lease));
    /* While it is open the same adds nothing. */
    for (unsigned i = 0; i < 5; i++) {
        kit_pass(k, MINUTE_MS + 1);
        assert_string_equal(farm_publish(&f, 1), "");
    }
    assert_int_equal(kit_review_of(k, farm_id(1)).review, review.review);
    assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_NONE, farm_id(1), 20), 1);
    kit_check(k);
}

/* ---- confirmed, blocked, released ---- */

/* Three accounts of one farm, and a fourth that is confirmed and blocked. */
static struct kit_review farm_confirmed(struct engine_kit *k, struct kit_farm *f)
{
    char text[80];
    struct kit_lease running;
    farm_begin(f, k);
    for (unsigned i = 0; i < 3; i++)
        farm_build(f, i);
    farm_member(f, 3);
    assert_string_equal(farm_publish(f, 3), "");
    assert_true(kit_lease(k, "slow", &running));
    kit_build(k, FARM_HASH);
    struct kit_review first = kit_review_of(k, farm_id(3));
    assert_string_equal(
        kit_decide(k, first.review, ROTA__REVIEW_STATE__REVIEW_CONFIRMED, "Ann", "a farm"), "");
    assert_int_equal(kit_bars(k, farm_id(3)), ROTA__BAR__BAR_BLOCKED);
    assert_int_equal(kit_rows(k, TABLE_PATTERN), 2);
    /* What it still runs tells nothing new of it. */
    kit_finish_bundle(k, &running, FARM_HASH);
    assert_int_equal(kit_review_of(k, farm_id(3)).review, first.review);
    assert_string_equal(farm_publish(f, 3), "ACCOUNT_BLOCKED");
    snprintf(text, sizeof text, "account \"farm-3\" is blocked by review %llu",
             (unsigned long long)first.review);
    assert_string_equal(kit_reply(k, k->request_id)->error->text, text);
    return first;
}

/* The account was let go; sharing another address is not what it was let go for. */
static void another_address_is_new_evidence(struct engine_kit *k, struct kit_farm *f,
                                            const struct kit_review *first,
                                            const struct kit_review *later)
{
    kit_account(k, "friend", ROTA__TIER__P3, 0);
    kit_app(k, "friend", "something");
    assert_string_equal(kit_publish_from(k, &f->gateway, "friend", "something", OTHER), "");
    assert_string_equal(kit_publish_from(k, &f->gateway, farm_id(4), "flower shop", OTHER), "");
    struct kit_review again = kit_review_of(k, farm_id(4));
    assert_int_equal(again.state, ROTA__REVIEW_STATE__REVIEW_BLOCKED);
    assert_int_equal(again.cites, first->review);
    assert_int_equal(again.prior, later->review);
    assert_false(again.at_finish);
}

static void a_confirmed_pattern_blocks_those_who_come_later(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    char by[40];
    struct kit_review first = farm_confirmed(k, &f);
    farm_member(&f, 4);
    assert_string_equal(farm_publish(&f, 4), "");
    char waiting[40];
    snprintf(waiting, sizeof waiting, "%s", kit_published(k)->job);
    kit_build(k, FARM_HASH);
    struct kit_review later = kit_review_of(k, farm_id(4));
    assert_int_equal(later.state, ROTA__REVIEW_STATE__REVIEW_BLOCKED);
    assert_int_equal(later.cites, first.review);
    assert_int_equal(kit_bars(k, farm_id(4)), ROTA__BAR__BAR_BLOCKED);
    assert_string_equal(farm_publish(&f, 4), "ACCOUNT_BLOCKED");
    snprintf(by, sizeof by, "review %llu", (unsigned long long)later.review);
    kit_job_shown(k, waiting, ROTA__STATE__HELD, "BLOCKED", by);
    stats_show(k, 0, 1);
    assert_int_equal(kit_reviews(k, ROTA__REVIEW_STATE__REVIEW_BLOCKED, "", 20), 1);

    /* Let go by a person: its job runs, and the same evidence does not block it again. */
    struct kit_lease lease;
    assert_string_equal(
        kit_decide(k, later.review, ROTA__REVIEW_STATE__REVIEW_RELEASED, "Ben", "a customer"), "");
    assert_int_equal(kit_bars(k, farm_id(4)), 0);
    assert_true(kit_lease(k, "w", &lease));
    assert_string_equal(lease.job, waiting);
    kit_finish_bundle(k, &lease, FARM_HASH);
    kit_pass(k, 2ull * MINUTE_MS);
    assert_string_equal(farm_publish(&f, 4), "");
    assert_int_equal(kit_review_of(k, farm_id(4)).review, later.review);

    another_address_is_new_evidence(k, &f, &first, &later);
    kit_check(k);
}

static void a_released_confirmation_is_no_pattern_any_more(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    struct kit_review first = farm_held(&f, k);
    assert_string_equal(
        kit_decide(k, first.review, ROTA__REVIEW_STATE__REVIEW_CONFIRMED, "Ann", "a farm"), "");
    assert_string_equal(
        kit_decide(k, first.review, ROTA__REVIEW_STATE__REVIEW_RELEASED, "Ben", "no farm"), "");
    assert_int_equal(kit_rows(k, TABLE_PATTERN), 0);
    first = kit_review(k, first.review);
    assert_int_equal(first.made, 2);
    assert_string_equal(first.reviewer, "Ben");
    assert_string_equal(farm_publish(&f, 3), "");
    kit_build(k, FARM_HASH);
    assert_int_equal(kit_bars(k, farm_id(3)), 0);
    farm_build(&f, 4);
    assert_int_equal(kit_review_of(k, farm_id(4)).state, ROTA__REVIEW_STATE__REVIEW_HELD);
    kit_check(k);
}

static void a_decision_is_made_once_by_a_named_person_with_a_reason(void **state)
{
    struct engine_kit *k = *state;
    struct kit_farm f;
    struct kit_review held = farm_held(&f, k);
    uint64_t flagged = kit_review_of(k, farm_id(1)).review, events = kit_seq(k);
    uint64_t trail = kit_rows(k, TABLE_TRAIL);
    static const struct {
        Rota__ReviewState decision;
        const char *reviewer, *reason, *error;
    } bad[] = {
        {ROTA__REVIEW_STATE__REVIEW_CONFIRMED, "", "why", "REVIEWER_NEEDED"},
        {ROTA__REVIEW_STATE__REVIEW_CONFIRMED, "Ann", "", "REVIEWER_NEEDED"},
        {ROTA__REVIEW_STATE__REVIEW_DISMISSED, "  ", "why", "REVIEWER_NEEDED"},
        {ROTA__REVIEW_STATE__REVIEW_HELD, "Ann", "why", "FIELD_INVALID"},
        {ROTA__REVIEW_STATE__REVIEW_BLOCKED, "Ann", "why", "FIELD_INVALID"},
        {ROTA__REVIEW_STATE__REVIEW_NONE, "Ann", "why", "FIELD_INVALID"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_string_equal(
            kit_decide(k, held.review, bad[i].decision, bad[i].reviewer, bad[i].reason),
            bad[i].error);
    assert_string_equal(kit_decide(k, 4711, ROTA__REVIEW_STATE__REVIEW_CONFIRMED, "Ann", "why"),
                        "REVIEW_UNKNOWN");
    assert_int_equal(kit_review(k, held.review).state, ROTA__REVIEW_STATE__REVIEW_HELD);
    assert_int_equal(kit_seq(k), events);
    assert_int_equal(kit_rows(k, TABLE_TRAIL), trail);

    unsigned closed = 0;
    assert_string_equal(
        kit_decide(k, flagged, ROTA__REVIEW_STATE__REVIEW_DISMISSED, "Ann", "neighbours"), "");
    assert_string_equal(
        kit_decide(k, held.review, ROTA__REVIEW_STATE__REVIEW_CONFIRMED, "Ann", "a farm"), "");
    assert_int_equal(kit_rows(k, TABLE_TRAIL), trail + 2);
    for (Rota__ReviewState s = ROTA__REVIEW_STATE__REVIEW_CONFIRMED;
         s <= ROTA__REVIEW_STATE__REVIEW_RELEASED; s++) {
        if (s == ROTA__REVIEW_STATE__REVIEW_BLOCKED)
            continue;
        assert_string_equal(kit_decide(k, flagged, s, "Ben", "other"), "REVIEW_CLOSED");
        closed++;
        if (s == ROTA__REVIEW_STATE__REVIEW_RELEASED)
            continue;
        assert_string_equal(kit_decide(k, held.review, s, "Ben", "other"), "REVIEW_CLOSED");
        closed++;
    }
    assert_string_equal(
        kit_decide(k, held.review, ROTA__REVIEW_STATE__REVIEW_RELEASED, "Ben", "sorry"), "");
    assert_string_equal(
        kit_decide(k, held.review, ROTA__REVIEW_STATE__REVIEW_RELEASED, "Ben", "sorry"),
        "REVIEW_CLOSED");
    printf("%zu bad decisions and %u second ones refused\n", ARRAY_LEN(bad) + 1, closed + 1);
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(above_80_jobs_wait_for_a_person_and_none_is_lost),
        ENGINE_CASE(a_flag_stops_nothing),
        ENGINE_CASE(a_confirmed_pattern_blocks_those_who_come_later),
        ENGINE_CASE(a_released_confirmation_is_no_pattern_any_more),
        ENGINE_CASE(a_decision_is_made_once_by_a_named_person_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
