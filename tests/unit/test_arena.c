/* test_arena.c: shows that an arena gives aligned, zeroed, separate memory up to its bound and not
 * beyond, and that a message unpacked into it costs no free. */
#undef NDEBUG
#include "rota.pb-c.h"

#include <base/arena.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const size_t BOUND = 262144;

static void test_pieces_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    enum { PIECES = 3000 };
    static unsigned char *p[PIECES];
    static size_t n[PIECES];
    struct arena *a;
    assert_int_equal(arena_new(64 << 20, &a), 0);
    for (int round = 0; round < 3; round++) { /* memory that was used before is zeroed again */
        for (int i = 0; i < PIECES; i++) {
            n[i] = (size_t)i * 37 % 900 + (i % 500 == 0 ? 100000 : 0);
            p[i] = arena_alloc(a, n[i]);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            for (size_t k = 0; k < n[i]; k++)
                assert_int_equal(p[i][k], 0);
            memset(p[i], i % 250 + 1, n[i]);
        }
        for (int i = 0; i < PIECES; i++)
            for (size_t k = 0; k < n[i]; k++)
                assert_int_equal(p[i][k], i % 250 + 1);
        arena_reset(a);
    }
    assert_null(arena_free(a));
    printf("3 rounds of %d pieces\n", PIECES);
}

static void test_the_bound_holds_and_a_reset_gives_it_back(void **state)
{
    (void)state;
    struct arena *a;
    assert_int_equal(arena_new(BOUND, &a), 0);
    for (int round = 0; round < 5; round++) {
        size_t total = 0;
        while (arena_alloc(a, 1000))
            total += 1000;
        assert_true(total > BOUND - 60000 && total <= BOUND);
        assert_null(arena_alloc(a, 1000));
        arena_reset(a);
    }
    assert_null(arena_alloc(a, BOUND + 1));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 15));
    assert_non_null(arena_alloc(a, 1000));
    arena_free(a);
}

static void test_a_turn_that_repeats_takes_no_more_memory(void **state)
{
    (void)state;
    struct arena *a;
    assert_int_equal(arena_new(1 << 20, &a), 0);
    void *first = arena_alloc(a, 100);
    for (int i = 0; i < 1000; i++) {
        arena_reset(a);
        assert_ptr_equal(arena_alloc(a, 100), first);
        assert_non_null(arena_alloc(a, 60000)); /* 1,000 times this is far over the bound */
    }
    arena_free(a);
}

static void test_texts_are_copied_and_formatted(void **state)
{
    (void)state;
    struct arena *a;
    char from[] = "hello";
    assert_int_equal(arena_new(1 << 20, &a), 0);
    char *copy = arena_str(a, from), *made = arena_printf(a, "%s %d %0200d", from, 7, 1);
    from[0] = 'J';
    assert_string_equal(copy, "hello");
    assert_int_equal(strlen(made), 208);
    assert_memory_equal(made, "hello 7 0", 9);
    arena_free(a);
}

static void test_a_message_unpacked_into_it_needs_no_free(void **state)
{
    (void)state;
    struct arena *a;
    Rota__Publish from = ROTA__PUBLISH__INIT;
    uint8_t bytes[200];
    from.app = (char *)"shop";
    from.priority = 3;
    size_t n = rota__publish__pack(&from, bytes);
    assert_int_equal(arena_new(1 << 20, &a), 0);
    Rota__Publish *to = rota__publish__unpack(arena_allocator(a), n, bytes);
    assert_non_null(to);
    assert_string_equal(to->app, "shop");
    assert_int_equal(to->priority, 3);
    arena_free(a); /* the leak checker would see what stays */
    assert_int_equal(arena_new(16, &a), 0);
    assert_null(rota__publish__unpack(arena_allocator(a), n, bytes));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(test_the_bound_holds_and_a_reset_gives_it_back),
        cmocka_unit_test(test_a_turn_that_repeats_takes_no_more_memory),
        cmocka_unit_test(test_texts_are_copied_and_formatted),
        cmocka_unit_test(test_a_message_unpacked_into_it_needs_no_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
