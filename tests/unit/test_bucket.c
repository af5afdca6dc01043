/* test_bucket.c: no window ever sees more starts than the rate allows, whoever asks how often, and
 * over long times the rate is the one that was set: the limit is neither a wish nor a brake. */
#undef NDEBUG
#include "../prop/random.h"
#include "sched/bucket.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1798761600000)

static const struct rate {
    uint32_t n, per_ms;
} rates[] = {{10, 60000}, {3, 1000},    {1, 1000},    {1, 86400000}, {7, 86400000},
             {100, 1000}, {997, 60000}, {1000, 1000}, {13, 1001},    {2, 1000}};
enum { RATES = sizeof rates / sizeof *rates, ARRIVALS = 3000, SEEDS = 40 };

static void ten_a_minute_is_ten_at_once_then_one_each_six_seconds(void **state)
{
    struct bucket b = {0};
    for (unsigned i = 0; i < 10; i++)
        assert_true(bucket_take(&b, 10, 60000, NOW_MS));
    assert_false(bucket_take(&b, 10, 60000, NOW_MS));
    for (uint64_t k = 1; k <= 1000; k++) {
        uint64_t due = NOW_MS + k * 6000;
        assert_int_equal(bucket_free_at(&b, 10, 60000, due - 6000), due);
        assert_false(bucket_take(&b, 10, 60000, due - 1));
        assert_int_equal(bucket_free_at(&b, 10, 60000, due), due);
        assert_true(bucket_take(&b, 10, 60000, due));
    }
    printf("10 in 60,000 ms: 1000 tokens to the millisecond\n");
}

static void a_rest_fills_the_bucket_and_no_more(void **state)
{
    struct bucket b = {0};
    unsigned taken = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_true(bucket_take(&b, 3, 1000, NOW_MS));
    while (bucket_take(&b, 3, 1000, NOW_MS + 1000000))
        taken++;
    assert_int_equal(taken, 3);
    /* 334 ms: the third of a second, rounded up to a whole ms. */
    assert_int_equal(bucket_free_at(&b, 3, 1000, NOW_MS + 1000000), NOW_MS + 1000334);
}

static void a_rate_of_0_is_off_and_writes_nothing(void **state)
{
    struct bucket b = {UINT64_MAX};
    for (unsigned i = 0; i < 1000; i++)
        assert_true(bucket_take(&b, 0, 60000, NOW_MS));
    assert_int_equal(bucket_free_at(&b, 0, 60000, NOW_MS), NOW_MS);
    assert_int_equal(bucket_free_at(&b, 0, 0, NOW_MS), NOW_MS);
    assert_true(b.full_at == UINT64_MAX);
}

static void a_refusal_changes_nothing(void **state)
{
    struct bucket b = {0};
    assert_true(bucket_take(&b, 1, 1000, NOW_MS));
    uint64_t before = b.full_at;
    for (unsigned i = 0; i < 1000; i++)
        assert_false(bucket_take(&b, 1, 1000, NOW_MS + i));
    assert_int_equal(b.full_at, before);
    assert_true(bucket_take(&b, 1, 1000, NOW_MS + 1000));
}

static void free_at_is_the_first_millisecond_at_which_one_can_be_taken(void **state)
{
    struct random r = {1};
    unsigned waits = 0;
    for (unsigned i = 0; i < RATES * 2000; i++) {
        const struct rate *rate = &rates[i % RATES];
        struct bucket b = {(NOW_MS << 20) + random_next(&r) % ((uint64_t)rate->per_ms << 20)};
        uint64_t at = bucket_free_at(&b, rate->n, rate->per_ms, NOW_MS);
        struct bucket early = b;
        waits += at > NOW_MS;
        if (at > NOW_MS)
            assert_false(bucket_take(&early, rate->n, rate->per_ms, at - 1));
        assert_true(bucket_take(&b, rate->n, rate->per_ms, at));
    }
    assert_true(waits > 2000);
    printf("free_at: %u buckets, %u had to wait\n", RATES * 2000, waits);
}

/* Steps of three tempers: asking all the time, now and then, and after long rests. */
static uint64_t step_ms(struct random *r, const struct rate *rate)
{
    unsigned each = rate->per_ms / rate->n + 1;
    switch (random_below(r, 8)) {
    case 0:
        return UINT64_C(2) * random_below(r, rate->per_ms);
    case 1:
    case 2:
        return random_below(r, 2 * each);
    default:
        return random_below(r, 4) ? 0 : random_below(r, each);
    }
}

/* Every window that begins and ends with a take: takes in it <= n + n * elapsed / per_ms. */
static unsigned windows_hold(const struct rate *rate, const uint64_t *at, unsigned taken)
{
    unsigned windows = 0;
    for (unsigned i = 0; i < taken; i++)
        for (unsigned k = i; k < taken; k++, windows++) {
            uint64_t count = k - i + 1, over = count > rate->n ? count - rate->n : 0;
            assert(over * rate->per_ms <= rate->n * (at[k] - at[i]));
        }
    return windows;
}

static void no_window_sees_more_than_the_rate_allows(void **state)
{
    static uint64_t at[ARRIVALS];
    uint64_t windows = 0, takes = 0, refusals = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct random r = {seed};
        const struct rate *rate = &rates[seed % RATES];
        struct bucket b = {0};
        uint64_t now = NOW_MS;
        unsigned taken = 0;
        for (unsigned i = 0; i < ARRIVALS; i++, now += step_ms(&r, rate)) {
            /* Stored and loaded anew each time. */
            unsigned char bytes[sizeof b];
            memcpy(bytes, &b, sizeof b);
            struct bucket loaded;
            memcpy(&loaded, bytes, sizeof b);
            bool is_given = bucket_take(&loaded, rate->n, rate->per_ms, now);
            assert_int_equal(is_given, bucket_take(&b, rate->n, rate->per_ms, now));
            assert_int_equal(loaded.full_at, b.full_at);
            if (is_given)
                at[taken++] = now;
            refusals += !is_given;
        }
        takes += taken;
        windows += windows_hold(rate, at, taken);
    }
    assert_true(takes > 10000 && refusals > 10000);
    printf("windows: %ju hold, %ju takes, %ju refusals\n", (uintmax_t)windows, (uintmax_t)takes,
           (uintmax_t)refusals);
}

/* Takes whatever is there for as many periods; the count is the rate's, with the first n for free.
 * One less is allowed where the time of a token had to be rounded. */
static void the_long_run_rate_is_the_one_that_was_set(void **state)
{
    for (unsigned i = 0; i < RATES; i++) {
        const struct rate *rate = &rates[i];
        unsigned periods = 50000 / rate->n; /* of a day: to the year 2163 */
        struct bucket b = {0};
        uint64_t now = NOW_MS, end = NOW_MS + (uint64_t)periods * rate->per_ms, taken = 0;
        while (now <= end) {
            if (bucket_take(&b, rate->n, rate->per_ms, now))
                taken++;
            else
                now = bucket_free_at(&b, rate->n, rate->per_ms, now);
        }
        bool is_exact = ((uint64_t)rate->per_ms << 20) % rate->n == 0;
        uint64_t want = (uint64_t)rate->n * (periods + 1);
        assert_true(taken <= want && taken + !is_exact >= want);
        printf("%u in %u ms: %ju taken of %ju in %u periods%s\n", rate->n, rate->per_ms,
               (uintmax_t)taken, (uintmax_t)want, periods, is_exact ? ", exact" : "");
    }
}

/* Where rounding tells: a token each 1048.6 units. Never too fast, and too slow by no more than is
 * said. */
static void rounding_is_never_in_favour_of_the_taker(void **state)
{
    enum { N = 999983, PER_MS = 1000, PERIODS = 3 };
    struct bucket b = {0};
    uint64_t end = NOW_MS + (uint64_t)PERIODS * PER_MS;
    unsigned taken = 0, want = N * (PERIODS + 1);
    for (uint64_t now = NOW_MS; now <= end; now++)
        while (bucket_take(&b, N, PER_MS, now))
            taken++;
    printf("%d in %d ms: %u taken of %u\n", N, PER_MS, taken, want);
    assert_true(taken <= want);
    assert_true(want - taken <= want * (uint64_t)N / (PER_MS * (UINT64_C(1) << 20)));
}

static void a_bucket_emptier_than_empty_has_one_token(void **state)
{
    /* Written under 1 a day, read under 10 a minute; garbage; a millisecond too far. */
    uint64_t ahead[] = {NOW_MS + 86400000, UINT64_MAX >> 20, NOW_MS + 60001};
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        struct bucket b = {ahead[i] << 20};
        assert_int_equal(bucket_free_at(&b, 10, 60000, NOW_MS), NOW_MS);
        assert_true(bucket_take(&b, 10, 60000, NOW_MS));
        for (unsigned k = 1; k <= 20; k++) {
            uint64_t due = NOW_MS + k * UINT64_C(6000);
            assert_int_equal(bucket_free_at(&b, 10, 60000, due - 6000), due);
            assert_false(bucket_take(&b, 10, 60000, due - 1));
            assert_true(bucket_take(&b, 10, 60000, due));
        }
    }
    /* At exactly a period ahead it is empty by right. */
    struct bucket b = {(NOW_MS + 60000) << 20};
    assert_int_equal(bucket_free_at(&b, 10, 60000, NOW_MS), NOW_MS + 6000);
    b.full_at -= UINT64_C(1000) << 20;
    assert_int_equal(bucket_free_at(&b, 10, 60000, NOW_MS), NOW_MS + 5000);
}

static void time_may_go_back(void **state)
{
    struct bucket b = {0};
    while (bucket_take(&b, 3, 1000, NOW_MS))
        ;
    uint64_t earlier = NOW_MS - 3600000;
    unsigned taken = 0;
    while (bucket_take(&b, 3, 1000, earlier))
        taken++;
    assert_int_equal(taken, 1);
    assert_int_equal(bucket_free_at(&b, 3, 1000, earlier), earlier + 334);
    assert_true(bucket_take(&b, 3, 1000, earlier + 334));
    assert_false(bucket_take(&b, 3, 1000, earlier + 334));
}

/* Whatever is stored and whatever changes, waiting until the time that was told is enough. */
static void the_time_that_was_told_always_holds(void **state)
{
    struct random r = {7};
    for (unsigned i = 0; i < 200000; i++) {
        const struct rate *rate = &rates[random_below(&r, RATES)];
        struct bucket b = {random_next(&r) >> random_below(&r, 24)};
        uint64_t now = NOW_MS + random_below(&r, 1000000);
        uint64_t due = bucket_free_at(&b, rate->n, rate->per_ms, now);
        assert_true(due <= now + rate->per_ms / rate->n + 1);
        assert_true(bucket_take(&b, rate->n, rate->per_ms, due));
        due = bucket_free_at(&b, rate->n, rate->per_ms, now);
        assert_true(bucket_take(&b, rate->n, rate->per_ms, due));
    }
    printf("told times: 200000 hold\n");
}

static void the_largest_rates_and_times_do_not_overflow(void **state)
{
    struct bucket b = {0};
    unsigned taken = 0;
    uint64_t late = (UINT64_C(1) << 43) - 1;
    while (taken < 2000000 && bucket_take(&b, 1000000, 86400000, late))
        taken++;
    assert_int_equal(taken, 1000000);
    assert_int_equal(bucket_free_at(&b, 1000000, 86400000, late), late + 87);
    b = (struct bucket){0};
    assert_true(bucket_take(&b, 1, UINT32_MAX, late));
    assert_int_equal(bucket_free_at(&b, 1, UINT32_MAX, late), late + UINT32_MAX);
    assert_int_equal(bucket_free_at(&b, 1, 1000, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_a_minute_is_ten_at_once_then_one_each_six_seconds),
        cmocka_unit_test(a_rest_fills_the_bucket_and_no_more),
        cmocka_unit_test(a_rate_of_0_is_off_and_writes_nothing),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(free_at_is_the_first_millisecond_at_which_one_can_be_taken),
        cmocka_unit_test(no_window_sees_more_than_the_rate_allows),
        cmocka_unit_test(the_long_run_rate_is_the_one_that_was_set),
        cmocka_unit_test(rounding_is_never_in_favour_of_the_taker),
        cmocka_unit_test(a_bucket_emptier_than_empty_has_one_token),
        cmocka_unit_test(time_may_go_back),
        cmocka_unit_test(the_time_that_was_told_always_holds),
        cmocka_unit_test(the_largest_rates_and_times_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
