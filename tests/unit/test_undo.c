/* test_undo.c: shows that the journal takes memory back to where a turn began, byte for byte, and
 * that objects die exactly once: the born ones on unwinding, the dying ones on keeping.
 *
 * Why it matters: after an aborted commit the broker goes on with what the journal restores; one
 * byte off and memory no longer says what the file says. */
#undef NDEBUG
#include <base/undo.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 11;

static uint32_t random_next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static int live;

static int *object_new(void)
{
    int *o = malloc(sizeof *o);
    assert_non_null(o);
    *o = 1;
    live++;
    return o;
}

static void object_free(void *o)
{
    live--;
    free(o);
}

static void test_random_turns_unwind_to_where_they_began(void **state)
{
    (void)state;
    enum { BYTES = 4096, TURNS = 2000 };
    static unsigned char now[BYTES], then[BYTES];
    struct undo *u;
    size_t changes = 0;
    assert_int_equal(undo_new(&u), 0);
    for (int turn = 0; turn < TURNS; turn++) {
        memcpy(then, now, BYTES);
        for (uint32_t k = random_next() % 300; k; k--) { /* overlapping on purpose */
            size_t at = random_next() % BYTES, n = random_next() % 64;
            n = at + n > BYTES ? BYTES - at : n;
            undo_save(u, now + at, n);
            memset(now + at, (int)random_next(), n);
            changes++;
        }
        if (random_next() % 2) {
            undo_unwind(u);
            assert_memory_equal(now, then, BYTES);
        } else {
            undo_keep(u);
        }
        assert_int_equal(undo_entries(u), 0);
    }
    assert_null(undo_free(u));
    printf("%d turns, %zu changes\n", TURNS, changes);
}

static void test_set_assigns_through_the_journal(void **state)
{
    (void)state;
    struct {
        uint32_t running;
        uint64_t turn;
    } account = {1, 5};
    struct undo *u;
    assert_int_equal(undo_new(&u), 0);
    SET(u, account.running, account.running + 1);
    SET(u, account.running, account.running + 1);
    SET(u, account.turn, 9);
    assert_int_equal(account.running, 3);
    assert_int_equal(undo_entries(u), 3);
    undo_unwind(u);
    assert_int_equal(account.running, 1);
    assert_int_equal(account.turn, 5);
    undo_free(u);
}

static void test_objects_die_once_and_on_the_right_side(void **state)
{
    (void)state;
    struct undo *u;
    assert_int_equal(undo_new(&u), 0);
    live = 0;
    int *old = object_new();
    undo_born(u, object_new(), object_free);
    undo_dies(u, old, object_free);
    assert_int_equal(live, 2); /* nobody dies before the end of the turn */
    undo_unwind(u);
    assert_int_equal(live, 1);
    assert_int_equal(*old, 1); /* it lives on */
    int *kept = object_new();
    undo_born(u, kept, object_free);
    undo_dies(u, old, object_free);
    undo_keep(u);
    assert_int_equal(live, 1);
    int *born = object_new(); /* born and dead within one turn: freed by either end, once */
    undo_born(u, born, object_free);
    undo_dies(u, born, object_free);
    undo_keep(u);
    assert_int_equal(live, 1);
    born = object_new();
    undo_born(u, born, object_free);
    undo_dies(u, born, object_free);
    undo_unwind(u);
    assert_int_equal(live, 1);
    undo_free(u);
    object_free(kept);
    assert_int_equal(live, 0);
}

static char order[16];

static void back(void *arg, void *object)
{
    (void)arg;
    strncat(order, object, sizeof order - strlen(order) - 1);
}

static void test_calls_come_back_newest_first_among_the_bytes(void **state)
{
    (void)state;
    char text[] = "a";
    struct undo *u;
    assert_int_equal(undo_new(&u), 0);
    order[0] = 0;
    undo_call(u, back, NULL, text); /* sees the bytes as they were at its call */
    undo_save(u, text, 1);
    text[0] = 'b';
    undo_call(u, back, NULL, text);
    undo_save(u, text, 1);
    text[0] = 'c';
    undo_unwind(u);
    assert_string_equal(order, "ba");
    order[0] = 0;
    undo_call(u, back, NULL, text);
    undo_keep(u);
    assert_string_equal(order, "");
    undo_free(u);
}

static void test_without_a_journal_everything_is_for_good(void **state)
{
    (void)state;
    int value = 1;
    live = 0;
    SET(NULL, value, 2);
    assert_int_equal(value, 2);
    int *o = object_new();
    undo_born(NULL, o, object_free);
    assert_int_equal(live, 1);
    undo_dies(NULL, o, object_free);
    assert_int_equal(live, 0);
    undo_call(NULL, back, NULL, NULL);
    assert_null(undo_free(NULL));
}

static void test_keep_and_unwind_accept_no_journal(void **state)
{
    (void)state;
    undo_keep(NULL);
    undo_unwind(NULL);
    assert_int_equal(undo_entries(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_turns_unwind_to_where_they_began),
        cmocka_unit_test(test_set_assigns_through_the_journal),
        cmocka_unit_test(test_objects_die_once_and_on_the_right_side),
        cmocka_unit_test(test_calls_come_back_newest_first_among_the_bytes),
        cmocka_unit_test(test_without_a_journal_everything_is_for_good),
        cmocka_unit_test(test_keep_and_unwind_accept_no_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
