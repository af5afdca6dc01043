/* test_abuse.c: which sets of signs flag or hold an account, and which app names count as similar.
 * A wrong line here would hold innocent accounts, or leave a rule that nothing can ever reach. */
#undef NDEBUG
#include "../prop/random.h"
#include "sched/abuse.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SETS = 32, PAIRS = 200000 };

static void all_32_sets_have_their_verdict(void **state)
{
    /* Written out a second time, bit by bit, so that a slip in abuse.def shows. */
    static const struct {
        unsigned signal, weight;
    } plan[] = {{ABUSE_HASH, 30},
                {ABUSE_IP, 20},
                {ABUSE_NAMES, 10},
                {ABUSE_SAME_DAY, 15},
                {ABUSE_MINUTES, 10}};
    unsigned flags = 0, holds = 0, all = 0;
    assert_int_equal(ABUSE_SIGNALS, 5);
    for (unsigned set = 0; set < SETS; set++) {
        unsigned signals = 0, score = 0;
        for (unsigned i = 0; i < 5; i++)
            if (set & 1u << i) {
                signals |= plan[i].signal;
                score += plan[i].weight;
            }
        all |= signals;
        assert_int_equal(abuse_score(signals), score);
        enum abuse_verdict v = abuse_verdict(abuse_score(signals));
        assert_int_equal(v, score > 80 ? ABUSE_HOLD : score > 50 ? ABUSE_FLAG : ABUSE_FINE);
        flags += v != ABUSE_FINE;
        holds += v == ABUSE_HOLD;
    }
    printf("%d sets: %u flag, %u of them holds\n", SETS, flags, holds);
    assert_int_equal(all, ABUSE_ALL);
    assert_int_equal(flags, 11);
    assert_int_equal(holds, 1);
}

static void the_hold_rule_can_be_reached_by_all_five_alone(void **state)
{
    assert_int_equal(abuse_score(ABUSE_ALL), 85);
    assert_int_equal(abuse_verdict(abuse_score(ABUSE_ALL)), ABUSE_HOLD);
    for (unsigned i = 0; i < ABUSE_SIGNALS; i++)
        assert_true(abuse_score(ABUSE_ALL & ~(1u << i)) <= 80);
}

static void lines_are_strict(void **state)
{
    assert_int_equal(abuse_score(ABUSE_HASH | ABUSE_IP), 50);
    assert_int_equal(abuse_verdict(abuse_score(ABUSE_HASH | ABUSE_IP)), ABUSE_FINE);
    assert_int_equal(abuse_verdict(0), ABUSE_FINE);
    assert_int_equal(abuse_verdict(50), ABUSE_FINE);
    assert_int_equal(abuse_verdict(51), ABUSE_FLAG);
    assert_int_equal(abuse_verdict(80), ABUSE_FLAG);
    assert_int_equal(abuse_verdict(81), ABUSE_HOLD);
    assert_int_equal(ABUSE_HASH_ACCOUNTS_MIN, 4);
    assert_int_equal(ABUSE_WINDOW_MS, 300000);
}

static void each_sign_has_a_meaning_of_its_own(void **state)
{
    for (unsigned i = 0; i < ABUSE_SIGNALS; i++) {
        assert_true(strlen(abuse_meaning(i)) > 10);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(abuse_meaning(i), abuse_meaning(k));
    }
}

static void folding_keeps_ascii_letters_in_lower_case(void **state)
{
    static const struct {
        const char *name, *folded;
    } cases[] = {
        {"My App 2", "myapp"},         {"my-app", "myapp"},  {"", ""},         {"2048", ""},
        {"caf\xc3\xa9 App", "cafapp"}, {"AZaz[`{@", "azaz"}, {"\x80\xff", ""}, {"a\tb\nc", "abc"},
    };
    char out[ABUSE_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(abuse_name_fold(cases[i].name, out, sizeof out), strlen(cases[i].folded));
        assert_string_equal(out, cases[i].folded);
    }
    unsigned letters = 0;
    for (unsigned c = 1; c < 256; c++) {
        char one[2] = {(char)c, 0};
        letters += abuse_name_fold(one, out, sizeof out) == 1;
    }
    assert_int_equal(letters, 52);
}

static void folding_stays_within_its_buffer(void **state)
{
    char out[8];
    for (size_t size = 1; size <= sizeof out - 1; size++) {
        memset(out, '#', sizeof out);
        assert_int_equal(abuse_name_fold("ABCDEFGHIJ", out, size), size - 1);
        assert_int_equal(out[size - 1], 0);
        assert_int_equal(out[size], '#');
    }
}

static void names_are_similar_as_told(void **state)
{
    static const struct {
        const char *a, *b;
        bool similar;
    } cases[] = {
        {"Shopper", "shopper 2", true}, /* the same when folded */
        {"App 1", "App 2", true},       /* so are short ones */
        {"123", "456", false},          /* nothing left to compare */
        {"", "", false},                /* nor here */
        {"\xd0\x90\xd0\x91", "\xd0\x90\xd0\x91", false},
        {"flower", "flowers", true},     /* one put in */
        {"flower", "flower pot", false}, /* three put in */
        {"flower", "flowery s", true},   /* two put in */
        {"flower", "flwer", true},       /* one left out, five letters left */
        {"flower", "flow", false},       /* two left out, but four letters */
        {"chat", "cart", false},         /* two edits of a short word */
        {"chats", "chart", true},        /* the same with five letters */
        {"flower", "folwer", true},      /* one swap */
        {"flower", "folwre", true},      /* two swaps */
        {"abcdef", "badcfe", false},     /* three swaps */
        {"flower", "flxyer", true},      /* two replaced */
        {"flower", "fxxxer", false},     /* three replaced */
        {"calendar", "calculator", false},
        {"abxcdefg", "bacdefg", true},     /* a swap and one left out beside it */
        {"bca efghij", "abefghij", false}, /* three: no letter is edited twice in a swap */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (abuse_names_similar(cases[i].a, cases[i].b) != cases[i].similar)
            fail_msg("%s, %s", cases[i].a, cases[i].b);
        if (abuse_names_similar(cases[i].b, cases[i].a) != cases[i].similar)
            fail_msg("%s, %s, turned round", cases[i].a, cases[i].b);
    }
    printf("%zu pairs of names, both ways round\n", sizeof cases / sizeof *cases);
}

static void of_long_names_the_first_64_letters_count(void **state)
{
    char a[200], b[200];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    a[199] = b[199] = 0;
    memset(b + 64, 'z', 100);
    assert_true(abuse_names_similar(a, b));
    memset(b + 61, 'z', 3);
    assert_false(abuse_names_similar(a, b));
    b[61] = 'a';
    assert_true(abuse_names_similar(a, b));
}

/* The distance by its definition, from the end and without a table. `most` cuts hopeless paths. */
static unsigned distance(const char *a, size_t i, const char *b, size_t j, unsigned most)
{
    if (i == 0 || j == 0)
        return (unsigned)(i + j);
    if (most == 0)
        return i == j && memcmp(a, b, i) == 0 ? 0 : 1;
    unsigned best =
        distance(a, i - 1, b, j - 1, most - (a[i - 1] != b[j - 1])) + (a[i - 1] != b[j - 1]);
    unsigned out = 1 + distance(a, i - 1, b, j, most - 1);
    unsigned in = 1 + distance(a, i, b, j - 1, most - 1);
    best = out < best ? out : best;
    best = in < best ? in : best;
    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        unsigned swap = 1 + distance(a, i - 2, b, j - 2, most - 1);
        best = swap < best ? swap : best;
    }
    return best;
}

static void random_word(struct random *r, char *out)
{
    size_t n = 3 + random_below(r, 6);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)('a' + random_below(r, 3));
    out[n] = 0;
}

static void random_names_are_similar_by_the_definition(void **state)
{
    struct random r = {1};
    unsigned similar = 0, equal = 0;
    for (unsigned i = 0; i < PAIRS; i++) {
        char a[16], b[16];
        random_word(&r, a);
        random_word(&r, b);
        size_t n = strlen(a), m = strlen(b);
        bool is_same = strcmp(a, b) == 0;
        bool want = is_same || (n >= 5 && m >= 5 && distance(a, n, b, m, 3) <= 2);
        assert_int_equal(abuse_names_similar(a, b), want);
        similar += want;
        equal += is_same;
    }
    printf("%d random pairs: %u similar, %u of them equal\n", PAIRS, similar, equal);
    assert_true(similar > PAIRS / 50 && equal > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_32_sets_have_their_verdict),
        cmocka_unit_test(the_hold_rule_can_be_reached_by_all_five_alone),
        cmocka_unit_test(lines_are_strict),
        cmocka_unit_test(each_sign_has_a_meaning_of_its_own),
        cmocka_unit_test(folding_keeps_ascii_letters_in_lower_case),
        cmocka_unit_test(folding_stays_within_its_buffer),
        cmocka_unit_test(names_are_similar_as_told),
        cmocka_unit_test(of_long_names_the_first_64_letters_count),
        cmocka_unit_test(random_names_are_similar_by_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
