/* test_rates.c: how many jobs may start in a time, of an account, of a tier, of all: never more
 * than the numbers say, nobody forgotten when the next token comes, nobody else held up by who has
 * none, and the same across a restart and a change of the numbers. */
#include "limits_kit.h"

enum { STARTS_MAX = 400 };

/* When jobs were started, in broker time, which goes on over restarts. */
struct starts {
    uint64_t at_ms[STARTS_MAX];
    char account[STARTS_MAX][16];
    size_t n;
};

static uint64_t bt_ms(const struct engine_kit *k)
{
    return k->now.boot_ms + k->engine->broker_offset_ms;
}

static void rate_set(struct engine_kit *k, Rota__Rate **at, Rota__LimitsSet *set, uint32_t n,
                     uint32_t per_ms)
{
    Rota__Rate rate = ROTA__RATE__INIT;
    rate.n = n;
    rate.per_ms = per_ms;
    *at = &rate;
    assert_string_equal(kit_error(kit_limits_set(k, set)), "");
}

/* A worker that is always there: takes what it gets and ends it at once. */
static void work(struct engine_kit *k, uint64_t for_ms, uint64_t step_ms, struct starts *s)
{
    struct kit_lease lease;
    for (uint64_t end_ms = bt_ms(k) + for_ms; bt_ms(k) < end_ms; kit_pass(k, step_ms)) {
        while (kit_lease(k, "w", &lease)) {
            assert_true(s->n < STARTS_MAX);
            s->at_ms[s->n] = bt_ms(k);
            snprintf(s->account[s->n++], sizeof s->account[0], "%.15s", lease.account);
            assert_string_equal(kit_error(kit_finish(k, &lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED)),
                                "");
        }
    }
}

static size_t starts_of(const struct starts *s, const char *account)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += strcmp(s->account[i], account) == 0;
    return n;
}

/* No window sees more than n and what came in meanwhile. */
static void assert_within(const struct starts *s, uint64_t n, uint64_t per_ms)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = i; j < s->n; j++)
            assert_true(j - i + 1 <= n + n * (s->at_ms[j] - s->at_ms[i]) / per_ms);
}

struct bars {
    unsigned on, off, bars;
    char scope[16];
};

static void note_bars(void *arg, const Rota__Event *event)
{
    struct bars *b = arg;
    if (event->kind != ROTA__EVENT_KIND__EVENT_BARS)
        return;
    bool is_on = event->bars & ROTA__BAR__BAR_RATE;
    b->on += is_on;
    b->off += !is_on;
    snprintf(b->scope, sizeof b->scope, "%s", event->scope);
}

static struct bars bars_since(struct engine_kit *k, uint64_t seq)
{
    struct bars b = {0};
    kit_events(k, seq, note_bars, &b);
    return b;
}

static void rates_are_off_and_write_nothing(void **state)
{
    struct engine_kit *k = *state;
    struct starts s = {.n = 0};
    kit_publish_all(k, "local", 50);
    work(k, 100, 10, &s);
    assert_int_equal(s.n, 50);
    assert_int_equal(kit_rows(k, TABLE_BUCKET), 0);
    assert_int_equal(bars_since(k, 0).on, 0);
    kit_check(k);
}

static void an_account_starts_so_many_and_then_as_tokens_come(void **state)
{
    struct engine_kit *k = *state;
    struct starts s = {.n = 0};
    kit_account_rate(k, 3, 30000); /* one each 10 s */
    kit_publish_all(k, "local", 20);
    uint64_t seq = kit_seq(k);
    work(k, 1000, 100, &s);
    assert_int_equal(s.n, 3);
    kit_check(k);
    struct bars b = bars_since(k, seq);
    assert_int_equal(b.on, 1);
    assert_int_equal(b.off, 0);
    assert_string_equal(b.scope, "account");
    assert_in_range(engine_idle_ms(k->engine, k->now, 60000), 8000, 10000);
    seq = kit_seq(k);
    for (int i = 0; i < 50; i++) /* nobody asks for tokens by looking */
        kit_turn(k, NULL);
    assert_int_equal(kit_seq(k), seq);
    work(k, 109000, 250, &s);
    uint64_t took_ms = bt_ms(k) - s.at_ms[0];
    assert_in_range(s.n, 3 + took_ms / 10000 - 1, 3 + took_ms / 10000);
    assert_within(&s, 3, 30000);
    b = bars_since(k, seq); /* two a start, and no more */
    assert_int_equal(b.on, s.n - 3);
    assert_in_range(b.off, b.on, b.on + 1);
    printf("%zu starts in %.1f s at 3 in 30 s, %u bars\n", s.n, (double)took_ms / 1e3,
           b.on + b.off);
    kit_check(k);
}

static void an_own_rate_takes_the_place_of_the_tables(void **state)
{
    struct engine_kit *k = *state;
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    Rota__Rate rate = ROTA__RATE__INIT;
    struct starts s = {.n = 0};
    struct kit_answer answer;
    kit_account_rate(k, 2, 20000);
    kit_account(k, "slow", ROTA__TIER__P0, 0);
    kit_account(k, "free", ROTA__TIER__P0, 0);
    rate.n = 1;
    rate.per_ms = 20000;
    set.rate = &rate;
    set.account = (char *)"slow";
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    rate.n = 0; /* none at all */
    set.account = (char *)"free";
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
    kit_publish_all(k, "slow", 10);
    kit_publish_all(k, "free", 10);
    kit_publish_all(k, "local", 10);
    uint64_t at_ms = k->now.wall_ms;
    work(k, 1000, 100, &s);
    assert_int_equal(starts_of(&s, "slow"), 1);
    assert_int_equal(starts_of(&s, "local"), 2);
    assert_int_equal(starts_of(&s, "free"), 10);
    Rota__AccountGetResult *get = kit_account_get(k, "slow", &answer);
    assert_int_equal(get->account->bars, ROTA__BAR__BAR_RATE);
    assert_in_range(get->rate_free_at_ms, at_ms + 20000, at_ms + 20100);
    assert_int_equal(get->limits->rate_n, 1);
    kit_answer_end(&answer);
    get = kit_account_get(k, "free", &answer);
    assert_int_equal(get->rate_free_at_ms, 0);
    kit_answer_end(&answer);
    kit_check(k);
}

/* Whoever has no token stands in no ring: the others go on as if it were not there. */
static void who_has_no_token_holds_nobody_up(void **state)
{
    struct engine_kit *k = *state;
    struct starts s = {.n = 0};
    kit_account_rate(k, 1, 60000);
    for (int i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%d", i);
        kit_account(k, name, (Rota__Tier)(i % 4), 0);
        kit_publish_all(k, name, 2);
    }
    work(k, 500, 50, &s);
    assert_int_equal(s.n, 8);
    for (int i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(starts_of(&s, name), 1);
    }
    kit_check(k);
    work(k, 62000, 1000, &s);
    assert_int_equal(s.n, 16);
    kit_check(k);
}

static void a_tier_and_all_together_have_rates_of_their_own(void **state)
{
    struct engine_kit *k = *state;
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    Rota__Limits limits = ROTA__LIMITS__INIT;
    struct starts s = {.n = 0};
    limits.rate_n = 2;
    limits.rate_ms = 10000;
    set.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
    set.tier = ROTA__TIER__P3;
    set.limits = &limits;
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "");
    kit_account(k, "x", ROTA__TIER__P3, 0);
    kit_account(k, "y", ROTA__TIER__P3, 0);
    kit_account(k, "z", ROTA__TIER__P1, 0);
    kit_publish_all(k, "x", 10);
    kit_publish_all(k, "y", 10);
    kit_publish_all(k, "z", 10);
    uint64_t seq = kit_seq(k);
    work(k, 1000, 100, &s);
    assert_int_equal(starts_of(&s, "x") + starts_of(&s, "y"), 2);
    assert_int_equal(starts_of(&s, "z"), 10);
    assert_string_equal(bars_since(k, seq).scope, "tier");
    assert_int_equal(k->engine->cache.tier_bars[3], ROTA__BAR__BAR_RATE);
    kit_check(k);
    set = (Rota__LimitsSet)ROTA__LIMITS_SET__INIT;
    rate_set(k, &set.global_rate, &set, 4, 8000);
    kit_publish_all(k, "z", 30);
    s.n = 0;
    work(k, 16000, 100, &s);
    assert_within(&s, 4, 8000);
    assert_int_equal(s.n, 4 + 7);
    assert_true(starts_of(&s, "x") + starts_of(&s, "y") >= 1); /* as the rotation has it */
    kit_check(k);
    rate_set(k, &set.global_rate, &set, 0, 0); /* off: at once */
    s.n = 0;
    work(k, 200, 50, &s);
    assert_int_equal(starts_of(&s, "z") + starts_of(&s, "x") + starts_of(&s, "y"), s.n);
    assert_true(starts_of(&s, "z") >= 19);
    kit_check(k);
}

/* The same life twice, once with a restart after every second: the same starts at the same times.
 */
static void a_restart_changes_nothing(void **state)
{
    static struct starts plain, restarted;
    struct engine_kit *k = *state, other;
    struct engine_kit *lives[] = {k, &other};
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    engine_kit_setup(&other, 1 << 30);
    plain.n = restarted.n = 0;
    for (int i = 0; i < 2; i++) {
        struct starts *s = i ? &restarted : &plain;
        rate_set(lives[i], &set.global_rate, &set, 5, 20000);
        kit_account_rate(lives[i], 2, 15000);
        kit_account(lives[i], "b", ROTA__TIER__P0, 0);
        kit_account(lives[i], "c", ROTA__TIER__P2, 0);
        kit_publish_all(lives[i], "local", 12);
        kit_publish_all(lives[i], "b", 12);
        kit_publish_all(lives[i], "c", 12);
        for (int second = 0; second < 120; second++) {
            work(lives[i], 1000, 50, s);
            if (i)
                engine_kit_restart(&other);
            kit_check(lives[i]);
        }
    }
    assert_int_equal(plain.n, restarted.n);
    for (size_t i = 0; i < plain.n; i++) {
        assert_string_equal(plain.account[i], restarted.account[i]);
        assert_int_equal(plain.at_ms[i], restarted.at_ms[i]);
    }
    printf("%zu starts, the same over 120 restarts\n", plain.n);
    engine_kit_teardown(&other);
}

/* Time that passed while the broker was away counts, and nobody is forgotten. */
static void tokens_come_while_the_broker_is_away(void **state)
{
    struct engine_kit *k = *state;
    struct starts s = {.n = 0};
    kit_account_rate(k, 2, 20000);
    kit_publish_all(k, "local", 10);
    work(k, 1000, 100, &s);
    assert_int_equal(s.n, 2);
    engine_kit_close(k);
    k->now.wall_ms += 60000;
    k->now.boot_ms = 100;
    engine_kit_open(k);
    assert_int_equal(k->engine->cache.rate_global.now.is_dry, 0);
    uint64_t seq = kit_seq(k);
    work(k, 300, 100, &s);
    assert_int_equal(s.n, 4);
    assert_int_equal(bars_since(k, seq).off, 1); /* said in the log, as it would have been */
    kit_check(k);
}

static void other_numbers_strand_nobody(void **state)
{
    struct engine_kit *k = *state;
    struct starts s = {.n = 0};
    kit_account_rate(k, 1, 3600000);
    for (int i = 0; i < 6; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%d", i);
        kit_account(k, name, ROTA__TIER__P0, 0);
        kit_publish_all(k, name, 8);
    }
    work(k, 1000, 100, &s);
    assert_int_equal(s.n, 6); /* all of them must wait for an hour now */
    kit_account_rate(k, 2, 10000);
    kit_check(k);
    work(k, 10200, 100, &s);
    assert_true(s.n >= 6 + 6 * 2);
    kit_account_rate(k, 1, 86400000); /* tighter than what is left: the next one waits, no more */
    kit_check(k);
    size_t before = s.n;
    work(k, 6000, 500, &s);
    assert_true(s.n <= before + 6);
    kit_account_rate(k, 0, 0);
    work(k, 300, 100, &s);
    assert_int_equal(s.n, 48);
    kit_check(k);
    printf("48 of 48 jobs started over four sets of numbers\n");
}

static void an_erased_account_leaves_no_bucket_and_no_alarm(void **state)
{
    struct engine_kit *k = *state;
    struct starts s = {.n = 0};
    Rota__AccountErase erase = ROTA__ACCOUNT_ERASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    kit_account_rate(k, 1, 60000);
    kit_plain(k, "gone", ROTA__TIER__P1);
    kit_publish_all(k, "gone", 3);
    work(k, 100, 50, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(kit_rows(k, TABLE_BUCKET), 1);
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_ERASE;
    request.account_erase = &erase;
    erase.account = erase.confirm = (char *)"gone";
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    for (int i = 0; i < 200 && kit_rows(k, TABLE_ACCOUNT) > 1; i++)
        kit_pass(k, 50);
    assert_int_equal(kit_rows(k, TABLE_ACCOUNT), 1);
    assert_int_equal(kit_rows(k, TABLE_BUCKET), 0);
    assert_int_equal(kit_rows(k, TABLE_USAGE), 0);
    kit_check(k);
    uint64_t seq = kit_seq(k);
    kit_pass(k, 120000);
    assert_int_equal(bars_since(k, seq).off, 0);
    kit_check(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(rates_are_off_and_write_nothing),
        ENGINE_CASE(an_account_starts_so_many_and_then_as_tokens_come),
        ENGINE_CASE(an_own_rate_takes_the_place_of_the_tables),
        ENGINE_CASE(who_has_no_token_holds_nobody_up),
        ENGINE_CASE(a_tier_and_all_together_have_rates_of_their_own),
        ENGINE_CASE(a_restart_changes_nothing),
        ENGINE_CASE(tokens_come_while_the_broker_is_away),
        ENGINE_CASE(other_numbers_strand_nobody),
        ENGINE_CASE(an_erased_account_leaves_no_bucket_and_no_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
