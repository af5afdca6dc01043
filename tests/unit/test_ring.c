/* test_ring.c: the line keeps its order through entering and leaving anywhere, an unwound journal
 * gives back every byte of it, and a damaged line is told from a sound one. */
#undef NDEBUG
#include "sched/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 6 };

struct line {
    struct ring ring;
    struct ring_node node[NODES];
};

static struct undo *journal;

static int journal_open(void **state)
{
    return undo_new(&journal);
}

static int journal_close(void **state)
{
    journal = undo_free(journal);
    return 0;
}

static void fill(struct line *l, struct undo *u)
{
    for (size_t i = 0; i < NODES; i++)
        ring_enter(&l->ring, &l->node[i], 10 + i, u);
}

/* The line from first to last, as digits of the nodes. */
static const char *order(const struct line *l)
{
    static char text[NODES + 1];
    size_t n = 0;
    for (const struct ring_node *at = l->ring.first; at; at = at->next)
        text[n++] = (char)('0' + (at - l->node));
    text[n] = 0;
    return text;
}

static void nodes_enter_at_the_tail(void **state)
{
    struct line l = {0};
    assert_true(ring_is_sound(&l.ring));
    assert_false(ring_has(&l.node[0]));
    fill(&l, NULL);
    assert_string_equal(order(&l), "012345");
    assert_int_equal(l.ring.count, NODES);
    assert_true(ring_has(&l.node[0]) && ring_is_sound(&l.ring));
}

static void any_node_may_leave_and_come_back_last(void **state)
{
    static const char *const after[NODES] = {"123450", "023451", "013452",
                                             "012453", "012354", "012345"};
    for (size_t i = 0; i < NODES; i++) {
        struct line l = {0};
        fill(&l, NULL);
        ring_leave(&l.ring, &l.node[i], NULL);
        assert_false(ring_has(&l.node[i]));
        assert_int_equal(l.ring.count, NODES - 1);
        assert_true(ring_is_sound(&l.ring));
        ring_enter(&l.ring, &l.node[i], 100, NULL);
        assert_string_equal(order(&l), after[i]);
        assert_true(ring_is_sound(&l.ring));
    }
}

static void the_last_to_leave_leaves_nothing(void **state)
{
    struct line l = {0}, empty = {0};
    fill(&l, NULL);
    for (size_t i = 0; i < NODES; i++)
        ring_leave(&l.ring, &l.node[(i * 5 + 2) % NODES], NULL);
    assert_memory_equal(&l, &empty, sizeof l);
}

/* Every subset of leavings, from a full line: 2^6 journals, each unwound. */
static void unwinding_gives_back_every_byte(void **state)
{
    size_t entries_most = 0;
    for (unsigned subset = 0; subset < 1u << NODES; subset++) {
        struct line l = {0}, before;
        fill(&l, NULL);
        memcpy(&before, &l, sizeof l);
        uint64_t turn = 50;
        for (size_t i = 0; i < NODES; i++)
            if (subset & 1u << i)
                ring_leave(&l.ring, &l.node[i], journal);
        for (size_t i = NODES; i-- > 0;)
            if (subset & 1u << i)
                ring_enter(&l.ring, &l.node[i], turn++, journal);
        assert_true(ring_is_sound(&l.ring));
        assert_int_equal(memcmp(&before, &l, sizeof l) != 0, subset != 0);
        size_t entries = undo_entries(journal);
        entries_most = entries > entries_most ? entries : entries_most;
        undo_unwind(journal);
        assert_memory_equal(&before, &l, sizeof l);
    }
    printf("64 journals unwound, %zu entries at most\n", entries_most);
    assert_true(entries_most > 0);
}

static void keeping_leaves_the_change(void **state)
{
    struct line l = {0};
    fill(&l, journal);
    undo_keep(journal);
    undo_unwind(journal);
    assert_string_equal(order(&l), "012345");
}

static void each_damage_is_told(void **state)
{
    struct line good = {0};
    fill(&good, NULL);
    struct line l = good;
    /* The copy's links lead into `good`, so each damage is made there and taken back. */
    struct {
        const char *what;
        void *at;
        uint64_t bad;
    } damage[] = {
        {"a turn that falls", &good.node[3].turn, 11},
        {"a turn that repeats", &good.node[3].turn, 12},
        {"a turn of 0", &good.node[0].turn, 0},
        {"a wrong prev", &good.node[4].prev, (uintptr_t)&good.node[1]},
        {"a circle", &good.node[5].next, (uintptr_t)&good.node[2]},
        {"a line cut short", &good.node[2].next, 0},
        {"a wrong last", &good.ring.last, (uintptr_t)&good.node[1]},
        {"no first", &good.ring.first, 0},
        {"a count too small", &good.ring.count, 5},
        {"a count too large", &good.ring.count, 7},
    };
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        memcpy(damage[i].at, &damage[i].bad, sizeof damage[i].bad);
        if (ring_is_sound(&good.ring))
            fail_msg("%s was not told", damage[i].what);
        memcpy(&good, &l, sizeof good);
        assert_true(ring_is_sound(&good.ring));
    }
    printf("%zu kinds of damage told\n", sizeof damage / sizeof *damage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_enter_at_the_tail),
        cmocka_unit_test(any_node_may_leave_and_come_back_last),
        cmocka_unit_test(the_last_to_leave_leaves_nothing),
        cmocka_unit_test(unwinding_gives_back_every_byte),
        cmocka_unit_test(keeping_leaves_the_change),
        cmocka_unit_test(each_damage_is_told),
    };
    return cmocka_run_group_tests(tests, journal_open, journal_close);
}
