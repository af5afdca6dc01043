/* test_id.c: shows that job ids rise whatever the clock does and survive the way through text.
 *
 * Why it matters: the job table is appended in key order; one id below the last would cost pages,
 * one that comes twice would cost a job. */
#undef NDEBUG
#include <base/id.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t seed = 7;

static uint64_t random_next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 16;
}

static void random_fill(uint8_t *p, size_t n)
{
    while (n--)
        p[n] = (uint8_t)random_next();
}

static void test_text_and_back_gives_the_same_id(void **state)
{
    (void)state;
    enum { IDS = 100000 };
    char text[JOB_ID_TEXT_LEN + 1];
    for (int i = 0; i < IDS; i++) {
        struct job_id id, back;
        random_fill(id.b, sizeof id.b);
        assert_int_equal(strlen(job_id_text(id, text)), JOB_ID_TEXT_LEN);
        assert_int_equal(job_id_parse(text, &back), 0);
        assert_int_equal(job_id_cmp(id, back), 0);
    }
    struct job_id ends = {{0}};
    assert_string_equal(job_id_text(ends, text), "job_00000000000000000000000000");
    assert_true(job_id_is_zero(ends));
    memset(ends.b, 0xff, sizeof ends.b);
    assert_string_equal(job_id_text(ends, text), "job_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    printf("%d ids there and back\n", IDS);
}

static void test_text_sorts_as_the_bytes_do(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct job_id a, b;
        char text_a[JOB_ID_TEXT_LEN + 1], text_b[JOB_ID_TEXT_LEN + 1];
        random_fill(a.b, sizeof a.b);
        random_fill(b.b, sizeof b.b);
        int by_text = strcmp(job_id_text(a, text_a), job_id_text(b, text_b));
        assert_true((by_text < 0) == (job_id_cmp(a, b) < 0));
    }
}

static void test_what_is_no_id_is_refused_and_leaves_the_output(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "job_",
                                      "job_0000000000000000000000000",
                                      "job_000000000000000000000000000",
                                      "job_80000000000000000000000000",
                                      "job_0000000000000000000000000i",
                                      "job_0000000000000000000000000L",
                                      "job_0000000000000000000000000U",
                                      "JOB_00000000000000000000000000",
                                      "job-00000000000000000000000000",
                                      "job_0000000000000 000000000000",
                                      "job_0000000000000\303\25100000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct job_id id = {{42}};
        assert_int_equal(job_id_parse(bad[i], &id), JOB_ID_INVALID);
        assert_int_equal(id.b[0], 42);
    }
}

static void test_ids_rise_when_the_clock_stands_steps_back_and_jumps(void **state)
{
    (void)state;
    enum { IDS = 500000 };
    struct job_id last = {{0}};
    uint64_t wall_ms = 1700000000000;
    int back = 0;
    for (int i = 0; i < IDS; i++) {
        uint8_t random[6];
        random_fill(random, sizeof random);
        uint64_t what = random_next() % 100;
        if (what == 0) {
            wall_ms -= random_next() % 100000;
            back++;
        } else if (what < 10) {
            wall_ms += random_next() % 50;
        }
        struct job_id id = job_id_next(last, wall_ms, random);
        assert_true(job_id_cmp(last, id) < 0);
        assert_true(job_id_ms(id) >= wall_ms);
        assert_int_equal(id.b[6] >> 4, 7); /* the shape of a UUIDv7 */
        assert_int_equal(id.b[8] >> 6, 2);
        assert_memory_equal(id.b + 10, random, 6);
        last = id;
    }
    printf("%d ids, the clock stepped back %d times\n", IDS, back);
}

static void test_a_full_counter_borrows_the_next_millisecond(void **state)
{
    (void)state;
    static const uint8_t random[6] = {0};
    struct job_id id = job_id_next((struct job_id){{0}}, 1000, random);
    assert_int_equal(job_id_ms(id), 1000);
    id.b[6] = 0x7f; /* the counter at its end */
    id.b[7] = 0xff;
    id.b[8] = 0xbf;
    id.b[9] = 0xff;
    struct job_id next = job_id_next(id, 1000, random);
    assert_int_equal(job_id_ms(next), 1001);
    assert_true(job_id_cmp(id, next) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_back_gives_the_same_id),
        cmocka_unit_test(test_text_sorts_as_the_bytes_do),
        cmocka_unit_test(test_what_is_no_id_is_refused_and_leaves_the_output),
        cmocka_unit_test(test_ids_rise_when_the_clock_stands_steps_back_and_jumps),
        cmocka_unit_test(test_a_full_counter_borrows_the_next_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
