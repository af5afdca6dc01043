/* test_next.c: the preview of the next dispatches is what then happens, as long as nothing else
 * does; it respects pauses, and it can suppose another tier, cap or number of slots, which must
 * come out as the real change does. */
#include "why_kit.h"

enum { ACCOUNTS = 9, JOBS_EACH = 5, SHOWN = 30 };

static void backlog(struct engine_kit *k)
{
    char name[16];
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        snprintf(name, sizeof name, "a%u", i);
        kit_account(k, name, (Rota__Tier)(i % 4), 1 + i % 3);
        why_publish_many(k, name, JOBS_EACH);
    }
}

struct shown {
    char job[SHOWN][40];
    size_t n;
};

static void preview(struct engine_kit *k, Rota__WhatIf *what_if, struct shown *ret)
{
    struct kit_answer answer;
    const Rota__NextResult *next = why_next(k, SHOWN, what_if, 0, &answer);
    assert_non_null(next);
    ret->n = next->n_job;
    for (size_t i = 0; i < next->n_job; i++)
        snprintf(ret->job[i], sizeof ret->job[i], "%s", next->job[i]->job);
    kit_answer_end(&answer);
}

/* Every job that can begin now does, in the order shown, and no other. */
static void happens(struct engine_kit *k, const struct shown *shown)
{
    struct kit_lease l;
    size_t n = 0;
    for (; n < shown->n; n++) {
        assert_true(kit_lease(k, "w", &l));
        assert_string_equal(l.job, shown->job[n]);
    }
    assert_true(n == SHOWN || !kit_lease(k, "w", &l));
}

static void what_is_shown_is_what_happens(void **state)
{
    struct engine_kit *k = *state;
    struct shown shown;
    backlog(k);
    preview(k, NULL, &shown);
    assert_int_equal(shown.n, 3 * (1 + 2 + 3)); /* three accounts of each cap */
    happens(k, &shown);
    printf("%zu dispatches as they were shown\n", shown.n);
}

static void pauses_hold_in_it(void **state)
{
    struct engine_kit *k = *state;
    struct shown shown;
    backlog(k);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P0", 0);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a1", 0);
    preview(k, NULL, &shown);
    happens(k, &shown);
    size_t n = shown.n;
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_POOL, "task", 0);
    preview(k, NULL, &shown);
    assert_int_equal(shown.n, 0);
    printf("%zu dispatches with a tier and an account paused, none with the pool\n", n);
}

static Rota__AccountSet set_of(const Rota__WhatIf *q)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    set.account = q->account;
    if (q->set_tier_case == ROTA__WHAT_IF__SET_TIER_TIER) {
        set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
        set.tier = q->tier;
    }
    if (q->set_running_case == ROTA__WHAT_IF__SET_RUNNING_RUNNING_MAX) {
        set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
        set.running_max = q->running_max;
    }
    return set;
}

/* Supposed, then done: the preview must be the same, and must happen. */
static void suppose_and_do(struct engine_kit *k, Rota__WhatIf *q)
{
    struct shown supposed, done;
    preview(k, q, &supposed);
    Rota__AccountSet set = set_of(q);
    assert_string_equal(kit_text(kit_account_set(k, &set)), "");
    preview(k, NULL, &done);
    assert_int_equal(supposed.n, done.n);
    for (size_t i = 0; i < done.n; i++)
        assert_string_equal(supposed.job[i], done.job[i]);
    happens(k, &done);
    printf("%zu dispatches as they were supposed\n", done.n);
}

static void another_tier_is_supposed_as_it_would_be(void **state)
{
    Rota__WhatIf q = ROTA__WHAT_IF__INIT;
    backlog(*state);
    q.account = (char *)"a3";
    q.set_tier_case = ROTA__WHAT_IF__SET_TIER_TIER;
    q.tier = ROTA__TIER__P0;
    suppose_and_do(*state, &q);
}

static void a_higher_cap_is_supposed_as_it_would_be(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    Rota__WhatIf q = ROTA__WHAT_IF__INIT;
    backlog(k);
    for (unsigned i = 0; i < 6; i++) /* some are at their cap by now */
        assert_true(kit_lease(k, "w", &l));
    q.account = (char *)"a0";
    q.set_running_case = ROTA__WHAT_IF__SET_RUNNING_RUNNING_MAX;
    q.running_max = 4;
    suppose_and_do(k, &q);
}

static void a_lower_cap_is_supposed_as_it_would_be(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    Rota__WhatIf q = ROTA__WHAT_IF__INIT;
    backlog(k);
    for (unsigned i = 0; i < 9; i++)
        assert_true(kit_lease(k, "w", &l));
    q.account = (char *)"a8";
    q.set_running_case = ROTA__WHAT_IF__SET_RUNNING_RUNNING_MAX;
    q.running_max = 1;
    suppose_and_do(k, &q);
}

static void slots_move_the_times_and_not_the_order(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer one, ten;
    kit_account(k, "a", ROTA__TIER__P0, 100);
    why_publish_many(k, "a", 50);
    for (unsigned i = 0; i < 20; i++)
        why_run(k, 6000);
    const Rota__NextResult *slow = why_next(k, 20, NULL, 1, &one);
    const Rota__NextResult *fast = why_next(k, 20, NULL, 10, &ten);
    assert_int_equal(slow->n_job, 20);
    for (size_t i = 0; i < 20; i++)
        assert_string_equal(slow->job[i]->job, fast->job[i]->job);
    assert_int_equal(slow->job[0]->eta_ms, 1); /* the slot is free */
    assert_int_equal(slow->job[5]->eta_ms, 5 * 6000);
    assert_int_equal(fast->job[9]->eta_ms, 1);
    assert_int_equal(fast->job[12]->eta_ms, 6000); /* all ten begin at once, and end so */
    assert_int_equal(fast->job[19]->eta_ms, 6000);
    kit_answer_end(&one);
    kit_answer_end(&ten);
}

static void nonsense_is_refused(void **state)
{
    struct engine_kit *k = *state;
    struct kit_answer answer;
    Rota__WhatIf q = ROTA__WHAT_IF__INIT;
    q.account = (char *)"nobody";
    assert_null(why_next(k, 5, &q, 0, &answer));
    assert_int_equal(answer.code, E_ACCOUNT_UNKNOWN);
    kit_answer_end(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(what_is_shown_is_what_happens),
        ENGINE_CASE(pauses_hold_in_it),
        ENGINE_CASE(another_tier_is_supposed_as_it_would_be),
        ENGINE_CASE(a_higher_cap_is_supposed_as_it_would_be),
        ENGINE_CASE(a_lower_cap_is_supposed_as_it_would_be),
        ENGINE_CASE(slots_move_the_times_and_not_the_order),
        ENGINE_CASE(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
